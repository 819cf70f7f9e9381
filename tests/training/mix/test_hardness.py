"""The map of losses: forgetting, clipping, the cap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config import SelectiveConfig
from training.mix.hardness import CELLS, LossMap, capped

SHAPE = (12, 18, 24)


def filled(losses, **config):
    """A map of one case with those losses in its first cells along the last axis and beyond."""
    made = LossMap(1, SelectiveConfig(**config))
    made.restore({"places": np.arange(len(losses)), "losses": np.array(losses)})
    return made


def test_a_new_loss_moves_the_old_one():
    made = LossMap(2, SelectiveConfig(forget=0.25))
    assert not made.is_known
    made.learn(1, (0, 0, 23.9), SHAPE, 4.0)
    made.learn(1, (1, 2, 20), SHAPE, 8.0)
    assert made.losses.tolist() == [5.0]
    assert made.places.tolist() == [CELLS**3 + CELLS - 1]


def test_places_stay_in_order_so_that_a_resumed_run_draws_the_same():
    made, again = (LossMap(3, SelectiveConfig()) for _ in range(2))
    for case, corner in ((2, 1), (0, 5), (1, 3), (0, 2)):
        made.learn(case, (corner * 2, 0, 0), SHAPE, float(corner))
    assert np.all(np.diff(made.places) > 0)
    assert made.losses.tolist() == [2.0, 5.0, 3.0, 1.0]
    again.restore(made.state())
    one, other = (m.draw(np.random.default_rng(4)) for m in (made, again))
    assert one[0] == other[0]
    assert np.array_equal(one[1], other[1])


def test_draws_follow_the_losses():
    made = filled([1.0, 3.0], clip=1.0)
    found = [made.draw(np.random.default_rng(n)) for n in range(400)]
    cells = [int(part[2] * CELLS) for _, part in found]
    assert cells.count(1) == pytest.approx(300, abs=40)
    assert all((part >= 0).all() and (part < 1).all() for _, part in found)


def test_the_very_worst_place_counts_as_the_quantile():
    """One wrong label with a loss of 1000 among a hundred places is no more than a hard place."""
    losses = [1.0] * 80 + [2.0] * 20 + [1000.0]
    probability = filled(losses, clip=0.95, cap=100).probabilities()
    assert probability[100] == pytest.approx(probability[99])
    unclipped = filled(losses, clip=1.0, cap=1000).probabilities()
    assert unclipped[100] > 0.8


def test_no_place_is_drawn_more_often_than_the_cap():
    losses = [0.0] * 90 + [50.0] * 10
    probability = filled(losses, clip=1.0, cap=4.0).probabilities()
    assert probability[90:] == pytest.approx([0.04] * 10)
    assert probability[:90] == pytest.approx([0.6 / 90] * 90)


def test_hardness_of_a_place():
    made = filled([1.0, 3.0], clip=1.0)
    assert made.at(0, (0, 0, 5), SHAPE) == 3.0
    assert made.at(0, (11, 17, 23), SHAPE) == 2.0  # unknown: the mean
    assert LossMap(1, SelectiveConfig()).at(0, (0, 0, 0), SHAPE) == 1.0
    assert filled([0.0]).at(0, (0, 0, 0), SHAPE) > 0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.floats(1, 20))
def test_capped_is_a_distribution_below_the_cap_in_the_same_order(weights, cap):
    given_weights = np.array(weights)
    if given_weights.sum() < 1e-9:
        return
    found = capped(given_weights, cap)
    assert found.sum() == pytest.approx(1)
    assert found.max() <= cap / len(weights) * (1 + 1e-6)
    order = np.argsort(given_weights, kind="stable")
    assert np.all(np.diff(found[order]) >= -1e-9)
