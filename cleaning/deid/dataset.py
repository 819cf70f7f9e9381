"""A data set written anew, element by element and item by item."""

from collections.abc import Callable, Iterator, Mapping, MutableSequence
from typing import Any

from cleaning.deid.encoding import UNDEFINED, Encoding
from cleaning.deid.errors import RefusedError
from cleaning.deid.private import kept_private
from cleaning.deid.table import action_of
from cleaning.deid.values import STRINGS, ValueCleaner
from cleaning.deid.words import SCHEMES
from voxcurate.dicom_file import UNREADABLE

MAX_DEPTH = 24
_TELLING = frozenset({"PN", "DA", "DT", "LO", "SH", "ST", "LT", "UT", "UC", "CS", "AE"})
PIXELS = 0x7FE00010
_CODING_SCHEME = 0x00080102
# what a VR that depends on other values is written as where the file does not say it
_AMBIGUOUS = {"US or SS": "US", "OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}
_BY_DICTIONARY = frozenset({"DA", "DT", "TM", "PN", "UI", "AS"})
_NO_TAGS = frozenset({0xFFFE, 0xFFFC, 0xFFFA, 0x0000, 0x0002})
Element = tuple[int, bytes]  # tag, the element encoded


class Rewriter:
    """Writes data sets anew.

    Args:
        values: cleans values.
        encoding: of the file.
        safe_private: keep the private numbers that are safe.
    """

    def __init__(self, values: ValueCleaner, encoding: Encoding, *, safe_private: bool) -> None:
        self._values = values
        self._encoding = encoding
        self._safe_private = safe_private

    def rewrite(
        self, dataset: Any, charsets: list[str], pixels: Callable[[Any], bytes], depth: int = 0
    ) -> list[Element]:
        """The elements that stay, encoded, in the order of their tags.

        Args:
            dataset: a pydicom data set; values not looked at before are taken as raw bytes.
            charsets: Python names of the character sets that hold here.
            pixels: what becomes of the raw pixel data.
            depth: of nesting.

        Raises:
            RefusedError: nested too deep, or a value cut short.
        """
        if depth > MAX_DEPTH:
            raise RefusedError(f"sequences nested deeper than {MAX_DEPTH}")
        charsets = charsets_of(dataset, charsets)
        decode = decoder(charsets)
        public = scheme_is_public(dataset)
        done = []
        for element in list(dataset.elements()):
            tag = int(element.tag)
            group = tag >> 16
            if group & 1 or group in _NO_TAGS:
                continue
            vr = vr_of(tag, element.VR)
            if vr is None:
                continue
            action = action_of(tag, vr)
            # values of VR UN have their little byte first in every file
            is_foreign = element.VR == "UN" and not self._encoding.little and vr not in STRINGS
            if action == "drop" or is_foreign:
                continue
            if vr == "SQ":
                if action in ("descend", "by kind"):
                    value = self._sequence(element, charsets, pixels, depth)
                    if value is not None:
                        done.append((tag, self._encoding.element(tag, vr, value)))
                elif action == "empty":
                    done.append((tag, self._encoding.element(tag, vr, b"")))
                continue
            raw = raw_value(element)
            if tag == PIXELS and depth == 0:
                undefined = getattr(element, "length", 0) == UNDEFINED
                written = self._encoding.element(tag, vr, pixels(element), undefined=undefined)
                done.append((tag, written))
                continue
            cleaned = self._values.clean(tag, vr, action, raw, decode, is_public=public)
            if cleaned is not None:
                done.append((tag, self._encoding.element(tag, vr, cleaned)))
        if self._safe_private:
            done += kept_private(dataset, self._encoding)
            done.sort(key=lambda one: one[0])
        return done

    def _sequence(
        self, element: Any, charsets: list[str], pixels: Callable[[Any], bytes], depth: int
    ) -> bytes | None:
        try:
            items = _items(element)
        except UNREADABLE:  # what cannot be read cannot be cleaned
            return None
        contents = [
            b"".join(part for _, part in self.rewrite(item, charsets, pixels, depth + 1))
            for item in items
        ]
        return self._encoding.items(contents)


def _items(element: Any) -> list[Any]:
    """The data sets of a sequence; one written as UN is encoded without VRs, little byte first."""
    from pydicom.values import convert_SQ

    if not isinstance(element.value, bytes):
        return [one for one in element.value or [] if hasattr(one, "elements")]
    as_unknown = element.VR == "UN"
    implicit = as_unknown or element.is_implicit_VR
    little = as_unknown or element.is_little_endian
    return list(convert_SQ(raw_value(element), implicit, little))


def vr_of(tag: int, written: str | None) -> str | None:
    """The kind of a value: as written, unless the standard's says more; None for unknown tags."""
    stated = _dictionary().get(tag)
    if stated is None:
        return None
    if stated in _BY_DICTIONARY or stated == "SQ" or written in (None, "UN", ""):
        return stated
    if written == "SQ" or written in _BY_DICTIONARY:
        return "UT" if written != "SQ" else None
    return written


_vrs: dict[int, str] = {}


def _dictionary() -> Mapping[int, str]:
    if not _vrs:
        from pydicom._dicom_dict import DicomDictionary

        _vrs.update({tag: _AMBIGUOUS.get(e[0], e[0]) for tag, e in DicomDictionary.items()})
    return _vrs


def raw_value(element: Any) -> bytes:
    """The bytes of an element that was not converted yet.

    Raises:
        RefusedError: the file ends within it.
    """
    value = element.value
    if value is None:
        return b""
    if not isinstance(value, bytes):  # pydicom reads empty ones and the character set at once
        if element.VR not in STRINGS:
            return b""
        several = value if isinstance(value, MutableSequence) else [value]
        return "\\".join(map(str, several)).encode("utf-8")
    if element.length not in (len(value), UNDEFINED):
        raise RefusedError("the file is cut short")
    return value


def charsets_of(dataset: Any, inherited: list[str]) -> list[str]:
    """Python's names of the character sets that a data set states, else those around it."""
    from pydicom.charset import convert_encodings

    if 0x00080005 not in dataset:
        return inherited
    try:
        stated = dataset[0x00080005].value
        return list(convert_encodings(stated)) or inherited
    except UNREADABLE:
        return inherited


def decoder(charsets: list[str]) -> Callable[[bytes], str]:
    """Bytes to text by the stated character sets; where they do not fit, UTF-8, else Latin-1."""

    def decode(raw: bytes) -> str:
        if raw.isascii() and b"\x1b" not in raw:
            return raw.decode("ascii")
        from pydicom.charset import decode_bytes

        if charsets != ["iso8859"]:
            try:
                text = decode_bytes(raw, charsets, {0x5C, 0x5E, 0x3D, 0x0D, 0x0A})
                if "�" not in text:
                    return str(text)
            except (LookupError, ValueError):
                pass
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    return decode


def scheme_is_public(dataset: Any) -> bool:
    """Whether the coding scheme of an item of codes is one whose codes anybody may know."""
    if 0x00080102 not in dataset:
        return False
    scheme = raw_value(dataset.get_item(_CODING_SCHEME)).decode("latin-1").strip(" \0")
    return scheme in SCHEMES


def top_values(dataset: Any) -> Iterator[tuple[int, str, str]]:
    """Tag, VR and text of the attributes of a data set that hold text, sequences left out."""
    decode = decoder(charsets_of(dataset, ["iso8859"]))
    for element in dataset.elements():
        tag = int(element.tag)
        if tag >> 16 & 1 or tag >> 16 > 0x0040:
            continue
        vr = vr_of(tag, element.VR)
        if vr in _TELLING and element.value:
            yield tag, vr, decode(raw_value(element))
