"""Scores, components, labels and boxes beside their peers: ``python -m benchmarks.metrics``.

Peers: google-deepmind/surface-distance, MONAI, SimpleITK, connected-components-3d, scipy, nibabel
and numpy. Every value is compared first; then all take turns and the least processor time of each
is shown. Ratios count, absolute times do not. ``--shape 512 512 300`` is the size of a real scan
and takes minutes. surface-distance and MONAI get whole masks, as their documentation has it (both
crop to the label themselves); a row of its own gives surface-distance boxes that scipy finds.
"""

import argparse
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import cc3d
import nibabel
import numpy as np
import SimpleITK
import surface_distance
import torch
from monai.metrics import compute_surface_dice
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from benchmarks.timing import best_of
from voxcurate.labelmaps import overlap_of_files
from voxcurate.masks import components, label_boxes, unique_labels
from voxcurate.metrics import dsc_of_counts, dsc_per_label, hd95, score_labels

SPACING = (0.8, 0.8, 1.0)


def phantom(shape: tuple[int, ...], n_labels: int) -> tuple[Any, Any]:
    """Two label maps of ellipsoids that differ by a shift of a voxel and a little in size."""
    rng = np.random.default_rng(1)
    grid = np.ogrid[tuple(slice(0, n) for n in shape)]
    maps = np.zeros((2, *shape), np.uint8)
    for label in range(1, n_labels + 1):
        centre, radius = (rng.uniform(*span, 3) * shape for span in ((0.2, 0.8), (0.05, 0.13)))
        for n in (0, 1):
            parts = zip(grid, centre + n, radius * (1 + 0.02 * n), strict=True)
            maps[n][sum(((g - c) / r) ** 2 for g, c, r in parts) <= 1] = label
    return maps[0], maps[1]


def numpy_dsc(one: Any, two: Any, labels: range) -> dict[int, float]:
    """The loop that most evaluation scripts have."""
    return {
        n: 2 * np.sum((one == n) & (two == n)) / (np.sum(one == n) + np.sum(two == n))
        for n in labels
    }


def itk_dsc(one: Any, two: Any, labels: range) -> dict[int, float]:
    """SimpleITK's filter, all labels at once."""
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(SimpleITK.GetImageFromArray(one), SimpleITK.GetImageFromArray(two))
    return {n: overlap.GetDiceCoefficient(n) for n in labels}


def bincount_dsc(one: Any, two: Any, labels: range) -> dict[int, float]:
    """The joint histogram in numpy."""
    n = 1 + max(labels)
    counts = np.bincount(one.ravel().astype(np.intp) * n + two.ravel(), minlength=n * n)
    counts = counts.reshape(n, n)
    return {c: 2 * counts[c, c] / (counts[c].sum() + counts[:, c].sum()) for c in labels}


def deepmind(one: Any, two: Any, labels: range, tolerance: float) -> dict[int, float]:
    """surface-distance, label by label (it crops to the box itself)."""
    return {n: deepmind_nsd(one == n, two == n, tolerance) for n in labels}


def deepmind_nsd(one: Any, two: Any, tolerance: float) -> float:
    """surface-distance of two masks."""
    found = surface_distance.compute_surface_distances(one, two, SPACING)
    return float(surface_distance.compute_surface_dice_at_tolerance(found, tolerance))


def deepmind_on_boxes(one: Any, two: Any, labels: range, tolerance: float) -> dict[int, float]:
    """The same on boxes that scipy finds first."""
    result = {}
    boxes = ndimage.find_objects(one), ndimage.find_objects(two)
    for n in labels:
        sides = [found[n - 1] for found in boxes if n <= len(found) and found[n - 1]]
        box = tuple(
            slice(max(0, min(a.start for a in side) - 1), max(a.stop for a in side) + 1)
            for side in zip(*sides, strict=True)
        )
        result[n] = deepmind_nsd(one[box] == n, two[box] == n, tolerance)
    return result


def monai_nsd(one: Any, two: Any, labels: range, tolerance: float) -> dict[int, float]:
    """MONAI's normalised surface dice, which it computes by counting border voxels' area."""
    first, second = (
        torch.from_numpy(np.stack([part == n for n in range(max(labels) + 1)]))[None]
        for part in (one, two)
    )
    values = compute_surface_dice(
        first, second, [tolerance] * max(labels), spacing=SPACING, use_subvoxels=True
    )
    return dict(zip(labels, values[0].tolist(), strict=True))


def ours_nsd(one: Any, two: Any, labels: range, tolerance: float) -> dict[int, float]:
    """All labels at once."""
    scores = score_labels(
        one, two, labels, spacing=SPACING, tolerances_mm=dict.fromkeys(labels, tolerance)
    )
    return {n: score.nsd for n, score in scores.items()}


def nibabel_dsc(files: tuple[Path, Path], labels: range) -> dict[int, float]:
    """Two files, as most scripts read them: float64."""
    one, two = (nibabel.load(path).get_fdata() for path in files)
    return numpy_dsc(one, two, labels)


def careful_dsc(files: tuple[Path, Path], labels: range) -> dict[int, float]:
    """nibabel with the stored type kept, and the joint histogram."""
    one, two = (np.asarray(nibabel.load(path).dataobj) for path in files)
    return bincount_dsc(one, two, labels)


def our_dsc(files: tuple[Path, Path], labels: range) -> dict[int, float]:
    """Counted while both files are unpacked."""
    counts = overlap_of_files(*files).counts
    return {n: dsc_of_counts(counts, n) for n in labels}


