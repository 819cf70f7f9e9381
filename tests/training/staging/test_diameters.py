"""Diameters of lesions against shapes whose size is known, and against a plain loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.conftest import oblique_affine, rotation
from training.staging.diameters import axial_mm, feret_mm, lesions_of


def ball(shape, affine, centre, radius):
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    away = voxels @ affine[:3, :3].T - affine[:3, :3] @ centre
    return (away**2).sum(-1) <= radius**2


def test_a_row_of_voxels():
    mask = np.zeros((5, 9, 4), bool)
    mask[2, 1:8, 1] = True
    affine = np.diag([0.5, 2.0, 3.0, 1.0])
    assert feret_mm(mask, affine) == pytest.approx(13.0)
    assert axial_mm(mask, affine) == pytest.approx(13.0)
    assert feret_mm(mask & False, affine) == axial_mm(mask & False, affine) == 0.0


def test_one_voxel():
    mask = np.zeros((3, 4, 5), bool)
    mask[1, 2, 3] = True
    (found,) = lesions_of(mask, np.diag([0.8, 1.0, 3.0, 1.0]))
    assert (found.feret_mm, found.axial_mm) == (pytest.approx(1.5), pytest.approx(0.5))
    assert found.sphere_mm == pytest.approx(2 * (3 * 2.4 / (4 * np.pi)) ** (1 / 3))
    assert not found.is_cut


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 3.0), (1.0, 1.4, 2.0)])
def test_a_ball_has_one_diameter(spacing):
    affine = oblique_affine(spacing)
    mask = ball((60, 50, 22), affine, (29.3, 24.6, 10.2), 12.0)
    (found,) = lesions_of(mask, affine)
    for value in (found.feret_mm, found.axial_mm, found.sphere_mm):
        assert value == pytest.approx(24.0, abs=0.6 * max(spacing))
    assert found.ml == pytest.approx(4 / 3 * np.pi * 12**3 / 1000, rel=0.03)


def test_a_rod_aslant_is_longer_than_in_any_slice():
    """Axial is what lies in one slice: of a rod at 45 degrees only its breadth."""
    grid = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij"), -1) - 19.5
    along = np.array([1, 0, 1]) / np.sqrt(2)
    x = grid @ along
    away = np.linalg.norm(grid - x[..., None] * along, axis=-1)
    mask = (np.abs(x) <= 15) & (away <= 2)
    (found,) = lesions_of(mask, np.eye(4))
    assert found.feret_mm == pytest.approx(30, abs=2)
    assert found.axial_mm == pytest.approx(4 * np.sqrt(2), abs=1.5)
    turned = np.eye(4)
    turned[:3, :3] = rotation(0, np.pi / 4, 0)  # now it stands upright, or lies down
    (found,) = lesions_of(mask, turned)
    assert found.feret_mm == pytest.approx(30, abs=2)


def test_pieces_by_volume_without_specks():
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    mask = ball((40, 30, 20), affine, (9, 9, 9), 4) | ball((40, 30, 20), affine, (29, 20, 9), 7)
    mask[0, 29, 19] = True
    found = lesions_of(mask, affine, speck_ml=0.014)
    assert [round(x.sphere_mm) for x in found] == [14, 8]
    assert found[0].centre_mm == pytest.approx((29, 20, 18), abs=0.3)
    assert [x.is_cut for x in lesions_of(mask, affine)] == [False, False, True]
    only_speck = np.zeros((4, 4, 4), bool)
    only_speck[1, 1, 1] = True
    assert len(lesions_of(only_speck, affine, speck_ml=1.0)) == 1
    assert lesions_of(only_speck & False, affine) == []


@settings(max_examples=25)
@given(arrays(bool, (5, 4, 6)), st.tuples(*[st.floats(-3, 3)] * 3))
def test_equal_to_a_plain_loop(mask, angles):
    """All pairs of points a quarter of a voxel beyond a centre."""
    affine = oblique_affine((0.7, 1.1, 2.3), angles)
    voxels = np.argwhere(mask)
    if not len(voxels):
        assert feret_mm(mask, affine) == 0
        return
    faces = np.concatenate([voxels + s * np.eye(3)[a] for a in range(3) for s in (-0.25, 0.25)])
    world = faces @ affine[:3, :3].T
    longest = max(np.linalg.norm(world - p, axis=1).max() for p in world)
    assert feret_mm(mask, affine) == pytest.approx(longest)
