"""Means over classes with intervals over patients, and differences of two."""

import numpy as np
import pytest

from voxcurate.intervals import (
    difference_interval,
    mean_interval,
    median_interval,
    share_interval,
    wilson,
)


def test_the_mean_is_over_classes_of_means_over_cases():
    values = {"a": {"x": 0.2, "y": 0.4}, "b": {"x": 0.9}}
    found = mean_interval(values, {"x": "p", "y": "q"}, seed=1)
    assert found.mean == pytest.approx((0.3 + 0.9) / 2)
    assert found.n == 2


def test_the_interval_is_close_to_the_textbook_one():
    rng = np.random.default_rng(5)
    values = {str(i): float(v) for i, v in enumerate(rng.normal(0.8, 0.05, 200))}
    found = mean_interval({"a": values}, {}, seed=3)
    half = 1.96 * np.std(list(values.values())) / np.sqrt(200)
    assert found.high - found.mean == pytest.approx(half, rel=0.15)
    assert found.mean - found.low == pytest.approx(half, rel=0.15)


def test_scans_of_one_patient_do_not_count_as_many():
    values = {"a": {str(i): float(i % 2) for i in range(40)}}
    apart = mean_interval(values, {}, seed=0)
    joined = mean_interval(values, {str(i): f"p{i % 2}" for i in range(40)}, seed=0)
    assert (joined.low, joined.high) == (0.0, 1.0)
    assert apart.high - apart.low < 0.4


def test_one_patient_has_no_interval_and_no_value_no_estimate():
    found = mean_interval({"a": {"x": 0.5, "y": 0.7}}, {"x": "p", "y": "p"}, seed=0)
    assert (found.mean, found.low, found.high) == (pytest.approx(0.6), None, None)
    assert mean_interval({"a": {}}, {}, seed=0) is None


def test_a_difference_is_of_classes_that_both_have():
    one = {"a": {"x": 0.9, "y": 0.7}, "b": {"x": 0.1}, "c": {"x": 0.5}}
    two = {"a": {"z": 0.6}, "c": {"y": 0.1}, "d": {"x": 1.0}, "b": {}}
    found = difference_interval(one, two, {}, seed=0)
    assert found.mean == pytest.approx((0.8 - 0.6 + 0.5 - 0.1) / 2)
    assert found.n == 3
    assert difference_interval({"a": {"x": 1.0}}, {"b": {"x": 1.0}}, {}, seed=0) is None


def test_of_the_same_cases_the_difference_is_the_paired_one():
    rng = np.random.default_rng(2)
    two = {"a": {str(i): float(v) for i, v in enumerate(rng.normal(0.5, 0.3, 60))}}
    one = {"a": {case: v + 0.01 + rng.normal(0, 0.001) for case, v in two["a"].items()}}
    change = {"a": {case: one["a"][case] - two["a"][case] for case in two["a"]}}
    found = difference_interval(one, two, {}, seed=4)
    paired = mean_interval(change, {}, seed=4)
    assert (found.low, found.high) == (pytest.approx(paired.low), pytest.approx(paired.high))
    assert found.high - found.low < 0.002


def test_of_other_cases_the_difference_is_as_wide_as_both():
    rng = np.random.default_rng(2)
    one = {"a": {f"x{i}": float(v) for i, v in enumerate(rng.normal(0.6, 0.1, 150))}}
    two = {"a": {f"y{i}": float(v) for i, v in enumerate(rng.normal(0.5, 0.1, 150))}}
    found = difference_interval(one, two, {}, seed=4)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.1 * np.sqrt(2 / 150), rel=0.15)
    assert found.low < 0.1 < found.high


def test_a_side_that_one_patient_carries_still_has_bounds():
    found = difference_interval({"a": {"x": 1.0}}, {"a": {"y": 0.0, "z": 0.5}}, {}, seed=0)
    assert found.low is not None
    assert np.isfinite([found.low, found.high]).all()


def test_a_median_is_the_lower_middle_and_may_be_infinite():
    values = {"a": 1.0, "b": 2.0, "c": 3.0, "d": float("inf")}
    found = median_interval(values, {}, seed=0)
    assert (found.mean, found.high, found.n) == (2.0, float("inf"), 4)
    rng = np.random.default_rng(1)
    many = {str(i): float(v) for i, v in enumerate(rng.normal(5, 1, 400))}
    found = median_interval(many, {}, seed=0)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 1.2533 / 20, rel=0.25)


def test_a_share_is_of_sums_and_exact_at_its_ends():
    found = share_interval({"p": 1, "q": 3}, {"p": 2, "q": 3, "r": 0}, seed=0)
    assert found.mean == pytest.approx(4 / 5)
    assert found.low < 0.8 < found.high
    whole = share_interval({str(i): 1 for i in range(10)}, {str(i): 1 for i in range(10)}, seed=0)
    assert (whole.high, whole.low) == (1.0, pytest.approx(0.025 ** (1 / 10)))
    none = share_interval({}, {str(i): 1 for i in range(10)}, seed=0)
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 10)))
    assert share_interval({}, {"p": 0}, seed=0) is None


def test_exact_bounds_count_patients_and_not_what_one_of_them_has():
    found = share_interval({"p": 5, "q": 5}, {"p": 5, "q": 5}, seed=0)
    assert (found.low, found.high, found.n) == (pytest.approx(0.025 ** (1 / 2)), 1.0, 10)
    rate = share_interval({}, {"p": 5, "q": 5}, seed=0, is_rate=True)
    assert rate.high == pytest.approx(3.689 / 2, abs=1e-3)
    same = share_interval({"p": 1, "q": 1, "r": 2}, {"p": 2, "q": 2, "r": 4}, seed=0)
    assert (same.mean, same.low, same.high) == (0.5, None, None)
    alone = share_interval({"p": 5}, {"p": 5}, seed=0)
    assert (alone.mean, alone.low, alone.high) == (1.0, pytest.approx(0.025), 1.0)
    assert share_interval({"p": 2}, {"p": 5}, seed=0).low is None


def test_wilson_against_the_textbook():
    """Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for hits, n, bounds in ((81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)),
                            (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))):  # fmt: skip
        assert wilson(hits / n, n) == pytest.approx(bounds, abs=5e-5)
    assert wilson(0.5, 10, confidence=0.9)[0] > wilson(0.5, 10)[0]


def test_a_rate_may_be_one_or_more():
    scans = {str(i): 1 for i in range(10)}
    found = share_interval({"0": 4, "1": 6}, scans, seed=0, is_rate=True)
    assert found.mean == 1
    assert found.low < 1 < found.high
    none = share_interval({}, scans, seed=0, is_rate=True)
    assert none.high == pytest.approx(3.689 / 10, abs=1e-4)


@pytest.mark.parametrize("scans", [1, 3])
def test_intervals_over_patients_cover_what_they_say(scans):
    """Scans of a patient are nearly alike: resampling scans would cover far less."""
    rng = np.random.default_rng(7)
    covered = 0
    for seed in range(200):
        level = rng.normal(0.8, 0.1, 30)
        values = {f"{p}.{s}": float(level[p]) for p in range(30) for s in range(scans)}
        owners = {case: case.split(".")[0] for case in values}
        found = mean_interval({"a": values}, owners, seed=seed, draws=300, confidence=0.9)
        covered += found.low <= 0.8 <= found.high
    assert 0.82 <= covered / 200 <= 0.95
