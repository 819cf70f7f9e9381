"""Forms of words in which the leak scan compares: no case, no accents, no signs."""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from datetime import date

PIECE = re.compile(r"[^\W_]+")
LETTERS = re.compile(r"[^\W\d_]+")
_DIGRAPHS = (("ae", "a"), ("oe", "o"), ("ue", "u"))
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"})
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_OTHER_MONTHS = {
    "ene": 1,
    "fév": 2,
    "fev": 2,
    "mär": 3,
    "mae": 3,
    "mrt": 3,
    "avr": 4,
    "abr": 4,
    "mai": 5,
    "mei": 5,
    "jui": 6,
    "aoû": 8,
    "ago": 8,
    "okt": 10,
    "dez": 12,
    "déc": 12,
    "dic": 12,
}
_YMD = re.compile(r"(?<!\d)((?:18|19|20)\d\d)\s?[-/._ ]\s?(\d{1,2})\s?[-/._ ]\s?(\d{1,2})(?!\d)")
_XMY = re.compile(r"(?<!\d)(\d{1,2})\s?[-/._ ]\s?(\d{1,2})\s?[-/._ ]\s?((?:18|19|20)?\d\d)(?!\d)")
_EIGHT = re.compile(r"(?<!\d)(\d{8})(?=\d{6}(?!\d)|\d{4}(?!\d)|(?!\d))")
_DAY_MONTH = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|\.)?[\s-]*(?:of\s)?([^\W\d_]{3,9})\.?[\s,-]*((?:18|19|20)?\d\d)(?!\d)"
)
_MONTH_DAY = re.compile(
    r"([^\W\d_]{3,9})\.?\s*(\d{1,2})(?:st|nd|rd|th)?[\s,-]+((?:18|19|20)\d\d)(?!\d)"
)


def folded(text: str) -> str:
    """Lower case, without accents."""
    low = text.casefold()
    if low.isascii():
        return low
    return "".join(c for c in unicodedata.normalize("NFKD", low) if not unicodedata.combining(c))


def squeezed(text: str) -> str:
    """Letters and digits alone."""
    return "".join(PIECE.findall(text))


def variants(word: str) -> set[str]:
    """Spellings of a name: "Müller" is "muller" and "mueller" too."""
    low = word.casefold()
    found = {folded(word), folded(low.translate(_UMLAUTS))}
    for two, one in _DIGRAPHS:
        found |= {form.replace(two, one) for form in found}
    return {form for form in found if form}


def texts_in(raw: bytes) -> Iterator[str]:
    """What bytes may mean as text, in every common encoding."""
    if raw.isascii() and b"\0" not in raw.rstrip(b"\0"):
        yield raw.rstrip(b"\0").decode("ascii")
        return
    if b"\0" in raw.strip(b"\0"):
        yield raw.replace(b"\0", b"").decode("latin-1")
        for encoding in ("utf-16-le", "utf-16-be"):
            yield raw[: len(raw) // 2 * 2].decode(encoding, "replace")
    yield raw.decode("latin-1")
    with suppress(UnicodeDecodeError):
        yield raw.decode("utf-8")


def days_in(text: str) -> set[date]:
    """Every day that a text may name; an ambiguous "03/04/2020" names two."""
    found: set[date | None] = set()
    for digits in _EIGHT.findall(text):
        found.add(_day(digits[:4], digits[4:6], digits[6:]))
        found.add(_day(digits[4:], digits[2:4], digits[:2]))
        found.add(_day(digits[4:], digits[:2], digits[2:4]))
    for year, month, day in _YMD.findall(text):
        found |= {_day(year, month, day), _day(year, day, month)}
    for one, two, year in _XMY.findall(text):
        found |= {_day(year, one, two), _day(year, two, one)}
    for day, name, year in _DAY_MONTH.findall(text):
        found.add(_day(year, _month(name), day))
    for name, day, year in _MONTH_DAY.findall(text):
        found.add(_day(year, _month(name), day))
    return {day for day in found if day is not None}


def _month(name: str) -> str:
    low = name.casefold()[:3]
    return str(_MONTHS.index(low) + 1 if low in _MONTHS else _OTHER_MONTHS.get(low, 0))


def _day(year: str, month: str, day: str) -> date | None:
    number = int(year)
    if number < 100:
        number += 1900 if number > 50 else 2000
    try:
        return date(number, int(month), int(day))
    except ValueError:
        return None
