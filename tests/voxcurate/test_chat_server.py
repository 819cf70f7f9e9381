"""Servers that go and come back: nothing is lost; and those that we start ourselves."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from pydantic import BaseModel

from voxcurate.chat import EngineConfig, retry
from voxcurate.chat.openai import OpenAIEngine
from voxcurate.chat.server import Server, ServerConfig, command_of
from voxcurate.config import build
from voxcurate.errors import ConfigError
from voxcurate.keeper import descendants
from voxcurate.protocols import Message

PROGRAM = [sys.executable, str(Path(__file__).with_name("openai_server.py"))]


class Measured(BaseModel):
    """The schema of these tests."""

    length: int
    word: str


def talks(texts):
    return [[Message("user", text)] for text in texts]


def engine_of(url, **fields):
    base = {"engine": "openai", "model": "m", "base_url": url, "timeout_s": 20, "wait_s": 0.1}
    return OpenAIEngine(build(EngineConfig, {**base, **fields}))


def start(port=0):
    process = subprocess.Popen([*PROGRAM, str(port)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_restart_of_the_server_in_the_middle_loses_nothing():
    first, port = start()
    made = engine_of(f"http://127.0.0.1:{port}/v1", concurrency=3, retries=1, longest_wait_s=0.2)
    found, others = [], []
    for place, reply in made.stream(talks(f"slow number {n}" for n in range(24)), Measured):
        found.append((place, reply))
        if len(found) == 6:
            first.kill()
            first.wait()
            threading.Timer(1.0, lambda: others.append(start(port)[0])).start()
    for process in others:
        process.kill()
        process.wait()
    assert sorted(place for place, _ in found) == list(range(24))
    assert [reply.error for _, reply in found] == [""] * 24


def test_server_that_does_not_come_back_is_waited_for_once(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(retry, "sleep", lambda s: clock.__setitem__(0, clock[0] + s))
    monkeypatch.setattr(retry.time, "monotonic", lambda: clock[0])
    process, port = start()
    fields = {"concurrency": 1, "retries": 0, "outage_s": 60.0, "give_up_after": 2}
    made = engine_of(f"http://127.0.0.1:{port}/v1", **fields)
    assert made.chat(talks(["one"]), Measured)[0].parsed
    process.kill()
    process.wait()
    replies = made.chat(talks(f"number {n}" for n in range(9)), Measured)
    assert all(reply.error for reply in replies)
    assert 60 <= clock[0] < 120
    assert sum("server given up" in reply.error for reply in replies) == 7


def test_what_is_asked_twice_is_sent_once():
    process, port = start()
    texts = ["one", "two", "one"]
    made = engine_of(f"http://127.0.0.1:{port}/v1")
    replies = made.chat(talks(texts), Measured)
    process.kill()
    process.wait()
    assert [reply.parsed.length for reply in replies] == [3, 3, 3]
    assert (made.sent, sum(reply.tokens_in for reply in replies)) == (2, 22)


def test_command_line_of_a_server():
    options = {"max_model_len": 4096, "enforce_eager": True, "x": False, "limit": {"image": 2}}
    words = command_of(build(ServerConfig, {"options": options}), "/models/m", 81)
    assert words[:3] == ["vllm", "serve", "/models/m"]
    assert words[5:] == [
        "--port", "81", "--max-model-len", "4096", "--enforce-eager", "--limit", '{"image": 2}'
    ]  # fmt: skip
    for fields in ({"base_url": "http://x/v1", "server": {}}, {}):
        with pytest.raises(ConfigError, match="`base_url` or `server`"):
            OpenAIEngine(build(EngineConfig, {"engine": "openai", "model": "m", **fields}))


@pytest.fixture
def own():
    made = []

    def make(command=(*PROGRAM, "{port}"), **fields):
        made.append(Server(build(ServerConfig, fields), "m", command=command))
        return made[-1]

    yield make
    for one in made:
        one.close()
        if one.log is not None:
            one.log.unlink()


def test_own_server_is_started_and_started_again_on_its_port(own):
    server = own()
    server.ready()
    url = server.url
    (keeper,) = [p for p in [server._state.process] if p is not None]
    os.kill(descendants(keeper.pid)[-1], signal.SIGKILL)
    while keeper.poll() is None:
        time.sleep(0.05)
    server.ready()
    assert (server.url, server.starts) == (url, 2)
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert answer.status == 200
    assert server.log is not None
    assert server.log.stat().st_mode & 0o077 == 0


def test_what_a_server_said_is_removed_with_it_unless_it_died(own):
    server = own()
    server.ready()
    log = server.log
    assert log.exists()
    server.close()
    assert not log.exists()


def test_server_of_somebody_else_on_the_port_is_not_taken_for_ours(own):
    server = own(["sleep", "60"], start_s=3.0)
    other = subprocess.Popen([*PROGRAM, str(server._port)], stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        with pytest.raises(ConfigError, match="was not ready"):
            server.ready()
    finally:
        other.kill()
        other.wait()


def test_own_server_of_a_folder_asks_nobody(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    told = {}
    for model in (str(tmp_path), "some/name"):
        command = ["sh", "-c", "echo offline $HF_HUB_OFFLINE; exec false"]
        server = Server(build(ServerConfig, {"restarts": 0}), model, command=command)
        with pytest.raises(ConfigError, match="died"):
            server.ready()
        told[model] = server.log.read_text()
        server.log.unlink()
    assert told == {str(tmp_path): "offline 1\n", "some/name": "offline\n"}


def test_own_server_that_was_closed_has_not_died(own):
    server = own(restarts=0)
    for n in range(2):
        server.ready()
        assert server.starts == n + 1
        server.close()
        assert not server._state.runs()


def test_own_server_that_dies_under_a_request_is_there_for_the_others(own):
    made = engine_of("http://127.0.0.1:9/v1", concurrency=2, retries=2, give_up_after=0)
    made._server = own()
    made._client.root_client.base_url = made._server.url
    replies = made.chat(talks([*(f"number {n}" for n in range(8)), "die now"]), Measured)
    assert [bool(reply.parsed) for reply in replies[:8]] == [True] * 8
    assert "no reply from the server" in replies[8].error
    assert made._server.starts > 1


def of_own(server, **fields):
    made = engine_of("http://127.0.0.1:9/v1", **fields)
    made._server = server
    made._client.root_client.base_url = server.url
    return made


def test_request_that_takes_servers_down_costs_the_others_no_reply(own):
    texts = ["patient 0", "patient 1", "die now", "patient 2"]  # dead before these are answered
    made = of_own(own(), concurrency=4, retries=3, timeout_s=200)
    replies = made.chat(talks(texts), Measured)
    assert [n for n, reply in enumerate(replies) if reply.error] == [2]
    assert "no reply from the server (4 tries)" in replies[2].error


def test_own_server_that_replied_meanwhile_has_not_died_too_often(own):
    made = of_own(own(restarts=1), concurrency=1, retries=1, timeout_s=200)
    replies = made.chat(talks(["a", "die now", "b", "die again", "c"]), Measured)
    assert [reply.error for reply in replies[::2]] == [""] * 3
    assert not any(reply.parsed for reply in replies[1::2])


def test_run_that_is_broken_off_waits_for_no_server(monkeypatch):
    process, port = start()
    made = engine_of(f"http://127.0.0.1:{port}/v1", concurrency=2)
    pauses = []
    gone = threading.Event()

    def sleep(seconds):
        pauses.append(seconds)
        gone.set()
        time.sleep(0.05)

    monkeypatch.setattr(retry, "sleep", sleep)
    monkeypatch.setattr(retry.Outage, "wait", lambda *_: sleep(1.0) or len(pauses) < 100)
    run = made.stream(talks(["one", *(f"slow {n}" for n in range(9))]), Measured)
    next(run)
    process.kill()
    process.wait()
    gone.wait(60)
    run.close()
    assert len(pauses) < 50


@pytest.mark.parametrize(
    ("command", "start_s", "why"),
    [(["false"], 120.0, "died too often"), (["sleep", "60"], 1.0, "was not ready after 1 s")],
)
def test_own_server_that_does_not_come_up(own, command, start_s, why):
    server = own(command, restarts=1, start_s=start_s)
    with pytest.raises(ConfigError, match=why):
        server.ready()
    assert server.log is not None
    assert not server._state.runs()


@pytest.mark.slow
def test_own_transformers_serve(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    pytest.importorskip("uvicorn")
    from tests.servers.tiny_llm import build_checkpoint

    (tmp_path / "home/hub").mkdir(parents=True)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = str(build_checkpoint(tmp_path / "tiny"))
    server = {"kind": "transformers", "options": {"device": "cpu"}, "start_s": 200}
    made = engine_of("", server=server, model=model, max_tokens=6)
    replies = made.chat(talks(["one", "two", "one"]), Measured)
    assert all(reply.raw and reply.error for reply in replies)
    assert made.sent == 2
    before = set(descendants(os.getpid()))
    made.close()
    assert set(descendants(os.getpid())) < before
