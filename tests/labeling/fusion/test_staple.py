"""STAPLE against SimpleITK's, and where that says nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.fusion.staple import MAX_MODELS, staple
from labeling.structures import NOWHERE
from tests.conftest import ellipsoid, oblique_affine
from voxcurate.errors import GeometryError
from voxcurate.predictions import probability_box

SHAPE = (23, 19, 14)
AFFINE = oblique_affine()
WHOLE = float("inf")


def masks(n, seed=0, noise=0.01):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        centre, radii = (np.array(x) + rng.normal(0, 0.7, 3) for x in ((11, 9, 7), (6, 5, 4)))
        found.append(ellipsoid(SHAPE, centre, radii) ^ (rng.random(SHAPE) < noise))
    return found


def ours(given_, **how):
    return staple([probability_box(m.astype(np.float32)) for m in given_], SHAPE, AFFINE, **how)


def full(found):
    whole = np.zeros(SHAPE, bool)
    whole[found.box] = found.mask
    return whole


def by_itk(given_, box):
    import SimpleITK

    peer = SimpleITK.STAPLEImageFilter()
    peer.SetForegroundValue(1)
    images = [SimpleITK.GetImageFromArray(m[box].astype(np.uint8)) for m in given_]
    probability = SimpleITK.GetArrayFromImage(peer.Execute(images))
    return probability, peer.GetSensitivity(), peer.GetSpecificity()


@pytest.mark.parametrize("margin_mm", [4.0, 10.0, WHOLE])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 19])
def test_it_is_simpleitks_on_the_same_box(n, margin_mm):
    given_ = masks(n, seed=n)
    found = ours(given_, margin_mm=margin_mm)
    probability, sensitivity, specificity = by_itk(given_, found.box)
    np.testing.assert_allclose(found.probability[found.codes], probability, atol=1e-5)
    np.testing.assert_allclose(found.sensitivity, sensitivity, atol=1e-5)
    np.testing.assert_allclose(found.specificity, specificity, atol=1e-5)
    np.testing.assert_array_equal(found.mask, found.probability[found.codes] > 0.5 + 1e-6)


def test_the_margin_is_in_mm_and_stays_in_the_scan():
    mask = np.zeros(SHAPE, bool)
    mask[10:12, 9, 1] = True
    spacing = np.linalg.norm(AFFINE[:3, :3], axis=0)
    grow = np.ceil(5 / spacing).astype(int)
    box = ours([mask], margin_mm=5.0).box
    expected = [(10 - grow[0], 12 + grow[0]), (9 - grow[1], 10 + grow[1]), (0, 2 + grow[2])]
    assert [(s.start, s.stop) for s in box] == expected


def test_one_model_gives_its_own_mask():
    (mask,) = masks(1)
    np.testing.assert_array_equal(full(ours([mask])), mask)


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.sampled_from([4.0, 10.0, WHOLE]))
def test_of_two_models_what_both_have_remains(seed, margin_mm):
    one, two = masks(2, seed=seed)
    np.testing.assert_array_equal(full(ours([one, two], margin_mm=margin_mm)), one & two)


def test_models_without_votes():
    one, two = masks(2)
    nothing = np.zeros(SHAPE, bool)
    found = ours([nothing, nothing])
    assert found.box == NOWHERE
    assert not full(found).any()
    assert not full(ours([])).any()
    assert not full(ours([one, nothing])).any()
    np.testing.assert_array_equal(full(ours([one, two, nothing])), one & two)
    everything = np.ones(SHAPE, bool)
    assert full(ours([everything, everything])).all()


def test_a_bad_model_counts_less_than_a_good_one():
    good = masks(2, noise=0.0)
    truth = ellipsoid(SHAPE, (11, 9, 7), (6, 5, 4))
    bad = np.roll(truth, (4, 3), (0, 1))
    found = ours([truth, good[0] | truth, bad])
    assert found.sensitivity[0] > 0.9 > found.sensitivity[2]
    assert np.count_nonzero(full(found) ^ truth) < 0.15 * truth.sum()


def test_soft_values_vote_by_the_threshold():
    soft = np.where(masks(1)[0], 0.7, 0.2).astype(np.float32)
    part = probability_box(soft)
    np.testing.assert_array_equal(full(staple([part], SHAPE, AFFINE)), soft > 0.5)
    assert not full(staple([part], SHAPE, AFFINE, threshold=0.8)).any()


def test_too_many_models_are_refused():
    part = probability_box(masks(1)[0].astype(np.float32))
    with pytest.raises(GeometryError, match=f"at most {MAX_MODELS}"):
        staple([part] * (MAX_MODELS + 1), SHAPE, AFFINE)
