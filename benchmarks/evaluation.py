"""Evaluation of files beside careful peers: ``python -m benchmarks.evaluation``.

Synthetic cases (256 x 256 x 120 voxels, 12 classes) as ``.nii.gz`` label maps. Ours reads both and
gives DSC, NSD at two tolerances, HD95 and volumes of each class. Peers read with nibabel (stored
type, no float64) and compute the same on the classes' common boxes: google-deepmind's
surface-distance (one search for NSD and HD95), and MONAI's metrics (NSD and HD95 by distance
transforms; its HD95 counts voxels at the border, so values differ by up to two voxels and are
compared so). Results are compared before anything is timed; then all take turns, each on one
thread, by processor time.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import nibabel
import numpy as np
import surface_distance
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_surface_dice
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from benchmarks.metrics import phantom
from benchmarks.timing import best_of
from training.evaluation.config import CaseConfig
from training.evaluation.folders import Job, measure
from voxcurate.case_files import CaseFiles
from voxcurate.classes import Vocabulary

SPACING = (0.8, 0.8, 1.5)
DIAGONAL = float(np.linalg.norm(SPACING))
TOLERANCE = 2.0  # as our default; above the voxel's diagonal
Scores = dict[str, dict[int, tuple[float, ...]]]  # case -> label -> DSC, NSD, strict NSD, HD95
Case = tuple[Path, Path]


def ours(cases: dict[str, Case]) -> Scores:
    """As ``voxcurate evaluate`` does it, on one thread."""
    made, true = (
        {case: CaseFiles(case, label_map=paths[n]) for case, paths in cases.items()} for n in (0, 1)
    )
    found = measure(made, true, Job(Vocabulary([]), CaseConfig()))
    if not found.is_whole:
        raise SystemExit(f"ours failed: {dict(found.failed)}")
    names = ("dsc", "nsd", "nsd_strict", "hd95")
    return {
        case: {int(c): tuple(row[name] for name in names) for c, row in classes.items()}
        for case, classes in found.scores.items()
    }


def with_surface_distance(cases: dict[str, Case], labels: range) -> Scores:
    """nibabel and google-deepmind's package, on boxes."""

    def score(one: Any, two: Any) -> tuple[float, ...]:
        found = surface_distance.compute_surface_distances(two, one, SPACING)
        return (
            2 * np.count_nonzero(one & two) / (np.count_nonzero(one) + np.count_nonzero(two)),
            surface_distance.compute_surface_dice_at_tolerance(found, TOLERANCE),
            surface_distance.compute_surface_dice_at_tolerance(found, 1.0),
            surface_distance.compute_robust_hausdorff(found, 95),
        )

    return _by_boxes(cases, labels, score)


def with_monai(cases: dict[str, Case], labels: range) -> Scores:
    """nibabel and MONAI, on boxes."""

    def score(one: Any, two: Any) -> tuple[float, ...]:
        a, b = (torch.from_numpy(np.ascontiguousarray(x))[None, None] for x in (one, two))
        settings: Any = {"include_background": True, "spacing": SPACING}
        surface = partial(compute_surface_dice, a, b, use_subvoxels=True, **settings)
        return (
            float(compute_dice(a, b, include_background=True)),
            float(surface(class_thresholds=[TOLERANCE])),
            float(surface(class_thresholds=[1.0])),
            float(compute_hausdorff_distance(a, b, percentile=95, **settings)),
        )

    return _by_boxes(cases, labels, score)


def _by_boxes(
    cases: dict[str, Case], labels: range, score: Callable[[Any, Any], tuple[float, ...]]
) -> Scores:
    found: Scores = {}
    for case, paths in cases.items():
        one, two = (np.asarray(nibabel.load(path).dataobj) for path in paths)
        boxes = ndimage.find_objects(one), ndimage.find_objects(two)
        found[case] = {}
        for label in labels:
            sides = [b[label - 1] for b in boxes if label <= len(b) and b[label - 1]]
            if len(sides) < 2:
                raise SystemExit("want labels that both maps have")
            box = tuple(
                slice(max(0, min(a.start for a in side) - 1), max(a.stop for a in side) + 1)
                for side in zip(*sides, strict=True)
            )
            found[case][label] = score(one[box] == label, two[box] == label)
    return found


def compare(name: str, got: Scores, wanted: Scores, within: tuple[float, ...]) -> list[float]:
    """The largest difference of each score; stop if one is larger than it may be."""
    differences = np.array(
        [
            [abs(a - b) for a, b in zip(got[case][label], wanted[case][label], strict=True)]
            for case in wanted
            for label in wanted[case]
        ]
    ).max(axis=0)
    if (differences > np.array(within)).any():
        raise SystemExit(f"{name}: scores differ by {differences}, allowed {within}")
    return [float(d) for d in differences]


def main() -> None:
    """Make the cases, compare, time, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2)
    parser.add_argument("--classes", type=int, default=12)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 120))
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    labels = range(1, options.classes + 1)
    with tempfile.TemporaryDirectory() as name:
        cases = {}
        affine = np.diag([*SPACING, 1.0])
        one, two = phantom(tuple(options.shape), options.classes)
        for n in range(options.cases):
            paths = Path(name, f"one{n}.nii.gz"), Path(name, f"two{n}.nii.gz")
            for path, array in zip(paths, (one, two), strict=True):
                turned = np.asfortranarray(np.flip(array, n % 3))
                nibabel.save(nibabel.Nifti1Image(turned, affine), path)
            cases[f"case{n}"] = paths
        jobs: dict[str, Callable[[], Scores]] = {
            "ours": lambda: ours(cases),
            "nibabel, surface-distance": lambda: with_surface_distance(cases, labels),
            "nibabel, MONAI": lambda: with_monai(cases, labels),
        }
        mine = jobs["ours"]()
        allowed = {
            "nibabel, surface-distance": (1e-9, 1e-9, 1e-9, 1e-6),
            "nibabel, MONAI": (1e-6, 0.1, 0.1, 2 * max(SPACING)),
        }
        apart = {
            peer: compare(peer, jobs[peer](), mine, within) for peer, within in allowed.items()
        }
        seconds = best_of(jobs, options.repeats, clock=process_time)
    shape = " x ".join(map(str, options.shape))
    table = Table(title=f"{options.cases} cases of {shape}, {options.classes} classes, from files")
    for column in (
        "",
        "s per case",
        "ours is faster by",
        "largest difference: DSC",
        "NSD",
        "HD95 mm",
    ):
        table.add_column(column, justify="right" if column else "left")
    for peer, total in seconds.items():
        gap = apart.get(peer)
        told = (
            ["", "", ""]
            if gap is None
            else [f"{gap[0]:.1g}", f"{max(gap[1:3]):.1g}", f"{gap[3]:.1g}"]
        )
        ratio = "" if gap is None else f"{total / seconds['ours']:.1f}"
        table.add_row(peer, f"{total / options.cases:.2f}", ratio, *told)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
