"""Everything that looks like an identifier, without any knowledge of the patient."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from voxcurate.scrubbing.address_tail import address_end
from voxcurate.scrubbing.care import CARE
from voxcurate.scrubbing.codes import CODES
from voxcurate.scrubbing.dates import BEFORE_DATE, DATES
from voxcurate.scrubbing.employers import EMPLOYERS
from voxcurate.scrubbing.explained import find_unexplained, is_value
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.houses import HOUSES
from voxcurate.scrubbing.medical import PROTECTED
from voxcurate.scrubbing.mended import mended
from voxcurate.scrubbing.names import find_names, is_title, trimmed
from voxcurate.scrubbing.numbers import NUMBERS
from voxcurate.scrubbing.pattern import HOLE, Pattern
from voxcurate.scrubbing.people import PEOPLE
from voxcurate.scrubbing.people_letters import LETTERS
from voxcurate.scrubbing.people_manners import MANNERS, find_speakers
from voxcurate.scrubbing.people_notes import NOTES
from voxcurate.scrubbing.people_roles import ROLES
from voxcurate.scrubbing.places import PLACES
from voxcurate.scrubbing.postal import find_postal
from voxcurate.scrubbing.records import RECORDS
from voxcurate.scrubbing.rooms import ROOMS
from voxcurate.scrubbing.rural import RURAL
from voxcurate.scrubbing.spoken import SPOKEN
from voxcurate.scrubbing.streets import STREETS
from voxcurate.scrubbing.tables import find_in_tables
from voxcurate.scrubbing.towns import TOWNS
from voxcurate.scrubbing.villages import VILLAGES
from voxcurate.scrubbing.vocabulary import fold
from voxcurate.scrubbing.wards import WARDS

PATTERNS: tuple[Pattern, ...] = (
    *DATES, *NUMBERS, *CODES, *PLACES, *STREETS, *TOWNS, *CARE, *HOUSES, *EMPLOYERS, *ROOMS,
    *VILLAGES, *WARDS, *PEOPLE, *NOTES, *LETTERS, *MANNERS, *ROLES, *RECORDS, *RURAL,
    *SPOKEN,
)  # fmt: skip
BEFORE, AFTER = 90, 90  # letters beside a word that a match which must be near it may take up
_NUMBERS = re.compile(r"\d(?:[\s().,+/:_'’–-]{0,4}\d)*")
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[^\W\d_]+")
_CODES = ("ID", "OTHER", "ADDRESS", "PHONE")
_LAST_WORD = re.compile(r"[^\W\d_]+$")
_MARGIN = 60  # letters around a hit within which a protected span is looked for


class Places(NamedTuple):
    """Where a text has words and numbers.

    Attributes:
        words: beginnings of each run of letters, folded.
        numbers: each digit run's beginning, and of a plus or bracket before it, with how many
            digits follow from there on with no more than signs between them.
        most_digits: the longest such number's.
        numbered: words that a digit follows within five letters, and where they end.
    """

    words: dict[str, list[int]]
    numbers: list[tuple[int, int]]
    most_digits: int
    numbered: list[tuple[str, int]]

    @classmethod
    def of(cls, text: str) -> "Places":
        """Those of a text."""
        words: dict[str, list[int]] = {}
        folded = fold(text)
        for match in _LETTERS.finditer(folded):
            words.setdefault(match.group(), []).append(match.start())
        numbers: list[tuple[int, int]] = []
        for group in _NUMBERS.finditer(text):
            runs = list(_DIGITS.finditer(text, *group.span()))
            left = sum(run.end() - run.start() for run in runs)
            for run in runs:
                at = run.start()
                numbers.append((at, left))
                while at > 0 and text[at - 1] in "+(":
                    at -= 1
                    numbers.append((at, left))
                left -= run.end() - run.start()
        most = max((n for _, n in numbers), default=0)
        return cls(words, numbers, most, _numbered(folded, (n for n, _ in numbers)))


def _numbered(folded: str, numbers: Iterable[int]) -> list[tuple[str, int]]:
    """Words at most four letters before a number, and where they end."""
    ends = set()
    for number in numbers:
        for end in range(max(1, number - 4), number + 1):
            if folded[end - 1].isalpha() and not folded[end : end + 1].isalpha():
                ends.add(end)
    found = ((_LAST_WORD.search(folded, max(0, end - 60), end), end) for end in sorted(ends))
    return [(match.group(), end) for match, end in found if match]


def find_patterns(text: str) -> Iterator[Hit]:
    """Places that look like identifiers, in the text as it was meant; hits may overlap."""
    reading = mended(text)
    yield from reading.widened(_find(reading.text))


def _find(text: str) -> Iterator[Hit]:
    """Places that look like identifiers.

    What touches a protected span (a measurement, level, image number, stage or dose) is none,
    unless a label such as "MRN:" introduces it. A date takes in the day of the week before it.
    """
    places = Places.of(text)
    for one in _worth_trying(places):
        for match in matches(one, text, places):
            start, end = match.span("x")
            end -= len(text[start:end]) - len(text[start:end].rstrip(" ,.;:\t\n"))
            found = text[start:end]
            if HOLE in found or not any(map(str.isalnum, found)):
                continue
            if one.check is not None and not one.check(text, start, end):
                continue
            if one.kind in _CODES and is_value(text, start, end, labelled=one.labelled):
                continue
            if one.labelled or not is_protected(text, start, end):
                if one.kind == "DATE" and (
                    day := BEFORE_DATE.search(text, max(0, start - 30), start)
                ):
                    start = day.start()
                if one.kind == "ADDRESS":
                    end = address_end(text, start, end)
                hit = Hit(one.kind, start, end, one.sure)
                if one.kind != "NAME":
                    yield hit
                elif not is_title(text, hit):
                    yield trimmed(text, hit)
    yield from find_names(text)
    yield from find_unexplained(text)
    for hit in find_in_tables(text):
        yield trimmed(text, hit) if hit.kind == "NAME" else hit
    yield from find_speakers(text)
    for hit in find_postal(text):
        yield hit._replace(end=address_end(text, hit.start, hit.end))


def _triggers() -> tuple[dict[str, list[int]], list[int]]:
    """Which patterns a word calls for, by number, and which need no word."""
    by_word: dict[str, list[int]] = {}
    always = []
    for number, one in enumerate(PATTERNS):
        wanted = () if one.digits else one.starts or one.near
        for word in wanted:
            by_word.setdefault(word, []).append(number)
        if not wanted or one.endings:
            always.append(number)
    return by_word, always


_BY_WORD, _ALWAYS = _triggers()


def _worth_trying(places: Places) -> Iterator[Pattern]:
    """Patterns for which a word of the text calls, and those that need none, in their order."""
    called = set(_ALWAYS)
    for word in _BY_WORD.keys() & places.words.keys():
        called.update(_BY_WORD[word])
    for number in sorted(called):
        yield PATTERNS[number]


def matches(one: Pattern, text: str, places: Places) -> Iterator[re.Match[str]]:
    """Matches of one pattern; tried only where the words and numbers are that it wants."""
    if places.most_digits < max(one.digits, one.has_digits):
        return
    if one.signs and not any(sign in text for sign in one.signs):
        return
    if one.digits:
        for place, n in places.numbers:
            if n >= one.digits and (match := one.regex.match(text, place)):
                yield match
    elif one.starts:
        at = [place for word in one.starts & places.words.keys() for place in places.words[word]]
        if at and (one.shape is None or one.shape.search(text)):
            for place in sorted(at):
                if match := one.regex.match(text, place):
                    yield match
    elif one.near or one.endings:
        yield from _near(one, text, places)
    elif one.shape is None or one.shape.search(text):
        yield from one.regex.finditer(text)


def _near(one: Pattern, text: str, places: Places) -> Iterator[re.Match[str]]:
    words = places.words
    at = [place for word in one.near & words.keys() for place in words[word]]
    if one.endings:
        at += [end for word, end in places.numbered if word.endswith(one.endings)]
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
