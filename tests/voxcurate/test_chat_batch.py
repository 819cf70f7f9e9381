"""Engines on a cluster's nodes: what goes out, what comes back, and that stages need no change."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel, create_model

from voxcurate.chat import CallLog, EngineConfig, make_engine
from voxcurate.chat import batch as module
from voxcurate.chat.batch import BatchEngine, answer
from voxcurate.chat.vllm import VLLMEngine
from voxcurate.config import build
from voxcurate.errors import ConfigError
from voxcurate.executors import LocalExecutor
from voxcurate.protocols import ChatEngine, Message, Outcome, Reply

FAKE = Path(__file__).with_name("fake_vllm")


class Measured(BaseModel):
    """The schema of these tests."""

    length: int
    word: str


def talk(text, *images):
    return [Message("user", text, tuple(images))]


def good(text):
    return Measured(length=len(text), word="a")


@pytest.fixture
def fake(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FAKE))
    monkeypatch.setenv("FAKE_VLLM_TRACE", str(tmp_path / "trace"))
    yield lambda: [json.loads(x) for x in (tmp_path / "trace").read_text().splitlines()]
    if module._engine.cache_info().currsize:
        module._engine.cache_clear()


class Executor:
    """Runs tasks here, the last first; `spoil` changes an outcome."""

    def __init__(self, spoil=lambda outcome: outcome):
        self.spoil = spoil
        self.tasks = []

    def run(self, worker, tasks):
        assert worker == module.WORKER
        self.tasks = list(tasks)
        for task in reversed(self.tasks):
            payload = pickle.loads(pickle.dumps(task.payload))  # noqa: S301 - our own
            yield self.spoil(Outcome(task.key, answer(payload)))


def engine_of(executor, *, log=None, **fields):
    base = {"engine": "vllm", "model": "m", "cluster": "c", "shard": 4, "wait_s": 0.0}
    return BatchEngine(build(EngineConfig, {**base, **fields}), log=log, executor=executor)


def test_shards_go_out_by_prefix_and_replies_come_back_in_order(fake, tmp_path):
    texts = [f"{part} of report {n}" for n in range(5) for part in ("liver", "aorta")]
    texts += texts[:3]
    executor, log = Executor(), CallLog(tmp_path / "chat.sqlite")
    made = engine_of(executor, log=log, price_gpu_h=1.0)
    assert isinstance(made, ChatEngine)
    replies = made.chat([talk(text) for text in texts], Measured)
    assert [r.parsed for r in replies] == [good(text) for text in texts]
    sent = [[item[0].text for item in task.payload["talks"]] for task in executor.tasks]
    assert list(map(len, sent)) == [4, 4, 2]
    assert [text for shard in sent for text in shard] == sorted(set(texts))
    assert sum("model" in line for line in fake()) == 1  # loaded once, three shards
    calls = log.calls()
    assert len(calls) == 10
    assert sum(call["tokens_in"] for call in calls) == sum(map(len, set(texts)))
    assert all(call["gpu_s"] > 0 and call["cost"] > 0 for call in calls)
    assert sum(r.tokens_out for r in replies) == 50
    assert made.chat([], Measured) == []


def test_schema_that_cannot_be_imported_and_pictures_travel(fake):
    schema = create_model("Made", length=(int, ...), word=(str, ...))
    image = bytes(range(256)) * 400
    executor = Executor()
    talks = [talk(f"look {n}", bytes(bytearray(image)), b"small") for n in range(4)]
    replies = engine_of(executor).chat(talks, schema)
    assert all(isinstance(r.parsed, schema) for r in replies)
    (task,) = executor.tasks
    assert len(pickle.dumps(task.payload)) < 1.5 * len(image)  # the same picture goes once
    heard = next(line for line in fake() if "chat" in line)
    assert len(heard["chat"][0]["content"]) == 3
    assert heard["sampling"]["json"] == schema.model_json_schema()


def test_pictures_bound_a_shard(fake, monkeypatch):
    monkeypatch.setattr(module, "SHARD_BYTES", 1000)
    executor = Executor()
    engine_of(executor).chat([talk(f"look {n}", bytes([n]) * 600) for n in range(3)], Measured)
    assert [len(task.payload["talks"]) for task in executor.tasks] == [1, 1, 1]


def test_reply_is_validated_here_whatever_the_node_says(fake):
    def spoil(outcome):
        wrong = [replace(reply, raw='{"length": "many"}', error="") for reply in outcome.value]
        return replace(outcome, value=wrong)

    (reply,) = engine_of(Executor(spoil)).chat([talk("one")], Measured)
    assert "does not fit Measured" in reply.error
    cut, refused = engine_of(Executor()).chat([talk("cut off"), talk("too long")], Measured)
    assert cut.error.startswith("cut off at 2048 tokens")
    assert "refused the prompt" in refused.error


def test_shard_that_is_lost_costs_its_own_replies(fake):
    def spoil(outcome):
        lost = Outcome(outcome.key, None, "log: chat/1", "QuarantinedError")
        return lost if len(outcome.value) == 2 else outcome

    texts = [f"number {n}" for n in range(6)]
    replies = engine_of(Executor(spoil)).chat([talk(text) for text in texts], Measured)
    assert [bool(r.parsed) for r in replies] == [True] * 4 + [False] * 2
    assert replies[5].error == "its shard failed (QuarantinedError): log: chat/1"


def test_shard_that_comes_twice_counts_once(fake, tmp_path):
    class Doubling(Executor):
        def run(self, worker, tasks):
            for outcome in super().run(worker, tasks):
                yield from (outcome, outcome)

    log = CallLog(tmp_path / "chat.sqlite")
    replies = engine_of(Doubling(), log=log).chat([talk(f"number {n}") for n in range(6)], Measured)
    assert [bool(r.parsed) for r in replies] == [True] * 6
    assert len(log.calls()) == 6


def test_engine_that_was_given_up_in_one_shard_is_made_anew_for_the_next(fake):
    fields = {"shard": 1, "crashes": 3, "give_up_after": 2}
    texts = ["a fine one", "b to crash"]  # the last goes first
    good_one, bad = engine_of(Executor(), **fields).chat([talk(text) for text in texts], Measured)
    assert "server given up" in bad.error
    assert good_one.parsed == good(texts[0])


def test_settings_that_nodes_cannot_use_are_an_error_of_the_run(fake, tmp_path):
    class Failing:
        def run(self, worker, tasks):
            for task in tasks:
                yield Outcome(task.key, None, "engine vllm cannot load", "ConfigError")

    with pytest.raises(ConfigError, match="cannot load"):
        engine_of(Failing()).chat([talk("a")], Measured)
    with pytest.raises(ConfigError, match="workspace"):  # made apart: it would run here
        VLLMEngine(build(EngineConfig, {"engine": "vllm", "model": "m", "cluster": "box"}))
    for fields in (
        {"engine": "vllm", "cluster": "box"},
        {"engine": "vllm", "model": "m", "cluster": "nowhere"},
        {"engine": "batch", "model": "m"},
    ):
        with pytest.raises(ConfigError):
            make_engine(build(EngineConfig, fields), root=tmp_path)


@pytest.mark.parametrize(
    ("fields", "gpus"),
    [
        ({"engine": "vllm"}, 1),
        ({"engine": "vllm", "engines": 2, "options": {"tensor_parallel_size": 2}}, 4),
        ({"engine": "transformers"}, 0),
        ({"engine": "transformers", "options": {"device": "cuda"}}, 1),
        ({"engine": "openai", "base_url": "http://host/v1"}, 0),
        ({"engine": "openai", "server": {}}, 1),
    ],
)
def test_jobs_get_the_gpus_that_the_engine_takes(tmp_path, fields, gpus):
    config = build(EngineConfig, {"model": "m", "cluster": "box", **fields})
    needs = module._executor(config, tmp_path).settings.needs
    assert (needs.gpus, needs.workers) == (gpus, 1)


def test_replies_come_shard_by_shard(fake):
    stream = engine_of(Executor()).stream([talk(f"number {n}") for n in range(6)], Measured)
    assert [place for place, _ in stream] == [4, 5, 0, 1, 2, 3]


# --- stages, with real tiny models ---
@pytest.fixture(scope="module")
def models(tmp_path_factory):
    pytest.importorskip("transformers")
    from tests.servers.tiny_llm import build_checkpoint
    from tests.servers.tiny_vision import build_vision_checkpoint

    return (
        str(build_checkpoint(tmp_path_factory.mktemp("tiny"))),
        str(build_vision_checkpoint(tmp_path_factory.mktemp("vision"))),
    )


@pytest.fixture
def local(monkeypatch):
    """Clusters whose jobs are one process of this machine."""
    used = LocalExecutor(workers=1, time_limit_s=250)
    monkeypatch.setattr(module, "_executor", lambda config, root: used)


def plain(replies):
    return [replace(reply, seconds=0.0) for reply in replies if isinstance(reply, Reply)]


@pytest.mark.slow
def test_report_reader_needs_no_change(models, local, tmp_path):
    from retrieval.llm.config import LLMConfig
    from retrieval.llm.reader import make_reader
    from tests.retrieval.llm.engines import QUESTIONS

    reports = [f"FINDINGS: The pancreas is normal. Number {n}." for n in range(3)]
    found = {}
    for cluster in ("", "c"):
        root = tmp_path / f"root{cluster}"
        fields = {"engine": "transformers", "model": models[0], "max_tokens": 6, "shard": 2}
        config = build(EngineConfig, {**fields, "cluster": cluster})
        reader = make_reader(config, QUESTIONS, root=root, config=LLMConfig(retries=0))
        found[cluster] = (reader.version, [r.error for r in reader.read_all(reports)])
        calls = CallLog(root / "chat.sqlite").calls()
        assert len(calls) == len(reports) * len({c["schema_name"] for c in calls})
        found[f"{cluster} calls"] = sorted((c["request"], c["reply"]) for c in calls)
    assert found[""] == found["c"]
    assert found[" calls"] == found["c calls"]
    assert all(reply for _, reply in found["c calls"])


@pytest.mark.slow
def test_vision_judge_needs_no_change(models, local, tmp_path):
    from labeling.vision.engine import make_vision_engine
    from labeling.vision.judge import VisionJudge
    from tests.labeling.conftest import phantom

    scan, masks = phantom(0)
    found = {}
    for cluster in ("", "c"):
        root = tmp_path / f"root{cluster}"
        fields = {"engine": "transformers", "model": models[1], "max_tokens": 6}
        config = build(EngineConfig, {**fields, "cluster": cluster})
        judge = VisionJudge(make_vision_engine(config, root=root))
        pairs = {"kidney_left": [masks["kidney_right"], masks["kidney_left"]]}
        found[cluster] = judge.judge_all(scan, pairs)
        calls = CallLog(root / "chat.sqlite").calls()
        found[f"{cluster} calls"] = sorted((c["request"], c["reply"]) for c in calls)
        assert judge.engine.sent == len(calls) == 3
    assert found[""] == found["c"]
    assert found[" calls"] == found["c calls"]


@pytest.mark.slow
def test_jobs_of_a_box_answer_like_the_engine_here(models, tmp_path):
    texts = [f"The liver is normal. Number {n}." for n in range(9)] + ["The liver"]
    fields = {"engine": "transformers", "model": models[0], "max_tokens": 6, "shard": 3}
    found = []
    for cluster in ("", "small"):
        root = tmp_path / f"root{cluster}"
        (root / "clusters").mkdir(parents=True)
        small = "kind: processes\npoll_s: 0.2\nmax_jobs: 1\ndefault: {cpus: 1, memory_gb: 2}\n"
        (root / "clusters/small.yaml").write_text(small)
        made = make_engine(build(EngineConfig, {**fields, "cluster": cluster}), root=root)
        found.append(plain(made.chat([talk(text) for text in texts], Measured)))
    assert found[0] == found[1]
    assert all(reply.raw for reply in found[0])
