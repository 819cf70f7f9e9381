"""Sizes in report text, normalised to millimetres; sizes of an earlier study are marked `prior`."""

import re
from dataclasses import dataclass

_MM = {
    "mm": 1.0,
    "millimeter": 1.0,
    "millimetre": 1.0,
    "cm": 10.0,
    "centimeter": 10.0,
    "centimetre": 10.0,
}
_NUMBER = r"(?:\d+(?:[.,]\d+)?|\.\d+)"
_UNIT = r"(?:mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)(?![a-z0-9²³^])"
_SIDE = r"(?:\s*\(?(?:ap|tr|trv|cc|si|sag|ax|craniocaudal|transverse|long|short|w|h|l)\b\)?)?"
_FIRST = r"[\d.](?<![\w.,/][\d.])(?:(?<=\d)\d*(?:[.,]\d+)?|(?<=\.)\d+)"  # `_NUMBER`, none before
_SIZE = re.compile(
    rf"({_FIRST}(?:\s*-?\s*{_UNIT})?{_SIDE}"
    rf"(?:\s*(?:x|×|\*|by|to|-|–|and)\s*{_NUMBER}(?:\s*-?\s*{_UNIT})?{_SIDE}){{0,2}})",
    re.I,
)
_PART = re.compile(rf"({_NUMBER})\s*-?\s*({_UNIT})?", re.I)
_RANGE = re.compile(rf"{_NUMBER}\s*(?:{_UNIT})?\s*(?:to|-|–)\s*{_NUMBER}", re.I)
_BOUND_BY_AND = re.compile(r"\band\b", re.I)
_PRIOR_BEFORE = re.compile(
    r"\b(?:previously(?!\s+(?:described|seen|noted|identified|reported|demonstrated|known|"
    r"mentioned|characteri[sz]ed|visuali[sz]ed|detected|observed|followed))|prior(?:ly)?|"
    r"formerly|compared (?:with|to)|versus|vs\.?|earlier|"
    r"(?<!aside )(?<!apart )from(?=\s+(?:\w+\s+){0,2}$)|"
    r"prev|(?:last|previous|preceding|former|old|pre-?) ?-?(?:study|exam\w*|ct|scan|control|"
    r"visit|time|investigation|imaging|report)|against|having been|had been|initially|"
    r"originally)\b[^.;,]{0,40}$",
    re.I,
)
_PAST_BEFORE = re.compile(
    r"\b(?:was|were)\b[^.;,]{0,20}$", re.I
)  # prior only where "now" stands too
_WAS_BEFORE = re.compile(
    r"(?:mm|cm)\s*(?:,?|\b[^.;,()]{0,60}[,(])\s*\(?\s*(?:(?:it|which|this|and|but)\s+)?"
    r"(?:was|were|before|ex|prev\.?|prior|(?:unchanged|stable) to)\s*$",
    re.I,
)  # "6 mm, was 9 mm", "6 mm nodule (was 9 mm)"
_SIDES = re.compile(
    rf"\b(?:rt|right|r|lt|left|l)\.?\s*:?\s*(?P<first>{_NUMBER})\s*,?\s*(?:and\s+)?"
    rf"(?:rt|right|r|lt|left|l)\.?\s*:?\s*{_NUMBER}\s*-?\s*(?P<unit>{_UNIT})",
    re.I,
)  # "right 2.2, left 1.5 cm"
_NOW = re.compile(
    r"\b(?:now|currently|today|present(?:ly)?|is|are|measures|measuring|up to|to)\b[^.;,]*$", re.I
)
_PRIOR_AFTER = re.compile(
    r"^\s*(?:in size\s*)?,?\s*\(?"
    r"(?:previously|(?:on|at|in) (?:the )?(?:\w+ )?(?:prior|previous|last|former|earlier)|before|"
    r"prior|earlier|(?:in|on|from) (?:\w+ )?(?:19|20)\d\d|last (?:time|year|month|week|visit)|"
    r"(?:\w+ ){1,2}(?:days?|weeks?|months?|years?) (?:ago|before|prior|earlier))\b"
    r"(?!\s*(?:\d|measur|was|up))",
    re.I,
)
_DISTANCE = re.compile(
    r"^\s*(?:or (?:more|less) )?(?:from|above|below|proximal|distal|superior|inferior|cranial|"
    r"caudal|beyond|away|anterior to|posterior to|deep to|"
    r"thick (?:axial|slices?|sections?|images?|cuts?)|axial|slices?|sections?|"
    r"collimation|intervals?|reconstructions?|cuts?|increments?)\b",
    re.I,
)


