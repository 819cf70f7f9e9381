"""Fields, forms, displacement and room, each against what is known on paper."""

import math

import numpy as np
import pytest

from training.synthetic.fields import smooth_noise
from training.synthetic.placement import bright, fits, places, room_of, tissue, widened
from training.synthetic.pushing import PUSH, sources
from training.synthetic.shape import lump

SPACING = (1.0, 1.5, 2.5)


def test_noise_has_unit_variance_everywhere_and_its_length_in_mm():
    fields = np.stack(
        [smooth_noise((24, 18, 12), SPACING, 6.0, np.random.default_rng(s)) for s in range(300)]
    )
    assert abs(fields.mean()) < 0.05
    assert np.abs(fields.std(axis=0) - 1).max() < 0.25
    assert abs(fields.std() - 1) < 0.03

    def correlation(axis, voxels):
        a = fields.take(range(fields.shape[axis] - voxels), axis)
        b = fields.take(range(voxels, fields.shape[axis]), axis)
        return (a * b).mean()

    near = [correlation(1, 6), correlation(2, 4)]  # 6 mm along both
    assert abs(near[0] - near[1]) < 0.08
    assert correlation(1, 1) > 0.9
    assert abs(correlation(1, 20)) < 0.1


def test_noise_shorter_than_a_voxel():
    field = smooth_noise((5, 1, 2), SPACING, 0.01, np.random.default_rng(0))
    assert field.shape == (5, 1, 2)
    assert np.isfinite(field).all()


@pytest.mark.parametrize("diameter", [5.0, 14.0, 33.0])
def test_volume_is_exact(diameter):
    for seed in range(4):
        form = lump(diameter, SPACING, np.random.default_rng(seed), elastic=0.25)
        wanted = max(1, round(math.pi / 6 * diameter**3 / math.prod(SPACING)))
        assert form.inside.sum() == wanted
        border = np.ones(form.level.shape, bool)
        border[1:-1, 1:-1, 1:-1] = False
        assert not (form.inside & border).any()


def test_without_bending_and_elongation_it_is_a_ball():
    form = lump(20.0, SPACING, np.random.default_rng(0), elastic=0.0, elongation=1.0)
    at = np.argwhere(form.inside) - np.array(form.middle) - np.array(form.beside)
    radius = np.sqrt(((at * SPACING) ** 2).sum(axis=1))
    assert radius.max() < 10.6
    outside = np.argwhere(~form.inside) - np.array(form.middle) - np.array(form.beside)
    assert np.sqrt(((outside * SPACING) ** 2).sum(axis=1)).min() > 9.4


def test_bending_bends():
    ball = lump(30.0, SPACING, np.random.default_rng(1), elastic=0.0, elongation=1.0)
    bent = lump(30.0, SPACING, np.random.default_rng(1), elastic=0.3, elongation=1.0)
    assert (ball.inside != bent.inside).sum() > 0.1 * ball.inside.sum()


def test_tissue_outside_keeps_its_volume():
    """Near the tumour the determinant of the inverse map is 1 where nothing fades yet."""
    r = np.array([11.0, 12.0, 14.0], np.float32)
    grown = 10.0**3 - (10 / 1.3) ** 3
    for distance in r:
        offset = np.array([distance, 0, 0], np.float32)[:, None]
        before = float(sources(offset, 10.0, 1.3)[0, 0])
        exact = (distance**3 - grown) ** (1 / 3)
        fade = np.clip((PUSH * 10 - distance) / ((PUSH - 1) * 10), 0, 1)
        fade = fade**2 * (3 - 2 * fade)
        assert before == pytest.approx(distance + (exact - distance) * fade, rel=1e-5)


def test_displacement_inwards_fading_and_none_without_growth():
    line = np.zeros((3, 60), np.float32)
    line[1] = np.linspace(-40, 40, 60)
    assert sources(line, 10.0, 1.0) is line
    moved = sources(line, 10.0, 1.4)
    assert (np.abs(moved[1]) <= np.abs(line[1]) + 1e-5).all()
    assert (np.diff(moved[1]) > 0).all()  # no folding
    far = np.abs(line[1]) >= PUSH * 10
    np.testing.assert_array_equal(moved[:, far], line[:, far])
    within = np.abs(line[1]) < 9
    assert np.abs(moved[1][within] - line[1][within]).max() > 1


def test_room_of_a_slab_by_hand():
    free = np.zeros((20, 9, 9), bool)
    free[4:16] = True
    room = room_of(free, (2.0, 3.0, 3.0))
    assert room.steps == (1, 1, 1)
    assert room.largest_mm == 12.0  # six voxels from either side, to the nearest blocked centre
    found = places(room, 20.0, 99, (2.0, 3.0, 3.0), np.random.default_rng(0))
    assert set(found[:, 0]) == {9, 10}  # 11 mm are needed: 0.55 of the radius


def test_room_on_a_coarse_grid_is_about_the_same():
    at = np.indices((90, 80, 70)) - np.array([45, 40, 35])[:, None, None, None]
    ball = (at**2).sum(axis=0) <= 30**2
    room = room_of(ball, (1.0, 1.0, 1.0))
    assert max(room.steps) > 1
    assert abs(room.largest_mm - 30) <= max(room.steps)
    for place in places(room, 40.0, 20, (1.0, 1.0, 1.0), np.random.default_rng(0)):
        assert np.linalg.norm(place - (45, 40, 35)) <= 30 - 0.55 * 40 + 2 * max(room.steps)


def test_no_room():
    assert room_of(np.zeros((3, 4, 5), bool), SPACING).largest_mm == 0
    full = room_of(np.ones((3, 4, 5), bool), SPACING)
    assert full.largest_mm == np.inf


def test_fits_looks_at_every_voxel_it_can_see():
    free = np.ones((5, 5, 5), bool)
    free[2, 2, 4] = False
    taken = np.array([[0, 0, 0], [0, 0, 1], [0, 0, -9]])
    assert fits(np.array([2, 2, 2]), taken, free)
    assert not fits(np.array([2, 2, 3]), taken, free)
    assert not fits(np.array([2, 2, 2]), taken[2:], free)  # nothing to be seen


def test_bright_voxels_are_vessels_and_noise_is_not():
    generator = np.random.default_rng(0)
    organ = np.zeros((30, 30, 30), bool)
    organ[3:27, 3:27, 3:27] = True
    hu = generator.normal(100, 10, organ.shape).astype(np.float32)
    hu[10:13, 10:13, :] += 60
    found = bright(hu, organ, 3.0)
    assert found[11, 11, 5:25].mean() > 0.95
    assert not found[~organ].any()
    found[8:15, 8:15] = False
    assert found.sum() < 0.005 * organ.sum()
    assert not bright(hu, np.zeros_like(organ), 3.0).any()


def test_tissue_by_hand():
    hu = np.array([1.0, 2, 3, 4, 100, 3, 3, 3, 50], np.float32).reshape(3, 3, 1)
    assert tissue(hu, hu < 90).median == 3.0
    assert tissue(hu, hu > 90) is None
    assert tissue(hu, hu > 0).scatter == pytest.approx(1.4826 * 1.0)


def test_widened_in_mm():
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    assert widened(mask, 0.9, SPACING).sum() == 1
    assert widened(mask, 1.0, SPACING).sum() == 3
    assert widened(mask, 1.5, SPACING)[4, 3, 4]
