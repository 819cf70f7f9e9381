"""Gzip files that any reader opens and ours can seek in.

One ordinary gzip member. Its deflate stream is cut into chunks that end with a full flush, so each
can be unpacked alone; a subfield ``VX`` of the header's FEXTRA says how long each is. The subfield
(little-endian): uint32 raw bytes of the prefix (the NIfTI header, packed alone and first), uint32
raw bytes of a chunk, uint32 number of chunks, uint64 raw bytes of all chunks; then for the prefix
and for each chunk uint32 packed length (highest bit: all zeros) and uint32 CRC-32 of its raw bytes.
All-zero chunks are packed once per file, and unpacking skips them.
"""

import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from isal import isal_zlib
from isal.igzip_lib import IsalError

from voxcurate.errors import VolumeReadError

MAX_RATIO = 1032  # deflate cannot pack tighter
MAX_CHUNKS = 8000  # FEXTRA holds at most 65535 bytes
_FIXED = struct.Struct("<4BI2BH2BH")  # the gzip header with FEXTRA and the head of one subfield
_HEAD = struct.Struct("<IIIQ")
_END = b"\x03\x00"  # an empty last block
_ZERO = 1 << 31
_THREADED = 8 << 20  # raw bytes from which a second thread pays
Raw = npt.NDArray[np.uint8]
Packed = tuple[bytes, int, int, bool]  # deflated, CRC-32 and length of the raw bytes, all zeros
S = TypeVar("S")
T = TypeVar("T")


def pack(
    prefix: bytes, chunks: Sequence[Callable[[], Raw]], chunk_bytes: int, *, threads: bool = True
) -> list[bytes]:
    """The parts of a gzip file, cut alike whatever the number of threads.

    Args:
        prefix: packed first and alone.
        chunks: each gives its raw bytes when called; all but the last are `chunk_bytes` long.
        chunk_bytes: length of a raw chunk.
        threads: let large data use more cores; label maps pack too fast to gain by it.
    """
    zeros = np.zeros(chunk_bytes, np.uint8)
    packed_zeros: dict[int, tuple[bytes, int]] = {}

    n_bytes = chunk_bytes * len(chunks)

    def work(chunk: Callable[[], Raw]) -> Packed:
        raw = chunk()
        if raw.any():
            return *_deflate(raw), raw.size, False
        if raw.size not in packed_zeros:  # two threads may both do it: the result is the same
            packed_zeros[raw.size] = _deflate(zeros[: raw.size])
        return *packed_zeros[raw.size], raw.size, True

    return join(prefix, _map(work, chunks, threads and n_bytes >= _THREADED), chunk_bytes)


def pack_chunk(raw: Raw) -> Packed:
    """One chunk, for `join`."""
    return *_deflate(raw), raw.size, not raw.any()


def join(prefix: bytes, entries: Sequence[Packed], chunk_bytes: int) -> list[bytes]:
    """The parts of a gzip file from chunks that are packed already, as `pack` gives them."""
    crc, total = 0, 0
    index = bytearray()
    every = [(*_deflate(np.frombuffer(prefix, np.uint8)), len(prefix), False), *entries]
    for body, part, size, is_zero in every:
        crc = isal_zlib.crc32_combine(crc, part, size)
        total += size
        index += struct.pack("<II", len(body) | (_ZERO if is_zero else 0), part)
    field = _HEAD.pack(len(prefix), chunk_bytes, len(entries), total - len(prefix)) + bytes(index)
    head = _FIXED.pack(31, 139, 8, 4, 0, 4, 255, len(field) + 4, ord("V"), ord("X"), len(field))
    tail = _END + struct.pack("<II", crc, total & 0xFFFFFFFF)
    return [head, field, *(entry[0] for entry in every), tail]


