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
    that no pattern for data finds what a killed process left. The folder itself is not synced: a
    later commit of the catalog makes the rename durable with it, and a lost rename loses a file
    that nothing points to yet.
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
