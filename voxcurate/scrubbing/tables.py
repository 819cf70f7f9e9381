"""Cells of tables whose head says what they hold ("patient_name,mrn,site"), and fields of HL7."""

import re
from collections.abc import Iterator

from voxcurate.scrubbing.care import GENERIC
from voxcurate.scrubbing.forms import one_of
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.pattern import HOLE
from voxcurate.scrubbing.vocabulary import fold
from voxcurate.scrubbing.wordlist import word_set

_SIGNS = (",", "\t", ";", "|")
_LEAST = 4  # columns of a table
_LONGEST = 60  # letters of a cell that is an identifier and no comment
_COLUMNS = tuple(
    (kind, re.compile(one_of("tables", kind.lower())))
    for kind in ("NAME", "ID", "DATE", "PHONE", "ADDRESS", "INSTITUTION", "OTHER")
)
_NOTHING = word_set(
    "yes no none nil na n/a unknown null nan true false m f male female ct mr us xr pet id name"
)
_SHORT_NUMBER = re.compile(r"\d{1,4}")
# MSH|^~\&|application|facility|application|facility|
_MESSAGE = re.compile(
    r"(?<![^\n])MSH\|[^|\n]{3,5}\|[^|\n]*\|([^|^\n]*)[^|\n]*\|[^|\n]*\|([^|^\n]*)"
)


def find_in_tables(text: str) -> Iterator[Hit]:
    """What stands under "mrn", "patient_name", "site" in lines of separated cells; HL7 facilities.

    A head is a line of four cells or more of which two name such columns; the lines after it that
    have as many cells, give or take one, are its rows. Dates and codes in them are found whatever
    their form.
    """
    for message in _MESSAGE.finditer(text) if "MSH|" in text else ():
        for number in (1, 2):
            if len(message[number].strip()) > 2 and HOLE not in message[number]:
                yield Hit("INSTITUTION", *message.span(number), False)
    for sign in _SIGNS:
        if text.count(sign) >= 2 * (_LEAST - 1) and "\n" in text:
            yield from _find_rows(text, sign)


def _find_rows(text: str, sign: str) -> Iterator[Hit]:
    kinds: list[str] = []
    start = 0
    for line in text.split("\n"):
        if line.count(sign) >= _LEAST - 1 and (kinds or max(map(len, line.split(sign))) < 32):
            cells = list(_cells(line, sign))
            named = [_kind(line[a:b]) for a, b in cells]
            if sum(map(bool, named)) > 1 and all(_is_head(line[a:b]) for a, b in cells):
                kinds = named
            elif kinds and abs(len(cells) - len(kinds)) < 2:
                for kind, (a, b) in zip(kinds, cells, strict=False):
                    if kind and _is_told(kind, line[a:b]):
                        yield Hit(kind, start + a, start + b)
        else:
            kinds = []
        start += len(line) + 1


def _kind(head: str) -> str:
    """What a column holds, by its head; empty where nothing that identifies anybody."""
    plain = re.sub(r"[^a-z]", "", fold(head)) if len(head) < 30 else ""
    return next((kind for kind, one in _COLUMNS if plain and one.fullmatch(plain)), "")


def _is_head(cell: str) -> bool:
    """Whether a cell may stand in a table's head: a few words and no value."""
    return len(cell) < 30 and cell.count(" ") < 4 and re.search(r"\d{2}|[.:?]\s?$", cell) is None


def _cells(line: str, sign: str) -> Iterator[tuple[int, int]]:
    """Where the cells of a line begin and end, without their quotes and blanks."""
    cell = re.compile(
        rf'[ ]*(?:"((?:[^"]|"")*)"[ ]*|([^{re.escape(sign)}]*))(?:{re.escape(sign)}|$)'
    )
    at = 0
    while at <= len(line) and (match := cell.match(line, at)) is not None:
        group = 1 if match[1] is not None else 2
        stop = match.start(group) + len(match[group].rstrip())
        yield match.start(group), stop
        if match.end() == at or line[match.end() - 1 : match.end()] != sign:
            return
        at = match.end()


def _is_told(kind: str, cell: str) -> bool:
    """Whether a cell holds somebody's own: neither empty, a gap, a comment nor a mere number."""
    if not 1 < len(cell) <= _LONGEST or HOLE in cell or fold(cell) in _NOTHING:
        return False
    digits, letters = any(map(str.isdigit, cell)), any(map(str.isalpha, cell))
    if kind in ("NAME", "INSTITUTION"):
        words = re.findall(r"[^\W\d_]+", fold(cell))
        return letters and not all(one in GENERIC for one in words)
    if kind in ("ID", "DATE", "PHONE"):
        return digits and _SHORT_NUMBER.fullmatch(cell) is None
    return digits or letters
