"""The life of a process that holds a model: ``python -m voxcurate.chat.host``, started by `hosted`.

Messages come and go over the socket that is its standard input. In: what to load; then schemas and
requests. Out: ``ready``, each reply as soon as it is there, signs of life, and the kind of error
that ends it. Words of prompts are in none of them.
"""

import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Protocol

from voxcurate.chat.local import Generated
from voxcurate.errors import CurationError
from voxcurate.executors.worker import describe
from voxcurate.protocols import Message

SIGN_S = 1.0  # between two signs of life
TAKEN = 32  # new requests at most between two steps: the model works while others are prepared
FAILED, BROKEN = 2, 3  # exit status: could not load; an error in the middle


class Model(Protocol):
    """A model that works on many requests at once, made from the JSON of an `EngineConfig`."""

    def add(
        self, number: int, conversation: Sequence[Message], schema: Mapping[str, Any]
    ) -> Generated | None:
        """Take a request; why not, if it is refused."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether any request is not answered yet."""
        ...

    def step(self) -> list[tuple[int, Generated]]:
        """Work on for a moment; the requests that are answered now."""
        ...


def main() -> int:
    """Load, answer, until the socket closes."""
    pipe = _socket()
    kind, settings = pipe.recv()
    module, _, name = kind.partition(":")
    try:
        model = getattr(import_module(module), name)(settings)
    except CurationError as problem:
        pipe.send(("failed", str(problem)))
        return FAILED
    except Exception as problem:  # noqa: BLE001 - whatever a library raises: told by kind and place
        pipe.send(("failed", describe(problem)))
        return FAILED
    pipe.send(("ready", None))
    try:
        _serve(pipe, model)
    except (EOFError, OSError):
        return 0
    except Exception as problem:  # noqa: BLE001 - the engine is dead: its keeper starts another
        pipe.send(("broken", type(problem).__name__))
        return BROKEN
    return 0


def _serve(pipe: Connection, model: Model) -> None:
    inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, inbox), daemon=True).start()
    schemas: dict[int, Mapping[str, Any]] = {}
    told = time.monotonic()
    while True:
        for taken in range(TAKEN):
            if inbox.empty() and (model.is_busy or taken):
                break
            kind, content = inbox.get()
            if kind == "schema":
                schemas[content[0]] = content[1]
                continue
            number, conversation, schema = content
            refused = model.add(number, conversation, schemas[schema])
            if refused is not None:
                pipe.send(("done", (number, refused)))
        if model.is_busy:
            for item in model.step():
                pipe.send(("done", item))
        if time.monotonic() - told > SIGN_S:
            told = time.monotonic()
            pipe.send(("alive", None))


def _listen(pipe: Connection, inbox: "queue.SimpleQueue[tuple[str, Any]]") -> None:
    """A thread of its own reads, or both sides could wait for each other to read."""
    try:
        while True:
            inbox.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(0)  # whoever wanted replies is gone


def _socket() -> Connection:
    """Standard input, out of reach of everything else that might read or inherit it."""
    pipe = Connection(os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipe


if __name__ == "__main__":
    os._exit(main())  # threads of libraries must not keep a dead engine
