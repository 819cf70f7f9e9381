"""Fusion: reading ready predictions in every form, fusing files to files, STAPLE.

Run: ``python -m benchmarks.fusion read|fuse|staple [--shape 512 512 400]``. ``read`` takes 25
classes of one model as soft files, masks, a label map, a file with channels and our own file,
beside nibabel's reading of the same; what was read is compared. ``fuse`` is what ``voxcurate
fuse`` runs, for 3 models: wall time, processor time and the peak memory of a fresh process; limits
on two cores: 20 s and 6 GB. ``staple`` is beside SimpleITK's filter, on the same box; equal within
1e-6.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.attention import cohort
from benchmarks.attention_files import AFFINE, measured, write_cohort
from benchmarks.timing import best_of
from labeling.config import FuseConfig, LabelingConfig
from labeling.fusion.batch import fuse_folders
from labeling.fusion.staple import staple
from voxcurate.atomic import write_atomic
from voxcurate.case_files import CaseFiles, find_cases
from voxcurate.classes import load_vocabulary
from voxcurate.labelmaps import box_parts
from voxcurate.nifti import write_nifti
from voxcurate.predictions import Prediction, ProbabilityBox, open_prediction, write_prediction
from voxcurate.ready_predictions import read_prediction
from voxcurate.volume import Volume

FORMS = ("soft files", "masks", "label map", "channels", "ours")


def write_forms(folder: Path, prediction: Prediction) -> dict[str, CaseFiles]:
    """One prediction in every form."""
    shape, names = prediction.shape, list(prediction.classes)
    labels = np.zeros(shape, np.uint8)
    files: dict[str, dict[str, Path]] = {"soft files": {}, "masks": {}}
    for n, name in enumerate(names, 1):
        part = prediction.box(name)
        labels[part.box][part.array > 127] = n
    for n, name in enumerate(names, 1):
        part = prediction.box(name)
        mask = (labels[part.box] == n).view(np.uint8)
        for form, array in (("soft files", part.array), ("masks", mask)):
            path = folder / form / f"{name}.nii.gz"
            write_atomic(path, box_parts(array, part.box, shape, AFFINE))
            files[form][name] = path
    write_nifti(folder / "map.nii.gz", Volume(labels, AFFINE))
    few = names[:4]  # 25 channels of floats do not fit beside their writer; not packed: too slow
    stack = np.stack([prediction.full(c).astype(np.float32) / 255 for c in few], -1)
    nibabel.save(nibabel.Nifti1Image(stack, AFFINE), folder / "channels.nii")
    write_prediction(folder / "case.vxp", prediction)
    numbers = dict(enumerate(names, 1))
    return {
        **{form: CaseFiles("case", masks=own) for form, own in files.items()},
        "label map": CaseFiles("case", label_map=folder / "map.nii.gz", names=numbers),
        "channels": CaseFiles(
            "case", label_map=folder / "channels.nii", names=dict(enumerate(few, 1))
        ),
        "ours": CaseFiles("case", soft=folder / "case.vxp"),
    }


def by_nibabel(files: CaseFiles) -> dict[str, Any]:
    """The same as people read it: whole arrays of floats, one class at a time, then bytes."""
    if files.soft is not None:
        stored = open_prediction(files.soft)
        return {c: stored.full(c) for c in stored.classes}
    if files.label_map is not None:
        array = nibabel.load(files.label_map).get_fdata(dtype=np.float32)
        if array.ndim == 4:
            return {c: np.rint(array[..., n - 1] * 255).astype(np.uint8)
                    for n, c in files.names.items()}  # fmt: skip
        return {c: (array == n).astype(np.uint8) * 255 for n, c in files.names.items()}
    found = {}
    for c, path in files.masks.items():
        array = nibabel.load(path).get_fdata(dtype=np.float32)
        found[c] = (array * (255 if array.max() <= 1 else 1)).astype(np.uint8)
    return found


def read(shape: tuple[int, int, int], n_classes: int, repeats: int, *, peer: bool) -> None:
    """The table of reading; without a peer nothing is compared either."""
    prediction = cohort(shape, n_classes, 1)[0]
    table = Table("form", "nibabel s", "ours s", "ratio", "one class s", "MB on disk")
    with tempfile.TemporaryDirectory() as name:
        for form, files in write_forms(Path(name), prediction).items():
            found = read_prediction(files, "m")
            jobs: dict[str, Callable[[], Any]] = {"ours": partial(read_prediction, files, "m")}
            if peer:
                jobs["peer"] = partial(by_nibabel, files)
                for c, array in by_nibabel(files).items():
                    if not np.array_equal(found.full(c), array):
                        raise SystemExit(f"{form}: {c} differs")
            seconds = best_of(jobs, repeats, clock=time.process_time)
            paths = [p for p in (files.label_map, files.soft, *files.masks.values()) if p]
            one = ""
            if files.soft is not None:
                box = open_prediction(files.soft).box
                alone = best_of({"one": partial(box, "c3")}, repeats, clock=time.process_time)
                one = f"{alone['one']:.4f}"
            size = sum(p.stat().st_size for p in paths) / 1e6
            theirs = seconds.get("peer", float("nan"))
            ratio = theirs / seconds["ours"]
            table.add_row(
                form, f"{theirs:.2f}", f"{seconds['ours']:.3f}", f"{ratio:.1f}", one,
                f"{size:.1f}",
            )  # fmt: skip
    Console().print(table)


def fuse(shape: tuple[int, int, int], n_classes: int, method: str) -> None:
    """The row of fusing."""
    config = LabelingConfig(fuse=FuseConfig.model_validate({"method": method}))
    predictions = [_named(p) for p in cohort(shape, n_classes, 3)]
    warm = [_named(p) for p in cohort((20, 18, 16), 2, 2)]

    def run(folders: list[Path], out: Path) -> None:
        vocabulary = load_vocabulary()
        models = {f.name: find_cases(f, vocabulary) for f in folders}
        found = fuse_folders(models, vocabulary, out, config)
        if found.failed:
            raise SystemExit(str(found.failed))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(write_cohort(folder / "warm", warm), folder / "warm_out")
        folders = write_cohort(folder / "in", predictions)
        del predictions
        row = measured(lambda: run(folders, folder / "out"))
    table = Table("", *row, title=f"{shape}, {n_classes} classes, 3 models, {method}")
    table.add_row("voxcurate fuse", *(f"{value:.2f}" for value in row.values()))
    Console().print(table)


def _named(prediction: Prediction) -> Prediction:
    """The phantom's classes under names of the vocabulary, so that the rules have work."""
    names = [c.id for c in load_vocabulary() if not c.lesion][: len(prediction.classes)]
    boxes: dict[str, ProbabilityBox] = {
        name: prediction.box(c) for name, c in zip(names, prediction.classes, strict=True)
    }
    return Prediction(boxes, prediction.shape, prediction.affine, prediction.model_id, True)


