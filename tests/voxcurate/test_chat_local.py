"""Engines that run a model in this process: transformers on a tiny checkpoint, vLLM on a fake."""

import os
import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from voxcurate.chat import CallLog, EngineConfig, make_engine
from voxcurate.chat.local import Generated
from voxcurate.config import build
from voxcurate.errors import ConfigError
from voxcurate.protocols import ChatEngine, Message, Token


class Measured(BaseModel):
    """The schema of these tests."""

    length: int
    word: str


GOOD = Measured(length=1, word="a")


def talk(text):
    return [Message("user", text)]


def config(name, **fields):
    return build(EngineConfig, {"engine": name, "model": "m", **fields})


# --- vLLM: a fake with the names, arguments and errors of vllm 0.32 ---
class ClientError(Exception):
    """Stands for vllm.exceptions.VLLMClientError, which is no ValueError."""


@dataclass
class StructuredOutputsParams:
    json: dict[str, Any]
    disable_any_whitespace: bool = False


@dataclass
class SamplingParams:
    temperature: float = 1.0
    max_tokens: int = 16
    seed: int | None = None
    structured_outputs: StructuredOutputsParams | None = None
    logprobs: int | None = None


@dataclass
class LLM:
    model: str
    enable_prefix_caching: bool | None = None
    seed: int = 0
    max_model_len: int | None = None
    calls: list[Any] = field(default_factory=list)

    def __post_init__(self):
        if self.model == "missing":
            raise OSError("no such model")
        MADE.append(self)

    def chat(self, messages, sampling_params=None, use_tqdm=True, *, chat_template_kwargs=None):
        self.calls.append((messages, sampling_params, use_tqdm, chat_template_kwargs))
        if any("too long" in item[-1]["content"] for item in messages):
            raise ClientError("The decoder prompt is longer than the maximum model length")
        return [output(item[-1]["content"], sampling_params.logprobs) for item in messages]


MADE: list[LLM] = []


def output(text, n_weights=None):
    cut = "cut" in text
    said = '{"length": 1, "wo' if cut else '{"length": 1, "word": "a"}'
    done = SimpleNamespace(text=said, token_ids=[1] * 5, finish_reason="length" if cut else "stop")
    if n_weights:
        weights = {1: ("a", -0.1), 2: ("b", -2.4)}
        one = {k: SimpleNamespace(decoded_token=t, logprob=w) for k, (t, w) in weights.items()}
        done.logprobs = [one] * 5
    return SimpleNamespace(outputs=[done], prompt_token_ids=[1] * len(text))


@pytest.fixture
def vllm(monkeypatch):
    parts = {
        "vllm": {"LLM": LLM, "SamplingParams": SamplingParams},
        "vllm.sampling_params": {
            "SamplingParams": SamplingParams,
            "StructuredOutputsParams": StructuredOutputsParams,
        },
        "vllm.exceptions": {"VLLMClientError": ClientError},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    MADE.clear()
    return MADE


def test_vllm_runs_all_conversations_in_one_call(vllm, tmp_path):
    fields = {"options": {"max_model_len": 4096}, "template": {"enable_thinking": False}}
    engine = make_engine(config("vllm", price_out=2.0, **fields), root=tmp_path)
    assert isinstance(engine, ChatEngine)
    replies = engine.chat([talk("one"), talk("cut off"), talk("three")], Measured)
    assert [r.parsed for r in replies] == [GOOD, None, GOOD]
    assert replies[1].error.startswith("cut off at 2048 tokens")
    assert replies[1].raw
    assert [r.tokens_in for r in replies] == [3, 7, 5]
    (llm,) = vllm
    assert (llm.model, llm.enable_prefix_caching, llm.max_model_len) == ("m", True, 4096)
    ((messages, sampling, bar, template),) = llm.calls
    assert messages[0] == [{"role": "user", "content": "one"}]
    assert (sampling.temperature, sampling.max_tokens, bar) == (0.0, 2048, False)
    assert sampling.structured_outputs.json == Measured.model_json_schema()
    assert template == {"enable_thinking": False}
    calls = CallLog(tmp_path / "chat.sqlite").calls()
    assert [call["engine"] for call in calls] == ["vllm"] * 3
    assert calls[0]["cost"] == pytest.approx(5 * 2.0 / 1e6)
    engine.chat([talk("four")], Measured)
    assert len(vllm) == 1  # loaded once


def test_vllm_reports_nothing_home(vllm, tmp_path, monkeypatch):
    monkeypatch.delenv("VLLM_NO_USAGE_STATS", raising=False)
    make_engine(config("vllm"), root=tmp_path).chat([talk("one")], Measured)
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"


def test_vllm_prompt_that_is_refused_fails_alone(vllm, tmp_path):
    engine = make_engine(config("vllm", structured=False), root=tmp_path)
    texts = ["one", "two", "much too long", "four", "five"]
    replies = engine.chat([talk(text) for text in texts], Measured)
    assert [bool(r.parsed) for r in replies] == [True, True, False, True, True]
    assert "refused the prompt" in replies[2].error
    assert vllm[0].calls[0][1].structured_outputs is None


def test_vllm_that_is_absent_or_cannot_load_says_what_to_do(vllm, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="no such model"):
        make_engine(config("vllm", model="missing"), root=tmp_path).chat([talk("a")], Measured)
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", None)
    with pytest.raises(ConfigError, match=r"voxcurate\[vllm\]"):
        make_engine(config("vllm"), root=tmp_path).chat([talk("a")], Measured)


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_local_engine_wants_a_model(name, tmp_path):
    with pytest.raises(ConfigError, match="checkpoint"):
        make_engine(config(name, model=""), root=tmp_path)
    engine = make_engine(config(name), root=tmp_path)
    assert engine.chat([], Measured) == []


def test_vllm_gets_images_and_gives_weights(vllm, tmp_path):
    engine = make_engine(config("vllm", top_logprobs=2), root=tmp_path)
    (reply,) = engine.chat([[Message("user", "look", (b"png",))]], Measured)
    ((messages, sampling, *_),) = vllm[0].calls
    text, image = messages[0][0]["content"]
    assert text == {"type": "text", "text": "look"}
    assert image["image_url"]["url"] == "data:image/png;base64,cG5n"
    assert sampling.logprobs == 2
    assert reply.tokens[0] == Token("a", {"a": -0.1, "b": -2.4})
    assert len(reply.tokens) == 5


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
