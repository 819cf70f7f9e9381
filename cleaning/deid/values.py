"""What becomes of one value: bytes in, bytes out, None to drop the attribute."""

import re
from collections.abc import Callable

from cleaning.deid.dates import clean_age, clean_time, day_of, shift_date, shift_moment
from cleaning.deid.pseudonyms import STANDARD_ROOT, Pseudonyms
from cleaning.deid.table import Action
from cleaning.deid.texts import TextCleaner
from cleaning.deid.words import SCHEMES

REMOVED = "REMOVED"
TEXT = frozenset({"LO", "SH", "LT", "ST", "UC", "UT", "CS", "AE", "PN", "UR"})
STRINGS = TEXT | {"UI", "DA", "DT", "TM", "AS", "DS", "IS"}
NUMBERS = frozenset({"US", "SS", "UL", "SL", "FL", "FD", "SV", "UV", "AT"})
BULK = frozenset({"OB", "OW", "OF", "OD", "OL", "OV"})
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_ONE_VALUE = frozenset({"LT", "ST", "UT"})
_NUMBER = re.compile(r"[ \0]*(?:[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?)?[ \0]*")
_LIKE_TEXT = re.compile(rb"[A-Za-z][A-Za-z0-9 ^=,.'\-]{5,}[ \0]*")
_UID = re.compile(r"[0-2](?:\.\d+)+")
# pixels, tables of grey levels and colours, and geometry: numbers whatever they hold
_BULK_TAGS = frozenset(
    {
        0x7FE00008, 0x7FE00009, 0x7FE00010, 0x7FE00001, 0x7FE00002, 0x7FE00003, 0x00281201,
        0x00281202, 0x00281203, 0x00281204, 0x00281221, 0x00281222, 0x00281223, 0x00281224,
        0x00283006, 0x00282000, 0x00640009, 0x00660016, 0x00660021, 0x00660023, 0x00660024,
        0x00660025, 0x00660028, 0x00660029, 0x00660040, 0x00660041, 0x00660042, 0x00660043,
        0x00660129, 0x00660121, 0x54001010, 0x54000110, 0x54000112, 0x56000010, 0x56000020,
        0x00280120, 0x00280121, 0x00281408, 0x00209161, 0x30060050, 0x00181624,
    }
)  # fmt: skip
# UIDs that name a class, a scheme or an organisation's table, not an instance
_CLASS_TAGS = frozenset({0x00080016, 0x00081150, 0x0008001A, 0x0008010C, 0x00080117, 0x00080118})
_PUBLIC_ROOTS = (STANDARD_ROOT, "2.16.840.1.113883.", "1.2.840.113619.4.", "1.2.392.200119.",
                 "1.3.12.2.1107.5.9.", "1.3.46.670589.")  # fmt: skip
# labels and texts of type 1: segments, structure sets, plans, content
_NEVER_EMPTY = frozenset({0x00620005, 0x30060002, 0x300A0002, 0x00700080, 0x0040A160, 0x006A0005})
_CODING_TAG = 0x00080102
_MAKES = frozenset({0x00080070, 0x00081090})


class ValueCleaner:
    """Cleans the values of the files of one patient.

    Args:
        names: new ids for old ones.
        texts: cleans texts.
        shift_days: by which the patient's dates move.
        birth: days of his birth, which no attribute may tell.
    """

    def __init__(
        self, names: Pseudonyms, texts: TextCleaner, shift_days: int, births: frozenset[object]
    ) -> None:
        self._names = names
        self._texts = texts
        self._shift = shift_days
        self._births = births
        self._seen: dict[tuple[int, str, Action, bool, bytes], bytes | None] = {}

    def clean(
        self,
        tag: int,
        vr: str,
        action: Action,
        raw: bytes,
        decode: Callable[[bytes], str],
        *,
        is_public: bool = True,
    ) -> bytes | None:
        """The new value, of even length.

        Args:
            tag: of a public attribute that is no sequence.
            vr: the kind of its value.
            action: what the table says.
            raw: the value as it was.
            decode: bytes to text, by the character set that holds here.
            is_public: of a code: its scheme's codes are public.
        """
        if vr in BULK:
            return self._bulk(tag, action, raw)
        if vr in NUMBERS:
            drop = action not in ("by kind", "facts") or _LIKE_TEXT.fullmatch(raw) is not None
            return None if drop else raw
        if vr not in STRINGS or action == "drop":
            return None
        key = (tag, vr, action, is_public, raw)
        if key not in self._seen:
            text = self._text(tag, vr, action, decode(raw), is_public)
            self._seen[key] = None if text is None else _padded(text, vr)
        return self._seen[key]

    def _bulk(self, tag: int, action: Action, raw: bytes) -> bytes | None:
        if action != "by kind" or tag not in _BULK_TAGS:
            return None
        return None if tag not in _PIXELS and _LIKE_TEXT.fullmatch(raw) else raw

    def _text(self, tag: int, vr: str, action: Action, text: str, is_public: bool) -> str | None:
        if action == "empty":
            return ""
        if vr == "UI":
            return self._uids(tag, text)
        if vr in ("DA", "DT", "TM"):
            return self._when(vr, text)
        if vr == "PN":
            return REMOVED if action == "dummy" and text.strip(" ^=\0") else ""
        if vr in ("AE", "UR"):
            return REMOVED if action == "dummy" and vr == "AE" else None
        if action == "dummy":
            return REMOVED
        if vr == "AS":
            return clean_age(text)
        if vr in ("DS", "IS"):
            return self._number(text)
        if action == "code":
            return self._code(tag, text.strip(" \0"), is_public)
        several = [one.strip(" \0") for one in ([text] if vr in _ONE_VALUE else text.split("\\"))]
        if action == "facts":
            make = tag in _MAKES
            return "\\".join(self._texts.fact(one, is_make=make) for one in several)
        how = self._texts.term if vr == "CS" else self._texts.description
        cleaned = "\\".join(map(how, several))
        is_lost = tag in _NEVER_EMPTY and not cleaned.strip("\\") and any(several)
        return REMOVED if is_lost else cleaned

    def _uids(self, tag: int, text: str) -> str:
        several = [one.strip(" \0") for one in text.split("\\")]
        keep = tag in _CLASS_TAGS
        return "\\".join(
            one
            if keep and one.startswith(_PUBLIC_ROOTS) and _UID.fullmatch(one)
            else self._names.uid(one)
            for one in several
        )

    def _when(self, vr: str, text: str) -> str:
        if vr == "TM":
            return clean_time(text)
        if any(day_of(one) in self._births for one in text.split("\\")):
            return ""
        return (shift_date if vr == "DA" else shift_moment)(text, self._shift)

    def _number(self, text: str) -> str:
        good = all(_NUMBER.fullmatch(one) for one in text.split("\\"))
        return text if good and not self._texts.is_known(text.strip(" \0")) else ""

    def _code(self, tag: int, text: str, is_public: bool) -> str:
        """A part of a code; what an item of codes must not lack becomes a word that says so."""
        if not text or tag == 0x00080120:  # a URN may be of anybody's making
            return ""
        if tag == _CODING_TAG:
            return text if text in SCHEMES else f"99{REMOVED}"
        if tag == 0x00080103:
            return self._texts.description(text)
        if tag == 0x00080104:
            return self._texts.description(text) or REMOVED
        return self._texts.code(text, is_public=is_public) or REMOVED


def _padded(text: str, vr: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return raw if len(raw) % 2 == 0 else raw + (b"\0" if vr == "UI" else b" ")
