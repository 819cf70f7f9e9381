"""Weights that learn: the prior without decisions, the truth with many, no harm from noise."""

import numpy as np
import pytest

from labeling.expert.learning import Case, Prior, Weights, calibration, fit, learn, written

PRIOR = {"bias": Prior(0.0, 1.0), "good": Prior(1.0, 0.5), "new": Prior(0.0, 1.0)}


def decided(n, weights, seed=0, noise=False):
    """Cases that answer by true weights."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(n):
        votes = {"good": float(rng.normal(0, 2)), "new": float(rng.normal(0, 2))}
        z = sum(weights.get(name, 0.0) * v for name, v in votes.items()) + weights.get("bias", 0.0)
        chance = 0.5 if noise else 1 / (1 + np.exp(-z))
        found.append(Case(votes, bool(rng.random() < chance), f"p{k % 25}", said=0.5))
    return found


def test_without_decisions_or_with_few_the_weights_are_as_written():
    assert learn([], PRIOR, minimum=10, minimum_each=2).weights == written(PRIOR)
    few = decided(9, {"good": 1.0})
    found = learn(few, PRIOR, minimum=10, minimum_each=2)
    assert (found.weights, found.n, found.held_out) == (written(PRIOR), 9, None)
    assert found.said.brier == 0.25
    one_sided = [Case(c.votes, True, c.group) for c in decided(60, {"good": 1.0})]
    assert learn(one_sided, PRIOR, minimum=10, minimum_each=2).weights.n == 0


def test_many_decisions_show_a_vote_that_nobody_had_written_down():
    cases = decided(300, {"good": 0.2, "new": 1.5})
    found = learn(cases, PRIOR, minimum=30, minimum_each=5)
    assert found.weights.n == 300
    assert found.weights.values["new"] == pytest.approx(1.5, abs=0.5)
    assert found.weights.values["good"] < 0.6
    assert found.held_out.log_loss < found.written.log_loss
    assert found.held_out.ece < found.written.ece
    fresh = decided(300, {"good": 0.2, "new": 1.5}, seed=7)
    scores = {
        w.n: np.mean([(w.log_odds(c.votes) > 0) == c.answer for c in fresh])
        for w in (found.weights, written(PRIOR))
    }
    assert scores[300] > scores[0] + 0.1


def test_where_the_written_weights_are_right_learned_ones_must_do_better_to_be_used():
    kept = [
        learn(decided(60, {"good": 1.0}, seed), PRIOR, minimum=30, minimum_each=5).weights.n
        for seed in range(8)
    ]
    assert 0 in kept  # of weights as they should be, some draws do not do better
    found = learn(decided(400, {"good": 1.0}, 3), PRIOR, minimum=30, minimum_each=5)
    assert found.weights.values["good"] == pytest.approx(1.0, abs=0.25)


def test_the_order_of_the_cases_does_not_matter():
    cases = decided(80, {"good": 1.0, "new": 1.0})
    one = learn(cases, PRIOR, minimum=30, minimum_each=5)
    assert one == learn(cases[::-1], PRIOR, minimum=30, minimum_each=5)
    assert Weights.of_plain(one.weights.plain()) == one.weights


def test_the_mode_is_where_no_step_lowers_the_loss():
    cases = decided(50, {"good": 1.0, "new": -1.0})
    best = fit(cases, PRIOR).values

    def loss(values):
        z = np.array([Weights(values).log_odds(c.votes) for c in cases])
        y = np.array([c.answer for c in cases])
        penalty = sum(((values[k] - p.value) / p.scale) ** 2 / 2 for k, p in PRIOR.items())
        return float((np.logaddexp(0, z) - y * z).sum() + penalty)

    for name in PRIOR:
        for step in (-0.01, 0.01):
            assert loss({**best, name: best[name] + step}) > loss(best)


def test_separable_decisions_leave_finite_weights():
    cases = [Case({"good": 12.0 * s}, s > 0, f"p{n}") for n, s in enumerate([1, -1] * 20)]
    assert abs(fit(cases, PRIOR).values["good"]) < 5


def test_calibration_by_hand():
    found = calibration([0.1, 0.1, 0.9, 0.9], [False, True, True, True])
    assert found.brier == pytest.approx((0.01 + 0.81 + 0.01 + 0.01) / 4)
    assert found.table == [(2, pytest.approx(0.1), 0.5), (2, pytest.approx(0.9), 1.0)]
    assert found.ece == pytest.approx((2 * 0.4 + 2 * 0.1) / 4)
    with pytest.raises(ValueError, match="at least one"):
        calibration([], [])
