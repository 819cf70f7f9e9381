"""The priority list and its outliers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeling.config import PriorityConfig
from labeling.priority import outliers, priority_list


def test_largest_first_and_classes_within():
    sizes = {"a": {"liver": 1.0, "spleen": 5.0}, "b": {"liver": 9.0, "spleen": 0.0}}
    found = priority_list(sizes, PriorityConfig())
    assert [p.case_id for p in found] == ["b", "a"]
    assert found[0].classes == (("liver", 9.0),)  # no attention, not listed
    assert [c for c, _ in found[1].classes] == ["spleen", "liver"]
    assert [p.outlier for p in found] == [True, False]
    assert priority_list({}, PriorityConfig()) == []


def test_five_percent_are_rounded_up():
    values = list(range(40))
    assert [n for n, out in enumerate(outliers(values, PriorityConfig())) if out] == [38, 39]
    assert sum(outliers(values[:21], PriorityConfig())) == 2


def test_the_robust_rule_finds_what_stands_out_and_nothing_else():
    config = PriorityConfig(rule="robust")
    rng = np.random.default_rng(0)
    calm = np.exp(rng.normal(5, 0.3, 60)).tolist()
    assert sum(outliers(calm, config)) <= 1
    assert outliers([*calm, 10_000.0], config)[-1]


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
