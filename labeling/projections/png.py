"""PNG files of our own: the same pixels give the same bytes, and nothing but pixels is in them."""

import struct
import zlib

import numpy as np
import numpy.typing as npt

_MAGIC = b"\x89PNG\r\n\x1a\n"
_RGB, _PALETTE = 2, 3
_UP = 2
LEVEL = 4  # projections: a tenth larger than at 9, in a quarter of the time


def png(pixels: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8] | None = None) -> bytes:
    """A picture as PNG.

    Every row is stored as its difference to the one above: projections are smooth, and so are the
    indices of a palette that is sorted by grey value.

    Args:
        pixels: RGB, ``(rows, columns, 3)``; or indices ``(rows, columns)`` into `palette`.
        palette: RGB, ``(n, 3)``.
    """
    rows, columns = pixels.shape[:2]
    plain = np.ascontiguousarray(pixels).reshape(rows, -1)
    stored = np.empty((rows, 1 + plain.shape[1]), np.uint8)
    stored[:, 0] = _UP
    stored[0, 1:] = plain[0]
    np.subtract(plain[1:], plain[:-1], out=stored[1:, 1:])
    kind = _RGB if palette is None else _PALETTE
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, kind, 0, 0, 0))]
    if palette is not None:
        parts.append(_chunk(b"PLTE", np.ascontiguousarray(palette).tobytes()))
    packed = zlib.compress(stored.tobytes(), LEVEL)
    return b"".join((_MAGIC, *parts, _chunk(b"IDAT", packed), _chunk(b"IEND", b"")))


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(data, zlib.crc32(name))
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
