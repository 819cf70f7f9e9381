"""DSC, NSD and HD95 side by side with their peers: ``python -m benchmarks.metrics``.

Peers: google-deepmind/surface-distance, MONAI, SimpleITK, a numpy loop. Every value is compared
first; then each way is timed and the best time of each is shown. Ratios count, absolute times do
not. It takes under two minutes at the default size; ``--shape 512 512 300`` is that of a real scan.
"""

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import SimpleITK
import surface_distance
import torch
from monai.metrics import compute_surface_dice
from rich.console import Console
from rich.table import Table

from benchmarks.timing import best_of
from voxcurate.metrics import dsc_per_label, hd95, nsd, score_labels

SPACING = (0.8, 0.8, 1.5)


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
    result = {}
    for n in labels:
        found = surface_distance.compute_surface_distances(one == n, two == n, SPACING)
        result[n] = surface_distance.compute_surface_dice_at_tolerance(found, tolerance)
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


def main() -> None:
    """Compare, time, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 150))
    parser.add_argument("--labels", type=int, default=24)
    parser.add_argument("--tolerance", type=float, default=1.5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slow-repeats", type=int, default=1, help="of the peers' NSD and HD95")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    one, two = phantom(tuple(options.shape), options.labels)
    labels = range(1, options.labels + 1)
    mask_one, mask_two = one == 1, two == 1

    def agree(name: str, got: dict[int, float], wanted: dict[int, float], within: float) -> None:
        worst = max(abs(got[n] - wanted[n]) for n in labels)
        if not worst <= within:
            raise SystemExit(f"{name}: differs by {worst:g}, allowed {within:g}")

    def reference_hd95() -> float:
        found = surface_distance.compute_surface_distances(mask_one, mask_two, SPACING)
        return float(surface_distance.compute_robust_hausdorff(found, 95))

    fast: dict[str, Callable[[], Any]] = {
        "ours": lambda: dsc_per_label(one, two, labels),
        "numpy loop": lambda: numpy_dsc(one, two, labels),
        "SimpleITK": lambda: itk_dsc(one, two, labels),
        "numpy bincount": lambda: bincount_dsc(one, two, labels),
    }
    ours = fast["ours"]()
    for name, job in fast.items():
        agree(name, ours, job(), 1e-12)
    s = best_of(fast, options.repeats)
    rows = [("DSC", peer, s[peer], s["ours"]) for peer in list(fast)[1:]]

    tolerance = options.tolerance
    ours = ours_nsd(one, two, labels, tolerance)
    agree("surface-distance", ours, deepmind(one, two, labels, tolerance), 1e-12)
    agree("MONAI", ours, monai_nsd(one, two, labels, tolerance), 0.05)
    if hd95(mask_one, mask_two, SPACING) != reference_hd95():
        raise SystemExit("HD95 differs")
    slow = best_of(
        {
            "surface-distance": lambda: deepmind(one, two, labels, tolerance),
            "MONAI": lambda: monai_nsd(one, two, labels, tolerance),
            "HD95": reference_hd95,
        },
        options.slow_repeats,
    )
    s = best_of(
        {
            "NSD": lambda: ours_nsd(one, two, labels, tolerance),
            "one NSD": lambda: nsd(mask_one, mask_two, SPACING, tolerance),
            "HD95": lambda: hd95(mask_one, mask_two, SPACING),
        },
        options.repeats,
    )
    rows.append((f"NSD {tolerance} mm", "surface-distance", slow["surface-distance"], s["NSD"]))
    rows.append((f"NSD {tolerance} mm", "MONAI", slow["MONAI"], s["NSD"]))
    rows.append(("HD95, one label", "surface-distance", slow["HD95"], s["HD95"]))
    table = Table(
        "what", "peer", "peer ms", "ours ms", "ratio", title=f"{one.shape}, {len(labels)} labels"
    )
    for what, peer, theirs, mine in rows:
        table.add_row(
            what, peer, f"{theirs * 1e3:.1f}", f"{mine * 1e3:.1f}", f"{theirs / mine:.1f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
