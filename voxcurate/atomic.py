"""Files that are whole or not there: temporary name in the same folder, fsync, rename, fsync of the
folder (without it the rename itself may be lost in a power cut)."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Buffer = Any  # bytes, memoryview or a contiguous array
SUFFIX = ".tmp"


def write_atomic(path: Path, parts: Iterable[Buffer]) -> None:
    """Write `parts` one after the other; on any failure what was at `path` stays as it was.

    The folder is made if needed. The temporary file starts with a dot and ends with ``.tmp``, so
    that no pattern for data finds what a killed process left.
    """
    make_folder(path.parent)
    temporary = temporary_name(path)
    try:
        with temporary.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """As `write_atomic`, for a small UTF-8 text."""
    write_atomic(path, [text.encode("utf-8")])


def adopt_file(temporary: Path, final: Path) -> None:
    """Move a finished temporary file to its place; an existing file is replaced.

    Where the two lie on different file systems (a folder of the workspace is a link to another
    disk), the bytes are copied beside `final` first, so that it is never seen half-written.
    """
    make_folder(final.parent)
    try:
        _sync(temporary)
        temporary.replace(final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = temporary_name(final)
        try:
            shutil.copyfile(temporary, beside)
            _sync(beside)
            beside.replace(final)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        temporary.unlink()
    sync_folder(final.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each on disk before something is put into it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def temporary_name(path: Path) -> Path:
    """A name beside `path` that nobody else uses and that no pattern for data finds."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{SUFFIX}")


def sync_folder(folder: Path) -> None:
    """The names in a folder survive a power cut only once the folder itself is on disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
