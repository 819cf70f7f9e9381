"""Attention and fusion of several models, side by side with plain numpy.

Run: ``python -m benchmarks.attention [--shape 512 512 300] [--classes 25] [--models 3]``.
Equality is checked first: with the equations in float64 within 1e-6, with the peers, which compute
in float32, within 2e-4. Then all take turns; the least processor time of all threads counts. From
files to files: ``benchmarks.attention_files``.
"""

import argparse
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe, get_context
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.timing import best_of
from labeling.attention.maps import (
    HALF,
    Fusion,
    conflict_matrix,
    entropy_table,
    fuse_and_attend,
    union_box,
)
from voxcurate.predictions import Prediction, ProbabilityBox, probability_box

Stack = npt.NDArray[np.uint8]


def cohort(shape: tuple[int, int, int], n_classes: int, n_models: int) -> list[Prediction]:
    """Ellipsoids with soft borders; the models differ by a shift of the border."""
    rng = np.random.default_rng(0)
    found: list[Prediction] = []
    centres = rng.uniform(0.15, 0.85, (n_classes, 3)) * shape
    radii = rng.uniform(0.04, 0.14, (n_classes, 3)) * shape
    for m in range(n_models):
        boxes = {}
        for c in range(n_classes):
            low = np.maximum(centres[c] - 1.6 * radii[c], 0).astype(int)
            high = np.minimum(centres[c] + 1.6 * radii[c] + 1, shape).astype(int)
            grid = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
            distance = sum(((g - centres[c][n]) / radii[c][n]) ** 2 for n, g in enumerate(grid))
            soft = 1 / (1 + np.exp(12 * (np.sqrt(distance) - 1 - 0.03 * (m - 1))))
            part = probability_box(np.rint(soft * 255).astype(np.uint8), floor=0.02)
            i, j, k = (
                slice(side.start + n, side.stop + n)
                for side, n in zip(part.box, low.tolist(), strict=True)
            )
            boxes[f"c{c}"] = ProbabilityBox((i, j, k), part.array)
        found.append(Prediction(boxes, shape, np.eye(4), f"m{m}", True))
    return found


def class_loop(predictions: list[Prediction], names: list[str]) -> tuple[Any, dict[str, Any]]:
    """What people write: per class over the whole volume, in float32."""
    shape = predictions[0].shape
    claimed = [np.zeros(shape, np.uint8) for _ in predictions]
    for n, p in enumerate(predictions):
        for name in names:
            claimed[n] += p.full(name) > HALF
    total, masks = np.zeros(shape, np.float32), {}
    for name in names:
        stack = np.stack([p.full(name) for p in predictions]).astype(np.float32) / 255
        entropy = np.where(stack > 0, -stack * np.log(np.maximum(stack, 1e-9)), 0).mean(0)
        overlap = np.zeros(shape, bool)
        for n in range(len(predictions)):
            overlap |= (stack[n] > 0.5) & (claimed[n] > 1)
        total += stack.std(0) + entropy + overlap
        masks[name] = stack.mean(0) > 0.5
    return total, masks


def whole_arrays(predictions: list[Prediction], names: list[str]) -> tuple[Any, dict[str, Any]]:
    """All classes and models at once, ``(C, N, I, J, K)``, a slab at a time so that it fits."""
    shape = predictions[0].shape
    table = entropy_table("published").astype(np.float32)
    stack = np.stack([np.stack([p.full(c) for p in predictions]) for c in names])
    total = np.empty(shape, np.float32)
    fused = np.empty((len(names), *shape), bool)
    for i in range(0, shape[0], 16):
        part = stack[:, :, i : i + 16]
        soft = part.astype(np.float32) / 255
        hard = part > HALF
        overlap = (hard & (hard.sum(0) > 1)).any(1)
        total[i : i + 16] = (soft.std(1) + table[part].mean(1) + overlap).sum(0)
        fused[:, i : i + 16] = soft.mean(1) > 0.5
    return total, dict(zip(names, fused, strict=True))


def boxed_loop(predictions: list[Prediction], names: list[str]) -> tuple[Any, dict[str, Any]]:
    """The class loop of somebody who crops to the models' common box first."""
    shape = predictions[0].shape
    claimed = [np.zeros(shape, np.uint8) for _ in predictions]
    for n, p in enumerate(predictions):
        for name in names:
            part = p.box(name)
            claimed[n][part.box] += part.array > HALF
    total, masks = np.zeros(shape, np.float32), {}
    for name in names:
        box = union_box([p.box(name).box for p in predictions])
        stack = np.stack([p.full(name)[box] for p in predictions]).astype(np.float32) / 255
        entropy = np.where(stack > 0, -stack * np.log(np.maximum(stack, 1e-9)), 0).mean(0)
        overlap = np.zeros(stack.shape[1:], bool)
        for n in range(len(predictions)):
            overlap |= (stack[n] > 0.5) & (claimed[n][box] > 1)
        total[box] += stack.std(0) + entropy + overlap
        whole = np.zeros(shape, bool)
        whole[box] = stack.mean(0) > 0.5
        masks[name] = whole
    return total, masks


