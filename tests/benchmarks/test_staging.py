"""The phantoms of the benchmark of staging, and its tables."""

import numpy as np
import pytest

from benchmarks.staging import WAYS, angle_table, size_rows, size_table
from benchmarks.staging_phantoms import Tube, ball_distance, draw


@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (1.0, 0.4, 0.2)])
def test_the_tumour_covers_the_degrees_that_are_told(direction):
    """Counted on fine voxels: the share of a whole shell around the vessel that is tumour."""
    shape = {"spacing": (0.5, 0.5, 0.5), "size_mm": 40.0, "length_mm": 30.0, "along_mm": 10.0}
    thin, vessel, _ = draw(Tube(120, direction, shell_mm=3.0, **shape))
    whole, _, _ = draw(Tube(360, direction, shell_mm=3.0, **shape))
    assert not (thin & vessel).any()
    assert 360 * thin.sum() / whole.sum() == pytest.approx(120, abs=3)


def test_a_ball_covers_the_degrees_that_are_told():
    """The two circles meet at half the degrees."""
    tube = Tube(100, ball_mm=12, radius_mm=4)
    far, half = ball_distance(tube), np.deg2rad(50)
    assert np.hypot(4 * np.cos(half) - far, 4 * np.sin(half)) == pytest.approx(12)


def test_the_tables():
    rows = [
        {"way": way, "truth": 170, "direction": "up", "slices_mm": 0.8, "bend_mm": 0.0,
         "place": "at the middle", "degrees": 190.0, "state": "measured"}
        for way in WAYS
    ] + [
        {"way": way, "truth": 200, "direction": d, "slices_mm": s, "bend_mm": b, "place": p,
         "degrees": 200.0, "state": "measured"}
        for way in WAYS for d in ("up", "across", "slanted") for s in (0.8, 1.5, 3.0, 5.0)
        for b in (0.0, 40.0, 20.0) for p in ("at the middle", "off the middle")
    ]  # fmt: skip
    table = angle_table(rows)
    first = next(iter(table.columns[2].cells))
    assert first.startswith("+0 / 0.3")
    assert first.endswith("99%")
    assert size_table(list(size_rows(quick=True))).row_count == 5
