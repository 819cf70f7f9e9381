"""A scan from files to files: ``python -m benchmarks.attention_files``.

Three models' soft predictions of 25 classes, a .nii.gz each as other tools write them, become fused
masks, the attention map, scores, the priority list and the plot, by what ``voxcurate attention``
runs. The map is then compared with the equations in float64. Wall time, processor time and the
peak memory of a fresh process are shown; wanted for 512 x 512 x 400 on two cores: under 20 s and
under 6 GB. With ``--peer`` the same is done by nibabel and numpy, class by class.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from multiprocessing import Pipe, get_context
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.attention import cohort, exact
from labeling.attention.batch import attend_folders
from labeling.attention.maps import HALF
from voxcurate.atomic import write_atomic
from voxcurate.case_files import find_cases
from voxcurate.classes import load_vocabulary
from voxcurate.labelmaps import box_parts
from voxcurate.predictions import Prediction

AFFINE = np.diag([0.8, 0.8, 1.0, 1.0])


def write_cohort(folder: Path, predictions: list[Prediction]) -> list[Path]:
    """``<model>/s1/<class>.nii.gz``, uint8 of probability times 255."""
    for p in predictions:
        for name in p.classes:
            part = p.box(name)
            parts = box_parts(part.array, part.box, p.shape, AFFINE)
            write_atomic(folder / p.model_id / "s1" / f"{name}.nii.gz", parts)
    return [folder / p.model_id for p in predictions]


def ours(folders: list[Path], out: Path) -> None:
    """What the command runs."""
    vocabulary = load_vocabulary()
    models = {folder.name: find_cases(folder, vocabulary, kind="masks") for folder in folders}
    found = attend_folders(models, vocabulary, out)
    if found.failed:
        raise SystemExit(str(found.failed))


def careful_loop(folders: list[Path], out: Path) -> None:
    """nibabel and numpy as somebody writes it who keeps one class at a time in memory."""
    names = sorted(path.name for path in (folders[0] / "s1").iterdir())
    claimed: list[Any] = [0 for _ in folders]
    (out / "s1").mkdir(parents=True)

    def read(folder: Path, name: str) -> Any:
        return np.asarray(nibabel.load(folder / "s1" / name).dataobj)

    for n, folder in enumerate(folders):
        for name in names:
            claimed[n] = claimed[n] + (read(folder, name) > HALF).astype(np.uint8)
    total: Any = 0.0
    for name in names:
        stack = np.stack([read(folder, name) for folder in folders])
        soft = stack.astype(np.float32) / 255
        entropy = np.where(soft > 0, -soft * np.log(np.maximum(soft, 1e-9)), 0).mean(0)
        overlap = np.any([(stack[n] > HALF) & (claimed[n] > 1) for n in range(len(stack))], axis=0)
        total = total + soft.std(0) + entropy + overlap
        mask = (soft.mean(0) > 0.5).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(mask, AFFINE), out / "s1" / name)
    nibabel.save(nibabel.Nifti1Image(total.astype(np.float32), AFFINE), out / "total.nii.gz")


def measured(job: Callable[[], None]) -> dict[str, float]:
    """Wall and processor seconds and peak GB of a job in a child process."""
    receive, send = Pipe(duplex=False)

    def child() -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        wall, processor = time.perf_counter(), time.process_time()
        job()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = float(next(line for line in lines if line.startswith("VmHWM")).split()[1])
        send.send({"wall s": wall, "processor s": processor, "peak GB": peak / 1e6})

    process = get_context("fork").Process(target=child)
    process.start()
    send.close()
    found: dict[str, float] = receive.recv()
    process.join()
    return found


def check(folders: list[Path], out: Path, predictions: list[Prediction]) -> None:
    """The written map against the equations, to its own precision."""
    total, _ = exact(predictions, list(predictions[0].classes))
    image: Any = nibabel.load(out / "s1" / "attention.nii.gz")
    worst = float(np.abs(image.get_fdata(dtype=np.float32) - np.minimum(total, 255 / 64)).max())
    if not worst <= 0.5 / 64 + 1e-5:
        raise SystemExit(f"the attention map differs from the equations by {worst:g}")


def main() -> None:
    """Write the cohort, run, check, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 400))
    parser.add_argument("--classes", type=int, default=25)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--peer", action="store_true", help="run nibabel and numpy too")
    options = parser.parse_args()
    i, j, k = options.shape
    warm = cohort((20, 18, 16), 2, 2)
    predictions = cohort((i, j, k), options.classes, options.models)
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours(write_cohort(folder / "warm", warm), folder / "warm_out")  # compiles
        folders = write_cohort(folder / "in", predictions)
        rows["voxcurate"] = measured(lambda: ours(folders, folder / "out"))
        check(folders, folder / "out", predictions)
        if options.peer:
            del predictions
            rows["nibabel, numpy"] = measured(lambda: careful_loop(folders, folder / "peer"))
    title = f"{i} x {j} x {k}, {options.classes} classes, {options.models} models, files to files"
    table = Table("", *next(iter(rows.values())), title=title)
    for what, row in rows.items():
        table.add_row(what, *(f"{value:.2f}" for value in row.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
