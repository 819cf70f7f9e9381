"""Append-only files of framed records: one process writes, others read behind it.

A frame is ``length, CRC-32, kind, number, body``. What a killed writer, a full disk or a file
system that shows a page before its bytes leaves at the end does not fit its checksum: the reader
waits there, and what lies before it counts.
"""

import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEAD = struct.Struct("<QI")  # of the rest: length, CRC-32
START = struct.Struct("<cI")  # of the rest: kind, number

BEGUN = b"b"  # an item is in hand; number: its place in the shard
DONE = b"d"  # an item's outcome
LOG = b"l"  # a log record
END = b"e"  # the job ended in order; body: why

FLUSH_S = 0.2  # a frame waits no longer than this for company
FLUSH_BYTES = 1 << 18
SYNC_S = 5.0


@dataclass(frozen=True)
class Frame:
    """One record, and where in its file it begins."""

    kind: bytes
    number: int
    body: bytes
    offset: int


def framed(kind: bytes, number: int, body: bytes = b"") -> bytes:
    """The bytes of one frame."""
    rest = START.pack(kind, number) + body
    return HEAD.pack(len(rest), zlib.crc32(rest)) + rest


class Tail:
    """Reads the frames of a growing file, each once.

    Attributes:
        offset: how far it has been read.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset

    def frames(self) -> Iterator[Frame]:
        """New whole frames; none if the file is not there (yet)."""
        try:
            stream = self.path.open("rb")
        except FileNotFoundError:
            return
        with stream:
            size = os.fstat(stream.fileno()).st_size
            if size <= self.offset:
                return
            stream.seek(self.offset)
            while True:
                head = stream.read(HEAD.size)
                if len(head) < HEAD.size:
                    return
                length, check = HEAD.unpack(head)
                end = self.offset + HEAD.size + length
                if length < START.size or end > size:
                    return
                rest = stream.read(length)
                if zlib.crc32(rest) != check:
                    return
                start, self.offset = self.offset, end
                kind, number = START.unpack_from(rest)
                yield Frame(kind, number, rest[START.size :], start)


def frame_at(path: Path, offset: int) -> Frame | None:
    """The frame that begins at `offset`; None if there is no whole one."""
    return next(Tail(path, offset).frames(), None)


class FrameWriter:
    """Writes frames to a new file, together where they come fast.

    What a process has written outlives its ``kill -9``: the kernel has it. What a machine has not
    synced dies with it, and the file server never hears of it; so it is synced, every `SYNC_S`
    seconds, and at once after frames that are `precious`: an outcome that took longer to compute
    than a sync takes.

    Args:
        path: of a file that does not exist yet.

    Raises:
        FileExistsError: it does.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._dirty = False
        self._flushed = self._synced = time.monotonic()
        self._trouble: OSError | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._live, name="frames", daemon=True)
        self._thread.start()

    def add(
        self,
        kind: bytes,
        number: int,
        body: bytes = b"",
        *,
        now: bool = False,
        precious: bool = False,
    ) -> None:
        """Append a frame.

        Args:
            now: it is with the kernel before this returns.
            precious: it is on disk before this returns.

        Raises:
            OSError: this frame or an earlier one cannot be written. None that comes later is: they
                would lie behind a torn one, where nobody finds them.
        """
        data = framed(kind, number, body)
        with self._lock:
            self._waiting.append(data)
            self._bytes += len(data)
            calm = time.monotonic() - self._flushed > FLUSH_S
            if now or precious or calm or self._bytes > FLUSH_BYTES:
                self._flush()
            if precious:
                self._sync()
            if self._trouble is not None:
                raise self._trouble

    def close(self) -> None:
        """Everything is on disk.

        Raises:
            OSError: it could not be written.
        """
        self._closed.set()
        self._thread.join()
        with self._lock:
            self._flush()
            self._sync()
            os.close(self._file)
            if self._trouble is not None:
                raise self._trouble

    def _live(self) -> None:
        while not self._closed.wait(FLUSH_S):
            with self._lock:
                self._flush()
            if self._dirty and time.monotonic() - self._synced > SYNC_S:
                self._sync()  # without the lock: the others need not wait for the disk

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        if not self._waiting or self._trouble is not None:
            return
        data, self._waiting, self._bytes = memoryview(b"".join(self._waiting)), [], 0
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as problem:
            self._trouble = problem
        self._dirty = True

    def _sync(self) -> None:
        self._dirty, self._synced = False, time.monotonic()
        try:
            os.fsync(self._file)
        except OSError as problem:
            self._trouble = self._trouble or problem
