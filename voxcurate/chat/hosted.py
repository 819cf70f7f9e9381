"""Our side of a process that holds a model: start it, give it requests, hear it, end it."""

import os
import pickle
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from voxcurate.protocols import Message

MESSAGES = 1000  # heard from one process before the others have their turn
SEND_S = 60  # for it to read on
END_S = 30.0  # for a process and all below it to be gone
_HOST = "voxcurate.chat.host"


class Hosted:
    """A process with a model in it, under a keeper: what it starts dies with it, it with us.

    Args:
        kind: of the model, ``"package.module:Class"``.
        settings: JSON of its `EngineConfig`.
        environment: further variables.

    Attributes:
        in_hand: what it works on, by number; None: it is of no more interest.
        level: how often what it works on has lost an engine before.
        is_ready: whether its model is loaded.
        heard: when it last gave a sign of life, by `time.monotonic`.
        why: what it said of its end.
    """

    def __init__(self, kind: str, settings: str, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
        with theirs:
            program = [sys.executable, "-m", _HOST]
            self._process = kept(program, variables, given=theirs.fileno())
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))
        self.pipe = Connection(ours.detach())
        self.in_hand: dict[int, Any] = {}
        self.level = 0
        self.is_ready = False
        self.heard = time.monotonic()
        self.why = ""
        self._schemas: set[int] = set()
        self._deaf = False
        self._send((kind, settings))

    def give(
        self, number: int, talk: Sequence[Message], schema: tuple[int, Mapping[str, Any]]
    ) -> None:
        """Put a request; `schema` is a number of ours and the schema itself, which is sent once."""
        if not self.in_hand:
            self.heard = time.monotonic()
        if schema[0] not in self._schemas:
            self._schemas.add(schema[0])
            self._send(("schema", schema))
        self._send(("ask", (number, tuple(talk), schema[0])))

    def _send(self, message: Any) -> None:
        if not self._deaf:
            try:
                self.pipe.send(message)
            except OSError:  # it has died, or does not read: of no more use
                self._deaf = True

    def news(self) -> tuple[list[tuple[int, Any]], bool]:
        """Replies that came, and whether it is at its end."""
        found: list[tuple[int, Any]] = []
        if self._deaf and not self.pipe.poll():
            return found, True
        for _ in range(MESSAGES):
            try:
                if not self.pipe.poll():
                    return found, False
                kind, content = self.pipe.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                return found, True
            self.heard = time.monotonic()
            if kind == "done":
                found.append(content)
            elif kind == "ready":
                self.is_ready = True
            elif kind in ("failed", "broken"):
                self.why = content
        return found, False

    def stop(self) -> int:
        """End it and all below it; its exit status."""
        self.pipe.close()
        with suppress(subprocess.TimeoutExpired):
            if self.why:  # it is leaving by itself
                return self._process.wait(END_S)
        self._process.terminate()
        try:
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    @property
    def is_gone(self) -> bool:
        """Whether its process has ended."""
        return self._process.poll() is not None

    def status(self) -> int | None:
        """Its exit status if it ends within a moment."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(1.0)
        return None


def kept(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    given: int = subprocess.DEVNULL,
    said: int = 2,  # our own stderr; stdout is for results
) -> "subprocess.Popen[bytes]":
    """A command under a keeper: it dies with us, and what it started with it.

    Args:
        given: its standard input.
        said: where its standard output and error go.
    """
    from voxcurate import keeper

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-I", str(Path(keeper.__file__)), *arguments],
            stdin=given,
            stdout=said,
            stderr=said,
            env={**environment, keeper.STARTED_BY: str(os.getpid())},
            start_new_session=True,  # Ctrl-C is ours to handle
        )

    return _starter().submit(start).result()


@cache
def _starter() -> ThreadPoolExecutor:
    """A thread that lasts: a keeper is told when the thread that started it ends, and leaves."""
    return ThreadPoolExecutor(1, thread_name_prefix="starter")