@dataclass(frozen=True, eq=False)
class Index:
    """Where the chunks of an indexed file lie.

    Attributes:
        prefix_bytes: raw length of the prefix.
        chunk_bytes: raw length of each chunk but the last.
        total: raw length of all chunks together.
        starts: file offset of the prefix and of each chunk.
        lengths: packed length of each.
        zero: whether a chunk is all zeros.
        crcs: CRC-32 of the raw bytes of each.
    """

    prefix_bytes: int
    chunk_bytes: int
    total: int
    starts: list[int]
    lengths: list[int]
    zero: list[bool]
    crcs: list[int]

    def prefix(self, file: BinaryIO) -> bytes:
        """The raw bytes before the first chunk."""
        file.seek(self.starts[0])
        return self._inflate(file.read(self.lengths[0]), 0, self.prefix_bytes)

    def read(self, file: BinaryIO, first: int, last: int) -> Raw:
        """The raw bytes of the chunks ``first .. last - 1``; all-zero ones cost almost nothing.

        Raises:
            VolumeReadError: a chunk is damaged.
        """
        begin = first * self.chunk_bytes
        out = np.zeros(min(last * self.chunk_bytes, self.total) - begin, np.uint8)
        file.seek(self.starts[first + 1])
        packed = memoryview(file.read(sum(self.lengths[first + 1 : last + 1])))

        def work(chunk: int) -> None:
            at = self.starts[chunk + 1] - self.starts[first + 1]
            place = out[chunk * self.chunk_bytes - begin :][: self.chunk_bytes]
            body = packed[at : at + self.lengths[chunk + 1]]
            raw = self._inflate(body, chunk + 1, place.size)
            place[:] = np.frombuffer(raw, np.uint8)

        self._check_zeros()
        wanted = [chunk for chunk in range(first, last) if not self.zero[chunk + 1]]
        _map(work, wanted, len(packed) * 4 >= _THREADED)  # little packed data unpack in no time
        return out

    def _check_zeros(self) -> None:
        """A damaged index must not turn data into zeros."""
        sizes = [self.chunk_bytes] * (len(self.zero) - 2) + [self.total % self.chunk_bytes]
        sizes[-1] = sizes[-1] or self.chunk_bytes
        claims = {
            (size, crc)
            for size, crc, zero in zip(sizes, self.crcs[1:], self.zero[1:], strict=True)
            if zero
        }
        if any(isal_zlib.crc32(bytes(size)) != crc for size, crc in claims):
            raise VolumeReadError("the index of the compressed data is damaged")

    def _inflate(self, packed: Any, entry: int, size: int) -> bytes:
        try:
            raw: bytes = isal_zlib.decompressobj(-15).decompress(packed, size + 1)
        except IsalError:  # type: ignore[misc]  # its stub says: a value
            raw = b""
        if len(raw) != size or isal_zlib.crc32(raw) != self.crcs[entry]:
            raise VolumeReadError("the compressed data are damaged")
        return raw


def read_index(file: BinaryIO) -> Index | None:
    """The index of a gzip file that we wrote; None for anybody else's or one of another length."""
    file.seek(0)
    head = file.read(_FIXED.size)
    if len(head) < _FIXED.size:
        return None
    *fixed, _, _, _, extra, one, two, length = _FIXED.unpack(head)
    if fixed != [31, 139, 8, 4] or (one, two) != (ord("V"), ord("X")) or extra != length + 4:
        return None
    field = file.read(length)
    if len(field) < max(length, _HEAD.size):
        return None
    prefix_bytes, chunk_bytes, n_chunks, total = _HEAD.unpack_from(field)
    is_plausible = chunk_bytes > 0 and n_chunks == -(-total // chunk_bytes)
    if not is_plausible or length != _HEAD.size + 8 * (n_chunks + 1):
        return None
    entries = np.frombuffer(field, "<u4", offset=_HEAD.size).reshape(-1, 2)
    lengths = (entries[:, 0] & (_ZERO - 1)).tolist()
    starts = list(accumulate(lengths, initial=_FIXED.size + length))
    size = file.seek(0, os.SEEK_END)
    if size != starts.pop() + len(_END) + 8 or total > size * MAX_RATIO:
        return None
    zero = (entries[:, 0] >= _ZERO).tolist()
    return Index(prefix_bytes, chunk_bytes, total, starts, lengths, zero, entries[:, 1].tolist())


def _deflate(raw: Raw) -> tuple[bytes, int]:
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)
    body = packer.compress(raw) + packer.flush(isal_zlib.Z_FULL_FLUSH)
    return body, isal_zlib.crc32(raw)


def _map(work: Callable[[S], T], items: Sequence[S], threads: bool) -> list[T]:
    """In order; in threads if wanted and there are cores (isal frees the lock)."""
    n_threads = min(4, len(os.sched_getaffinity(0)))
    if not threads or n_threads == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(work, items))
