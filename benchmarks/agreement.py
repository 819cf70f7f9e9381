"""One scan's agreement beside a plain loop over pairs: ``python -m benchmarks.agreement``.

Soft predictions of some models and two labels of one scan are read from files and compared, every
two, class by class: by the stage's worker, and by numpy on whole arrays from the same files. Values
are compared first. ``--shape 512 512 300 --classes 25`` is a real scan.
"""

import argparse
import tempfile
from functools import partial
from itertools import combinations
from pathlib import Path
from time import process_time
from typing import Any

import nibabel
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.metrics import SPACING, phantom
from benchmarks.timing import best_of
from labeling.statistics.agreement_case import case_of_json, work
from voxcurate.labels import write_mask
from voxcurate.predictions import (
    Prediction,
    open_prediction,
    probability_box,
    write_prediction,
)

AFFINE = np.diag([*SPACING, 1.0])


def write_case(root: Path, shape: tuple[int, ...], n_classes: int, n_models: int) -> dict[str, Any]:
    """Files of one scan, and the worker's payload."""
    one, two = phantom(shape, n_classes)
    classes = [f"class{n}" for n in range(1, n_classes + 1)]
    paths = {}
    for m in range(n_models):
        moved = np.roll(one, m, axis=0)
        boxes = {
            c: probability_box((moved == n).astype(np.uint8) * np.uint8(200))
            for n, c in enumerate(classes, 1)
        }
        paths[f"model{m}"] = f"model{m}.vxp"
        prediction = Prediction(boxes, moved.shape, AFFINE, f"model{m}", True)
        write_prediction(root / paths[f"model{m}"], prediction)
    labels: dict[str, dict[str, Any]] = {}
    for rater, drawn in (("ensemble", one), ("original", two)):
        labels[rater] = {}
        for n, c in enumerate(classes, 1):
            file = write_mask(root, f"{rater}_{c}", drawn == n, AFFINE)
            labels[rater][c] = [Path(file.temporary).name if file.temporary else "", ""]
    return {
        "root": str(root), "shape": list(shape), "classes": classes, "threshold": 0.5,
        "predictions": paths, "seen": [], "labels": labels,
    }  # fmt: skip


def plain(payload: dict[str, Any]) -> dict[str, dict[tuple[str, str], float]]:
    """Whole arrays, pair by pair."""
    root, shape = Path(payload["root"]), tuple(payload["shape"])
    models = {m: open_prediction(root / path) for m, path in payload["predictions"].items()}
    found: dict[str, dict[tuple[str, str], float]] = {}
    for c in payload["classes"]:
        masks = {m: p.full(c) > 127.5 for m, p in models.items()}
        for rater, own in payload["labels"].items():
            path = own[c][0]
            image: Any = nibabel.load(root / path) if path else None
            masks[rater] = np.zeros(shape, bool) if image is None else image.get_fdata() > 0
        found[c] = {
            (a, b): 2 * np.sum(masks[a] & masks[b]) / (masks[a].sum() + masks[b].sum())
            for a, b in combinations(masks, 2)
            if masks[a].any() or masks[b].any()
        }
    return found


def main() -> None:
    """Print the times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(160, 160, 100))
    parser.add_argument("--classes", type=int, default=25)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        payload = write_case(Path(folder), tuple(options.shape), options.classes, options.models)
        ours, theirs = case_of_json("x", work(payload)), plain(payload)
        for class_id, pairs in theirs.items():
            for pair, value in pairs.items():
                np.testing.assert_allclose(ours.dsc[class_id][pair], value, atol=1e-6)
        names = {
            "voxcurate": partial(work, payload),
            "numpy, whole arrays": partial(plain, payload),
        }
        times = best_of(names, options.repeat, clock=process_time)
    table = Table("way", "processor time (s)", "ratio")
    for name, seconds in times.items():
        table.add_row(name, f"{seconds:.2f}", f"{seconds / times['voxcurate']:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
