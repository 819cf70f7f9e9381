"""What may happen to any file and to a NIfTI file; to DICOM in `benchmarks.fuzz_dicom`."""

import gzip
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np

Rng = np.random.Generator
Mutator = Callable[[bytes, Rng], bytes]

# what may happen to any file


def flip(content: bytes, rng: Rng) -> bytes:
    """A few bits turned."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 12))):
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def _flip_head(content: bytes, rng: Rng) -> bytes:
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 12))):
        data[int(rng.integers(min(len(data), 400)))] = int(rng.integers(256))
    return bytes(data)


def _truncate(content: bytes, rng: Rng) -> bytes:
    return content[: int(rng.integers(len(content)))]


def _truncate_head(content: bytes, rng: Rng) -> bytes:
    return content[: int(rng.integers(min(len(content), 600)))]


def _insert(content: bytes, rng: Rng) -> bytes:
    at = int(rng.integers(len(content)))
    return content[:at] + rng.bytes(int(rng.integers(1, 64))) + content[at:]


def _remove(content: bytes, rng: Rng) -> bytes:
    at = int(rng.integers(len(content)))
    return content[:at] + content[at + int(rng.integers(1, 200)) :]


def _zeros(content: bytes, rng: Rng) -> bytes:
    at, n = int(rng.integers(len(content))), int(rng.integers(1, 400))
    return content[:at] + bytes(n) + content[at + n :]


def _noise(content: bytes, rng: Rng) -> bytes:
    return content[:132] + rng.bytes(int(rng.integers(0, 4000)))


def _swap_pairs(content: bytes, rng: Rng) -> bytes:
    data = np.frombuffer(content[: len(content) // 2 * 2], np.uint16)
    return data.byteswap().tobytes()


def _append(content: bytes, rng: Rng) -> bytes:
    return content + rng.bytes(int(rng.integers(1, 5000)))


ANY: dict[str, Mutator] = {
    "bit flips": flip,
    "header bytes": _flip_head,
    "truncated": _truncate,
    "truncated header": _truncate_head,
    "bytes inserted": _insert,
    "bytes removed": _remove,
    "zeroed block": _zeros,
    "noise after the start": _noise,
    "swapped bytes": _swap_pairs,
    "trailing bytes": _append,
}

# NIfTI-1: name of a field, its offset and struct code
_FIELDS = {
    **{f"dim[{n}]": (40 + 2 * n, "h") for n in range(8)},
    "datatype": (70, "h"),
    "bitpix": (72, "h"),
    **{f"pixdim[{n}]": (76 + 4 * n, "f") for n in range(8)},
    "vox_offset": (108, "f"),
    "scl_slope": (112, "f"),
    "scl_inter": (116, "f"),
    "xyzt_units": (123, "B"),
    "qform_code": (252, "h"),
    "sform_code": (254, "h"),
    **{f"quatern[{n}]": (256 + 4 * n, "f") for n in range(6)},
    **{f"srow[{n}]": (280 + 4 * n, "f") for n in range(12)},
    "magic": (344, "I"),
}
_ODD = {
    "h": (-32768, -1, 0, 1, 2, 7, 8, 16, 255, 512, 1024, 32767),
    "f": (float("nan"), float("inf"), -1.0, 0.0, 1e-38, 1e-3, 1e9, 3.4e38, 352.5),
    "B": (0, 1, 3, 255),
    "I": (0, 0x00316E, 0xFFFFFFFF),
}


def _set(content: bytes, name: str, value: float) -> bytes:
    at, code = _FIELDS[name]
    if len(content) < at + struct.calcsize(code):
        return content
    with np.errstate(all="ignore"):
        packed = struct.pack("<" + code, float(np.float32(value)) if code == "f" else int(value))
    return content[:at] + packed + content[at + len(packed) :]


def _odd_field(content: bytes, rng: Rng) -> bytes:
    for _ in range(int(rng.integers(1, 4))):
        name = list(_FIELDS)[int(rng.integers(len(_FIELDS)))]
        odd = _ODD[_FIELDS[name][1]]
        content = _set(content, name, odd[int(rng.integers(len(odd)))])
    return content


def _huge_dims(content: bytes, rng: Rng) -> bytes:
    for n in range(1, 1 + int(rng.integers(1, 8))):
        content = _set(content, f"dim[{n}]", int(rng.integers(1000, 32768)))
    return _set(content, "dim[0]", int(rng.integers(3, 8)))


def _bad_offset(content: bytes, rng: Rng) -> bytes:
    odd = (0, 1, 100, 347, 353, 1e6, 1e12, -352, float("nan"), float("inf"))
    return _set(content, "vox_offset", odd[int(rng.integers(len(odd)))])


def _other_type(content: bytes, rng: Rng) -> bytes:
    codes = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304, 99)
    return _set(content, "datatype", codes[int(rng.integers(len(codes)))])


def _swap_header(content: bytes, rng: Rng) -> bytes:
    return content[:4][::-1] + content[4:] if rng.random() < 0.5 else _swap_pairs(content, rng)


def _gzip_damage(content: bytes, rng: Rng) -> bytes:
    """Of a packed file: its header, body, checksum, length; or members one after the other."""
    if content[:2] != b"\x1f\x8b":
        content = gzip.compress(content, 1, mtime=0)
    kind = int(rng.integers(5))
    data = bytearray(content)
    if kind == 0:
        data[int(rng.integers(2, 10))] = int(rng.integers(256))
    elif kind == 1:
        data[-8 + int(rng.integers(8))] ^= 0xFF
    elif kind == 2:
        data[int(rng.integers(10, len(data)))] ^= 1 << int(rng.integers(8))
    elif kind == 3:
        return content + content
    else:
        return content + rng.bytes(20)
    return bytes(data)


def _bomb(content: bytes, rng: Rng) -> bytes:
    """A little file that unpacks to 2 GiB beyond, or as, its header says."""
    head = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    head = head[:352].ljust(352, b"\0")
    if rng.random() < 0.5:
        for n, side in enumerate((1024, 1024, 1024), start=1):
            head = _set(head, f"dim[{n}]", side)
    # members one after the other are one stream to gzip: the zeros are packed once
    return gzip.compress(head, 9, mtime=0) + packed_zeros(31) * 32


@lru_cache(maxsize=4)
def packed_zeros(wbits: int) -> bytes:
    """64 MiB of zeros, packed; as a raw deflate stream without its end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    body = packer.compress(bytes(64 << 20))
    return body + packer.flush(zlib.Z_FINISH if wbits > 0 else zlib.Z_FULL_FLUSH)


NIFTI: dict[str, Mutator] = {
    "odd header field": _odd_field,
    "huge dimensions": _huge_dims,
    "bad offset": _bad_offset,
    "other voxel type": _other_type,
    "swapped header": _swap_header,
    "gzip damage": _gzip_damage,
    "bomb": _bomb,
}
PACKED_AS_IT_IS = ("gzip damage", "bomb", "bit flips", "truncated", "trailing bytes")
