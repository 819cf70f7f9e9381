"""The network's grid: right, front, head, in whatever way a scan is stored."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import oblique_affine
from tests.training.conftest import phantom
from training.data.grid import body_box, full_grid, to_grid
from voxcurate.volume import Volume


def stored(volume, axes, flips):
    """The same scan with its array axes permuted and flipped."""
    array, affine = volume.array, volume.affine.copy()
    for axis, flip in enumerate(flips):
        if flip:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (volume.shape[axis] - 1)
            affine[:3, axis] *= -1
    columns = [*axes, 3]
    return Volume(array.transpose(axes).copy(), affine[:, columns])


@given(st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
@settings(max_examples=30, deadline=None)
def test_storage_order_does_not_matter(axes, flips):
    volume, _ = phantom(0)
    turned = stored(volume, axes, flips)
    spacing = (6.0, 9.5, 11.0)
    one = full_grid(volume.shape, volume.affine, spacing)
    two = full_grid(turned.shape, turned.affine, spacing)
    assert one.shape == two.shape
    np.testing.assert_allclose(to_grid(volume.array, one), to_grid(turned.array, two), atol=0.05)


def test_same_spacing_changes_nothing():
    volume, _ = phantom(0)
    grid = full_grid(volume.shape, volume.affine, volume.spacing)
    np.testing.assert_allclose(to_grid(volume.array, grid), volume.array, atol=1e-2)


def test_axes_run_to_the_right_front_and_head():
    """A ramp of world x, y, z must rise along the grid's axes, however the scan is stored."""
    affine = oblique_affine() @ np.diag([-1.0, -1.0, 1.0, 1.0])
    shape = (12, 14, 10)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    world = index @ affine[:3, :3].T + affine[:3, 3]
    grid = full_grid(shape, affine, (1.1, 1.1, 2.0))
    for axis in range(3):
        ramp = to_grid(world[..., axis].astype(np.float32), grid)
        inner = np.diff(ramp, axis=axis)[2:-2, 2:-2, 2:-2]
        assert (inner > 0).all()


def test_coarser_grid_averages():
    """By hand: 4 voxels of 1 mm onto 2 of 2 mm, a tent of half width 2 around 0.5 and 2.5."""
    array = np.array([0.0, 0.0, 4.0, 8.0], np.float32).reshape(4, 1, 1)
    grid = full_grid((4, 1, 1), np.eye(4), (2.0, 1.0, 1.0))
    # weights around 0.5: 1/4 (goes on), 3/4, 3/4, 1/4; around 2.5: 1/4, 3/4, 3/4, 1/4 (goes on)
    expected = [4 / 8, (3 * 4 + 3 * 8 + 8) / 8]
    np.testing.assert_allclose(to_grid(array, grid).ravel(), expected, rtol=1e-6)


def test_body_box_drops_the_table():
    image = np.full((30, 20, 12), -1000.0, np.float32)
    image[8:20, 6:14, :] = 0.0  # body
    image[:, 2, :] = 200.0  # a table one voxel thick
    assert body_box(image, -300) == (slice(6, 22), slice(4, 16), slice(0, 12))


def test_air_only_keeps_everything():
    image = np.full((9, 8, 7), -1000.0, np.float32)
    assert body_box(image, -300) == (slice(0, 9), slice(0, 8), slice(0, 7))
