"""A reader of DICOM files for the leak scan: every byte of a file belongs to what it yields.

It shares nothing with what writes de-identified files, takes nothing for granted, and never fails:
what cannot be understood comes out as one piece of bytes, to be searched as such.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR",
                   b"UT", b"UV"})  # fmt: skip
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_MAX_DEPTH = 40
_MAX_INFLATED = 1 << 30


class Leaf(NamedTuple):
    """A value: where it stands, how, and its bytes.

    `place` is its path in words and hexadecimal tags, `tag` its tag (0 where there is none), `vr`
    its VR as the file or the standard has it.
    """

    place: str
    tag: int
    vr: str
    value: bytes


def leaves(data: bytes) -> Iterator[Leaf]:
    """All values of a file, nested ones too, with preamble and what lies outside of any value."""
    at = 0
    implicit, little = False, True
    syntax = ""
    if data[128:132] == b"DICM":
        yield Leaf("preamble", 0, "", data[:128])
        at = 132
    elif data[:2] not in (b"\x02\0", b"\x08\0", b"\0\x08"):
        yield Leaf("file", 0, "", data)
        return
    if data[at : at + 2] == b"\x02\0":
        walker = _Walker(data, implicit=False, little=True)
        while data[at : at + 2] == b"\x02\0":
            start = at
            found, at = walker.element(at, len(data), "meta ", 0)
            yield from found
            for leaf in found:
                if leaf.tag == 0x00020010:
                    syntax = leaf.value.decode("latin-1").strip(" \0")
            if at <= start:
                break
    if syntax == "1.2.840.10008.1.2.1.99":
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflate.decompress(data[at:], _MAX_INFLATED)
        except zlib.error:
            yield Leaf("deflated", 0, "", data[at:])
            return
        yield Leaf("behind the deflated data", 0, "", inflate.unused_data)
        at = 0
    if syntax == "1.2.840.10008.1.2.2" or (not syntax and data[at : at + 2] == b"\0\x08"):
        little = False
    implicit = not data[at + 4 : at + 6].isalpha() or not data[at + 4 : at + 6].isupper()
    yield from _Walker(data, implicit=implicit, little=little).walk(at, len(data), "", 0)


class _Walker:
    """Walks over the elements of one data set."""

    def __init__(self, data: bytes, *, implicit: bool, little: bool) -> None:
        self._data = data
        self._implicit = implicit
        self._order = "<" if little else ">"
        self._tag = struct.Struct(f"{self._order}HH")
        self._long = struct.Struct(f"{self._order}I")
        self._short = struct.Struct(f"{self._order}H")

    def walk(self, at: int, end: int, path: str, depth: int) -> Iterator[Leaf]:
        """The leaves between two offsets."""
        while at < end:
            if end - at < 8:
                yield Leaf(f"{path}rest", 0, "", self._data[at:end])
                return
            start = at
            found, at = self.element(at, end, path, depth)
            yield from found
            if at <= start:
                yield Leaf(f"{path}rest", 0, "", self._data[start:end])
                return

    def element(self, at: int, end: int, path: str, depth: int) -> tuple[list[Leaf], int]:
        """The leaves of the element at an offset, and the offset behind it; the same offset where
        no element is."""
        data = self._data
        if end - at < 8:
            return [], at
        group, number = self._tag.unpack_from(data, at)
        tag = group << 16 | number
        if group == 0xFFFE:  # an item or delimiter out of place: go into it
            return [], at + 8
        vr = data[at + 4 : at + 6]
        if self._implicit or not (vr.isalpha() and vr.isupper()):
            (length,) = self._long.unpack_from(data, at + 4)
            body, kind = at + 8, _vr_of(tag)
        elif vr in _LONG:
            if end - at < 12:
                return [], at
            (length,) = self._long.unpack_from(data, at + 8)
            body, kind = at + 12, vr.decode("ascii")
        else:
            (length,) = self._short.unpack_from(data, at + 6)
            body, kind = at + 8, vr.decode("ascii")
        place = f"{path}({group:04x},{number:04x})"
        if length == _UNDEFINED:
            if tag in PIXEL_TAGS:
                return self._fragments(body, end, place, tag)
            return self._items(body, end, place, depth, kind)
        if body + length > end:
            return [], at
        value = data[body : body + length]
        items = (self._tag.pack(0xFFFE, 0xE000), b"\xfe\xff\0\xe0")
        if kind in ("SQ", "UN") and value[:4] in items and depth < _MAX_DEPTH:
            inside, _ = self._items(body, body + length, place, depth, kind)
            if kind == "UN":
                inside.append(Leaf(place, tag, kind, value))
            return inside, body + length
        return [Leaf(place, tag, kind, value)], body + length

    def _items(
        self, at: int, end: int, place: str, depth: int, kind: str
    ) -> tuple[list[Leaf], int]:
        found: list[Leaf] = []
        walker = self
        if kind == "UN" and not self._implicit:
            walker = _Walker(self._data, implicit=True, little=True)
        number = 0
        while at + 8 <= end:
            group, element = walker._tag.unpack_from(self._data, at)
            (length,) = walker._long.unpack_from(self._data, at + 4)
            mark = group << 16 | element
            if mark == _SEQUENCE_END:
                return found, at + 8
            if mark != _ITEM or depth >= _MAX_DEPTH:
                found.append(Leaf(f"{place} rest", 0, "", self._data[at:end]))
                return found, end
            number += 1
            inside = f"{place}[{number}]"
            at += 8
            if length == _UNDEFINED:
                part, at = walker._open_item(at, end, inside, depth + 1)
                found += part
            else:
                stop = min(at + length, end)
                found += walker.walk(at, stop, inside, depth + 1)
                at = stop
        if at < end:
            found.append(Leaf(f"{place} rest", 0, "", self._data[at:end]))
        return found, end

    def _open_item(self, at: int, end: int, path: str, depth: int) -> tuple[list[Leaf], int]:
        found: list[Leaf] = []
        while at + 8 <= end:
            group, number = self._tag.unpack_from(self._data, at)
            if group << 16 | number == _ITEM_END:
                return found, at + 8
            part, after = self.element(at, end, path, depth)
            found += part
            if after <= at:
                break
            at = after
        found.append(Leaf(f"{path}rest", 0, "", self._data[at:end]))
        return found, end

    def _fragments(self, at: int, end: int, place: str, tag: int) -> tuple[list[Leaf], int]:
        """Compressed pixels, each fragment a leaf."""
        found: list[Leaf] = []
        while at + 8 <= end:
            group, number = self._tag.unpack_from(self._data, at)
            (length,) = self._long.unpack_from(self._data, at + 4)
            mark = group << 16 | number
            if mark == _SEQUENCE_END:
                return found, at + 8
            if mark != _ITEM or length == _UNDEFINED or at + 8 + length > end:
                break
            found.append(Leaf(place, tag, "OB", self._data[at + 8 : at + 8 + length]))
            at += 8 + length
        found.append(Leaf(f"{place} rest", 0, "", self._data[at:end]))
        return found, end


_ROWS, _COLUMNS, _BITS, _FRAMES, _SAMPLES = (
    0x00280010,
    0x00280011,
    0x00280100,
    0x00280008,
    0x00280002,
)
SIZES = frozenset({_ROWS, _COLUMNS, _BITS, _FRAMES, _SAMPLES})


def behind_pixels(value: bytes, size: dict[int, bytes]) -> bytes:
    """What stands behind the last pixel of uncompressed pixels; nothing where the header does not
    say how many there are.

    Args:
        value: the pixel data.
        size: values of the attributes in `SIZES`.
    """
    return value[_native_bytes(size, len(value)) :]


def _native_bytes(size: dict[int, bytes], found: int) -> int:
    frames = size.get(_FRAMES, b"1").strip(b" \0") or b"1"
    if not frames.isdigit():
        return found
    needed = [(_bits(size, order) * max(1, int(frames)) + 7) // 8 for order in ("little", "big")]
    return max((n for n in needed if 0 < n <= found), default=found)


def _bits(size: dict[int, bytes], order: Literal["little", "big"]) -> int:
    """Bits of a frame, if numbers are written in this order."""
    numbers = [int.from_bytes(size.get(tag, b"")[:2], order) for tag in (_ROWS, _COLUMNS, _BITS)]
    samples = int.from_bytes(size.get(_SAMPLES, b"")[:2], order)
    return numbers[0] * numbers[1] * numbers[2] * max(1, samples)


_vrs: dict[int, str] = {}


def _vr_of(tag: int) -> str:
    """The VR that the standard gives a tag; UN for others."""
    if not _vrs:
        from pydicom._dicom_dict import DicomDictionary

        _vrs.update({t: entry[0][:2] for t, entry in DicomDictionary.items()})
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    return _vrs.get(tag, "UN")
