"""The search of a written DICOM file for what its source told, value by value."""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from cleaning.deid.folding import LETTERS, PIECE, days_in, folded, squeezed, texts_in
from cleaning.deid.identities import CLASS_UIDS, STANDARD, UID, Identities
from cleaning.deid.rawdicom import PIXEL_TAGS, SIZES, Leaf, behind_pixels, leaves
from cleaning.deid.words import is_harmless

_NUMERIC = re.compile(rb"[0-9+\-.eE\\, \0]*")
_ONE_TIME = rb"\d{2}(?::?\d{2}){0,2}(?:\.\d*)?"
_TIME = re.compile(rb"(?:" + _ONE_TIME + rb"(?:[-\\]" + _ONE_TIME + rb")*)?[ \0]*")
_PSEUDONYM = re.compile(rb"(?:[a-z2-7]{10}|REMOVED)?[ \0]*")
_BINARY = frozenset({"US", "SS", "UL", "SL", "FL", "FD", "SV", "UV", "AT"})
_RUN = re.compile(rb"[\x20-\x7e\xa0-\xff]{4,}")
_WIDE = re.compile(rb"(?:[\x20-\x7e]\0){3,}|(?:\0[\x20-\x7e]){3,}")
# of the patient, his helpers and his place: nothing but a pseudonym may stand there
_NEVER = frozenset(
    {
        0x00080050, 0x00080080, 0x00080081, 0x00080090, 0x00080092, 0x00080094, 0x00081010,
        0x00081040, 0x00081048, 0x00081050, 0x00081060, 0x00081070, 0x00100010, 0x00100020,
        0x00100021, 0x00100030, 0x00100032, 0x00101000, 0x00101001, 0x00101005, 0x00101040,
        0x00101060, 0x00101090, 0x00102154, 0x00102297, 0x00104000, 0x00181000, 0x00181008,
        0x00200010, 0x00321032, 0x00321033, 0x00380010, 0x00400006, 0x00400253, 0x00401001,
        0x00402016, 0x00402017, 0x00020016, 0x00020017, 0x00020018, 0x00020100, 0x00020102,
    }
)  # fmt: skip
_OURS = re.compile(r"2\.25\.\d{30,39}")
_TEXT_VRS = frozenset({"LO", "SH", "LT", "ST", "UT", "UC"})


class Find(NamedTuple):
    """Something that should not be there: where, and of what kind; never what."""

    where: str
    kind: str


