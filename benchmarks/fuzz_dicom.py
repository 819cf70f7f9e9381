"""What may happen to a DICOM file: mutations for `benchmarks.fuzz`."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

from benchmarks.fuzz_mutations import Mutator, Rng, flip, packed_zeros


def _elements(content: bytes) -> list[int]:
    """Offsets at which explicit little-endian elements seem to start."""
    found: list[int] = []
    at = 132
    while at + 8 <= len(content) and len(found) < 400:
        vr = content[at + 4 : at + 6]
        if not (vr.isalpha() and vr.isupper()):
            break
        found.append(at)
        if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD", b"UC", b"UR"):
            at += 12 + int.from_bytes(content[at + 8 : at + 12], "little")
        else:
            at += 8 + int.from_bytes(content[at + 6 : at + 8], "little")
    return found


def _wrong_length(content: bytes, rng: Rng) -> bytes:
    places = _elements(content)
    if not places:
        return flip(content, rng)
    data = bytearray(content)
    at = places[int(rng.integers(len(places)))]
    is_long = bytes(data[at + 4 : at + 6]) in (b"OB", b"OW", b"SQ", b"UN")
    odd = (0, 1, 3, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
    value = odd[int(rng.integers(len(odd)))]
    if is_long:
        data[at + 8 : at + 12] = struct.pack("<I", value)
    else:
        data[at + 6 : at + 8] = struct.pack("<H", value & 0xFFFF)
    return bytes(data)


def _wrong_vr(content: bytes, rng: Rng) -> bytes:
    places = _elements(content)
    if not places:
        return flip(content, rng)
    at = places[int(rng.integers(len(places)))]
    vrs = (b"SQ", b"UN", b"OB", b"US", b"DS", b"FD", b"PN", b"XX", b"\0\0", b"AT", b"UI", b"SV")
    return content[: at + 4] + vrs[int(rng.integers(len(vrs)))] + content[at + 6 :]


_NUMBERS = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel"),
    *("NumberOfFrames", "PixelRepresentation"),
)
_TEXTS = (
    *("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope"),
    *("RescaleIntercept", "SliceThickness", "InstanceNumber"),
)
_ODD_NUMBERS = (0, 1, 3, 7, 33, 255, 65535)
_ODD_TEXTS = ("", "abc", "1e400", "nan\\nan", "0\\0\\0\\0\\0\\0", "-1", "\\\\")


def _odd_value(content: bytes, rng: Rng) -> bytes:
    """A number of the image module or of its place made impossible, the file else whole."""

    def change(data: Any) -> None:
        if rng.random() < 0.5:
            word = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
            setattr(data, word, _ODD_NUMBERS[int(rng.integers(len(_ODD_NUMBERS)))])
        else:
            word = _TEXTS[int(rng.integers(len(_TEXTS)))]
            data[word]._value = _ODD_TEXTS[int(rng.integers(len(_ODD_TEXTS)))]

    return _edited(content, rng, change)


def _huge_frames(content: bytes, rng: Rng) -> bytes:
    """Sides and frames that make terabytes."""

    def change(data: Any) -> None:
        data.Rows = data.Columns = 65535
        data.NumberOfFrames = int(rng.integers(1, 2**31 - 1))

    return _edited(content, rng, change)


def _edited(content: bytes, rng: Rng, change: Callable[[Any], None]) -> bytes:
    """The file with fields changed; with flipped bits where it cannot be read any more."""
    from pydicom import dcmread

    from voxcurate.dicom_file import UNREADABLE, quiet_pydicom

    with quiet_pydicom():
        try:
            data = dcmread(BytesIO(content), force=True)
            change(data)
            stream = BytesIO()
            data.save_as(stream, enforce_file_format=False)
            return stream.getvalue()
        except UNREADABLE:
            return flip(content, rng)


def _deep_sequences(content: bytes, rng: Rng) -> bytes:
    """Sequences within sequences, closed or not, before the pixels."""
    depth = int(rng.integers(50, 20000))
    begin = b"\x08\x00\x15\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    nest = begin * depth + (end * depth if rng.random() < 0.5 else b"")
    places = _elements(content)
    at = places[len(places) // 2] if places else 132
    return content[:at] + nest + content[at:]


def _other_syntax(content: bytes, rng: Rng) -> bytes:
    """Another transfer syntax of the same length of text, as if packed otherwise."""
    names = (
        *(b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.4.70"),
        *(b"1.2.840.10008.1.2.5\0\0\0", b"1.2.840.10008.1.2.2\0\0\0", b"9.9.9.9.9.9.9.9.9.9.99"),
    )
    at = content.find(b"1.2.840.10008.1.2", 132)
    if at < 0:
        return flip(content, rng)
    name = names[int(rng.integers(len(names)))]
    old = content[at : at + 22]
    length = len(old.split(b"\x02\x00")[0]) if b"\x02\x00" in old else len(old)
    return content[:at] + name[:length].ljust(length, b"\0") + content[at + length :]


def _deflate_bomb(content: bytes, rng: Rng) -> bytes:
    """A deflated data set of 2 GiB of zeros."""
    name = b"1.2.840.10008.1.2.1.99"
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(name)) + name
    head = bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta)) + meta
    return head + packed_zeros(-15) * 32 + b"\x03\x00"


DICOM: dict[str, Mutator] = {
    "wrong length": _wrong_length,
    "wrong type": _wrong_vr,
    "odd value": _odd_value,
    "huge frames": _huge_frames,
    "deep sequences": _deep_sequences,
    "other transfer syntax": _other_syntax,
    "deflate bomb": _deflate_bomb,
}