def by_itk(shape: tuple[int, int, int], n_classes: int, repeats: int) -> None:
    """STAPLE, beside SimpleITK on the same box."""
    import SimpleITK

    predictions = cohort(shape, n_classes, 3)
    seconds: dict[str, float] = {"ours": 0.0, "SimpleITK": 0.0}
    worst = 0.0
    for name in predictions[0].classes:
        parts = [p.box(name) for p in predictions]
        ours = staple(parts, shape, AFFINE)
        images = [
            SimpleITK.GetImageFromArray((p.full(name)[ours.box] > 127).astype(np.uint8))
            for p in predictions
        ]
        peer = SimpleITK.STAPLEImageFilter()
        peer.SetForegroundValue(1)
        wanted = SimpleITK.GetArrayFromImage(peer.Execute(images))
        worst = max(worst, float(np.abs(ours.probability[ours.codes] - wanted).max()))
        jobs: dict[str, Callable[[], Any]] = {
            "ours": partial(staple, parts, shape, AFFINE),
            "SimpleITK": partial(peer.Execute, images),
        }
        for key, value in best_of(jobs, repeats, clock=time.process_time).items():
            seconds[key] += value
    if not worst <= 1e-6:
        raise SystemExit(f"STAPLE differs from SimpleITK by {worst:g}")
    ratio = seconds["SimpleITK"] / seconds["ours"]
    Console().print(
        f"STAPLE of {n_classes} classes: ours {seconds['ours']:.2f} s, SimpleITK "
        f"{seconds['SimpleITK']:.2f} s, ratio {ratio:.0f}; they differ by {worst:.1e}"
    )


def main() -> None:
    """Run the part that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("read", "fuse", "staple"))
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 150))
    parser.add_argument("--classes", type=int, default=25)
    parser.add_argument("--method", choices=("mean", "staple"), default="mean")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help="read: without nibabel")
    options = parser.parse_args()
    i, j, k = options.shape
    if options.part == "read":
        read((i, j, k), options.classes, options.repeats, peer=not options.alone)
    elif options.part == "fuse":
        fuse((i, j, k), options.classes, options.method)
    else:
        by_itk((i, j, k), options.classes, options.repeats)


if __name__ == "__main__":
    main()
