"""Workers for the tests of shards; a module, so that jobs can import them."""

import os
import time
from pathlib import Path
from typing import Any


def leave_file(payload: dict[str, Any]) -> dict[str, str]:
    """Writes a file into the scratch folder."""
    path = Path(payload["scratch"], payload["name"])
    path.write_text(payload["name"])
    return {"path": str(path)}


def call(payload: dict[str, Any]) -> dict[str, Any]:
    """Says in a file that it was called, takes its time, and leaves a file."""
    with Path(payload["log"]).open("a") as stream:
        stream.write(f"{payload['name']}\n")
    time.sleep(payload["s"])
    return {"name": payload["name"], **leave_file(payload)}


def first_hangs(payload: dict[str, Any]) -> str:
    """Tells its process, and hangs the first time that it is called."""
    marker = Path(payload["marker"])
    with marker.open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    if payload["hangs"] and len(marker.read_text().split()) == 1:
        time.sleep(600)
    return str(payload["name"])
