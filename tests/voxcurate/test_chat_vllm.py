"""The vllm engine: on a thin fake of the library, and on the real one where there is a GPU."""

import inspect
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.voxcurate.executors.test_local import gone
from voxcurate.chat import CallLog, EngineConfig, make_engine
from voxcurate.chat.engine import close_engines, json_schema
from voxcurate.chat.vllm import VLLMModel
from voxcurate.config import build
from voxcurate.errors import ConfigError
from voxcurate.protocols import ChatEngine, Message, Token

FAKE = Path(__file__).with_name("fake_vllm")


class Measured(BaseModel):
    """The schema of these tests."""

    length: int
    word: str


class Unknown(BaseModel):
    """One that the fake's grammar does not take."""

    length: int
    unknown: str = ""


def talk(text, *images):
    return [Message("user", text, tuple(images))]


def good(text):
    return Measured(length=len(text), word="a")


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What the fake heard."""
    monkeypatch.syspath_prepend(str(FAKE))
    monkeypatch.setenv("FAKE_VLLM_TRACE", str(tmp_path / "trace"))
    monkeypatch.delenv("VLLM_NO_USAGE_STATS", raising=False)

    def found(kind):
        lines = (tmp_path / "trace").read_text().splitlines()
        return [line for line in map(json.loads, lines) if kind in line]

    return found


@pytest.fixture
def engine(calls, tmp_path):
    made = []

    def make(**fields):
        settings = build(EngineConfig, {"engine": "vllm", "model": "m", "wait_s": 0.0, **fields})
        made.append(make_engine(settings, root=tmp_path))
        return made[-1]

    yield make
    close_engines()


def test_conversations_go_to_one_engine_and_come_back_in_order(engine, calls, tmp_path):
    fields = {"options": {"max_model_len": 4096}, "template": {"enable_thinking": False}}
    made = engine(price_out=2.0, price_gpu_h=3600.0, **fields)
    assert isinstance(made, ChatEngine)
    replies = made.chat([talk("one"), talk("cut off"), talk("three")], Measured)
    assert [r.parsed for r in replies] == [good("one"), None, good("three")]
    assert replies[1].error.startswith("cut off at 2048 tokens")
    assert replies[1].raw
    assert [r.tokens_in for r in replies] == [3, 7, 5]
    (loaded,) = calls("model")
    assert loaded["model"] == "m"
    options = {"enable_prefix_caching": True, "seed": 0, "tensor_parallel_size": 1}
    assert loaded["options"] == {**options, "max_model_len": 4096}
    assert loaded["environment"] == {"VLLM_NO_USAGE_STATS": "1", "CUDA_VISIBLE_DEVICES": None}
    heard = calls("chat")
    assert {call["chat"][0]["content"] for call in heard} == {"one", "cut off", "three"}
    wanted = {"temperature": 0.0, "max_tokens": 2048, "seed": 0, "logprobs": None}
    assert heard[0]["sampling"] == {**wanted, "json": Measured.model_json_schema()}
    assert (heard[0]["template"], heard[0]["bar"]) == ({"enable_thinking": False}, False)
    logged = CallLog(tmp_path / "chat.sqlite").calls()
    assert [call["engine"] for call in logged] == ["vllm"] * 3
    for call in logged:
        assert call["gpu_s"] > 0
        assert call["cost"] == pytest.approx(5 * 2.0 / 1e6 + call["gpu_s"], abs=1e-3)
    made.chat([talk("four")], Measured)
    assert len(calls("model")) == 1  # loaded once


def test_what_is_asked_twice_is_generated_once_and_counted_once(engine, calls, tmp_path):
    texts = ["one", "two", "one", "one", "two"]
    replies = engine().chat([talk(text) for text in texts], Measured)
    assert [r.parsed for r in replies] == [good(text) for text in texts]
    assert len(calls("chat")) == 2
    assert sum(r.tokens_in for r in replies) == 6
    assert sum(r.tokens_out for r in replies) == 10
    assert len(CallLog(tmp_path / "chat.sqlite").calls()) == 2


def test_prompts_that_begin_alike_go_together(engine, calls):
    texts = [f"{part} of the body, report {n}" for n in range(5) for part in ("liver", "aorta")]
    engine().chat([talk(text) for text in texts], Measured)
    heard = [call["chat"][0]["content"] for call in calls("chat")]
    assert heard == sorted(texts)


def test_prompt_that_is_refused_fails_alone(engine, calls):
    texts = ["one", "two", "much too long", "four", "five"]
    replies = engine().chat([talk(text) for text in texts], Measured)
    assert [bool(r.parsed) for r in replies] == [True, True, False, True, True]
    assert "refused the prompt: VLLMValidationError" in replies[2].error
    assert "much" not in replies[2].error
    texts.remove("much too long")
    heard = [call["chat"][0]["content"] for call in calls("chat")]
    assert all(heard.count(text) == 1 for text in texts)


def test_replies_are_not_held_to_a_schema_where_that_is_not_wanted_or_not_known(engine, calls):
    engine(structured=False).chat([talk("one")], Measured)
    assert calls("chat")[0]["sampling"]["json"] is None
    replies = engine().chat([talk("two"), talk("three")], Unknown)
    assert [r.parsed for r in replies] == [Unknown(length=3), Unknown(length=5)]
    held = [bool(call["sampling"]["json"]) for call in calls("chat")[1:]]
    assert held == [True, False, False]  # refused once, then asked without


def test_images_go_with_their_prompt_up_to_the_limit(engine, calls):
    made = engine(top_logprobs=2, options={"limit_mm_per_prompt": {"image": 2}})
    first, second = made.chat([talk("look", b"png", b"p"), talk("x", b"1", b"2", b"3")], Measured)
    heard = next(call for call in calls("chat") if len(call["chat"][0]["content"]) == 3)
    text, image, _ = heard["chat"][0]["content"]
    assert text == {"type": "text", "text": "look"}
    assert image["image_url"]["url"] == "data:image/png;base64,cG5n"
    assert heard["sampling"]["logprobs"] == 2
    assert first.tokens[0] == Token("a", {"a": -0.1, "b": -2.4})
    assert len(first.tokens) == 5
    assert "refused the prompt: ValueError" in second.error


def test_crash_restarts_the_engine_and_spoils_one_reply(engine, calls, tmp_path):
    texts = [f"fine {n}" for n in range(20)] + ["crash now"]
    made = engine(crashes=2)
    replies = made.chat([talk(text) for text in texts], Measured)
    assert [r.parsed for r in replies[:-1]] == [good(text) for text in texts[:-1]]
    assert replies[-1].error == "given up: 2 engines went down with this request (RuntimeError)"
    assert len({line["pid"] for line in calls("model")}) == len(calls("model"))
    logged = CallLog(tmp_path / "chat.sqlite").calls()
    assert len(logged) == 21
    assert not any("crash now" in call["error"] for call in logged)


@pytest.mark.parametrize("recording", ["", "kept.sqlite"])
def test_engines_are_closed_from_outside_and_start_again(engine, calls, recording):
    made = engine(recording=recording)
    assert made.chat([talk("one")], Measured)[0].parsed == good("one")
    close_engines()
    pid = calls("model")[0]["pid"]
    assert gone([pid])
    assert made.chat([talk("three")], Measured)[0].parsed == good("three")
    assert len(calls("model")) == 2
    close_engines()


def test_request_that_vllm_ends_has_an_error(engine):
    (reply,) = engine().chat([talk("broken")], Measured)
    assert reply.error == "vLLM ended the request: abort"


def test_engines_side_by_side_have_gpus_of_their_own(engine, calls, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7,1")
    made = engine(engines=0, in_hand=2, options={"tensor_parallel_size": 2})
    for _ in range(200):  # the second one comes up while the first one works
        replies = made.chat([talk(f"number {n}") for n in range(30)], Measured)
        assert all(r.parsed for r in replies)
        if len(calls("model")) == 2:
            break
    shown = [line["environment"]["CUDA_VISIBLE_DEVICES"] for line in calls("model")]
    assert sorted(shown) == ["4,5", "6,7"]
    assert all(r.gpu_s == pytest.approx(2 * r.seconds) for r in replies)
    with pytest.raises(ConfigError, match="3 engines of 2 GPUs"):
        engine(engines=3, options={"tensor_parallel_size": 2}).chat([talk("a")], Measured)


def test_library_that_is_absent_or_model_that_cannot_load_says_what_to_do(engine, monkeypatch):
    with pytest.raises(ConfigError, match="no such model"):
        engine(model="missing").chat([talk("a")], Measured)
    with pytest.raises(ConfigError, match="unexpected keyword"):
        engine(options={"devise": "cuda"}).chat([talk("a")], Measured)
    for name in ("vllm", "vllm.sampling_params"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"voxcurate\[vllm\]"):
        VLLMModel(build(EngineConfig, {"engine": "vllm", "model": "m"}).model_dump_json())


# --- the real library ---
@pytest.fixture
def real():
    """The real vllm on a real GPU."""
    if find_spec("vllm") is None:
        pytest.skip("no vllm: pip install 'voxcurate[vllm]', on a machine with a GPU")
    from torch import cuda

    if not cuda.is_available():
        pytest.skip("vllm runs on a GPU; there is none here")


@pytest.mark.gpu
def test_real_library_has_the_names_that_we_use(real):
    from vllm import LLM
    from vllm.exceptions import VLLMClientError
    from vllm.sampling_params import SamplingParams, StructuredOutputsParams

    wanted = ["messages", "sampling_params", "use_tqdm", "chat_template_kwargs"]
    assert set(wanted) <= inspect.signature(LLM.enqueue_chat).parameters.keys()
    assert StructuredOutputsParams(json=json_schema(Measured)).json
    assert SamplingParams(structured_outputs=StructuredOutputsParams(json="{}")).structured_outputs
    assert not issubclass(VLLMClientError, ValueError)


@pytest.mark.gpu
@pytest.mark.slow
def test_real_engine_answers_in_order_holds_to_the_schema_and_survives_a_kill(real, tmp_path):
    import os
    import signal

    from tests.servers.tiny_llm import build_checkpoint
    from voxcurate.keeper import descendants

    model = str(build_checkpoint(tmp_path / "m", hidden=128))
    options = {"gpu_memory_utilization": 0.3, "max_model_len": 2048, "enforce_eager": True}
    settings = {"engine": "vllm", "model": model, "max_tokens": 48, "options": options}
    made = make_engine(build(EngineConfig, settings), root=tmp_path)
    talks = [talk(f"The liver is normal. Number {n}.") for n in range(300)]
    talks[7] = talk("long " * 4000)
    replies = made.chat(talks, Measured)
    assert "refused" in replies[7].error
    assert all(r.raw.lstrip().startswith("{") for n, r in enumerate(replies) if n != 7)
    assert all(r.gpu_s > 0 for n, r in enumerate(replies) if n != 7)
    engines = descendants(os.getpid())
    found = []
    for n, reply in made.stream([talk(f"Number {n} again") for n in range(300)], Measured):
        if not found:
            os.kill(engines[-1], signal.SIGKILL)
        found.append((n, reply))
    assert sorted(n for n, _ in found) == list(range(300))
    assert not any("given up" in reply.error for _, reply in found)
    made.close()


@pytest.mark.gpu
@pytest.mark.slow
def test_real_engine_sees(real, tmp_path):
    import io

    from PIL import Image

    from tests.servers.tiny_vision import build_vision_checkpoint

    def png(grey):
        stream = io.BytesIO()
        Image.new("L", (60, 40), grey).save(stream, "PNG")
        return stream.getvalue()

    model = str(build_vision_checkpoint(tmp_path / "v", hidden=128))
    options = {"gpu_memory_utilization": 0.3, "max_model_len": 2048, "enforce_eager": True}
    options["limit_mm_per_prompt"] = {"image": 2}
    settings = {"engine": "vllm", "model": model, "max_tokens": 8, "options": options}
    made = make_engine(build(EngineConfig, {**settings, "top_logprobs": 3}), root=tmp_path)
    dark, bright = made.chat([talk("look", png(0), png(9)), talk("look", png(255))], Measured)
    assert dark.tokens_in > bright.tokens_in > 16
    assert dark.tokens[0].choices
    (many,) = made.chat([talk("look", png(0), png(1), png(2))], Measured)
    assert "refused the prompt" in many.error
    made.close()
