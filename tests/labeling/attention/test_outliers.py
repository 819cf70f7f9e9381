"""Which scores stand out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.attention.outliers import outliers
from labeling.config import PriorityConfig


def test_five_percent_are_rounded_up():
    values = list(range(40))
    assert [n for n, out in enumerate(outliers(values, PriorityConfig())) if out] == [38, 39]
    assert sum(outliers(values[:21], PriorityConfig())) == 2
    assert outliers([], PriorityConfig()) == []


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e5])
def test_the_robust_rule_finds_what_stands_out_and_nothing_else(unit):
    config = PriorityConfig(rule="robust")
    rng = np.random.default_rng(0)
    calm = (unit * np.exp(rng.normal(5, 0.3, 60))).tolist()
    assert sum(outliers(calm, config)) <= 1
    assert outliers([*calm, 10_000.0 * unit], config)[-1]


def test_zeros_never_stand_out_and_do_not_hide_what_does():
    config = PriorityConfig(rule="robust")
    assert outliers([0.0] * 5, config) == [False] * 5
    assert outliers([0.0] * 9 + [0.2], config) == [False] * 9 + [True]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.floats(0.01, 1))
def test_outliers_are_never_smaller_than_the_rest(values, fraction):
    cut = outliers(values, PriorityConfig(fraction=fraction))
    inside = [v for v, out in zip(values, cut, strict=True) if not out]
    outside = [v for v, out in zip(values, cut, strict=True) if out]
    assert outside or not any(values)  # nothing stands out where there is nothing
    assert not inside or not outside or min(outside) >= max(inside)


def test_a_budget_takes_the_first_and_never_what_has_no_attention():
    config = PriorityConfig(rule="budget", budget=2)
    assert outliers([5.0, 9.0, 7.0], config) == [False, True, True]
    assert outliers([0.0, 9.0], config) == [False, True]


def test_the_next_score_takes_the_place_of_one_without_anything_to_do():
    values, asked = [5.0, 9.0, 7.0, 1.0, 0.0], []

    def is_open(place):
        asked.append(place)
        return place != 1

    budget = PriorityConfig(rule="budget", budget=2)
    assert outliers(values, budget, is_open) == [True, False, True, False, False]
    assert asked == [1, 2, 0]  # the largest first, and no further than needed
    assert sum(outliers(values, PriorityConfig(fraction=0.2), is_open)) == 1
    robust = PriorityConfig(rule="robust")
    assert outliers([1.0] * 9 + [50.0], robust, lambda _: False) == [False] * 10
