"""The parts of a question that are not findings: times, changes, sides, scanners, quoted words."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from voxcurate.config import read_yaml, shipped

_QUOTED = re.compile(r"[\"“]([^\"”]+)[\"”]")
_SCAN = r"(?:scans?|cts?|exam(?:ination)?s?|stud(?:y|ies)|reports?|imaging|images?)"
_FIRST = r"(?P<which>first|earliest|last|latest|most recent)"
_EACH = r"(?:per|(?:of|for|in|from) (?:each|every))\s+patient"
_PER_PATIENT = re.compile(
    rf"\b{_FIRST}\s+(?:\w+\s+)?{_SCAN}\s+(?:{_EACH}\b|(?:that|which)\s+(?:shows?|has|contains?)\b"
    rf"|showing\b|in which\b|to show\b)|\b(?:one|only the (?P<late>first|last))\s+{_EACH}\b",
    re.I,
)
_OF_EACH = re.compile(rf"\b{_EACH}\b", re.I)
_EVENT = r"(?:(?:the|a|an|any|their|first|earliest|initial)\s+)*"
_NOUN = (
    r"(?:(?:diagnos[ie]s|detection|report|appearance|finding|onset|discovery|mention)"
    r"\s+(?:of|with|that shows?)\s+)?"
)
_BETWEEN = re.compile(rf"\bbetween\s+{_EVENT}{_NOUN}(?P<from>[a-z].+?)\s+and\s+(?P<to>[a-z].+?)"
                      r"(?=[,;]|$|\bin (?:wo)?men\b|\bearliest\b|\blatest\b)", re.I)  # fmt: skip
_BEFORE = re.compile(
    rf"\b(?:(?P<pre>pre-?diagnostic)\s+(?:{_SCAN}\s+)?(?:of|for|in)|before|prior to|preceding"
    rf"|(?P<after>after|following|since))\s+{_EVENT}{_NOUN}(?P<what>[a-z].+?)"
    r"(?=[,;]|$|\bwithin \d|\bin (?:wo)?men\b|\bearliest first|\blatest first)",
    re.I,
)
_WITHIN = re.compile(
    r"\bwithin\s+(\d+)\s+(days?|weeks?|months?|years?)(?:\s+(?:before|after|of))?\b", re.I
)
_DAYS = {"day": 1.0, "week": 7.0, "month": 30.44, "year": 365.25}
_SLICES = re.compile(
    r"\b(?:slices?|slice thickness|sections?|section thickness)\s*(?:of\s+)?"
    r"(?P<sign>under|below|at most|up to|thinner than|less than|over|at least|thicker than|above"
    r"|<=?|>=?|≤|≥)?\s*(?P<mm>\d+(?:\.\d+)?)\s*mm\b"
    r"|\b(?P<sign2>under|below|at most|up to|over|at least|<=?|>=?|≤|≥)?"
    r"\s*(?P<mm2>\d+(?:\.\d+)?)[\s-]*mm\s+(?:thick\s+)?(?:slices?|sections?|slice thickness)\b"
    r"|\b(?P<thin>thin)[\s-]+(?:slices?|sections?)\b",
    re.I,
)
_MORE = frozenset({"over", "at least", "thicker than", "above", ">", ">=", "≥"})
_THIN_MM = 1.5
_YEAR = re.compile(
    r"\b(?P<how>since|from|after|before|until|in|of)\s+(?P<year>(?:19|20)\d\d)\b", re.I
)
_SPLIT = re.compile(
    r"\b(?:in|of|from)\s+the\s+(train(?:ing)?|validation|test)\s+(?:split|set)\b", re.I
)
_CHANGES = {
    "new": r"new|newly (?:found|appeared|developed|detected)|newly",
    "larger": r"growing|enlarging|increasing|grown|that (?:grew|grow|grows|increased|enlarged)",
    "smaller": r"shrinking|decreasing|shrunken|regressing|that (?:shrank|decreased)",
    "same": r"stable|unchanged",
}
_CHANGE = re.compile(
    "|".join(rf"\b(?P<{name}>{words})\b" for name, words in _CHANGES.items()), re.I
)
_SIDE = re.compile(
    r"\b(?:(?P<both>bilateral(?:ly)?|(?:on )?both sides)"
    r"|(?:on the )?(?:(?P<left>left)|(?P<right>right))(?:[\s-]sided?)?)\b",
    re.I,
)
_EXCEPT = re.compile(r"\b(?:excluding|except(?: for)?|but not|other than)\b", re.I)


@dataclass(frozen=True)
class Mark:
    """A stretch of the question with what it says: a role, and a value."""

    start: int
    end: int
    role: str
    value: Any = None


@dataclass
class Frames:
    """What was recognised: settings of the query, and marks that belong to findings.

    `text` is the question with all of it blanked but the findings, place by place.
    """

    text: str
    layer: dict[str, Any] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    used: list[tuple[int, int, str]] = field(default_factory=list)

    def take(self, start: int, end: int, use: str, *, blank: bool = True) -> None:
        """Note what a stretch was used for."""
        self.used.append((start, end, use))
        if blank:
            self.text = self.text[:start] + " " * (end - start) + self.text[end:]

    def roles(self, *names: str) -> Iterator[Mark]:
        """Marks of some roles."""
        return (mark for mark in self.marks if mark.role in names)


def frames(text: str, operations: Iterable[tuple[int, int]] = ()) -> Frames:
    """The frames of a question.

    Args:
        text: the question.
        operations: where operations are named: "after splenectomy" says what was done, not when.
    """
    found = Frames(text)
    for quoted in _QUOTED.finditer(text):
        found.layer["phrases"] = (*found.layer.get("phrases", ()), quoted.group(1).strip())
        found.take(*quoted.span(), "words that must stand in the report")
    _metadata(found)
    _per_patient(found)
    _events(found, tuple(operations))
    for left_out in _EXCEPT.finditer(found.text):
        end = _clause_end(found.text, left_out.end())
        found.marks.append(Mark(left_out.end(), end, "none"))
        found.take(*left_out.span(), "what follows is left out")
    for pattern, role in ((_CHANGE, "change"), (_SIDE, "side")):
        for match in pattern.finditer(found.text):
            found.marks.append(Mark(*match.span(), role, match.lastgroup))
    return found


def _metadata(found: Frames) -> None:
    for match in _SLICES.finditer(found.text):
        size = match.group("mm") or match.group("mm2")
        sign = (match.group("sign") or match.group("sign2") or "").lower()
        if match.group("thin"):
            found.layer["slice_mm_at_most"] = _THIN_MM
        elif sign in _MORE:
            found.layer["slice_mm_at_least"] = float(size)
        else:
            found.layer["slice_mm_at_most"] = float(size)
            if not sign:
                found.layer["slice_mm_at_least"] = float(size)
        found.take(*match.span(), "slice thickness")
    for match in _YEAR.finditer(found.text):
        how, year = match.group("how").lower(), int(match.group("year"))
        if how in ("before", "until"):
            found.layer["year_at_most"] = year - (how == "before")
        else:
            found.layer["year_at_least"] = year + (how == "after")
            if how in ("in", "of"):
                found.layer["year_at_most"] = year
        found.take(*match.span(), "year")
    for match in _SPLIT.finditer(found.text):
        found.layer["split"] = (
            "train" if match.group(1).lower().startswith("train") else match.group(1).lower(),
        )
        found.take(*match.span(), "split")
    for match in _scanners().finditer(found.text):
        found.layer["scanner"] = (*found.layer.get("scanner", ()), match.group("name").lower())
        found.take(*match.span(), "scanner")


def _per_patient(found: Frames) -> None:
    match = _PER_PATIENT.search(found.text)
    if match is None:
        return
    which = (match.group("which") or match.group("late") or "first").lower()
    late = which in ("last", "latest", "most recent")
    found.layer["per_patient"] = "last" if late else "first"
    found.take(*match.span(), f"the {found.layer['per_patient']} of each patient")
    for more in _OF_EACH.finditer(found.text):
        found.take(*more.span(), "of each patient")


def _events(found: Frames, operations: Sequence[tuple[int, int]]) -> None:
    between = _BETWEEN.search(found.text)
    if between:
        found.marks.append(Mark(*between.span("from"), "after"))
        found.marks.append(Mark(*between.span("to"), "before"))
        found.take(between.start(), between.start("from"), "between two events")
    for match in () if between else _BEFORE.finditer(found.text):
        role: Literal["after", "before"] = "after" if match.group("after") else "before"
        start, end = match.span("what")
        if role == "after" and any(start <= low < start + 3 for low, _ in operations):
            found.take(match.start(), start, "an operation that was done")
            continue
        found.marks.append(Mark(start, end, role))
        found.take(match.start(), start, f"{role} the first report of what follows")
    within = _WITHIN.search(found.text)
    if within:
        days = float(within.group(1)) * _DAYS[within.group(2).lower().rstrip("s")]
        found.marks.append(Mark(*within.span(), "within", round(days)))
        found.take(*within.span(), f"within {days:.0f} days")


def _clause_end(text: str, start: int) -> int:
    end = re.search(r"[,;.]", text[start:])
    return start + end.start() if end else len(text)


@cache
def _scanners() -> re.Pattern[str]:
    names = read_yaml(shipped("reading", "ask.yaml"))["scanners"]
    joined = "|".join(re.escape(str(name)) for name in names)
    return re.compile(
        rf"\b(?:(?:on|by|with|from)\s+(?:an?\s+)?)?(?P<name>{joined})(?:\s+(?:scanners?|ct))?\b",
        re.I,
    )
