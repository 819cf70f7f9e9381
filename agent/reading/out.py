"""Where the answers of ``read-reports`` go: standard output, a pipe, or a file that appears whole.

Answers quote reports: until the file is whole nobody else may read what is there of it.
"""

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from voxcurate.atomic import adopt_file, make_folder, temporary_name
from voxcurate.errors import ConfigError

Write = Callable[[str], object]
_PRIVATE = 0o600
_TOLD_TO_END = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextmanager
def sink(out: Path | None, source: str = "") -> Iterator[Write]:
    """Where lines go; what cannot be written is refused before the first report is read.

    What is there and is no regular file (a pipe, ``/dev/null``) is written to as it is, and a link
    keeps pointing at the file that is replaced. No character fails: half of a surrogate pair
    becomes a question mark.

    Args:
        out: the file; None: standard output, in UTF-8 unless it is a terminal.
        source: the file that is read, which must not be the one that is written.

    Raises:
        ConfigError: `out` is a folder, or `source`.
    """
    if out is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            encoding = None if sys.stdout.isatty() else "utf-8"
            sys.stdout.reconfigure(encoding=encoding, errors="replace")
        yield sys.stdout.write
        return
    if out.is_dir():
        raise ConfigError("--out is a folder: want a file")
    if out.exists() and not out.is_file():
        with out.open("w", encoding="utf-8", errors="replace", newline="") as stream:
            yield stream.write
        return
    final = out.resolve()
    if final == Path(source).resolve():
        raise ConfigError("--out is the file that is read: want another one")
    with _whole(final) as write:
        yield write


@contextmanager
def _whole(final: Path) -> Iterator[Write]:
    make_folder(final.parent)
    temporary = temporary_name(final)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as stream:
            yield stream.write
        temporary.chmod(final.stat().st_mode & 0o777 if final.exists() else _PRIVATE)
        adopt_file(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def ended_cleanly() -> Iterator[None]:
    """SIGTERM and a closed terminal leave like an error does, so that nothing is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _leave) for number in _TOLD_TO_END}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
