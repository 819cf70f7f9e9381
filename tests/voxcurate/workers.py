"""Workers for the tests of executor and ledger; a module, so that a process can import them."""

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
    return payload


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
