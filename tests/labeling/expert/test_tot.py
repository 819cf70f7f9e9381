"""Test-on-training and the statistics behind it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.config import DetectConfig
from labeling.expert.suspicion import telling_numbers
from labeling.expert.tot import (
    ClassStatistics,
    Comparison,
    chances,
    class_statistics,
    combine,
    compare,
    surface_agreement,
)
from labeling.structures import Structure
from tests.labeling.conftest import AFFINE, SHAPE, phantom

CONFIG = DetectConfig()
GOOD = {c: ClassStatistics(20, 0.9, 0.08, 1.0, 100.0) for c in ("kidney_left", "kidney_right")}


def comparison(
    dsc=0.9, label_ml=100.0, predicted_ml=100.0, soft=0.9, best="kidney_left", best_dsc=0.9
):
    return Comparison(dsc, None, label_ml, predicted_ml, soft, best, best_dsc, 1, True)


def numbers(comparisons):
    """What the statistics keep of comparisons."""
    return np.array([[np.nan if c.dsc is None else c.dsc, c.label_ml] for c in comparisons])


def asked(**changes):
    return chances("kidney_left", comparison(**changes), GOOD, CONFIG, pair="kidney_right")


def test_a_label_like_its_peers_is_left_alone():
    assert combine(asked()) < 0.05


def test_the_published_criterion_and_the_other_side():
    found = asked(dsc=0.0, best="kidney_right", best_dsc=0.9)
    assert found["tot_no_overlap"] == 0.9
    assert found["tot_swapped"] == pytest.approx(0.95)
    assert combine(found) > 0.99
    assert "tot_wrong_class" in asked(dsc=0.1, best="liver", best_dsc=0.8)


def test_a_missing_label_needs_a_large_and_sure_prediction():
    empty = {"dsc": 0.0, "label_ml": 0.0}
    assert asked(**empty, predicted_ml=90.0)["tot_missing"] == 0.9
    assert asked(**empty, predicted_ml=5.0) == {}
    assert asked(**empty, predicted_ml=90.0, soft=0.5) == {}


def test_a_network_that_cannot_find_the_class_accuses_nobody():
    weak = [comparison(dsc=d) for d in (0.0, 0.0, 0.1, 0.2, 0.25, 0.3, 0.0)]
    statistics = class_statistics({"kidney_left": numbers(weak)}, CONFIG)
    assert statistics["kidney_left"].reliability == 0
    found = chances("kidney_left", comparison(dsc=0.0), statistics, CONFIG)
    assert combine(found) == 0
    few = class_statistics({"kidney_left": numbers([comparison()] * 3)}, CONFIG)
    assert few["kidney_left"].reliability == 0


def test_statistics_by_hand():
    rows = [comparison(dsc=d) for d in (0.8, 0.85, 0.9, 0.9, 0.1)]
    config = DetectConfig(prior_n=0)
    s = class_statistics({"a": numbers(rows)}, config)["a"]
    assert s.middle == pytest.approx(0.85)
    assert s.scatter == pytest.approx(1.4826 * 0.05)
    assert s.n == 5
    with_prior = class_statistics({"a": numbers(rows)}, DetectConfig(prior_n=5, prior_scale=0.1))[
        "a"
    ]
    assert with_prior.scatter == pytest.approx(np.sqrt((5 * (1.4826 * 0.05) ** 2 + 5 * 0.01) / 10))


def test_empty_labels_and_classes_that_nobody_predicted_tell_nothing():
    rows = [comparison(dsc=d) for d in (0.8, 0.85, 0.9, 0.9, 0.1)]
    more = [*rows, comparison(dsc=None), comparison(dsc=0.0, label_ml=0.0)]
    found = class_statistics({"a": numbers(more), "b": np.zeros((0, 2))}, CONFIG)
    assert found["a"] == class_statistics({"a": numbers(rows)}, CONFIG)["a"]
    assert (found["b"].n, found["b"].middle, found["b"].reliability) == (0, 0.85, 0.0)


@given(st.lists(st.floats(0, 1), min_size=5, max_size=12), st.randoms())
def test_the_order_of_cases_does_not_count(values, random):
    rows = [comparison(dsc=v) for v in values]
    mixed = list(rows)
    random.shuffle(mixed)
    assert class_statistics({"a": numbers(rows)}, CONFIG) == class_statistics(
        {"a": numbers(mixed)}, CONFIG
    )


@given(st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1)))
def test_more_witnesses_never_lower_the_chance(parts):
    chance = combine(parts)
    assert 0 <= chance < 1
    assert combine({**parts, "e": 0.2}) >= chance


def test_compare_finds_the_class_that_fits():
    masks = phantom(0)[1]
    predicted = {c: Structure.of(c, m, AFFINE) for c, m in masks.items()}
    label = Structure.of("kidney_left", masks["kidney_right"], AFFINE)
    found = compare(label, predicted, {}, tolerance_mm=2, n_models=1, out_of_fold=True)
    assert (found.dsc, found.best_class, found.best_dsc) == (0.0, "kidney_right", 1.0)
    empty = Structure.of("kidney_left", np.zeros(SHAPE, bool), AFFINE)
    none = compare(empty, {"kidney_left": empty}, {}, tolerance_mm=2, n_models=1, out_of_fold=True)
    assert none.dsc is None
    assert compare(label, {}, {}, tolerance_mm=2, n_models=0, out_of_fold=False).dsc is None


def test_surfaces_within_a_voxel_diagonal_agree():
    mask = phantom(0)[1]["liver"]
    a = Structure.of("liver", mask, AFFINE)
    b = Structure.of("liver", np.roll(mask, 1, axis=0), AFFINE)
    assert surface_agreement(a, b, 0.1) == pytest.approx(1.0)
    c = Structure.of("liver", np.roll(mask, 4, axis=0), AFFINE)
    assert surface_agreement(a, c, 0.1) < 0.9


def test_machine_labels_do_not_tell_how_good_the_models_are():
    def row(origin, dsc, class_id="liver", confirmed=False):
        plain = comparison(dsc=dsc).plain()
        flags = {"gold": False, "confirmed": confirmed}
        return {"class_id": class_id, "origin": origin, "comparison": plain, **flags}

    rows = [row("original", 0.7), row("pseudo", 0.99), row("judged", 0.98, confirmed=True)]
    found = telling_numbers({"a": {"rows": [*rows, row("pseudo", 0.9, "spleen")]}})
    assert found["liver"].tolist() == [[0.7, 100.0], [0.98, 100.0]]
    assert found["spleen"].tolist() == [[0.9, 100.0]]
