"""What a source tells that must not be told again, collected by a generous walk over its bytes.

Rules against false alarms: a word that is known to identify nobody (`words`) is looked for only as
part of the patient's own name and only in free text; a word of the device's description is not
looked for; words need four letters (parts of names three), numbers five digits, ids four letters
and digits with a digit among them; initials are not looked for.
"""

import re
from collections.abc import Iterable
from datetime import date, timedelta

from cleaning.deid.folding import LETTERS, PIECE, days_in, folded, squeezed, texts_in, variants
from cleaning.deid.rawdicom import PIXEL_TAGS, SIZES, Leaf, behind_pixels, leaves
from cleaning.deid.words import SCHEMES, is_harmless, is_plain

STANDARD = "1.2.840.10008."
UID = re.compile(r"[0-2](?:\.\d+){3,}")
TEXT = frozenset({"LO", "SH", "LT", "ST", "UT", "UC", "UR", "AE", "CS"})
CLASS_UIDS = frozenset(
    {0x00020002, 0x00020010, 0x00020012, 0x00080016, 0x0008001A, 0x0008010C, 0x00080117,
     0x00080118, 0x00081150}
)  # fmt: skip
# facts of the device: their words are no secrets
TECHNICAL = frozenset(
    {
        0x00080060, 0x00080070, 0x00081090, 0x00180024,
        0x00181016, 0x00181018, 0x00181019, 0x00181020, 0x00181160, 0x00181210,
        0x00181250, 0x00181251, 0x00189005, 0x00189041, 0x00541101, 0x00541103,
        0x00541105, 0x00080005, 0x00120063,
    }
)  # fmt: skip
_CODES = frozenset({0x00080100, 0x00080103})  # of public schemes: they come again
_SCHEMES = frozenset(scheme.encode() for scheme in SCHEMES)
PATIENT_NAMES = frozenset({0x00100010, 0x00101001, 0x00101005})
_NOBODY = frozenset(
    """anonymous anonymized anonymised anonym anon unknown none test phantom patient noname removed
    dicom name deid research study subject xxxx""".split()  # noqa: SIM905
)
# ids of the patient, the exam and the device
IDS = frozenset(
    {
        0x00080050, 0x00081010, 0x00100020, 0x00100021, 0x00101000, 0x00101090, 0x00181000,
        0x00181004, 0x00181005, 0x00181007, 0x00181008, 0x00200010, 0x00321020, 0x00380010,
        0x00380060, 0x00400009, 0x00400241, 0x00400242, 0x00400253, 0x00401001, 0x00402016,
        0x00402017, 0x00120040, 0x00120042,
    }
)  # fmt: skip
# numbers whatever they hold: looking for words in them finds only chance
NUMERIC_TABLES = PIXEL_TAGS | {
    0x00281101, 0x00281102, 0x00281103, 0x00281201, 0x00281202, 0x00281203, 0x00281221, 0x00281222,
    0x00281223, 0x00282000, 0x00283006, 0x54001010, 0x56000020, 0x00660016,
}  # fmt: skip
_SIZE = re.compile(r"\d{1,4}x\d{1,4}(?:x\d{1,4})?")
_PRINTABLE = re.compile(rb"[\x20-\x7e\xa0-\xff]{5,}")
_WIDE = re.compile(rb"(?:[\x20-\x7e]\0){4,}|(?:\0[\x20-\x7e]){4,}")
_READABLE = re.compile(rb"[A-Za-z][A-Za-z0-9 ^=,.'\-]{5,}[ \0]*")
_BINARY = frozenset({"UN", "OB", "OW", "OF", "OD", "OL", "OV", ""})
_MAX_BINARY = 1 << 16


