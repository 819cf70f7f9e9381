"""The stages of a round, as a list."""

import pytest

from agent import stages
from agent.config import RoundConfig
from voxcurate.chat import engine
from voxcurate.stage import StageResult


@pytest.mark.parametrize("name", ["coldstart", "predict", "train", "evaluate"])
def test_language_models_leave_the_gpu_before_networks_want_it(name, monkeypatch):
    told = []
    monkeypatch.setattr(engine, "close_engines", lambda: told.append("closed"))
    monkeypatch.setattr(stages, f"_{name}", lambda *_: told.append(name) or StageResult())
    found = stages.round_stages(lambda: None, RoundConfig())
    assert tuple(found) == stages.STAGE_NAMES
    found[name]()
    assert told == ["closed", name]


def test_the_judge_keeps_its_engine_for_the_review(monkeypatch):
    told = []
    monkeypatch.setattr(engine, "close_engines", lambda: told.append("closed"))
    for name in ("judge", "review"):
        monkeypatch.setattr(stages, f"_{name}", lambda *_: StageResult())
        stages.round_stages(lambda: None, RoundConfig())[name]()
    assert told == []
