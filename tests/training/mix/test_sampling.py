"""What is drawn: by need, by loss, by the mix, and the same again after a resume."""

from collections import Counter

import numpy as np
import pytest

from tests.training.conftest import tiny
from training.config import AnnealConfig, MixConfig, SelectiveConfig
from training.data.cases import PreparedCase
from training.mix.hardness import CELLS
from training.mix.sampling import NEED_FLOOR, Pools, Sampler
from training.mix.schedule import KINDS, Plan

SHAPE = (24, 20, 16)
PLAIN = MixConfig(labelled=1, selective=0)
ONE_PHASE = Plan(1000, 1000)


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


def sampler(mix=PLAIN, plan=ONE_PHASE, pools=None, **changes):
    config = tiny(mix=mix, **{"foreground": 1.0, **changes})
    return Sampler(CASES, pools or Pools(6), plan, config, seed=3)


def draws(made, n=400, first=0):
    return [made.draw(made.generator(step, 0), step) for step in range(first, first + n)]


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
    made = sampler(
        MixConfig(labelled=0, selective=1, replay=0), selective=SelectiveConfig(by_class=0.05)
    )
    here = made.draw(made.generator(0, 0), 0)
    assert here.kind == "labelled"  # nothing is known yet
    made.learn([here], [2.0])
    found = draws(made, 50)
    assert all(d.kind == "selective" for d in found)
    anywhere = [d for d in found if d.class_index < 0]
    assert len(anywhere) > 40
    assert {d.case for d in anywhere} == {here.case}
    assert all(np.all(np.abs(np.array(d.centre) - here.centre) <= 5) for d in anywhere)


def test_selective_takes_a_class_at_its_hardest_places():
    """Two classes in turn; of the cases with the first class, the one with the loss."""
    made = sampler(
        MixConfig(labelled=0, selective=1, replay=0), selective=SelectiveConfig(by_class=1)
    )
    for n in range(6):
        for centre in np.argwhere(np.ones((6, 6, 6))) * np.array(SHAPE) / 6 + 1:
            made.losses.learn(n, centre, SHAPE, 5.0 if n == 4 else 0.1)
    found = draws(made)
    assert Counter(d.class_index for d in found)[1] == pytest.approx(200, abs=50)
    first = Counter(d.case for d in found if d.class_index == 0)
    assert first[4] > 0.5 * sum(first.values())


@pytest.mark.parametrize("labelled", [0.0, 0.5])
def test_no_class_starves_whatever_the_losses_say(labelled):
    """The bound: floor of the need, and the classes' own part of the selective samples."""
    made = sampler(MixConfig(labelled=labelled, selective=1 - labelled, replay=0))
    here = made.draw(made.generator(0, 0), 0)
    for _ in range(300):
        made.learn_dice(np.array([0.0, 1.0]), np.array([True, True]))  # class 1 seems learnt
    for n in range(1, 6):  # and all losses lie in cases without it
        made.losses.learn(n, here.centre, SHAPE, 100.0)
    by_class = SelectiveConfig().by_class
    bound = labelled * NEED_FLOOR / (1 + NEED_FLOOR) / 2 + (1 - labelled) * by_class / 2
    assert made.class_shares(0).min() >= bound > 0
    found = Counter(draw.class_index for draw in draws(made, 2000))
    assert found[1] / 2000 == pytest.approx(made.class_shares(0)[1], abs=0.025)


def test_class_shares_add_up_to_what_is_drawn_for_a_class():
    made = sampler(foreground=0.75)
    assert made.class_shares(0) == pytest.approx([0.375, 0.375])
    mix = MixConfig(labelled=0.5, selective=0, synthetic=0.5, replay=0)
    made = sampler(mix, pools=Pools(6, tumours=[(0, 1)]), foreground=0.5)
    assert made.class_shares(0) == pytest.approx([0.125, 0.125 + 0.5])


def test_loss_that_is_no_number_is_not_learnt():
    made = sampler()
    made.learn([made.draw(made.generator(0, 0), 0)], [float("nan")])
    assert not made.losses.places.size
    assert not made.memory.losses


