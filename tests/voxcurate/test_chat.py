"""Chat engines: one conformance suite over all, then the log, the recordings and a real server."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from pydantic import BaseModel

from voxcurate.chat import CallLog, EngineConfig, make_engine
from voxcurate.chat.engine import request_hash
from voxcurate.chat.openai import OpenAIEngine
from voxcurate.chat.parsing import parse_reply
from voxcurate.chat.replay import CachedEngine, RecordingEngine, Recordings, ReplayEngine
from voxcurate.chat.scripted import ScriptedEngine
from voxcurate.config import build
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.protocols import ChatEngine, Message, Reply, Token

PNG = b"\x89PNG\r\n\x1a\nnot really"


class Measured(BaseModel):
    """The schema of these tests."""

    length: int
    word: str


class Other(BaseModel):
    """Another schema."""

    length: int


def conversation(text, *images):
    return [Message("system", "You count."), Message("user", text, tuple(images))]


def reply_of(text):
    return json.dumps({"length": len(text), "word": text.split()[0]})


@pytest.fixture(scope="module")
def server():
    program = Path(__file__).with_name("openai_server.py")
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.terminate()
        process.wait(timeout=10)


def seen(server):
    with urllib.request.urlopen(server, timeout=10) as stream:
        return json.load(stream)


def config(server, **fields):
    base = {"engine": "openai", "model": "m", "base_url": server, "retries": 1, "timeout_s": 20}
    return build(EngineConfig, {**base, **fields})


TEXTS = ["one two", "garbage three", "four"]


def scripted():
    return ScriptedEngine([reply_of(TEXTS[0]), "I am afraid I cannot do that.", reply_of(TEXTS[2])])


def replaying(path):
    recordings = Recordings(path / "recorded.sqlite")
    conversations = [conversation(text) for text in TEXTS]
    RecordingEngine(scripted(), recordings, model="m").chat(conversations, Measured)
    return ReplayEngine(recordings)


@pytest.mark.parametrize("name", ["scripted", "replay", "openai"])
def test_engine_conforms(name, tmp_path, server):
    engine = {
        "scripted": scripted,
        "replay": lambda: replaying(tmp_path),
        "openai": lambda: OpenAIEngine(config(server)),
    }[name]()
    assert isinstance(engine, ChatEngine)
    assert engine.name == name
    first, second, third = engine.chat([conversation(text) for text in TEXTS], Measured)
    assert first.parsed == Measured(length=7, word="one")
    assert third.parsed == Measured(length=4, word="four")
    assert (second.parsed, second.raw) == (None, "I am afraid I cannot do that.")
    assert "JSON" in second.error
    assert first.error == third.error == ""
    assert all(reply.model for reply in (first, second, third))
    assert engine.chat([], Measured) == []


@pytest.mark.parametrize(
    "raw",
    [
        '{"length": 3, "word": "a"}',
        '```json\n{"length": 3, "word": "a"}\n```',
        'Here {it} is: {"length": 3, "word": "a"} - bye',
        '<think>{"length": 9, "word": "z"}</think>{"length": 3, "word": "a"}',
        'First {"length": "x"}, or rather {"length": 3, "word": "a"}',
        'Hm {"length": 9, "word": "z"}</think>{"length": 3, "word": "a"}',
    ],
)
def test_reply_is_found(raw):
    assert parse_reply(raw, Measured) == Measured(length=3, word="a")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "no",
        '<think>{"length": 3, "word": "a"}',
        "[1]",
        '{"length": 1',
        '{"length": "long", "word": "SECRET"}',
        "{" * 3000,
        "[" * 100_000,
        '{"length": ' + "1" * 6000 + ', "word": "a"}',
        '{"length": 1, "word": ' + "[" * 900 + "]" * 900 + "}",
    ],
)
def test_reply_that_does_not_fit_is_an_error_without_its_words(raw):
    with pytest.raises(ModelReplyError) as caught:
        parse_reply(raw, Measured)
    assert "SECRET" not in str(caught.value)


def test_half_characters_are_replaced_and_the_reply_is_on_record(tmp_path):
    raw = '{"length": 3, "word": "a\\ud800b \\ud83d\\ude00"}'
    assert parse_reply(raw, Measured) == Measured(length=3, word="a\ufffdb \U0001f600")
    log = CallLog(tmp_path / "chat.sqlite")
    engine = ScriptedEngine([raw, "no \ud800", '{"length": ' + "1" * 6000], log=log)
    RecordingEngine(engine, Recordings(tmp_path / "r.sqlite")).chat(
        [conversation("a \udfff")] * 3, Measured
    )
    calls = log.calls()
    assert [call["reply"] for call in calls[:2]] == [raw, "no \ufffd"]
    assert json.loads(calls[0]["messages"])[1]["text"] == "a \ufffd"
    assert bool(calls[2]["error"]) is True


def test_request_hash_sees_everything_that_decides():
    base = request_hash(conversation("a", PNG), Measured, "m")
    assert base == request_hash(conversation("a", PNG), Measured, "m")
    others = [
        request_hash(conversation("b", PNG), Measured, "m"),
        request_hash(conversation("a", PNG + b"."), Measured, "m"),
        request_hash(conversation("a"), Measured, "m"),
        request_hash(conversation("a", PNG), Other, "m"),
        request_hash(conversation("a", PNG), Measured, "n"),
    ]
    assert len({base, *others}) == 6


def test_script_that_ends_is_an_error_of_the_reply():
    first, second = ScriptedEngine([reply_of("a")]).chat([conversation("a")] * 2, Measured)
    assert first.parsed
    assert "no reply left" in second.error


def test_replay_needs_what_was_recorded(tmp_path):
    (reply,) = replaying(tmp_path).chat([conversation("never")], Measured)
    assert "never recorded" in reply.error


def test_replay_of_several_models_wants_a_name(tmp_path):
    recordings = Recordings(tmp_path / "r.sqlite")
    for model in ("m", "n"):
        engine = RecordingEngine(ScriptedEngine([reply_of(model)]), recordings, model=model)
        engine.chat([conversation("a")], Measured)
    with pytest.raises(ConfigError, match="m, n"):
        ReplayEngine(recordings)
    (reply,) = ReplayEngine(recordings, model="n").chat([conversation("a")], Measured)
    assert reply.parsed == Measured(length=1, word="n")


def test_log_keeps_every_call_and_survives_reopening(tmp_path):
    log = CallLog(tmp_path / "chat.sqlite")
    ScriptedEngine([reply_of("a"), "no"], log=log).chat([conversation("a", PNG)] * 2, Measured)
    log.close()
    first, second = CallLog(tmp_path / "chat.sqlite").calls()
    assert (first["engine"], first["schema_name"], first["error"]) == ("scripted", "Measured", "")
    assert (second["reply"], bool(second["error"])) == ("no", True)
    (image,) = json.loads(first["messages"])[1]["images"]
    assert len(image) == 64


def test_files_with_words_of_reports_are_their_owners_alone(tmp_path):
    log = CallLog(tmp_path / "chat.sqlite")
    ScriptedEngine(["no"], log=log).chat([conversation("a")], Measured)
    Recordings(tmp_path / "r.sqlite")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"chat.sqlite", "chat.sqlite-wal", "r.sqlite"} <= modes.keys()


def test_log_keeps_what_prompts_share_once(tmp_path):
    log = CallLog(tmp_path / "chat.sqlite")
    texts = [f"{'Rules. ' * 500}\n\nReport {n}\n\n\n\nend\n" for n in range(50)]
    engine = ScriptedEngine(["no"] * 50, log=log)
    engine.chat([conversation(text) for text in texts], Measured)
    log.close()
    calls = CallLog(tmp_path / "chat.sqlite").calls()
    assert [json.loads(call["messages"])[1]["text"] for call in calls] == texts
    assert (tmp_path / "chat.sqlite").stat().st_size < sum(map(len, texts)) / 2


def test_log_written_before_reads_on(tmp_path):
    from voxcurate.chat.log import MIGRATIONS, open_database

    old = open_database(tmp_path / "chat.sqlite", MIGRATIONS[:2])
    message = [{"role": "user", "text": "old", "images": []}]
    row = ("t", "e", "m", "r", "{}", "S", json.dumps(message), "a", "", 1, 1, 0.1, 0.0)
    old.execute(f"INSERT INTO call VALUES (1, {', '.join('?' * len(row))})", row)
    old.close()
    log = CallLog(tmp_path / "chat.sqlite")
    ScriptedEngine(["no"], log=log).chat([conversation("new")], Measured)
    first, second = log.calls()
    assert json.loads(first["messages"]) == message
    assert json.loads(second["messages"])[1]["text"] == "new"


def test_openai_survives_what_servers_do(server):
    texts = [
        "ignore me",
        "fence me",
        "wrong shape",
        "cut off",
        "fail now",
        "broken body",
        "empty list",
        "fine",
    ]
    replies = OpenAIEngine(config(server, retries=0)).chat(
        [conversation(t) for t in texts], Measured
    )
    said = dict(zip(texts, replies, strict=True))
    good = {"ignore me", "fence me", "fine"}
    assert {text for text, reply in said.items() if reply.parsed} == good
    assert all(bool(reply.error) != bool(reply.parsed) for reply in replies)
    assert "Measured" in said["wrong shape"].error
    assert "cut off at" in said["cut off"].error
    assert said["fail now"].error.endswith(" 500")
    assert "memory" not in said["fail now"].error
    assert said["fine"].model == "m-served"
    assert (said["fine"].tokens_in, said["fine"].tokens_out) == (11, 7)


def test_openai_retries_transport_errors(server):
    (reply,) = OpenAIEngine(config(server, retries=2)).chat([conversation("flaky")], Measured)
    assert reply.parsed


def test_openai_sends_images_schema_key_and_settings(server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "s3cret")
    engine = OpenAIEngine(config(server, api_key_env="MY_KEY", max_tokens=99))
    engine.chat([conversation("look here", PNG)], Measured)
    body = next(b for b in reversed(seen(server)["seen"]) if "look" in str(b["messages"]))
    assert body["authorization"] == "Bearer s3cret"
    assert body["temperature"] == 0
    assert body["max_tokens"] == 99
    assert body["response_format"]["json_schema"]["name"] == "Measured"
    url = body["messages"][1]["content"][1]["image_url"]["url"]
    assert url.startswith("data:image/png;base64,")


def test_openai_keeps_order_and_bounds_concurrency(server):
    texts = [f"slow{'x' * n}" for n in range(9)]
    replies = OpenAIEngine(config(server, concurrency=3)).chat(
        [conversation(text) for text in texts], Measured
    )
    assert [r.parsed.length for r in replies] == [len(text) for text in texts]
    assert seen(server)["most_at_once"] <= 4  # 3 here; the others' bound is the default 4


def test_openai_times_out(server):
    (reply,) = OpenAIEngine(config(server, timeout_s=0.05, retries=0)).chat(
        [conversation("slow")], Measured
    )
    assert "Timeout" in reply.error


def test_no_server_is_an_error_of_the_reply():
    gone = config("http://127.0.0.1:9/v1", retries=0)
    (reply,) = OpenAIEngine(gone).chat([conversation("x")], Measured)
    assert "ConnectionError" in reply.error


def test_configured_engine_logs_cost_and_records(server, tmp_path):
    settings = config(server, recording="r.sqlite", price_in=1.0, price_out=2.0)
    engine = make_engine(settings, root=tmp_path)
    engine.chat([conversation("hello there")], Measured)
    (call,) = CallLog(tmp_path / "chat.sqlite").calls()
    assert call["cost"] == pytest.approx((11 * 1.0 + 7 * 2.0) * 1e-6)
    replay = make_engine(
        build(EngineConfig, {"engine": "replay", "recording": "r.sqlite"}), root=tmp_path
    )
    (reply,) = replay.chat([conversation("hello there")], Measured)
    assert reply.parsed == Measured(length=11, word="hello")


@pytest.mark.parametrize(
    "fields",
    [{"engine": "oracle"}, {"engine": "replay"}, {"engine": "scripted"}, {"engine": "openai"}],
)
def test_engine_that_cannot_be_made(fields, tmp_path):
    with pytest.raises(ConfigError):
        make_engine(build(EngineConfig, fields), root=tmp_path)


def test_no_engine_configured(tmp_path):
    assert make_engine(EngineConfig(), root=tmp_path) is None


def test_prompts_are_not_traced_whatever_the_environment_says(server, monkeypatch):
    from langsmith.utils import get_env_var, tracing_is_enabled

    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    get_env_var.cache_clear()
    found = []
    engine = OpenAIEngine(config(server, retries=0))

    class Client:
        def invoke(self, *_, **__):
            found.append(tracing_is_enabled())
            raise ValueError("enough seen")

    monkeypatch.setattr(engine, "_client", Client())
    assert tracing_is_enabled()
    engine.chat([conversation("a"), conversation("b")], Measured)
    monkeypatch.undo()
    get_env_var.cache_clear()
    assert found == [False, False]


def test_cached_engine_asks_for_what_is_new_and_for_nothing_twice(tmp_path):
    path = tmp_path / "answers.sqlite"
    texts = [reply_of("one"), "no JSON", reply_of("three")]
    first = CachedEngine(ScriptedEngine(texts), Recordings(path), model="m")
    asked = [conversation(t) for t in ("one", "two", "one", "three")]
    found = first.chat(asked, Measured)
    assert [bool(r.parsed) for r in found] == [True, False, True, True]
    assert first.sent == 3
    again = CachedEngine(ScriptedEngine([reply_of("four")]), Recordings(path), model="m")
    assert isinstance(again, ChatEngine)
    replies = again.chat([*asked, conversation("four")], Measured)
    assert [r.parsed for r in replies[:4]] == [r.parsed for r in found]
    assert replies[1].error == found[1].error
    assert (again.sent, bool(replies[4].parsed)) == (1, True)
    other = CachedEngine(ScriptedEngine(), Recordings(path), model="another")
    assert other.chat(asked[:1], Measured)[0].error
    assert other.sent == 1


def test_cached_engine_keeps_no_failure_and_loses_one_portion_at_most(tmp_path):
    class Dying:
        name = "dying"

        def __init__(self):
            self.batches = []

        def chat(self, conversations, schema):
            self.batches.append(len(conversations))
            if len(self.batches) == 3:
                raise KeyboardInterrupt
            parsed = Measured(length=1, word="a")
            done = Reply(parsed, parsed.model_dump_json(), "m", tokens=(Token("a", {"a": -0.5}),))
            lost = Reply(None, "", "m", error="no reply from the server")
            return [lost if i == 0 else done for i in range(len(conversations))]

    path = tmp_path / "answers.sqlite"
    asked = [conversation(f"text {n}") for n in range(7)]
    with pytest.raises(KeyboardInterrupt):
        CachedEngine(Dying(), Recordings(path), portion=3).chat(asked, Measured)
    engine = Dying()
    cached = CachedEngine(engine, Recordings(path), portion=9)
    replies = cached.chat(asked, Measured)
    assert engine.batches == [3]  # two that failed and the portion that was under way
    assert replies[1].tokens == (Token("a", {"a": -0.5}),)


def test_recordings_written_before_read_on(tmp_path):
    from voxcurate.chat.log import open_database
    from voxcurate.chat.replay import MIGRATIONS

    path = tmp_path / "old.sqlite"
    old = open_database(path, MIGRATIONS[:1])
    old.execute("INSERT INTO recording VALUES ('k', 'm', 'm', '{}', 1, 2, 0.5)")
    old.close()
    found = Recordings(path).get("k")
    assert found is not None
    assert (found.tokens_out, found.tokens) == (2, ())


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"base_url": "http://me:s3cret@host:8000/v1"}, "base_url"),
        ({"base_url": "http://host:8000/v1?api-key=s3cret"}, "base_url"),
        ({"server": {"options": {"api_key": "s3cret"}}}, "api_key"),
        ({"server": {"options": {"api-key": "s3cret"}}}, "api-key"),
        ({"options": {"hf_token": "s3cret"}}, "hf_token"),
    ],
)
def test_secrets_are_not_configured(fields, what):
    with pytest.raises(ConfigError, match=f"{what}: keys and passwords are not") as told:
        build(EngineConfig, {"engine": "openai", "model": "m", **fields})
    assert "s3cret" not in str(told.value)
    harmless = {
        "max_tokens": 9,
        "options": {"skip_tokenizer_init": True},
        "base_url": "http://h/v1",
    }
    build(EngineConfig, {"engine": "openai", "model": "m", **harmless})
