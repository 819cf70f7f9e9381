"""A worker that dies of certain reports, as one does of a loop in C code or of too much memory."""

import os
from typing import Any

from retrieval.reading import read_shard


def read(payload: dict[str, Any]) -> dict[str, Any]:
    """As the stage's worker, but for reports that say so."""
    if any("DEADLY" in text for _, _, text in payload["reports"]):
        os._exit(9)
    return read_shard(payload)
