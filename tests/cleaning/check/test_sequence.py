"""Planes that do not follow each other, and peaks beside their HU; by hand and on the cohort."""

import numpy as np
import pytest
from scipy import ndimage

from cleaning.check.anatomy import look
from cleaning.check.peaks import maxima, peaks_of
from cleaning.check.rules import check
from cleaning.check.sequence import jumps_of, slabs_of, sudden_changes
from voxcurate.geometry import reorient
from voxcurate.volume import Volume


@pytest.fixture(scope="session")
def upright(scan):
    return reorient(scan)


def codes(volume):
    return {reason.code: reason.severity for reason in check(volume).reasons}


def ramp(n, step):
    """Planes of tissue that change by `step` HU each, everywhere."""
    plane = np.linspace(-50, 50, 63, dtype=np.float32).reshape(9, 7)
    return (np.arange(n, dtype=np.float32) * step)[:, None, None] + plane


def test_a_jump_by_hand():
    planes = np.concatenate([ramp(8, 10.0), 10.0 * 10 + ramp(8, 10.0)])  # 7 -> 8 is 30 HU
    found = sudden_changes(planes)
    # 2 HU are noise: (30 + 2) / (10 + 2), of all around as of the next ones
    assert found[7] == pytest.approx(32 / 12)
    assert found[4] == 0.0  # 1.0: as usual
    assert found[0] == 0.0  # nothing before it
    assert sudden_changes(ramp(4, 10.0)).tolist() == [0.0, 0.0, 0.0]


def test_a_change_of_less_than_half_of_the_body_is_no_jump():
    planes = ramp(16, 10.0)
    planes[8:, :4] += 400
    assert sudden_changes(planes).max() == 0.0


def test_a_body_that_ends_above_a_couch_is_no_jump():
    planes = np.full((20, 30, 30), -1000, np.float32)
    body = ramp(10, 10.0)[:, :1, :1]
    planes[:10, 4:26, 4:20] = body
    planes[:, :, 22:26] = 40  # the couch goes on
    assert sudden_changes(planes).max() == 0.0


def test_the_order_of_head_and_feet_does_not_matter():
    planes = np.random.default_rng(0).normal(0, 50, (20, 9, 7)).astype(np.float32)
    np.testing.assert_allclose(sudden_changes(planes)[::-1], sudden_changes(planes[::-1]))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_step_is_told_from_lost_planes(upright, axis):
    image = upright.array.copy()
    k = image.shape[2] // 2
    away = round(16 / upright.spacing[axis])
    image[:, :, k:] = np.roll(image[:, :, k:], away, axis=axis)
    found = jumps_of(look(upright.with_array(image)))
    assert found.step_plane == k
    assert found.step_mm == pytest.approx(away * upright.spacing[axis], abs=2.5)
    assert jumps_of(look(upright)).step_mm == 0


def test_where_planes_are_lost(upright):
    n = upright.shape[2]
    lost = round(80 / upright.spacing[2])
    first = n // 3
    image = np.concatenate([upright.array[:, :, :first], upright.array[:, :, first + lost :]], 2)
    found = check(Volume(np.ascontiguousarray(image), upright.affine))
    (reason,) = [r for r in found.reasons if r.code == "jump"]
    assert reason.planes == (2, first - 1, first)


@pytest.mark.parametrize("step", [2, 3])
def test_thick_planes_do_not_jump(upright, step):
    thick = Volume(
        np.ascontiguousarray(upright.array[:, :, ::step]), upright.affine @ np.diag([1, 1, step, 1])
    )
    assert "jump" not in codes(thick)


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("factor", [0.7, 2.0, 3.3])
def test_interpolated_planes_are_no_fault(upright, order, factor):
    image = ndimage.zoom(
        upright.array.astype(np.float32),
        (1, 1, factor),
        order=order,
        grid_mode=True,
        mode="nearest",
    )
    affine = upright.affine @ np.diag([1, 1, 1 / factor, 1])
    assert not {"jump", "step"} & set(codes(Volume(np.rint(image).astype(np.int16), affine)))


def test_slabs_of_white_noise():
    noise = np.random.default_rng(3).normal(40, 12, (40, 36, 30))
    affine = np.diag([2.0, 2.0, 1.0, 1.0])
    plain = slabs_of(Volume(noise.astype(np.float32), affine))
    assert abs(plain.third) < 0.03
    mean = ndimage.uniform_filter1d(noise, 7, axis=2).astype(np.float32)
    found = slabs_of(Volume(mean, affine))
    assert found.third == pytest.approx(4 / 7, abs=0.06)  # four of seven planes are shared
    assert found.bend == pytest.approx(2.0, abs=0.1)
    most = ndimage.maximum_filter1d(np.rint(noise), 7, axis=2).astype(np.float32)
    assert slabs_of(Volume(most, affine)).equal > 0.6
    assert slabs_of(Volume(np.zeros((8, 8, 8), np.float32), affine)).equal == 0.0


def test_a_blank_end_is_one_after_the_full_body(upright):
    image = upright.array.copy()
    n = image.shape[2]
    image[:, :, : round(0.4 * n)] = -1024
    (reason,) = [r for r in check(upright.with_array(image)).reasons if r.code == "blank_end"]
    assert reason.planes == (2, 0, round(0.4 * n) - 1)
    assert reason.measured == pytest.approx(round(0.4 * n) / n)
    i, j, k = np.ogrid[-1:1:40j, -1:1:36j, -1:1:30j]
    ball = np.where(i**2 + j**2 + ((k + 0.6) / 0.4) ** 2 < 0.8, 40, -1000)  # tapers off
    ball = ball + np.random.default_rng(0).normal(0, 5, ball.shape) * (ball > 0)
    found = codes(Volume(np.rint(ball).astype(np.int16), np.diag([5.0, 5.0, 5.0, 1.0])))
    assert "blank_end" not in found


def test_peaks_of_the_cohort(upright):
    found = peaks_of(look(upright))
    assert found.air == pytest.approx(-1000, abs=6)
    assert np.isnan(found.floor)
    assert found.fat == pytest.approx(-100, abs=6)
    clipped = upright.with_array(np.maximum(upright.array, np.int16(-900)))
    assert peaks_of(look(clipped)).floor == -900


def test_maxima_by_hand():
    values = np.repeat([-100.0, 50.0], [300, 700])
    ((low, less), (high, more)) = maxima(values, (-600.0, 900.0))
    assert (low, high) == (-99.0, 51.0)  # the middles of their bins
    assert more / less == pytest.approx(7 / 3)


def test_air_alone_has_no_peaks():
    body = look(Volume(np.full((12, 12, 12), -1000, np.int16), np.diag([4.0, 4, 4, 1])))
    found = peaks_of(body)
    assert found.floor == -1000
    assert np.isnan([found.air, found.fat, found.soft]).all()


@pytest.mark.parametrize("offset", [-20, 0, 8])
def test_the_usual_spread_of_scanners_passes(upright, offset):
    assert "hu_shift" not in codes(upright.with_array(upright.array + np.int16(offset)))
