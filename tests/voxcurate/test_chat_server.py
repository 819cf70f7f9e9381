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


@pytest.mark.parametrize(
    ("command", "why"),
    [(["false"], "died too often"), (["sleep", "60"], "was not ready after 1 s")],
)
def test_own_server_that_does_not_come_up(own, command, why):
    server = own(command, restarts=1, start_s=1.0)
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