_BESIDE = re.compile(r"(?:mm|cm)\s*\(\s*$", re.I)  # "42 mm (41 mm)"
_BETWEEN = re.compile(r"\bbetween\s+$", re.I)
_FROM = re.compile(r"\bfrom\s+$", re.I)
_NOWADAYS = re.compile(r"\b(?:now|currently|today)\b", re.I)
_LONGEST_BEFORE = 7  # characters of `_BETWEEN` without white space
_LONGEST_PAST = 26  # characters of `_PAST_BEFORE`
_SIDE_NUMBER = re.compile(r"[lrt][.\s:]*\d", re.I)  # of `_SIDES`: quick to find
_SUBCENTIMETRE = re.compile(r"\bsub-?\s?centimet(?:er|re|ric)s?\b", re.I)
_BELOW_CM = 10.0


@dataclass(slots=True)
class Measurement:
    """A size in the text.

    `dims_mm` are its dimensions in mm, in the order written; of a range ("1 to 2 cm") both ends.
    `is_prior`: of an earlier study. `is_distance`: how far from something, or a slice thickness,
    not the size of a thing. `rule` names a size that was not measured: "subcentimetre" is 10 mm,
    its upper bound.
    """

    start: int
    end: int
    dims_mm: tuple[float, ...]
    is_range: bool = False
    is_prior: bool = False
    is_distance: bool = False
    rule: str = ""

    @property
    def largest_mm(self) -> float:
        """The largest dimension, or the upper end of a range."""
        return max(self.dims_mm)


def measurements(sentence: str) -> list[Measurement]:
    """Sizes in a sentence, left to right. A number without a unit of length is no size."""
    small = sentence.lower()
    if "mm" not in small and "cm" not in small and "imet" not in small:
        return []
    found: list[Measurement] = []
    if "centi" in small:
        found += [
            Measurement(match.start(), match.end(), (_BELOW_CM,), rule="below 10 mm, not measured")
            for match in _SUBCENTIMETRE.finditer(sentence)
        ]
    for match in _SIDES.finditer(sentence) if _SIDE_NUMBER.search(sentence) else ():
        dims = _dims_mm(f"{match['first']} {match['unit']}")
        found.append(_measurement(sentence, *match.span("first"), dims))
    for match in _SIZE.finditer(sentence):
        spans = _spans(match)
        for start, end in spans:
            dims = _dims_mm(sentence[start:end])
            if not dims and end != spans[-1][1]:  # "1.4 and 0.8 cm"
                dims = _dims_mm(sentence[start : match.end()])[:1]
            if dims:
                found.append(_measurement(sentence, start, end, dims))
    return sorted(found, key=lambda m: m.start)


def _spans(match: re.Match[str]) -> list[tuple[int, int]]:
    """ "2 cm and 3 cm" are two sizes; "2.1 x 1.8 cm" is one."""
    before = len(match.string[: match.start()].rstrip())
    if _BETWEEN.search(match.string, max(0, before - _LONGEST_BEFORE), match.start()):
        return [match.span()]
    text, spans, at = match.group(), [], 0
    for joint in _BOUND_BY_AND.finditer(text):
        spans.append((match.start() + at, match.start() + joint.start()))
        at = joint.end()
    return [*spans, (match.start() + at, match.end())]


def _dims_mm(text: str) -> tuple[float, ...]:
    """Each number takes the nearest unit after it, or the last one before; none at all: empty."""
    parts = [(m.group(1), m.group(2)) for m in _PART.finditer(text)]
    unit = next((u for _, u in reversed(parts) if u), None)
    dims: list[float] = []
    for number, own in reversed(parts):
        unit = own or unit
        if unit is None:
            return ()
        dims.append(float(number.replace(",", ".")) * _MM[unit.lower().rstrip("s")])
    return tuple(round(value, 3) for value in reversed(dims))


def _measurement(sentence: str, start: int, end: int, dims: tuple[float, ...]) -> Measurement:
    text = sentence[start:end]
    stripped = text.rstrip()
    end, start = start + len(stripped), start + len(text) - len(text.lstrip())
    before, after = sentence[:start], sentence[end:]
    is_range = bool(_RANGE.search(text) or _BOUND_BY_AND.search(text))
    is_change = is_range and bool(_FROM.search(before)) and " to " in text.lower()
    if is_change:  # "from 1.2 to 2.1 cm": the second is now
        dims, is_range = dims[-1:], False
    clause = max(before.rfind(","), before.rfind(";")) + 1
    cue = None if is_change else _PRIOR_BEFORE.search(before, clause)
    is_prior = bool(cue and not _NOW.search(before[cue.start() :])) or bool(
        _WAS_BEFORE.search(before)
    )
    is_beside = after.lstrip().startswith(")") and bool(_BESIDE.search(before))
    is_past = bool(
        _PAST_BEFORE.search(before, max(0, start - _LONGEST_PAST)) and _NOWADAYS.search(sentence)
    )
    return Measurement(
        start,
        end,
        dims,
        is_range,
        is_prior or is_past or is_beside or bool(_PRIOR_AFTER.match(after)),
        bool(_DISTANCE.match(after)),
    )
