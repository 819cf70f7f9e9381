"""From the grid back to the scan, through a file, class by class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import oblique_affine
from tests.training.conftest import AFFINE, SHAPE, phantom
from training.data.grid import full_grid, to_grid
from training.predictors.spool import Spool, axes_of
from training.predictors.windows import Slab
from voxcurate.errors import PredictionError


def through(values, grid, axis=2, step=3, floor=0.0):
    """A class (float, grid's shape) through a spool; uint8 over the whole scan."""
    with Spool(None, grid.shape, 1, floor) as spool:
        for start in range(0, grid.shape[axis], step):
            part = values.take(range(start, min(start + step, grid.shape[axis])), axis)
            spool.add(Slab(axis, start, part[None]))
        found = spool.back(0, axes_of(grid))
    full = np.zeros(grid.source_shape, np.uint8)
    full[found.box] = found.array
    return full


def plainly(values, grid):
    """The same voxel by voxel: tents as wide as the coarser spacing, one axis after the other."""
    result = values.astype(np.float64)
    for axis in range(3):
        n_source = grid.source_shape[grid.axes[axis]]
        ratio = grid.source_spacing[axis] / grid.spacing[axis]
        half = max(1.0, ratio)
        rows = []
        for v in range(n_source):
            place = (v - grid.index(axis)[0]) * ratio
            row = np.zeros(result.shape[axis])
            total = 0.0
            for g in range(-40, result.shape[axis] + 40):
                weight = max(0.0, 1 - abs(g - place) / half)
                total += weight
                row[min(max(g, 0), len(row) - 1)] += weight
            inside = -half < place < result.shape[axis] - 1 + half
            rows.append(row / total if inside else 0 * row)
        matrix = np.stack(rows)
        if grid.flips[axis]:
            matrix = matrix[::-1]
        result = np.moveaxis(np.tensordot(matrix, result, (1, axis)), 0, axis)
    return result.transpose(np.argsort(grid.axes))


@pytest.mark.parametrize("spacing", [(4.0, 5.0, 6.0), (7.0, 8.0, 9.0), (10.0, 9.0, 12.0)])
@pytest.mark.parametrize("turn", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
def test_equal_to_a_plain_loop(spacing, turn):
    affine = oblique_affine((7.0, 8.0, 9.0)) @ np.diag([*map(float, turn), 1.0])
    affine = affine[:, [1, 0, 2, 3]]
    grid = full_grid((13, 17, 11), affine, spacing)
    values = np.random.default_rng(1).random(grid.shape, dtype=np.float32)
    np.testing.assert_allclose(through(values, grid), plainly(values, grid) * 255, atol=0.51)


@pytest.mark.parametrize("spacing", [(4.0, 4.0, 4.0), (7.0, 8.0, 9.0), (10.0, 9.0, 12.0)])
def test_mask_survives_the_way_there_and_back(spacing):
    volume, masks = phantom(1)
    grid = full_grid(volume.shape, volume.affine, spacing)
    back = through(to_grid(masks["mandible"].astype(np.float32), grid), grid, floor=0.02)
    again, truth = back >= 128, masks["mandible"]
    assert 2 * (again & truth).sum() / (again.sum() + truth.sum()) > 0.8


def test_a_constant_stays_one_to_the_edge_of_the_scan():
    grid = full_grid(SHAPE, AFFINE, (5.0, 11.0, 9.0))
    assert (through(np.ones(grid.shape, np.float32), grid) == 255).all()


def test_a_cropped_grid_lies_where_the_whole_one_does():
    grid = full_grid(SHAPE, AFFINE, (8.0, 8.0, 8.0))
    box = (slice(3, 15), slice(2, 17), slice(4, 19))
    part = grid.cropped(box)
    values = np.random.default_rng(0).random(part.shape, dtype=np.float32)
    padded = np.zeros(grid.shape, np.float32)
    padded[box] = values
    middle = through(values, part)
    expected = through(padded, grid)
    core = np.zeros(part.shape, np.float32)
    core[2:-2, 2:-2, 2:-2] = 1
    away = through(core, part) == 255
    assert away.any()
    np.testing.assert_allclose(middle[away].astype(int), expected[away].astype(int), atol=1)


@given(st.integers(0, 2), st.integers(1, 7))
@settings(max_examples=12, deadline=None)
def test_slabs_may_come_along_any_axis_in_any_thickness(axis, step):
    grid = full_grid(SHAPE, AFFINE, (9.0, 9.0, 9.0))
    values = np.random.default_rng(axis).random(grid.shape, dtype=np.float32) ** 8
    whole = through(values, grid, axis=2, step=1000)
    np.testing.assert_array_equal(through(values, grid, axis=axis, step=step), whole)


def test_the_floor_drops_what_is_faint_and_keeps_the_rest():
    grid = full_grid(SHAPE, AFFINE, (7.0, 8.0, 9.0))
    values = np.random.default_rng(3).random(grid.shape, dtype=np.float32) ** 6
    all_of_it, kept = through(values, grid), through(values, grid, floor=0.2)
    least = int(np.ceil(0.2 * 255 - 0.5))
    assert (kept[all_of_it >= least] > 0).mean() > 0.999
    assert kept[kept > 0].min() >= least
    clear = all_of_it >= 2 * least
    np.testing.assert_allclose(kept[clear].astype(int), all_of_it[clear].astype(int), atol=26)


def test_nothing_predicted_is_an_empty_box():
    grid = full_grid(SHAPE, AFFINE, (8.0, 8.0, 8.0))
    with Spool(None, grid.shape, 2) as spool:
        spool.add(Slab(2, 0, np.zeros((2, *grid.shape[:2], 4), np.float32)))
        assert spool.back(1, axes_of(grid)).array.size == 0


@pytest.mark.parametrize("bad", [np.nan, 1.5, -0.2, np.inf])
def test_what_is_no_probability_is_refused(bad):
    values = np.zeros((1, 4, 4, 4), np.float32)
    values[0, 1, 2, 3] = bad
    with Spool(None, (4, 4, 4), 1) as spool, pytest.raises(PredictionError, match="from 0 to 1"):
        spool.add(Slab(2, 0, values))