class FileScan:
    """Searches the files of one case.

    Args:
        known: what must not be there; finished.
        private_allowed: private numbers may be there.
    """

    def __init__(self, known: Identities, *, private_allowed: bool = False) -> None:
        self._known = known
        self._private_allowed = private_allowed
        self._long_names = [w for w, kind in known.words.items() if len(w) > 4 and w.isalpha()]
        self._clean: set[tuple[str, bytes]] = set()

    def scan(self, data: bytes) -> list[Find]:
        """What should not be in a file."""
        found: list[Find] = []
        size: dict[int, bytes] = {}
        for leaf in leaves(data):
            if leaf.tag in SIZES and "[" not in leaf.place:
                size[leaf.tag] = leaf.value
            found += self._leaf(leaf, size)
        return found

    def name(self, path: str) -> list[Find]:
        """What should not be in the name of a file or folder."""
        unnumbered = re.sub(r"(?<=/)\d{5}_", "", path)  # instance numbers, which stay
        return [Find("file name", kind) for kind in self.text(unnumbered)]

    def _leaf(self, leaf: Leaf, size: dict[int, bytes]) -> Iterator[Find]:
        place, tag, vr, value = leaf
        if tag in PIXEL_TAGS:
            yield from self._pixels(leaf, size)
            return
        group = tag >> 16
        if group & 1 and not self._private_allowed:
            yield Find(place, "PRIVATE ATTRIBUTE")
        if group >> 8 in (0x50, 0x60):
            yield Find(place, "GRAPHICS")
        if not tag and value.strip(b"\0"):
            yield Find(place, "BYTES OUTSIDE OF VALUES")
        if (vr == "PN" or tag in _NEVER) and not _PSEUDONYM.fullmatch(value):
            yield Find(place, "NOT A PSEUDONYM")
        if (vr, value) in self._clean:
            return
        kinds = sorted(self._value(tag, vr, value))
        if not kinds and len(value) < 4096:
            self._clean.add((vr, value))
        for kind in kinds:
            yield Find(place, kind)

    def _value(self, tag: int, vr: str, value: bytes) -> set[str]:
        if vr in ("DS", "IS") and _NUMERIC.fullmatch(value):
            digits = {d.lstrip(b"0").decode() for d in re.findall(rb"\d{6,}", value)}
            return {"ID"} if vr == "IS" and digits & self._known.numbers.keys() else set()
        if vr == "TM" and _TIME.fullmatch(value):
            return set()
        if vr == "UI" and tag not in CLASS_UIDS:
            return set().union(*(self._uid(one) for one in value.decode("latin-1").split("\\")))
        if tag in CLASS_UIDS:
            return set().union(*(self._class(one) for one in value.decode("latin-1").split("\\")))
        if vr in _BINARY:
            return self._integers(vr, value)
        if any(raw in value for raw in self._known.values):
            return {"NAME"}
        if vr in ("OB", "OW", "OF", "OD", "OL", "OV", "UN", ""):
            return self._runs(value)
        return self._bytes(value, free=vr in _TEXT_VRS and tag >> 16 != 0x0012)

    def _uid(self, one: str) -> set[str]:
        uid = one.strip(" \0")
        if uid in self._known.uids:
            return {"UID"}
        if not uid or _OURS.fullmatch(uid) or (uid.startswith(STANDARD) and UID.fullmatch(uid)):
            return set()
        return {"UID NOT OURS"} | self.text(uid)

    def _class(self, one: str) -> set[str]:
        uid = one.strip(" \0")
        return set() if not uid or UID.fullmatch(f"{uid}.0") else self.text(uid)

    def _integers(self, vr: str, value: bytes) -> set[str]:
        """Ids hidden as numbers, and text as numbers."""
        if vr in ("UL", "SL") and len(value) == 4:
            numbers = {str(struct.unpack(f"{order}I", value)[0]) for order in "<>"}
            if any(len(n) > 5 and n in self._known.numbers for n in numbers):
                return {"ID"}
        if len(value) > 5 and value.isascii() and value.strip(b"\0 ").isalnum():
            return self._bytes(value, free=False)
        return set()

    def _runs(self, value: bytes) -> set[str]:
        """Kinds found in readable stretches of binary data, where short words come by chance."""
        found: set[str] = set()
        for run in (*_RUN.findall(value), *_WIDE.findall(value)):
            for text in texts_in(run):
                if sum(map(len, PIECE.findall(text))) > 5:
                    long = " ".join(p for p in PIECE.findall(text) if len(p) > 4)
                    found |= self.text(long, whole=True)
        return found

    def _bytes(self, value: bytes, *, free: bool) -> set[str]:
        found: set[str] = set()
        for text in texts_in(value):
            found |= self.text(text, free=free)
        return found

    def text(self, text: str, *, free: bool = False, whole: bool = False) -> set[str]:
        """Kinds of what should not be in a text.

        Args:
            text: any text.
            free: prose, in which plain words may be the patient's name.
            whole: look for whole words only.
        """
        known = self._known
        low = folded(text)
        found: set[str] = set()
        for piece in PIECE.findall(text):
            found |= self._piece(piece, free=free, whole=whole)
        all_of_it = squeezed(low)
        if len(all_of_it) > 5:
            found |= {kind for phrase, kind in known.phrases.items() if phrase in all_of_it}
        if known.days and days_in(low) & known.days:
            found.add("DATE")
        if known.uids and known.uids & set(UID.findall(low)):
            found.add("UID")
        return found

    def _piece(self, piece: str, *, free: bool, whole: bool) -> set[str]:
        known = self._known
        camel, piece = piece, folded(piece)
        if piece in known.words:
            return {known.words[piece]}
        if free and piece in known.own_words:
            return {"NAME"}
        if piece.isdigit():
            plain = piece.lstrip("0")
            return {known.numbers[plain]} if plain in known.numbers else set()
        if whole or is_harmless(camel):
            return set()
        found = {known.words[part] for part in LETTERS.findall(piece) if part in known.words}
        found |= {
            known.numbers[n]
            for part in re.findall(r"\d{5,}", piece)
            if (n := part.lstrip("0")) in known.numbers
        }
        if len(piece) > 5 and any(name in piece for name in self._long_names):
            found.add("NAME")
        return found

    def _pixels(self, leaf: Leaf, size: dict[int, bytes]) -> Iterator[Find]:
        """Pixels are not searched; what stands behind them and comments in them are."""
        value = leaf.value
        tail = b""
        if value[:2] == b"\xff\xd8" or value[:2] == b"\xff\x4f":
            for text in jpeg_comments(value):
                for kind in self._runs(text):
                    yield Find(f"{leaf.place} comment", kind)
        else:
            tail = behind_pixels(value, size)
        for kind in self._runs(tail):
            yield Find(f"behind {leaf.place}", kind)


def jpeg_comments(stream: bytes) -> Iterator[bytes]:
    """Comments and application data of a JPEG or JPEG 2000 stream's header."""
    is_2000 = stream[:2] == b"\xff\x4f"
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        mark = stream[at + 1]
        if mark == 0xFF:  # padding
            at += 1
            continue
        if mark in ((0x90, 0x93, 0xD9) if is_2000 else (0xDA, 0xD9)):
            return
        length = int.from_bytes(stream[at + 2 : at + 4], "big")
        if mark == (0x64 if is_2000 else 0xFE) or (not is_2000 and 0xE0 <= mark <= 0xEF):
            yield stream[at + 4 : at + 2 + length]
        at += 2 + max(length, 2)