class Identities:
    """What must be gone from everything written for a case.

    Args:
        keep_words: words of descriptions may stay, if nothing says that they are names.

    Attributes:
        words: single words and ids, folded, with their kind.
        own_words: plain words in the patient's own name.
        phrases: longer strings of letters and digits alone.
        numbers: digits, without leading zeros.
        uids: UIDs of instances.
        days: days of the patient's life that may come again only moved.
        values: raw values of names in other than ASCII characters.
    """

    def __init__(self, *, keep_words: bool = False) -> None:
        self._keep_words = keep_words
        self.words: dict[str, str] = {}
        self.own_words: set[str] = set()
        self.phrases: dict[str, str] = {}
        self.numbers: dict[str, str] = {}
        self.uids: set[str] = set()
        self.days: set[date] = set()
        self.values: set[bytes] = set()
        self._others: set[str] = set()
        self._technical: set[str] = set()
        self._device: list[str] = []
        self._seen: set[tuple[int, str, bytes]] = set()

    def add_file(self, data: bytes) -> None:
        """Collect from a source file."""
        size: dict[int, bytes] = {}
        for leaf in leaves(data):
            if leaf.tag in SIZES and "[" not in leaf.place:
                size[leaf.tag] = leaf.value
            if leaf.tag in PIXEL_TAGS:
                is_jpeg = leaf.value[:1] == b"\xff"
                tail = b"" if is_jpeg else behind_pixels(leaf.value, size)
                self.add(Leaf(leaf.place, 0, "", tail))
            else:
                self.add(leaf)

    def add(self, leaf: Leaf) -> None:
        """Collect from one value."""
        _, tag, vr, value = leaf
        if (
            (tag in NUMERIC_TABLES and not _READABLE.fullmatch(value))
            or not value
            or (tag, vr, value) in self._seen
        ):
            return
        self._seen.add((tag, vr, value))
        private = bool(tag >> 16 & 1)
        if vr == "PN":
            self.name(value, own=tag in PATIENT_NAMES)
        elif vr == "UI":
            self._uids(tag, value)
        elif vr in ("DA", "DT"):
            for text in texts_in(value):
                self.days |= days_in(text)
            self._misplaced(value)
        elif tag in _CODES or (tag == 0x00080102 and value.strip(b" \0") in _SCHEMES):
            return
        elif tag in TECHNICAL:
            for text in map(folded, texts_in(value)):
                self._technical.update(PIECE.findall(text), LETTERS.findall(text))
                self._device.append(squeezed(text))
        elif vr in TEXT:
            self._text(value, "PRIVATE" if private else "ID" if tag in IDS else "TEXT")
        elif vr in ("TM", "AS", "DS", "IS"):
            self._misplaced(value)
            if vr == "TM":
                self.days |= days_in(value.decode("latin-1"))
        elif vr in ("US", "SS") and _READABLE.fullmatch(value):
            self._text(value, "BINARY")
        elif vr in _BINARY and len(value) <= _MAX_BINARY:
            for run in (*_PRINTABLE.findall(value), *_WIDE.findall(value)):
                self._text(run, "BINARY")

    def _misplaced(self, value: bytes) -> None:
        """Words where numbers should be."""
        if re.search(rb"[A-Za-z\x80-\xff]{4}", value):
            self._text(value, "TEXT")

    def name(self, value: bytes | str, *, own: bool) -> None:
        """Collect a name: its parts, and all of it in any order.

        Args:
            value: as it stands in the file, or text.
            own: the patient's: parts that are plain words count in free text too.
        """
        if (isinstance(value, bytes) and not value.isascii()) or b"\x1b" in _bytes(value):
            pieces = re.split(rb"[=^\\ ]", _bytes(value).strip())
            self.values.update(piece for piece in pieces if len(piece) > 3)
        texts = list(texts_in(value)) if isinstance(value, bytes) else [value]
        for text in texts:
            for one in re.split(r"[\\=]", text):
                parts = [p for p in map(folded, LETTERS.findall(one)) if p not in _NOBODY]
                for part in LETTERS.findall(one):
                    if folded(part) in parts:
                        self._name_part(part, own=own)
                if own or not all(map(is_plain, parts)):
                    self._whole_name(parts, own=own)

    def _name_part(self, part: str, *, own: bool) -> None:
        for form in variants(part):
            if len(form) < 3:
                continue
            if not is_plain(form):
                self.words[form] = "NAME"
                if not own:
                    self._others.add(form)
            elif own:
                self.own_words.add(form)

    def _whole_name(self, parts: list[str], *, own: bool) -> None:
        for one in parts[:4]:
            for other in parts[:4]:
                if one != other and len(one) + len(other) > 5:
                    self.phrases[one + other] = "NAME"
                    if not own:
                        self._others.add(one + other)

    def _uids(self, tag: int, value: bytes) -> None:
        for one in value.decode("latin-1").split("\\"):
            uid = one.strip(" \0")
            if UID.fullmatch(uid) and not uid.startswith(STANDARD) and tag not in CLASS_UIDS:
                self.uids.add(uid)
            elif tag not in CLASS_UIDS and not UID.fullmatch(uid):
                self._text(one.encode("latin-1"), "TEXT")

    def _text(self, value: bytes, kind: str) -> None:
        for text in texts_in(value):
            self.days |= days_in(text)
            self.uids.update(u for u in UID.findall(text) if not u.startswith(STANDARD))
            unknown = False
            for piece in PIECE.findall(text):
                unknown |= self._piece(piece, kind)
            phrase = squeezed(folded(text))
            may_stay = kind == "BINARY" or (kind == "TEXT" and self._keep_words)
            if unknown and 8 <= len(phrase) <= 64 and not may_stay:
                self.phrases[phrase] = kind

    def _piece(self, piece: str, kind: str) -> bool:
        """Collect a word, an id or a number; whether it was one to look for."""
        low = folded(piece)
        digits = sum(map(str.isdigit, low))
        if low.isdigit():
            plain = low.lstrip("0")
            if len(plain) > (5 if kind == "BINARY" else 4):
                self.numbers.setdefault(plain, "ID")
                return True
            return False
        if not digits:
            least = 6 if kind == "BINARY" else 4
            unknown = len(low) >= least and low not in _NOBODY and not is_harmless(piece)
            if unknown and low.isalpha() and not (kind == "TEXT" and self._keep_words):
                self.words.setdefault(low, kind)
            return unknown
        letters = LETTERS.findall(piece)
        technical = (digits < 5 and all(map(is_harmless, letters))) or _SIZE.fullmatch(low)
        if len(low) > 3 and (kind == "ID" or (len(low) > 4 and digits > 2 and not technical)):
            self.words.setdefault(low, "ID")
            return True
        for word in letters:
            if kind == "TEXT" and self._keep_words:
                break
            if len(word) > 4 and not is_harmless(word) and folded(word) not in _NOBODY:
                self.words.setdefault(folded(word), kind)
        return False

    def add_known(self, names: Iterable[str], ids: Iterable[str], days: Iterable[date]) -> None:
        """Collect from what a header or a table row told."""
        for name in names:
            self.name(name, own=True)
        for one in ids:
            piece = squeezed(folded(one))
            if len(piece) > 3 and any(map(str.isdigit, piece)):
                self._piece(piece, "ID")
                if len(piece) > 5:
                    self.phrases[piece] = "ID"
        self.days.update(days)

    def finish(self, moved_by: int) -> "Identities":
        """Take the device's words out, and the days on which another day of the patient falls
        when it is moved.

        Args:
            moved_by: days by which the patient's dates move.
        """
        for word in self._technical & self.words.keys():
            kind = self.words[word]
            is_code = kind == "ID" and sum(map(str.isdigit, word)) > 4
            if not is_code and (kind != "NAME" or word in self._others):
                del self.words[word]
        device = "\n".join(self._device)
        for phrase in [p for p in self.phrases if p in device]:
            if self.phrases[phrase] != "NAME" or phrase in self._others:
                del self.phrases[phrase]
        step = timedelta(days=moved_by)
        if moved_by:
            self.days -= {day + step for day in self.days}
        return self


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace")
