"""A server of our own on this node: started on a free port, watched, started again when it dies."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
from pydantic import Field, JsonValue

from voxcurate.chat.hosted import kept
from voxcurate.config import Config
from voxcurate.errors import ConfigError

LOOK_S = 1.0  # between two looks at it
HEALTH_S = 10.0  # for its answer to such a look
END_S = 30.0
_FORMS = {
    "vllm": ("vllm", "serve", "{model}", "--host", "127.0.0.1", "--port", "{port}"),
    "transformers": (
        "transformers", "serve", "{model}", "--host", "127.0.0.1", "--port", "{port}"
    ),
}  # fmt: skip


class ServerConfig(Config):
    """A server that the engine starts for itself, on the node where it runs."""

    kind: Literal["vllm", "transformers"] = "vllm"
    options: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="of its command line: {max_model_len: 16384} is --max-model-len 16384",
    )
    start_s: float = Field(1800.0, gt=0, description="for it to load the model")
    silence_s: float = Field(120.0, gt=0, description="without health; then it is restarted")
    restarts: int = Field(5, ge=0, description="in a row without a reply; then it is given up")


def command_of(config: ServerConfig, model: str, port: int) -> list[str]:
    """Its command line."""
    words = [word.format(model=model, port=port) for word in _FORMS[config.kind]]
    for name, value in config.options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, dict | list):
            words += [flag, json.dumps(value)]
        elif value is not False and value is not None:
            words += [flag, str(value)]
    return words


class Server:
    """An OpenAI-compatible server of this process; it dies with us, and all it started with it.

    Its port stays the same when it is started again, so that clients find it.

    Args:
        config: which, and how patient to be.
        model: folder of the checkpoint.
        command: instead of the configured one; ``{port}`` is filled in.

    Attributes:
        url: base URL of its API.
        starts: how often it was started.
    """

    def __init__(
        self, config: ServerConfig, model: str, *, command: Sequence[str] | None = None
    ) -> None:
        self._config = config
        self._port = _free_port()
        self._command = command_of(config, model, self._port)
        if command is not None:
            self._command = [word.format(port=self._port) for word in command]
        self.url = f"http://127.0.0.1:{self._port}/v1"
        self.starts = 0
        self._counted_from = 0
        self._state = _State(offline=Path(model).is_dir())
        self._lock = threading.Lock()
        self._finalizer = weakref.finalize(self, self._state.end)

    @property
    def log(self) -> Path | None:
        """The file with its own words; its owner's alone, and removed at an orderly end."""
        return self._state.log

    def ready(self, over: threading.Event | None = None) -> None:
        """Return when it answers; start it if it does not run.

        Args:
            over: once it is set, nobody wants the server any more.

        Raises:
            ConfigError: it does not come up, or has died too often, or is not wanted any more.
        """
        with self._lock:
            deadline = time.monotonic() + self._config.start_s
            while not (self._state.runs() and self._is_healthy() and self._is_ours()):
                if over is not None and over.is_set():
                    raise ConfigError("the server is not waited for any more")
                if not self._state.runs():
                    if self.starts - self._counted_from > self._config.restarts:
                        raise ConfigError(self._end("died too often"))
                    self.starts += 1
                    self._state.start(self._command)
                    threading.Thread(
                        target=_watch,
                        args=(self._state, self._health, self._config.silence_s),
                        daemon=True,
                    ).start()
                if self._wait_until(deadline):
                    raise ConfigError(self._end(f"was not ready after {self._config.start_s:g} s"))

    def replied(self) -> None:
        """It works: deaths are counted anew."""
        self._counted_from = self.starts

    def close(self) -> None:
        """End it; the next `ready` starts it again, which counts as no death."""
        self._state.end()
        self._counted_from = self.starts

    @property
    def _health(self) -> str:
        return self.url.removesuffix("/v1") + "/health"

    def _is_healthy(self) -> bool:
        return _answers(self._health)

    def _is_ours(self) -> bool:
        """Whether it is our own that answers: the port may be another's before ours has it."""
        process = self._state.process
        return process is not None and _listens(process.pid, self._port)

    def _wait_until(self, deadline: float) -> bool:
        """A moment; whether the time is over."""
        with suppress(subprocess.TimeoutExpired):
            if self._state.process is not None:
                self._state.process.wait(min(LOOK_S, 0.2))
        return time.monotonic() > deadline

    def _end(self, why: str) -> str:
        self._state.keeps_log = True
        self._state.end()
        return f"the server {why}; its own words are in {self._state.log}"


class _State:
    """The process, apart from `Server`, so that nothing that watches it keeps the latter."""

    def __init__(self, *, offline: bool) -> None:
        self.offline = offline
        self.process: subprocess.Popen[bytes] | None = None
        self.healthy = False
        self.log: Path | None = None
        self.keeps_log = False

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, command: Sequence[str]) -> None:
        if self.log is None:
            number, name = tempfile.mkstemp(prefix="voxcurate-server-", suffix=".log")
            os.close(number)
            self.log = Path(name)
        variables = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        if self.offline:  # all there is lies in the model's folder
            variables.setdefault("HF_HUB_OFFLINE", "1")
        beside = str(Path(sys.executable).parent)  # programs of our own environment come first
        variables["PATH"] = os.pathsep.join([beside, os.environ.get("PATH", "")])
        self.keeps_log = self.keeps_log or self.process is not None  # it died: why stands there
        with self.log.open("ab") as stream:
            self.process = kept(command, variables, said=stream.fileno())
        self.healthy = False

    def end(self) -> None:
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.log is not None and not self.keeps_log:  # servers may write prompts there
            self.log.unlink(missing_ok=True)
            self.log = None


def _watch(state: _State, health: str, silence_s: float) -> None:
    """End a server that was healthy and is so no more; whoever needs it starts it again."""
    process, heard = state.process, time.monotonic()
    while process is not None and process.poll() is None:
        if _answers(health):
            heard, state.healthy = time.monotonic(), True
        elif state.healthy and time.monotonic() - heard > silence_s:
            process.terminate()
            return
        time.sleep(LOOK_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=HEALTH_S) as answer:  # our own, on this node
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _listens(pid: int, port: int) -> bool:
    """Whether a process or one below it does."""
    found = []
    try:
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                found += process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OSError):  # not told on this system
        return True
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
