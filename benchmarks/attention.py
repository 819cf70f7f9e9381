"""Attention and fusion of several models: plain numpy on whole arrays, a class loop, and ours.

Run: ``python -m benchmarks.attention [--shape 512 512 300] [--classes 25] [--models 3]``.
Equality is checked first; only ratios within one run count.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.attention import HALF, conflict_matrix, entropy_table, fuse_and_attend
from voxcurate.predictions import Prediction, probability_box

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
            whole = np.zeros(shape, np.uint8)
            whole[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = np.rint(soft * 255)
            boxes[f"c{c}"] = probability_box(whole, floor=0.02)
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


def timed(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Best wall time in seconds, and the result."""
    best, result = float("inf"), None
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 150))
    parser.add_argument("--classes", type=int, default=25)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    i, j, k = options.shape
    predictions = cohort((i, j, k), options.classes, options.models)
    names = list(predictions[0].classes)
    conflicts = conflict_matrix(names, [])
    fuse_and_attend(predictions, names, conflicts)  # compiles
    ours_s, ours = timed(lambda: fuse_and_attend(predictions, names, conflicts), options.repeats)
    lines = [f"{'ours (one compiled pass)':28s} {ours_s:8.3f} s"]
    for title, function in (
        ("numpy, class loop", class_loop),
        ("numpy, whole arrays", whole_arrays),
    ):
        seconds, (total, masks) = timed(partial(function, predictions, names), 1)
        assert np.allclose(ours.total, total, atol=2e-4), title
        for name in names:
            box, mask = ours.masks[name]
            differ = np.count_nonzero(masks[name][box] != mask)
            # mean exactly one half: float32 may round it up
            assert differ <= 1e-4 * mask.size, (title, name, differ)
        lines.append(f"{title:28s} {seconds:8.3f} s   {seconds / ours_s:6.1f} times ours")
    print(f"shape {i} x {j} x {k}, {options.classes} classes, {options.models} models")  # noqa: T201
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
