"""What docs/language-models.md promises of settings is true."""

import re
from pathlib import Path

import pytest
import yaml

from retrieval.config import RetrievalConfig
from retrieval.llm.config import LLMConfig
from retrieval.llm.prompt import groups
from retrieval.questions import load_questions
from voxcurate.chat import EngineConfig
from voxcurate.config import build
from voxcurate.executors.cluster import ClusterConfig
from voxcurate.protocols import CHAT_ENGINES

PAGE = (Path(__file__).parents[3] / "docs" / "language-models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
def test_settings_shown_are_taken(block):
    shown = yaml.safe_load(block)
    if "round" in shown:
        settings = build(RetrievalConfig, shown["round"]["retrieval"])
        assert settings.reader == "llm"
        assert settings.engine.engine in CHAT_ENGINES
    elif "engine" in shown:
        assert build(EngineConfig, shown["engine"]).engine in CHAT_ENGINES
    else:
        assert build(ClusterConfig, shown).stages["chat"].gpus


def test_defaults_told_are_the_defaults():
    told = dict(re.findall(r"`(?:llm\.)?(\w+)` (?:times )?\((?:default )?([\d.]+)\)", PAGE))
    told["retries"] = re.search(r"`retries` times \((\d+)\)", PAGE).group(1)
    assert {"concurrency", "wait_s", "longest_wait_s", "give_up_after"} <= set(told)
    for name, value in told.items():
        field = EngineConfig.model_fields.get(name)
        assert field is not None, name
        assert field.default == float(value), name
    assert "`llm.group` questions (16)" in PAGE
    assert LLMConfig().group == 16
    assert "`llm.retries` times (2)" in PAGE
    assert LLMConfig().retries == 2


def test_every_engine_is_told():
    for name in set(CHAT_ENGINES) - {"scripted", "batch"}:  # batch: `cluster` beside an engine
        assert f"| `{name}` |" in PAGE


def test_number_of_requests_told_is_about_right():
    first = [g for g in groups(load_questions(), LLMConfig().group) if g.step == 1]
    told = int(re.search(r"make (\d+) requests", PAGE).group(1))
    assert abs(len(first) - told) <= 2
