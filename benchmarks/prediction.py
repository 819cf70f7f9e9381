"""Sliding-window prediction of a large scan: peak memory and time, body windows against all.

Run: ``OMP_NUM_THREADS=2 python -m benchmarks.prediction`` (512 x 512 x 800 voxels, 25 classes, a
network that costs next to nothing), smaller with ``--depth 200``.

Each way runs in a process of its own (`voxcurate.isolation`), whose peak memory the kernel tells.
``whole`` keeps the sums of all classes for the whole scan, as MONAI's sliding window does; its
memory is worked out, not tried. Exit status 1 if a way takes 8 GB or more, or the two disagree
inside the body.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from voxcurate.isolation import Isolated
from voxcurate.predictions import Prediction, open_prediction, write_prediction
from voxcurate.volume import Volume

LIMIT_MB = 8192.0
SPACING = (0.8, 0.8, 1.0)


def main() -> int:
    """Print the comparison as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--depth", type=int, default=800)
    parser.add_argument("--classes", type=int, default=25)
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--overlap", type=float, default=0.25)
    given = parser.parse_args()
    settings = vars(given)
    shape = (given.side, given.side, given.depth)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.vxp" for name in ("body", "all")}
        for name, path in paths.items():
            process = Isolated()
            payload = {**settings, "body_only": name == "body", "target": str(path)}
            try:
                outcome = process.call("benchmarks.prediction:predict", payload, time_limit_s=3600)
            finally:
                process.close()
            found[name] = {**outcome.value, "peak_mb": round(outcome.peak_mb)}
        difference = _inside(shape, paths)
        size_mb = paths["body"].stat().st_size / 2**20
    whole_mb = 4 * (given.classes + 1) * float(np.prod(shape)) / 2**20
    reached = difference == 0 and all(way["peak_mb"] < LIMIT_MB for way in found.values())
    result = {
        "shape": shape,
        "classes": given.classes,
        **found,
        "windows_left_out": round(1 - found["body"]["windows"] / found["all"]["windows"], 3),
        "all_over_body_s": round(found["all"]["predict_s"] / found["body"]["predict_s"], 2),
        "largest_difference_inside_the_body": difference,
        "file_mb": round(size_mb, 1),
        "sums_of_the_whole_scan_mb": round(whole_mb),
        "reached": reached,
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return int(not reached)


def scan(shape: tuple[int, int, int]) -> Volume:
    """A CT: an elliptic body of soft tissue with lungs, a table, noise."""
    generator = np.random.default_rng(0)
    i, j = np.ogrid[: shape[0], : shape[1]]
    x, y = (i - shape[0] / 2) / shape[0], (j - shape[1] / 2) / shape[1]
    is_body = (x / 0.36) ** 2 + (y / 0.24) ** 2 <= 1
    is_lung = ((np.abs(x) - 0.17) / 0.11) ** 2 + (y / 0.15) ** 2 <= 1
    array = np.empty(shape, np.int16)
    for k in range(shape[2]):
        plane = np.where(is_body, 40, -1000)
        if shape[2] * 0.45 < k < shape[2] * 0.8:
            plane = np.where(is_lung, -820, plane)
        plane[:, int(shape[1] * 0.9)] = 100
        array[..., k] = plane + generator.integers(-25, 25, plane.shape)
    return Volume(array, np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0]))


def predict(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: make the scan, predict it, write the file."""
    import torch

    from training.predictors.network import prepare
    from training.predictors.sliding import Prepared, Recipe, SlidingPredictor
    from training.predictors.spec import NetworkSpec

    n, patch = int(payload["classes"]), (int(payload["patch"]),) * 3
    spec = NetworkSpec(
        name="trivial",
        licence="none",
        weights="none",
        architecture="Conv3d",
        spacing_mm=SPACING,
        orientation="RAS",
        window=(-1000.0, 1000.0),
    )
    layer = torch.nn.Conv3d(1, n, 1).requires_grad_(False)
    layer.weight.fill_(60.0)  # class c is what lies above its own HU
    layer.bias = torch.nn.Parameter(torch.linspace(-30.0, -60.0, n), requires_grad=False)
    windows = [0]

    def network(image: torch.Tensor) -> torch.Tensor:
        windows[0] += len(image)
        found: torch.Tensor = layer(image)
        return found.sigmoid_()

    def ready(volume: Volume) -> Prepared:
        return prepare(volume, spec, bool(payload["body_only"]))

    classes = tuple(f"class_{c}" for c in range(n))
    recipe = Recipe(
        "trivial", classes, "none", network, patch, payload["overlap"], torch.device("cpu"), ready
    )
    volume = scan((payload["side"], payload["side"], payload["depth"]))
    start = time.perf_counter()
    parts = _Lazy(SlidingPredictor(recipe).predict(volume))
    prediction = Prediction(parts, volume.shape, volume.affine, "trivial", False)
    write_prediction(Path(payload["target"]), prediction)
    return {"predict_s": round(time.perf_counter() - start, 1), "windows": windows[0]}


class _Lazy(dict[str, Any]):
    """Classes that are written as they come."""

    def __init__(self, parts: Any) -> None:
        super().__init__()
        self.parts = parts

    def items(self) -> Any:
        return self.parts


def _inside(shape: tuple[int, int, int], paths: Mapping[str, Path]) -> int:
    """The largest difference of the two files inside the body, of 255."""
    body = scan(shape).array > -300
    body[:, int(shape[1] * 0.9)] = False  # the table
    opened = [open_prediction(path) for path in paths.values()]
    largest = 0
    for class_id in opened[0].classes:
        one, two = (prediction.full(class_id) for prediction in opened)
        apart = np.where(one > two, one - two, two - one)
        largest = max(largest, int(apart[body].max(initial=0)))
    return largest


if __name__ == "__main__":
    raise SystemExit(main())
