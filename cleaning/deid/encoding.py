"""DICOM elements as bytes: what de-identified files are made of."""

import struct
from collections.abc import Iterable

_LONG = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
UNDEFINED = 0xFFFFFFFF
IMPLEMENTATION_UID = "2.25.201463842736429152733412786043205391114"
IMPLEMENTATION_NAME = b"VOXCURATE 1 "


class Encoding:
    """How elements are written: with their VR or without, which byte first."""

    def __init__(self, *, implicit: bool, little: bool) -> None:
        self.implicit = implicit
        self.little = little
        order = "<" if little else ">"
        self._tag = struct.Struct(f"{order}HH")
        self._short = struct.Struct(f"{order}H")
        self._long = struct.Struct(f"{order}I")

    def element(self, tag: int, vr: str, value: bytes, *, undefined: bool = False) -> bytes:
        """An element; one of undefined length (encapsulated pixels) with its delimiter.

        Raises:
            ValueError: the value is too long for its VR.
        """
        head = self._tag.pack(tag >> 16, tag & 0xFFFF)
        length = UNDEFINED if undefined else len(value)
        if self.implicit:
            head += self._long.pack(length)
        elif vr in _LONG:
            head += vr.encode("ascii") + b"\0\0" + self._long.pack(length)
        elif length < 1 << 16:
            head += vr.encode("ascii") + self._short.pack(length)
        else:
            raise ValueError(f"a value of {length} bytes is too long for {vr}")
        tail = self._tag.pack(0xFFFE, 0xE0DD) + self._long.pack(0) if undefined else b""
        return head + value + tail

    def items(self, contents: Iterable[bytes]) -> bytes:
        """The value of a sequence."""
        start = self._tag.pack(0xFFFE, 0xE000)
        return b"".join(start + self._long.pack(len(one)) + one for one in contents)

    def text(self, tag: int, vr: str, text: str) -> bytes:
        """An element with a text."""
        raw = text.encode("utf-8")
        pad = b"\0" if vr == "UI" else b" "
        return self.element(tag, vr, raw if len(raw) % 2 == 0 else raw + pad)


def file_head(sop_class: str, sop_instance: str, syntax: str) -> bytes:
    """Preamble of zeros, the magic word and the file's meta information, which is ours alone."""
    write = Encoding(implicit=False, little=True)
    meta = b"".join(
        [
            write.element(0x00020001, "OB", b"\0\1"),
            write.text(0x00020002, "UI", sop_class),
            write.text(0x00020003, "UI", sop_instance),
            write.text(0x00020010, "UI", syntax),
            write.text(0x00020012, "UI", IMPLEMENTATION_UID),
            write.element(0x00020013, "SH", IMPLEMENTATION_NAME),
        ]
    )
    return (
        b"\0" * 128 + b"DICM" + write.element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta
    )