def test_without_a_loss_there_is_nothing_to_select():
    made = sampler(MixConfig(labelled=0, selective=1, replay=0))
    made.learn([made.draw(made.generator(0, 0), 0)], [0.0])  # nothing was known in that patch
    assert {draw.kind for draw in draws(made, 20)} == {"labelled"}


def test_the_mix_gives_what_is_missing_to_labelled():
    mix = MixConfig(labelled=0.2, selective=0.2, unlabeled=0.2, synthetic=0.2, replay=0.2)
    shares = dict(zip(KINDS, sampler(mix).shares(0), strict=True))
    assert shares.pop("labelled") == pytest.approx(0.8)
    assert shares.pop("selective") == pytest.approx(0.2)
    assert set(shares.values()) == {0}
    shares = sampler(mix, pools=Pools(5, 1, raw=2, tumours=[(0, 1)])).shares(0)
    assert shares == pytest.approx([0.2] * 5 + [0])


def test_replay_draws_from_the_memory_and_the_rest_from_this_round():
    made = sampler(MixConfig(labelled=0.5, selective=0, replay=0.5), pools=Pools(4, 2))
    found = draws(made)
    assert Counter(d.kind for d in found)["replay"] == pytest.approx(200, abs=50)
    assert {d.case for d in found if d.kind == "replay"} == {4, 5}
    assert {d.case for d in found if d.kind == "labelled"} == {0, 1, 2, 3}


def test_annealing_cases_are_drawn_only_in_annealing():
    plan, at_once = Plan(1000, 800, (4, 5)), AnnealConfig(ramp=0)
    made = sampler(plan=plan, pools=Pools(4), anneal=at_once)
    assert {draw.case for draw in draws(made)} <= {0, 1, 2, 3}
    found = draws(made, 200, first=800)
    assert {draw.case for draw in found} == {4, 5}
    assert {draw.kind for draw in found} == {"gold"}


def test_draws_depend_on_seed_and_step_only():
    one, two = sampler(), sampler()
    draws(one, 50)
    assert one.draw(one.generator(77, 1), 77) == two.draw(two.generator(77, 1), 77)


def test_what_was_drawn_is_remembered_with_its_features():
    made = sampler(pools=Pools(4, 2), mix=MixConfig(labelled=1, selective=0, replay=1))
    assert made.memory.cases == ["c4", "c5", "c0", "c1", "c2", "c3"]  # the memory came first
    for draw in draws(made, 20):
        made.learn([draw], [1.0], np.array([[3.0, 4.0]]))
    assert made.memory.features["c4"] == pytest.approx([0.6, 0.8])
    assert set(made.memory.losses.values()) == {1.0}
    assert made.losses.places.max() < 4 * CELLS**3


def test_state_goes_round():
    mix = MixConfig(labelled=0.3, selective=0.3, replay=0.4)
    one, two = (sampler(mix, pools=Pools(4, 2)) for _ in range(2))
    for step in range(30):
        draw = one.draw(one.generator(step, 0), step)
        one.learn([draw], [float(step)], np.array([[step + 1.0, 1.0]]))
        one.learn_dice(np.array([0.3, 0.1]), np.array([True, True]))
    two.restore(one.state())
    assert draws(one, 40) == draws(two, 40)
    assert one.memory.trimmed("dynamic", 3) == two.memory.trimmed("dynamic", 3)


@pytest.mark.parametrize("patch", [(16, 16, 16), (32, 24, 16)])
def test_a_patch_holds_its_voxel_and_hardly_leaves_the_scan(patch):
    config = tiny(mix=PLAIN, foreground=0.7, patch=patch)
    made = Sampler(CASES, Pools(6), ONE_PHASE, config, seed=3)
    for draw in draws(made):
        first = np.array(draw.centre) - (np.array(patch) - 1) / 2
        last = np.array(draw.centre) + (np.array(patch) - 1) / 2
        spare = np.maximum(np.array(patch) - SHAPE, 0) / 2 + 0.1 * np.array(patch) + 1e-6
        assert np.all(first >= -spare)
        assert np.all(last <= np.array(SHAPE) - 1 + spare)
        if draw.class_index >= 0:
            voxels = CASES[draw.case].centres[draw.class_index]
            assert np.any(np.all((voxels >= first - 0.5) & (voxels <= last + 0.5), axis=1))
