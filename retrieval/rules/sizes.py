"""Which finding of a sentence a size belongs to."""

import re
from collections.abc import Sequence

from retrieval.rules.measure import Measurement
from retrieval.rules.scan import Hit, Scan

_BEFORE_PENALTY = 8  # characters: "2 cm cyst" beats "mass, 2 cm cyst"
_OWN_SIZE = re.compile(
    r"(?:\s*,?\s*(?:is|are|measures?|measuring|measured|spans?|at|of)?|"
    r"\s+(?:(?!and\b|with\b|the\b)[\w/-]+\s+){1,4}?(?:is|are|measures?|measuring|measured))\s*"
    r"(?:up to|about|approximately|roughly|ca\.?)?\s*",
    re.I,
)
_DIRECTLY = re.compile(r"\s*(?:[\w/-]+\s+){0,4}", re.I)  # "18 mm left adrenal nodule"
_CUT = re.compile(  # an organ behind it begins something of its own
    r"[;:]|\d\s*(?:mm|cm)\b|(?:,|\band|\bwith)\s+(?:and\s+)?(?:(?:the|a)\s+)?(?:\w+\s+)?$", re.I
)
_LARGEST = re.compile(r"\b(?:largest|larger|biggest|greatest) (?:one |of )?", re.I)
_LEADS_AWAY = re.compile(r"[,;]|\b(?:in|and|with|at|on|of|from|which|is|are|within)\b", re.I)
_ELSEWHERE, _SIZED = 60, 20  # characters


def owner(
    size: Measurement, things: Sequence[Hit], scan: Scan, sized: frozenset[int]
) -> tuple[int, int] | None:
    """The characters of the phrase a size belongs to; None where the sentence names nothing.

    The nearest phrase, what follows first ("2 cm cyst"). A size right behind an organ is the
    organ's own ("the liver measures 18 cm"), unless a finding was named before it ("mass in the
    liver measuring 2 cm").

    Args:
        sized: questions whose things have sizes that are asked for; they come before others
            ("mass abutting the vein, 3 cm").
    """
    text = scan.sentence.text
    is_followed = any(_follows(thing, size, text) for thing in things)
    for group in scan.groups if not is_followed else ():
        is_thing = any(t.start < size.start and group.start < t.end for t in things)
        is_first = not any(
            t.end <= group.start and not _CUT.search(text, t.end, group.start) for t in things
        )
        gap = text[group.end : size.start]
        if group.end <= size.start and is_first and not is_thing and _OWN_SIZE.fullmatch(gap):
            return group.start, group.end
    if not things:
        return None

    first = min((t for t in things if t.question in sized), key=lambda t: t.start, default=None)
    if first and first.end <= size.start and _LARGEST.search(text, first.end, size.start):
        return first.start, first.end

    def distance(thing: Hit) -> int:
        if _follows(thing, size, text):
            return -2
        if thing.start >= size.end:
            between = text[size.end : thing.start]
            return thing.start - size.end + (_ELSEWHERE if _LEADS_AWAY.search(between) else 0)
        if thing.end > size.start:
            return 0
        if _OWN_SIZE.fullmatch(text[thing.end : size.start]):
            return -1
        apart = _ELSEWHERE if ";" in text[thing.end : size.start] else 0
        return size.start - thing.end + _BEFORE_PENALTY - _SIZED * (thing.question in sized) + apart

    best = min(things, key=distance)
    return best.start, best.end


def _follows(thing: Hit, size: Measurement, text: str) -> bool:
    """Whether a thing stands right behind its size ("2 cm simple cyst")."""
    between = text[size.end : thing.start]
    return (
        thing.start >= size.end
        and bool(_DIRECTLY.fullmatch(between))
        and not _LEADS_AWAY.search(between)
    )