def agree(name: str, got: dict[int, float], wanted: dict[int, float], within: float) -> None:
    """Stop if a value differs by more."""
    worst = max(abs(got[n] - wanted[n]) for n in wanted)
    if not worst <= within:
        raise SystemExit(f"{name}: differs by {worst:g}, allowed {within:g}")


Row = tuple[str, str, float, float, str]


def scores_of_arrays(one: Any, two: Any, labels: range, options: Any) -> list[Row]:
    """DSC and NSD."""
    fast: dict[str, Callable[[], Any]] = {
        "ours": lambda: dsc_per_label(one, two, labels),
        "numpy loop": lambda: numpy_dsc(one, two, labels),
        "SimpleITK": lambda: itk_dsc(one, two, labels),
        "numpy bincount": lambda: bincount_dsc(one, two, labels),
    }
    ours = fast["ours"]()
    for name, job in fast.items():
        agree(name, job(), ours, 1e-12)
    s = best_of(fast, options.repeats, clock=process_time)
    rows: list[Row] = [("DSC", peer, s[peer], s["ours"], "") for peer in list(fast)[1:]]
    at = options.tolerance
    peers: dict[str, tuple[Callable[..., dict[int, float]], float, str]] = {
        "surface-distance": (deepmind, 1e-6, "25"),
        "surface-distance on boxes": (deepmind_on_boxes, 1e-6, ""),
        "MONAI": (monai_nsd, 0.1, "60"),
    }
    ours = ours_nsd(one, two, labels, at)
    for name, (peer, within, _) in peers.items():
        agree(name, peer(one, two, labels, at), ours, within)
    jobs = {name: partial(peer, one, two, labels, at) for name, (peer, _, _) in peers.items()}
    mine = partial(ours_nsd, one, two, labels, at)
    s = best_of({"ours": mine, **jobs}, options.slow_repeats, clock=process_time)
    return rows + [
        (f"NSD at {at:g} mm", name, s[name], s["ours"], mark)
        for name, (_, _, mark) in peers.items()
    ]


def scores_of_files(one: Any, two: Any, labels: range, repeats: int) -> list[Row]:
    """DSC from two .nii.gz that nibabel wrote."""
    with tempfile.TemporaryDirectory() as name:
        files = Path(name, "one.nii.gz"), Path(name, "two.nii.gz")
        for path, array in zip(files, (one, two), strict=True):
            image = nibabel.Nifti1Image(np.asfortranarray(array), np.diag([*SPACING, 1.0]))
            nibabel.save(image, path)
        jobs: dict[str, Callable[[], Any]] = {
            "ours": lambda: our_dsc(files, labels),
            "nibabel get_fdata, numpy loop": lambda: nibabel_dsc(files, labels),
            "nibabel stored type, bincount": lambda: careful_dsc(files, labels),
        }
        ours = jobs["ours"]()
        for title, job in jobs.items():
            agree(title, job(), ours, 1e-12)
        s = best_of(jobs, repeats, clock=process_time)
    marks = ("80", "")
    return [
        ("DSC from files", peer, s[peer], s["ours"], mark)
        for peer, mark in zip(list(jobs)[1:], marks, strict=True)
    ]


def shapes(one: Any, two: Any, repeats: int) -> list[Row]:
    """HD95 of a label, components, unique labels and boxes of a map."""
    mask_one, mask_two = one == 1, two == 1

    def reference_hd95() -> float:
        found = surface_distance.compute_surface_distances(mask_one, mask_two, SPACING)
        return float(surface_distance.compute_robust_hausdorff(found, 95))

    pairs: dict[str, tuple[Callable[[], Any], dict[str, Callable[[], Any]], str]] = {
        "HD95, one label": (
            lambda: hd95(mask_one, mask_two, SPACING),
            {"surface-distance": reference_hd95},
            "",
        ),
        "components, all labels": (
            lambda: components(one)[1],
            {"connected-components-3d": lambda: cc3d.connected_components(one, return_N=True)[1]},
            "1",
        ),
        "unique labels": (
            lambda: list(unique_labels(one)),
            {"numpy": lambda: np.unique(one).tolist()},
            "1",
        ),
        "boxes": (
            lambda: list(label_boxes(one).values()),
            {
                "scipy find_objects": lambda: [b for b in ndimage.find_objects(one) if b],
                "connected-components-3d": lambda: cc3d.statistics(one)["bounding_boxes"][1:],
            },
            "1",
        ),
    }
    rows: list[Row] = []
    for what, (job, peers, mark) in pairs.items():
        ours = job()
        for name, peer in peers.items():
            if peer() != ours:
                raise SystemExit(f"{what}: {name} differs")
        s = best_of({"ours": job, **peers}, repeats, clock=process_time)
        rows += [(what, name, s[name], s["ours"], mark) for name in peers]
    return rows


def main() -> None:
    """Compare, time, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 150))
    parser.add_argument("--labels", type=int, default=24)
    parser.add_argument("--tolerance", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slow-repeats", type=int, default=2, help="of NSD")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    one, two = phantom(tuple(options.shape), options.labels)
    labels = range(1, options.labels + 1)
    rows = scores_of_arrays(one, two, labels, options)
    rows += scores_of_files(one, two, labels, options.repeats)
    rows += shapes(one, two, options.repeats)
    title = f"{one.shape}, {len(labels)} labels"
    table = Table("what", "peer", "peer ms", "ours ms", "ratio", "wanted", title=title)
    for what, peer, theirs, mine, mark in rows:
        cells = f"{theirs * 1e3:.1f}", f"{mine * 1e3:.1f}", f"{theirs / mine:.1f}", mark
        table.add_row(what, peer, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
