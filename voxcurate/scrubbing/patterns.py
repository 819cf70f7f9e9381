"""Everything that looks like an identifier, without any knowledge of the patient."""

import re
from collections.abc import Iterator

from voxcurate.scrubbing.dates import DATES
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.medical import PROTECTED
from voxcurate.scrubbing.names import find_names
from voxcurate.scrubbing.numbers import NUMBERS
from voxcurate.scrubbing.pattern import HOLE, Pattern
from voxcurate.scrubbing.places import PLACES
from voxcurate.scrubbing.vocabulary import fold

PATTERNS: tuple[Pattern, ...] = (*DATES, *NUMBERS, *PLACES)
BEFORE, AFTER = 90, 90  # letters beside a word that a match which must be near it may take up
_LETTERS = re.compile(r"[^\W\d_]+")
_MARGIN = 60  # letters around a hit within which a protected span is looked for


def find_patterns(text: str) -> Iterator[Hit]:
    """Places that look like identifiers; hits may overlap.

    What touches a protected span (a measurement, level, image number, stage or dose) is none,
    unless a label such as "MRN:" introduces it.
    """
    index = word_index(text)
    for one in PATTERNS:
        for match in matches(one, text, index):
            start, end = match.span("x")
            end -= len(text[start:end]) - len(text[start:end].rstrip(" ,.;:\t\n"))
            found = text[start:end]
            if HOLE in found or not any(map(str.isalnum, found)):
                continue
            if one.check is not None and not one.check(text, start, end):
                continue
            if one.labelled or not is_protected(text, start, end):
                yield Hit(one.kind, start, end, one.sure)
    yield from find_names(text)


def word_index(text: str) -> dict[str, list[int]]:
    """Where each run of letters, folded, begins."""
    index: dict[str, list[int]] = {}
    for match in _LETTERS.finditer(fold(text)):
        index.setdefault(match.group(), []).append(match.start())
    return index


def matches(one: Pattern, text: str, index: dict[str, list[int]]) -> Iterator[re.Match[str]]:
    """Matches of one pattern; tried only where the words are that it wants."""
    if one.starts:
        at = [place for word in one.starts & index.keys() for place in index[word]]
        if at and (one.shape is None or one.shape.search(text)):
            for place in sorted(at):
                if match := one.regex.match(text, place):
                    yield match
        return
    if not one.near and not one.endings:
        if one.shape is None or one.shape.search(text):
            yield from one.regex.finditer(text)
        return
    at = [place for word in one.near & index.keys() for place in index[word]]
    if one.endings:
        at += [p + len(w) for w, ps in index.items() if w.endswith(one.endings) for p in ps]
    if not at or (one.shape is not None and not one.shape.search(text)):
        return
    for begin, end in _windows(sorted(at), len(text)):
        for match in one.regex.finditer(text, begin, end):
            if match.end() < end or end == len(text):
                yield match


def _windows(places: list[int], length: int) -> Iterator[tuple[int, int]]:
    begin, end = max(0, places[0] - BEFORE), min(length, places[0] + AFTER)
    for place in places[1:]:
        if place - BEFORE > end:
            yield begin, end
            begin = place - BEFORE
        end = min(length, place + AFTER)
    yield begin, end


def is_protected(text: str, start: int, end: int) -> bool:
    """Whether a span touches a measurement, level, image number, stage, score or dose."""
    begin, stop = max(0, start - _MARGIN), min(len(text), end + _MARGIN)
    return any(
        match.start() < end and start < match.end()
        for one in PROTECTED
        for match in one.finditer(text, begin, stop)
    )
