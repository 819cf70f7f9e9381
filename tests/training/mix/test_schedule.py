"""Phases, and the shares of the kinds over a run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.conftest import tiny
from training.config import AnnealConfig, MixConfig, TrainingConfig
from training.mix.schedule import KINDS, Plan, gold_share, plan_of, shares_at
from voxcurate.config import build

ALL = dict.fromkeys(KINDS, True)
PLAN = Plan(100, 80, (4,))


def shares(step, mix=None, plan=PLAN, there=ALL, **anneal):
    config = tiny(mix=mix or MixConfig(), anneal=AnnealConfig(**anneal))
    return dict(zip(KINDS, shares_at(step, plan, config, there).tolist(), strict=True))


def test_without_gold_there_is_one_phase():
    assert plan_of(100, tiny(), []) == Plan(100, 100)
    assert plan_of(100, tiny(), [3]) == Plan(100, 50, (3,))
    assert Plan(100, 100).phase(100) == "mix"
    assert [PLAN.phase(79), PLAN.phase(80)] == ["mix", "anneal"]


def test_shares_go_in_a_straight_line_from_start_to_end():
    mix = MixConfig(labelled=(0.2, 0.8), selective=0, unlabeled=(0.8, 0.2), replay=0)
    plan = Plan(101, 101)
    assert shares(0, mix, plan)["unlabeled"] == pytest.approx(0.8)
    assert shares(50, mix, plan)["unlabeled"] == pytest.approx(0.5)
    assert shares(100, mix, plan)["unlabeled"] == pytest.approx(0.2)


def test_gold_takes_over_along_the_ramp():
    found = [shares(step, ramp=0.5, gold=0.9) for step in range(100)]
    gold = np.array([f["gold"] for f in found])
    assert not gold[:80].any()
    assert gold[80] == pytest.approx(0.09)
    assert gold[84] == pytest.approx(0.45)
    assert gold[89:] == pytest.approx([0.9] * 11)
    assert found[84]["selective"] / found[84]["replay"] == pytest.approx(0.3 / 0.25)


def test_without_a_ramp_gold_is_there_at_once():
    assert shares(80, ramp=0)["gold"] == 1
    assert shares(79, ramp=0)["gold"] == 0


@given(
    st.integers(0, 99),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=5, max_size=5),
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.floats(0, 1),
)
def test_shares_add_up_and_what_is_not_there_gets_nothing(step, asked, there, ramp):
    mix = MixConfig(**dict(zip(KINDS, asked, strict=False)))
    usable = {**dict(zip(KINDS, there, strict=False)), "labelled": True}
    found = shares(step, mix, there=usable, ramp=ramp)
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) >= 0
    assert not any(found[kind] for kind in KINDS[:-1] if not usable[kind])


def test_no_share_at_all_is_labelled():
    nothing = MixConfig(labelled=0, selective=0, replay=0)
    assert shares(0, nothing)["labelled"] == 1


def test_schedule_in_a_file():
    config = build(TrainingConfig, {"mix": {"replay": [0.5, 0.1], "labelled": 0.5}})
    assert config.mix.replay == (0.5, 0.1)
    assert build(TrainingConfig, config.model_dump(mode="json")) == config
    assert gold_share(99, Plan(100, 100), config) == 0


def test_the_first_steps_may_be_self_supervision_only():
    config = tiny(pretrain_share=0.25, mix=MixConfig(labelled=1, selective=0, replay=0))
    plan, there = Plan(40, 40), {"labelled": True, "unlabeled": True}
    only = [float(kind == "unlabeled") for kind in KINDS]
    assert all(shares_at(step, plan, config, there).tolist() == only for step in range(10))
    assert shares_at(10, plan, config, there)[KINDS.index("labelled")] == 1
    without = {"labelled": True, "unlabeled": False}
    assert shares_at(0, plan, config, without)[KINDS.index("labelled")] == 1
