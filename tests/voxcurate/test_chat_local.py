"""Engines that run a model here: transformers on a tiny checkpoint. vLLM is in test_chat_vllm."""

import weakref

import pytest
from pydantic import BaseModel

from voxcurate.chat import CallLog, EngineConfig, make_engine
from voxcurate.chat.engine import close_engines
from voxcurate.chat.local import Generated
from voxcurate.config import build
from voxcurate.errors import ConfigError
from voxcurate.protocols import ChatEngine, Message


class Measured(BaseModel):
    """The schema of these tests."""

    length: int
    word: str


GOOD = Measured(length=1, word="a")


def talk(text):
    return [Message("user", text)]


def config(name, **fields):
    return build(EngineConfig, {"engine": name, "model": "m", **fields})


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_local_engine_wants_a_model(name, tmp_path):
    with pytest.raises(ConfigError, match="checkpoint"):
        make_engine(config(name, model=""), root=tmp_path)
    engine = make_engine(config(name), root=tmp_path)
    assert engine.chat([], Measured) == []


# --- transformers: a real tiny checkpoint ---
@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    pytest.importorskip("transformers")
    from tests.servers.tiny_llm import build_checkpoint

    return str(build_checkpoint(tmp_path_factory.mktemp("tiny"), positions=256))


def test_transformers_gives_a_validated_reply_to_each(checkpoint, tmp_path):
    engine = make_engine(config("transformers", model=checkpoint, max_tokens=8), root=tmp_path)
    assert isinstance(engine, ChatEngine)
    texts = ["one", "a longer text of several words", "x" * 900, "four"]
    replies = engine.chat([talk(text) for text in texts], Measured)
    assert all(r.parsed is None and r.error for r in replies)
    assert "model takes 256" in replies[2].error
    assert replies[2].raw == ""
    assert all(r.raw and 0 < r.tokens_out <= 8 for i, r in enumerate(replies) if i != 2)
    assert all("cut off at 8" in r.error for r in replies if r.tokens_out == 8)
    assert len(CallLog(tmp_path / "chat.sqlite").calls()) == 4


def test_transformers_lets_go_of_its_model(checkpoint, tmp_path):
    engine = make_engine(config("transformers", model=checkpoint, max_tokens=8), root=tmp_path)
    close_engines()  # nothing is loaded yet
    (before,) = engine.chat([talk("one")], Measured)
    model = weakref.ref(engine._loaded.model)
    close_engines()
    assert model() is None
    (after,) = engine.chat([talk("one")], Measured)
    assert after.raw == before.raw


def test_transformers_generates_once_what_is_asked_twice(checkpoint, tmp_path):
    engine = make_engine(config("transformers", model=checkpoint, max_tokens=8), root=tmp_path)
    first, other, second = engine.chat([talk(text) for text in ("one", "two", "one")], Measured)
    assert (first.raw, first.error) == (second.raw, second.error)
    assert (second.tokens_in, second.tokens_out, second.seconds) == (0, 0, 0.0)
    assert first.tokens_in > 0 < other.tokens_in
    assert len(CallLog(tmp_path / "chat.sqlite").calls()) == 2


def test_transformers_batch_does_not_change_a_reply(checkpoint, tmp_path):
    texts = ["one", "a longer text of several words", "three 3 3", "a mass", "no mass is seen"]

    def said(batch, chosen):
        fields = {"model": checkpoint, "max_tokens": 8, "options": {"batch": batch}}
        engine = make_engine(config("transformers", **fields), root=tmp_path)
        return [r.raw for r in engine.chat([talk(text) for text in chosen], Measured)]

    together = said(5, texts)
    assert said(1, texts) == together
    assert said(2, texts[::-1]) == together[::-1]


def test_transformers_model_that_cannot_be_used(checkpoint, tmp_path):
    (tmp_path / "empty").mkdir()
    for fields, why in [
        ({"model": str(tmp_path / "empty")}, "cannot load"),
        ({"model": checkpoint, "options": {"devise": "cpu"}}, "no option 'devise'"),
    ]:
        made = make_engine(config("transformers", **fields), root=tmp_path)
        with pytest.raises(ConfigError, match=why):
            made.chat([talk("a")], Measured)


def test_model_that_was_given_a_good_reply_is_parsed(checkpoint, tmp_path, monkeypatch):
    from voxcurate.chat.transformers import TransformersEngine

    monkeypatch.setattr(
        TransformersEngine,
        "_batch",
        lambda _, prompts: [Generated('{"length": 1, "word": "a"}', 3, 4)] * len(prompts),
    )
    engine = make_engine(config("transformers", model=checkpoint, max_tokens=8), root=tmp_path)
    assert [r.parsed for r in engine.chat([talk("b"), talk("a")], Measured)] == [GOOD, GOOD]


# --- transformers: a real tiny checkpoint that sees ---
@pytest.fixture(scope="module")
def seeing(tmp_path_factory):
    pytest.importorskip("transformers")
    from tests.servers.tiny_vision import build_vision_checkpoint

    return str(build_vision_checkpoint(tmp_path_factory.mktemp("vision")))


def test_transformers_sees_images_and_weighs_its_words(seeing, tmp_path):
    import io
    import math

    from PIL import Image

    def png(grey):
        stream = io.BytesIO()
        Image.new("L", (60, 40), grey).save(stream, "PNG")
        return stream.getvalue()

    fields = {"model": seeing, "max_tokens": 6, "top_logprobs": 3}
    engine = make_engine(config("transformers", **fields), root=tmp_path)
    talks = [[Message("system", "s"), Message("user", "look", (png(g), png(9)))] for g in (0, 255)]
    dark, bright = engine.chat(talks, Measured)
    assert dark.error
    assert dark.tokens_in == bright.tokens_in > 2 * 16  # so many patches has a picture
    assert 0 < dark.tokens_out <= 6
    assert len(dark.tokens) == dark.tokens_out
    assert dark.tokens[0].text == max(dark.tokens[0].choices, key=dark.tokens[0].choices.get)
    assert all(sum(map(math.exp, token.choices.values())) <= 1 for token in dark.tokens)
    assert dark.tokens[0].choices != bright.tokens[0].choices  # it did see
    assert engine.chat(talks, Measured)[0].raw == dark.raw


def test_transformers_model_that_cannot_see(checkpoint, tmp_path):
    engine = make_engine(config("transformers", model=checkpoint), root=tmp_path)
    with pytest.raises(ConfigError, match="cannot load its model for images"):
        engine.chat([[Message("user", "look", (b"png",))]], Measured)
