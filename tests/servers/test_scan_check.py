"""The vision check against a real server whose tiny model sees no pictures and makes no sense."""

import pytest

from cleaning.check.rules import Check
from cleaning.check.vision import ask, views_of, with_opinion
from tests.cleaning.phantom import phantom
from voxcurate.chat import EngineConfig, make_engine


@pytest.mark.slow
def test_nonsense_from_a_real_server_changes_no_verdict(tiny_server, tmp_path):
    url, model = tiny_server
    config = EngineConfig(
        engine="openai", model=model, base_url=url, max_tokens=16, retries=0, timeout_s=60
    )
    engine = make_engine(config, root=tmp_path)
    assert engine is not None
    (reply,) = ask(engine, [views_of(phantom(1))])
    found = with_opinion(Check("pass"), reply)
    assert reply.error
    assert found.verdict == "pass"
    assert found.evidence["model_malformed"] == 1
    assert (tmp_path / "chat.sqlite").exists()
