"""Subtypes from scores by hand, and the confusion of a small cohort against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import oblique_affine
from training.staging.config import SubtypeConfig
from training.staging.confusion import confusion_of
from training.staging.subtypes import (
    NONE,
    ScoredLesion,
    lesions_of_scores,
    patients_of,
    subtype_of,
)

AFFINE = oblique_affine((1.0, 2.0, 2.5))  # a voxel of 5 mm3
PDAC, PNET, CYST = "pancreatic_pdac", "pancreatic_pnet", "pancreatic_cyst"
NO_SPECKS = SubtypeConfig(speck_ml=0.0)


def scores(*parts):
    """Class, place, probability."""
    found = {c: np.zeros((8, 7, 6), np.uint8) for c in (PDAC, PNET, CYST)}
    for name, box, value in parts:
        found[name][box] = round(255 * value)
    return found


def test_mean_and_sum_over_the_voxels_of_a_lesion():
    """A lesion of 2 x 2 x 2 voxels whose classes differ from half to half, and one of a voxel."""
    box, half, far = np.s_[1:3, 1:3, 1:3], np.s_[1:2, 1:3, 1:3], np.s_[6:7, 5:6, 4:5]
    found = scores((PDAC, half, 0.8), (CYST, box, 0.4), (CYST, half, 0.2), (PNET, far, 0.9))
    found[CYST][2:3, 1:3, 1:3] = 153  # 0.6 where there is no PDAC
    large, small = lesions_of_scores(found, AFFINE, NO_SPECKS)
    assert (large.ml, small.ml) == (pytest.approx(0.04), pytest.approx(0.005))
    assert large.scores == pytest.approx({PDAC: 0.4, PNET: 0.0, CYST: 0.4}, abs=1e-6)
    assert small.scores == pytest.approx({PDAC: 0.0, PNET: 0.9, CYST: 0.0}, abs=2e-3)
    summed, _ = lesions_of_scores(found, AFFINE, SubtypeConfig(speck_ml=0.0, score="sum"))
    assert summed.scores[PDAC] == pytest.approx(0.4 * 0.04)
    assert [x.ml for x in lesions_of_scores(found, AFFINE, SubtypeConfig(speck_ml=0.01))] == [
        large.ml
    ]


def test_classes_together_make_the_lesion():
    """0.3 of each is no tumour of any class, but together it is one."""
    box = np.s_[1:4, 1:4, 1:4]
    three = scores((PDAC, box, 0.3), (PNET, box, 0.2), (CYST, box, 0.1))
    (found,) = lesions_of_scores(three, AFFINE, NO_SPECKS)
    assert found.subtype == PDAC
    assert lesions_of_scores(scores((PDAC, box, 0.3)), AFFINE, NO_SPECKS) == []
    assert lesions_of_scores(scores(), AFFINE, NO_SPECKS) == []
    assert lesions_of_scores({}, AFFINE, NO_SPECKS) == []


def test_which_lesion_speaks_for_a_patient():
    large = ScoredLesion(10.0, {PDAC: 0.1, PNET: 0.3, CYST: 0.6})
    small = ScoredLesion(2.0, {PDAC: 0.9, PNET: 0.1, CYST: 0.0})
    tiny = ScoredLesion(1.0, {PDAC: 0.0, PNET: 0.9, CYST: 0.1})
    every = [tiny, large, small]
    assert subtype_of(every, SubtypeConfig(patient="largest")) == CYST
    assert subtype_of(every, SubtypeConfig(patient="malignant")) == PDAC
    assert subtype_of(every, SubtypeConfig(patient="volume")) == CYST
    assert subtype_of([small, small, tiny], SubtypeConfig(patient="volume")) == PDAC
    assert subtype_of([], SubtypeConfig()) == NONE


def test_all_scans_of_a_patient_count():
    small = ScoredLesion(2.0, {PDAC: 0.9, CYST: 0.0})
    large = ScoredLesion(4.0, {PDAC: 0.2, CYST: 0.7})
    scans = {"a1": [small], "a2": [large], "b": [small], "c": []}
    found = patients_of(scans, {"a1": "a", "a2": "a"}, SubtypeConfig())
    assert found == {"a": CYST, "b": PDAC, "c": NONE}


def test_a_confusion_by_hand():
    truth = dict(zip("abcdefgh", [PDAC] * 4 + [CYST] * 3 + [PNET], strict=True))
    called = dict(zip("abcdefgh", [PDAC, PDAC, CYST, NONE, CYST, CYST, PDAC, CYST], strict=True))
    found = confusion_of(truth, called, (PDAC, CYST, PNET), draws=300)
    assert found.counts.tolist() == [[2, 1, 0, 1], [1, 2, 0, 0], [0, 1, 0, 0]]
    assert found.ppv[PDAC].mean == pytest.approx(2 / 3)
    assert found.ppv[PNET] is None  # nobody was called so: undefined, not 0
    assert found.recall[PNET].mean == 0
    assert found.recall[PNET].high > 0.9  # of one patient little is known
    assert found.accuracy.mean == pytest.approx(4 / 8)
    assert found.accuracy_found.mean == pytest.approx(4 / 7)
    assert found.balanced.mean == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)
    assert found.balanced.low < found.balanced.mean < found.balanced.high
    assert found.plain()["ppv"][PNET] is None


def test_all_right_is_no_certainty():
    truth = dict(zip("abcd", [PDAC, PDAC, CYST, CYST], strict=True))
    found = confusion_of(truth, truth, draws=100)
    assert (found.balanced.mean, found.balanced.low) == (1.0, None)
    assert found.accuracy.low == pytest.approx(0.025 ** (1 / 4))


def test_nobody():
    found = confusion_of({"a": PDAC}, {})
    assert found.accuracy is found.balanced is None
    assert found.plain()["patients"] == 0


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(["x", "y", "z", NONE]))))
def test_counts_and_shares_against_plain_loops(pairs):
    truth = {str(n): t for n, (t, _) in enumerate(pairs)}
    called = {str(n): c for n, (_, c) in enumerate(pairs)}
    found = confusion_of(truth, called, "xyz", draws=100)
    for i, t in enumerate("xyz"):
        for j, c in enumerate(["x", "y", "z", NONE]):
            assert found.counts[i, j] == pairs.count((t, c))
    assert found.counts.sum() == len(pairs)
    for name in "xyz":
        so = [t == name for t, c in pairs if c == name]
        assert (found.ppv[name] is None) == (not so)
        if so:
            assert found.ppv[name].mean == pytest.approx(np.mean(so))
            assert 0 <= found.ppv[name].low <= found.ppv[name].mean if len(so) > 1 else True
