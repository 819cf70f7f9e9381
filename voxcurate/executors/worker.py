"""The worker's side of an executor: run one task, measured and isolated; the life of a process."""

import logging
import os
import pickle
import re
import resource
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from voxcurate.errors import ConfigError, CurationError
from voxcurate.protocols import Outcome

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
PEAK = re.compile(rb"^VmHWM:\s*(\d+)", re.MULTILINE)
OURS = {"voxcurate", "agent", "retrieval", "cleaning", "labeling", "training", "catalog", "chat"}


def resolve(worker: str) -> Callable[[Any], Any]:
    """The function named ``"package.module:function"``.

    Raises:
        ConfigError: its module has no such function.
    """
    module, _, name = worker.partition(":")
    function: Callable[[Any], Any] | None = getattr(import_module(module), name, None)
    if function is None:
        raise ConfigError(f"no worker {worker!r}: the module has no such function")
    return function


class UnsendableError(CurationError):
    """A payload or a result cannot travel between processes."""


def packed(value: Any, role: str) -> bytes:
    """A value pickled.

    Raises:
        UnsendableError: it cannot be; `role` says what it is.
    """
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception as problem:  # noqa: BLE001 - pickling runs the value's own code
        raise _unsendable(role, problem) from None


def unpacked(data: bytes, role: str) -> Any:
    """The value again.

    Raises:
        UnsendableError: it cannot be made again here.
    """
    try:
        return pickle.loads(data)  # noqa: S301 - from our own process
    except Exception as problem:  # noqa: BLE001 - unpickling too
        raise _unsendable(role, problem) from None


def _unsendable(role: str, problem: Exception) -> UnsendableError:
    return UnsendableError(
        f"want a {role} of plain data, found one that cannot be sent between processes "
        f"({type(problem).__name__})"
    )


def measured(work: Callable[[], Any], key: str) -> Outcome:
    """The outcome of `work`: its value or its error, its wall time and its peak memory.

    Whatever it raises becomes an error in words, even `SystemExit`; Ctrl-C alone goes through.
    """
    start = time.perf_counter()
    _reset_peak()
    value, error, kind = None, "", ""
    try:
        value = work()
    except CurationError as problem:
        error, kind = str(problem), type(problem).__name__
    except (Exception, SystemExit) as problem:  # noqa: BLE001 - the edge of isolation: recorded with its place, never lost
        error, kind = describe(problem), type(problem).__name__
    return Outcome(key, value, error, kind, time.perf_counter() - start, _peak_mb())


def describe(problem: BaseException) -> str:
    """Kind and place of an unforeseen error. Its text may quote a path or a patient, so it stays
    out; of a failed import the module's name is told."""
    frames = [f for f in traceback.extract_tb(problem.__traceback__) if f.filename != __file__]
    paths = [(Path(f.filename), f.lineno) for f in frames]
    places = [f"{path.name}:{line}" for path, line in paths[-1:]]
    ours = [f"{path.name}:{line}" for path, line in paths if path.parent.name in OURS]
    if ours and ours[-1] not in places:
        places.insert(0, ours[-1])
    what = type(problem).__name__
    if isinstance(problem, ImportError) and problem.name:
        what += f" of {problem.name}"
    return f"unexpected {what} at {', '.join(places)}" if places else f"unexpected {what}"


def serve(pipe: Connection, parent: int) -> None:
    """The life of a worker process: jobs in, outcomes out, until the pipe closes.

    Values travel pickled inside the outcome, so that one that cannot be pickled here or unpickled
    there is an error of its task.
    """
    _die_with_parent(parent)
    send = _sender(pipe)
    _forward_logs(send)
    send("ready", None)
    while True:
        try:
            worker, key = pickle.loads(pipe.recv_bytes())  # noqa: S301 - from our own parent
            data = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        send("outcome", _work(worker, key, data))
        del data


def _work(worker: str, key: str, data: bytes) -> Outcome:
    def work() -> bytes:
        return packed(resolve(worker)(unpacked(data, "payload")), "result")

    try:
        return measured(work, key)
    except KeyboardInterrupt:  # Ctrl-C is ignored here: raised by the task's own code
        os._exit(1)


def _sender(pipe: Connection) -> Callable[[str, Any], None]:
    """Sends one message at a time: threads that a task left behind may still be logging."""
    lock = threading.Lock()

    def send(kind: str, content: Any) -> None:
        data = pickle.dumps((kind, content), pickle.HIGHEST_PROTOCOL)
        with lock, suppress(BrokenPipeError):
            pipe.send_bytes(data)

    return send


def _die_with_parent(parent: int) -> None:
    """Even when the parent is killed: no orphan goes on computing, or writes what nobody wants."""
    import ctypes
    import signal

    with suppress(OSError, AttributeError):  # Linux only (PR_SET_PDEATHSIG = 1)
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group: the parent acts
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class _Forward(logging.Handler):
    """Sends log records to the driver, whose handlers know where they go and what they hide."""

    def __init__(self, send: Callable[[str, Any], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        plain = {**record.__dict__, "msg": record.getMessage(), "args": None}
        if record.exc_info and record.exc_info[0]:
            plain["exception"] = record.exc_info[0].__name__
        plain["exc_info"] = plain["exc_text"] = plain["stack_info"] = None
        with suppress(Exception):  # an `extra` that cannot be sent must not fail its task
            self._send("log", plain)


def _forward_logs(send: Callable[[str, Any], None]) -> None:
    from voxcurate.logs import PACKAGES

    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [_Forward(send)], False
        logger.setLevel(logging.INFO)


def _reset_peak() -> None:
    """Start measuring anew: without it a small task after a large one would report the large one's
    memory. Where the kernel refuses, the process's peak so far is what there is."""
    with suppress(OSError), CLEAR.open("wb", buffering=0) as stream:
        stream.write(b"5")


def _peak_mb() -> float:
    """Peak resident memory since `_reset_peak`. Not `getrusage`, which begins a new process with
    its parent's peak."""
    with suppress(OSError), STATUS.open("rb", buffering=0) as stream:
        if found := PEAK.search(stream.read()):
            return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