def exact(predictions: list[Prediction], names: list[str]) -> tuple[Any, dict[str, list[float]]]:
    """Equations 1-4 as they stand, in float64: the map, and each class's three sums."""
    shape = predictions[0].shape
    claimed = [np.zeros(shape, np.uint8) for _ in predictions]
    for n, p in enumerate(predictions):
        for name in names:
            claimed[n] += p.full(name) > HALF
    total, sums = np.zeros(shape), {}
    for name in names:
        box = union_box([p.box(name).box for p in predictions])
        stack = np.stack([p.full(name)[box] for p in predictions]) / 255.0
        deviation = np.sqrt(((stack - stack.mean(0)) ** 2).mean(0))
        entropy = -(stack * np.log(np.where(stack > 0, stack, 1.0))).mean(0)
        overlap = np.zeros(stack.shape[1:], bool)
        for n in range(len(predictions)):
            overlap |= (stack[n] > 0.5) & (claimed[n][box] > 1)
        total[box] += deviation + entropy + overlap
        sums[name] = [float(term.sum()) for term in (deviation, entropy, overlap)]
    return total, sums


def check(predictions: list[Prediction], names: list[str], ours: Fusion) -> None:
    """Ours against the equations, within 1e-6 of every voxel and, relative, of every sum."""
    total, sums = exact(predictions, names)
    worst = float(np.abs(ours.total - total).max())
    if not worst <= 1e-6:
        raise SystemExit(f"attention differs from the equations by {worst:g}")
    for name, wanted in sums.items():
        found = ours.classes[name]
        got = [found.inconsistency or 0.0, found.uncertainty, found.overlap]
        if not np.allclose(got, wanted, rtol=1e-6, atol=1e-6):
            raise SystemExit(f"sums of {name} differ: {got} and {wanted}")


def memory(job: Callable[[], Fusion]) -> tuple[float, float]:
    """MB by which a fresh child process grows at its peak, and MB of the outputs."""
    receive, send = Pipe(duplex=False)

    def child() -> None:
        before = _status_kb("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        found = job()
        outputs = found.total.nbytes + sum(mask.nbytes for _, mask in found.masks.values())
        send.send(((_status_kb("VmHWM") - before) / 1e3, outputs / 1e6))

    process = get_context("fork").Process(target=child)
    process.start()
    grown, outputs = receive.recv()
    process.join()
    return grown, outputs


def _status_kb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 150))
    parser.add_argument("--classes", type=int, default=25)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    i, j, k = options.shape
    small = cohort((20, 18, 16), 2, options.models)  # compiles, without taking memory
    fuse_and_attend(small, ["c0", "c1"], conflict_matrix(["c0", "c1"], []))
    predictions = cohort((i, j, k), options.classes, options.models)
    names = list(predictions[0].classes)
    conflicts = conflict_matrix(names, [])

    def job() -> Fusion:
        return fuse_and_attend(predictions, names, conflicts)

    grown, outputs = memory(job)
    ours = job()
    check(predictions, names, ours)
    peers = {
        "numpy on whole arrays": (partial(whole_arrays, predictions, names), 40),
        "numpy, class loop": (partial(class_loop, predictions, names), 20),
        "numpy, class loop on boxes": (partial(boxed_loop, predictions, names), None),
    }
    for title, (peer, _) in peers.items():
        total, masks = peer()
        if not np.allclose(ours.total, total, atol=2e-4):  # float32, as people have it
            raise SystemExit(f"{title}: differs")
        for name in names:
            box, mask = ours.masks[name]
            differ = np.count_nonzero(masks[name][box] != mask)
            if differ > 1e-4 * mask.size:  # mean exactly one half: float32 may round it up
                raise SystemExit(f"{title}: {differ} voxels of {name} differ")
        del total, masks
    jobs: dict[str, Callable[[], Any]] = {
        "ours": job,
        **{title: peer for title, (peer, _) in peers.items()},
    }
    seconds = best_of(jobs, options.repeats, clock=process_time)
    size = f"{i} x {j} x {k}, {options.classes} classes, {options.models} models"
    table = Table("peer", "peer s", "ours s", "ratio", "wanted", title=size)
    for title, (_, mark) in peers.items():
        ratio = seconds[title] / seconds["ours"]
        wanted = "" if mark is None else f"{mark}"
        cells = f"{seconds[title]:.2f}", f"{seconds['ours']:.3f}", f"{ratio:.0f}", wanted
        table.add_row(title, *cells)
    console = Console()
    console.print(table)
    console.print(f"memory: grew by {grown:.0f} MB, outputs {outputs:.0f} MB")


if __name__ == "__main__":
    main()
