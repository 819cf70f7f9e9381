"""Volumes by source, and the DSC of every two raters, against hand-made values and plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labeling.statistics.figures import (
    EVERY,
    CaseAgreement,
    Cell,
    LabelVolume,
    Part,
    Rater,
    dice_matrix,
    dice_table,
    volume_quartiles,
)
from voxcurate.masks import bounding_box
from voxcurate.metrics import dsc

SHAPE = (5, 4, 7)
NOWHERE = Part((slice(0, 0),) * 3, np.zeros((0, 0, 0), bool))


def part(mask):
    box = bounding_box(mask)
    return NOWHERE if box is None else Part(box, mask[box])


def test_quartiles_are_those_of_whole_labels_with_voxels():
    rows = [LabelVolume("liver", "a", "original", ml) for ml in (1000, 1400, 1500, 1700, 0)]
    rows += [LabelVolume("liver", "a", "pseudo", 900), LabelVolume("liver", "b", "pseudo", 0)]
    rows += [LabelVolume("liver", "a", "original", 200, is_partial=True)]
    found = volume_quartiles(rows, "source", "trust")
    assert list(found) == [("a", "original"), ("a", "pseudo"), ("b", "pseudo")]
    first = found["a", "original"]
    assert (first.n, first.absent, first.partial) == (4, 1, 1)
    assert (first.low, first.median, first.high) == (1300, 1450, 1550)  # linear interpolation
    assert (found["a", "pseudo"].low, found["a", "pseudo"].high) == (900, 900)
    assert (found["b", "pseudo"].n, found["b", "pseudo"].median) == (0, None)
    assert volume_quartiles(rows)[()].n == 5
    assert volume_quartiles([], "source") == {}


masks = st.lists(
    arrays(bool, SHAPE, elements=st.booleans()) | st.just(np.zeros(SHAPE, bool)),
    min_size=1,
    max_size=4,
)


@given(masks)
def test_every_pair_has_the_dsc_of_the_plain_metric(found):
    table = dice_table([part(mask) for mask in found])
    for a, one in enumerate(found):
        for b, two in enumerate(found):
            np.testing.assert_allclose(table[a, b], dsc(one, two), equal_nan=True)


@given(arrays(bool, (3, *SHAPE), elements=st.booleans()))
def test_where_a_label_does_not_speak_nothing_counts(three):
    one, two, known = three
    table = dice_table([part(one), part(two), part(one | two)], {0: part(known)})
    np.testing.assert_allclose(table[0, 1], dsc(one & known, two & known), equal_nan=True)
    np.testing.assert_allclose(table[1, 2], dsc(two, one | two), equal_nan=True)


def test_who_says_nothing_is_compared_with_nobody():
    mask = np.zeros(SHAPE, bool)
    mask[1:3, 1, 2] = True
    table = dice_table([part(mask), None, NOWHERE])
    assert table[0, 0] == 1
    assert table[0, 2] == 0
    assert np.isnan(table[1]).all()
    assert np.isnan(table[2, 2])
    assert np.isnan(dice_table([None, NOWHERE])).all()


A, B = Rater("a", "net a", "model"), Rater("b", "net b", "model")
PERSON, FUSED = Rater("original", "original", "human"), Rater("ensemble", "fused", "machine")


def case(name, seen=(), **classes):
    dsc_of = {c: {tuple(k.split("-")): v for k, v in pairs.items()} for c, pairs in classes.items()}
    return CaseAgreement(name, dsc_of, frozenset(seen))


def test_a_person_is_compared_on_cases_alone_that_the_model_has_not_seen():
    cases = [
        case("x", liver={"a-original": 0.8, "b-original": 0.6}),
        case("y", seen="a", liver={"a-original": 1.0, "b-original": 0.8}),
        case("z", seen="a", liver={"original-a": 1.0}),
    ]
    matrix = dice_matrix(cases, [A, B, PERSON])
    assert matrix["liver"]["a", "original"] == Cell(0.8, 1)
    assert matrix["liver"]["b", "original"] == Cell(pytest.approx(0.7), 2)
    assert ("a", "original") not in dice_matrix(cases[1:], [A, PERSON])[EVERY]


def test_two_machines_are_compared_on_seen_cases_only_if_there_is_no_other():
    cases = [case("x", seen="b", liver={"a-b": 0.4}), case("y", liver={"a-b": 0.8})]
    assert dice_matrix(cases, [A, B])["liver"]["a", "b"] == Cell(0.8, 1)
    assert dice_matrix(cases[:1], [A, B])["liver"]["a", "b"] == Cell(0.4, 1, seen=True)


def test_the_whole_is_the_mean_over_classes_not_over_structures():
    cases = [
        case("x", liver={"a-b": 0.9}, aorta={"a-b": 0.5}),
        case("y", liver={"a-b": 0.9}),
        case("z", liver={"a-b": 0.9}),
    ]
    assert dice_matrix(cases, [A, B])[EVERY]["a", "b"] == Cell(pytest.approx(0.7), 3)
    assert dice_matrix([], [A, B]) == {EVERY: {}}
