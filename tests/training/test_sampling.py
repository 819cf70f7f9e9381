"""What is drawn: by need, by loss, by the mix, and the same again after a resume."""

from collections import Counter

import numpy as np
import pytest

from tests.training.conftest import tiny
from training.cases import PreparedCase
from training.config import MixConfig
from training.sampling import KINDS, Sampler

SHAPE = (24, 20, 16)


def case(name, *places):
    """A case whose class c has voxels around `places[c]` (None: no voxel)."""
    masks = np.zeros((len(places), *SHAPE), bool)
    for mask, place in zip(masks, places, strict=True):
        if place is not None:
            mask[tuple(slice(p, p + 2) for p in place)] = True
    return PreparedCase(
        name, np.zeros(SHAPE, np.int16), np.packbits(masks, axis=0), None,
        np.ones(len(places), bool), np.ones(len(places), np.float32),
        masks.reshape(len(places), -1).sum(1),
        [np.argwhere(m).astype(np.int16) for m in masks], (3.0, 3.0, 3.0),
    )  # fmt: skip


CASES = [case(f"c{n}", (3, 3, 3), (18, 15, 11) if n == 0 else None) for n in range(6)]


def sampler(mix=None, raw=0, tumours=(), n_mix=6, **changes):
    config = tiny(mix=mix or MixConfig(labelled=1, selective=0), foreground=1.0, **changes)
    return Sampler(CASES, n_mix, raw, tumours, config, seed=3)


def draws(made, n=400, among=None):
    return [made.draw(made.generator(step, 0), among) for step in range(n)]


def test_rare_class_is_drawn_as_often_as_a_common_one():
    found = Counter(draw.class_index for draw in draws(sampler()))
    assert found[1] == pytest.approx(200, abs=50)
    assert all(draw.case == 0 for draw in draws(sampler()) if draw.class_index == 1)


def test_a_learnt_class_is_drawn_less():
    made = sampler()
    for _ in range(100):
        made.learn_dice(np.array([1.0, 0.0]), np.array([True, True]))
    found = Counter(draw.class_index for draw in draws(made))
    assert found[0] < 0.35 * found[1]
    assert found[0] > 0


def test_unseen_class_keeps_its_need():
    made = sampler()
    made.learn_dice(np.array([0.9, 0.9]), np.array([True, False]))
    assert made.dice[0] > 0
    assert made.dice[1] == 0


def test_selective_goes_where_the_loss_was():
    made = sampler(MixConfig(labelled=0, selective=1))
    here = made.draw(made.generator(0, 0))
    assert here.kind == "labelled"  # nothing is known yet
    made.learn([here], [2.0])
    found = draws(made, 50)
    assert all(d.kind == "selective" and d.case == here.case for d in found)
    assert all(np.all(np.abs(np.array(d.centre) - here.centre) <= 5) for d in found)


def test_loss_that_is_no_number_is_not_learnt():
    made = sampler()
    made.learn([made.draw(made.generator(0, 0))], [float("nan")])
    assert np.isnan(made.losses).all()


def test_without_a_loss_there_is_nothing_to_select():
    made = sampler(MixConfig(labelled=0, selective=1))
    made.learn([made.draw(made.generator(0, 0))], [0.0])  # nothing was known in that patch
    assert {draw.kind for draw in draws(made, 20)} == {"labelled"}


def test_the_mix_gives_what_is_missing_to_labelled():
    mix = MixConfig(labelled=0.25, selective=0.25, unlabeled=0.25, synthetic=0.25)
    shares = dict(zip(KINDS, sampler(mix).shares, strict=True))
    assert shares == {"labelled": 0.75, "selective": 0.25, "unlabeled": 0, "synthetic": 0}
    shares = dict(zip(KINDS, sampler(mix, raw=2, tumours=[(0, 1)]).shares, strict=True))
    assert set(shares.values()) == {0.25}


def test_annealing_cases_are_drawn_only_in_annealing():
    made = sampler(n_mix=4)
    assert {draw.case for draw in draws(made)} <= {0, 1, 2, 3}
    assert {draw.case for draw in draws(made, among=(4, 5))} == {4, 5}


def test_draws_depend_on_seed_and_step_only():
    one, two = sampler(), sampler()
    draws(one, 50)
    assert one.draw(one.generator(77, 1)) == two.draw(two.generator(77, 1))


def test_state_goes_round():
    one, two = (
        sampler(MixConfig(labelled=0.5, selective=0.5)),
        sampler(MixConfig(labelled=0.5, selective=0.5)),
    )
    for step in range(30):
        draw = one.draw(one.generator(step, 0))
        one.learn([draw], [float(step)])
        one.learn_dice(np.array([0.3, 0.1]), np.array([True, True]))
    two.restore(one.state())
    assert draws(one, 40) == draws(two, 40)
