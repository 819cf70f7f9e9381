"""Files that are whole or not there: temporary name in the same folder, fsync, rename."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Buffer = Any  # bytes, memoryview or a contiguous array


def write_atomic(path: Path, parts: Iterable[Buffer]) -> None:
    """Write `parts` one after the other; on any failure what was at `path` stays as it was.

    The folder is made if needed. The temporary file starts with a dot and ends with ``.tmp``, so
    that no pattern for data finds what a killed process left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """The rename itself survives a power cut only once the folder is on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
