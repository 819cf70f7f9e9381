"""Workers for the tests of executor and ledger; a module, so that a process can import them."""

import logging
import os
import time
from pathlib import Path
from typing import Any

from voxcurate.errors import VolumeReadError


def echo(payload: Any) -> Any:
    """The payload itself."""
    return payload


def obey(payload: str) -> str:
    """Does what the payload says."""
    if payload == "die":
        os._exit(9)
    if payload == "hang":
        time.sleep(600)
    if payload == "bad input":
        raise VolumeReadError("want 3 axes, found 4")
    if payload == "bug":
        raise ValueError("Jane Doe, born 1 May 1950")
    if payload == "leave":
        raise SystemExit(3)
    if payload == "interrupt":
        raise KeyboardInterrupt
    if payload == "no pickle":
        return lambda: None  # type: ignore[return-value]
    if payload == "hostile":
        return Hostile()  # type: ignore[return-value]
    if payload == "large":
        return "x" * 50_000_000
    return payload


class Hostile:
    """Pickles well and raises when it is made again."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _refuse, ()


class Unsendable:
    """Raises when it is pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise ValueError("Jane Doe")


def _refuse() -> None:
    raise ValueError("Jane Doe")


def die_once(payload: str) -> str:
    """Dies on the first try, works on the second."""
    marker = Path(payload)
    if not marker.exists():
        marker.touch()
        os._exit(9)
    return "second try"


def count_call(payload: dict[str, Any]) -> dict[str, Any]:
    """Appends a line to a file, so that a test can count calls."""
    with Path(payload["log"]).open("a") as stream:
        stream.write(f"{payload['name']}\n")
    return {"name": payload["name"]}


def threads(_: Any) -> tuple[str, int]:
    """The thread setting and the process id."""
    return os.environ["OMP_NUM_THREADS"], os.getpid()


def allocate(payload: int) -> int:
    """Holds so many MB for a moment."""
    return len(bytearray(payload * 1_000_000))


def nap(payload: float) -> float:
    """Sleeps so many seconds."""
    time.sleep(payload)
    return payload


def tell(payload: dict[str, Any]) -> None:
    """Writes its process id to a file and hangs."""
    Path(payload["folder"], str(os.getpid())).touch()
    time.sleep(600)


def blas_threads(_: Any) -> int:
    """Threads of this process once numpy's linear algebra has started its own."""
    import numpy as np

    assert (np.ones((600, 600)) @ np.ones((600, 600))).sum() > 0
    return len(list(Path("/proc/self/task").iterdir()))


def chatter(payload: str) -> str:
    """Logs a warning and an event with an exception."""
    log = logging.getLogger("cleaning.chatter")
    log.warning("odd", extra={"case": payload})
    try:
        raise ValueError("Jane Doe")
    except ValueError:
        log.exception("broke", extra={"path": Path("/home/jane")})
    return payload
