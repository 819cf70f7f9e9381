"""Rates and their intervals, against figures on paper and another library."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labeling.errors.rates import rate, trend


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (10, 10), (37, 1200), (3, 3)])
def test_the_interval_of_independent_labels_is_wilsons(k, n):
    found = rate(k, n)
    known = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert found.value == pytest.approx(1000 * k / n)
    assert found.low == pytest.approx(1000 * known.low, rel=1e-5, abs=1e-9)
    assert found.high == pytest.approx(1000 * known.high, rel=1e-5, abs=1e-9)


def test_without_labels_nothing_is_known():
    assert rate(0, 0).value is None
    assert rate(0, 0).plain()["per_1000"] is None


def test_errors_that_come_together_widen_the_interval():
    apart = rate(20, 1000, [1] * 20, 100)
    together = rate(20, 1000, [10, 10], 100)
    assert together.value == apart.value
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_clustered_intervals_cover():
    """Patients of ten labels that go wrong together: of 95 % intervals about 95 hold the truth."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        bad = rng.random(200) < 0.05
        clusters = [int(10 * b) for b in bad if b]
        found = rate(sum(clusters), 2000, clusters, 200)
        hits += found.low <= 50.0 <= found.high
    assert hits >= 0.92 * 400


@given(st.integers(0, 50), st.integers(1, 500))
def test_bounds_lie_around_the_rate(k, n):
    found = rate(min(k, n), n)
    assert 0 <= found.low <= found.value <= found.high <= 1000


def test_a_rate_falls_only_beyond_chance():
    assert trend(rate(100, 1000), rate(40, 1000)) == "falls"
    assert trend(rate(40, 1000), rate(100, 1000)) == "rises"
    assert trend(rate(10, 100), rate(8, 100)) == "no clear change"
    assert trend(rate(0, 0), rate(8, 100)) == "unknown"
