"""Report text cut into sections and sentences, every piece with its place in the original text.

Nothing is rewritten: `Sentence.text` is a slice of the report, so that a finding can point at its
proof.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from voxcurate.config import read_yaml, shipped

_LIST_ITEM = re.compile(r"[ \t]*(?:\(?\d{1,2}[.)](?!\d)|[-*•·‣])[ \t]*")
_LABEL = re.compile(r"[ \t]*([A-Za-z][A-Za-z0-9 /,&'()-]{1,60}?)[ \t]*:(?!\d)")
_WRAP_TAIL = re.compile(
    r"(?:[,(/&–-]|\b(?:a|an|and|are|as|at|by|for|from|in|is|no|of|on|or|the|to|was|were|with|without))$",
    re.I,
)
_STOP = re.compile(r"[.!?]+[\"')\]]*")
_FOOTER = re.compile(r"\s*(?:page \d+(?: of \d+)?|\d+ ?/ ?\d+|-+ ?\d+ ?-+)\s*", re.I)
_NARROW = 50  # characters: lines that are all shorter than this were not wrapped
_WIDE = 160  # characters: a longer line was not wrapped either
_LONG_LINE = 0.7  # of the longest line: a line at least this long may go on in the next one
_LONGEST = 1000  # characters of a sentence: more is no sentence, and would take long to read
_SMALL_START = re.compile(r"[^\W\d_]{2}[.!?][ \t]*\n?[ \t]*[a-z]")
_BIG_START = re.compile(r"[^\W\d_]{2}[.!?][ \t]*\n?[ \t]*[A-Z]")
_SMALL_LINE = re.compile(r"^[ \t]*[a-z]", re.M)
_BIG_LINE = re.compile(r"^[ \t]*[A-Z]", re.M)
_OWN_WORD = 5  # letters before a full stop: no abbreviation, unless it is a known one
_GOES_ON = re.compile(r"(?:in|by|x|and|at|of|long|thick|wide|deep|from)\b")


@dataclass(frozen=True)
class Section:
    """A stretch of the report under one heading; `name` is "" for text before any heading.

    `start` and `end` bound the body (without the heading), in characters of the report.
    """

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Sentence:
    """A sentence: ``report[start:end] == text``.

    `topic` is the label its line or paragraph began with ("Liver" in "Liver: normal. No mass."),
    else "".
    """

    text: str
    start: int
    end: int
    section: str
    topic: str = ""


@dataclass(frozen=True)
class _Layout:
    """How a report was written.

    `widest` is its longest line; `is_dictated`: its sentences begin in small letters; `is_wrapped`:
    about half of the lines are about as long as the longest.
    """

    widest: int
    is_dictated: bool
    is_wrapped: bool

    @classmethod
    def of(cls, report: str) -> "_Layout":
        lengths = [len(line.strip()) for line in report.splitlines() if line.strip()]
        widest = max(lengths, default=0)
        n_long = sum(length >= _LONG_LINE * widest for length in lengths)
        is_wrapped = _NARROW <= widest <= _WIDE and n_long > 1 and 2 * n_long >= len(lengths)
        small, big = len(_SMALL_START.findall(report)), len(_BIG_START.findall(report))
        if small + big < 3:  # too few full stops to tell: lines instead
            small += len(_SMALL_LINE.findall(report))
            big += len(_BIG_LINE.findall(report))
        return cls(widest, small > 1 and 2 * small >= big, is_wrapped)


@cache
def _headings() -> tuple[re.Pattern[str], dict[str, str]]:
    names = {
        str(heading): str(section)
        for section, headings in read_yaml(shipped("reading", "text.yaml"))["sections"].items()
        for heading in headings
    }
    longest_first = sorted(names, key=len, reverse=True)
    any_heading = "|".join(re.escape(item).replace(r"\ ", r"[ \t]+") for item in longest_first)
    shout = "|".join(
        re.escape(item.upper()).replace(r"\ ", r"[ \t]+")
        for item in longest_first
        if names[item] in _SHOUTED and item not in _NOT_SHOUTED
    )
    begin = r"(?:^[ \t#*_\d.)]*|(?<=[.!?;])[ \t]+)"
    end = r"(?:[*_]*[ \t]*:[*_]*|[ \t]*[*_]*[ \t]*\r?$|[ \t]+[-–—][ \t])"
    pattern = rf"{begin}(?i:({any_heading}))(?i:{end})|^[ \t]*({shout})[ \t]+(?=[A-Z0-9])"
    return re.compile(pattern, re.M), names


PREAMBLE = frozenset({"exam", "indication", "history", "comparison", "technique"})
_NEWLINE = re.compile(r"\n")
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n")
_BACKGROUND = re.compile(
    r"[ \t]*(?:\?|[hcs]/[opc]\b|r/o\b|f/u\b|hx\b|pmh\b|\d+ ?-? ?(?:y|yr|yo|year)|"
    r"(?:the )?(?:patient|pt|images?|scan|study|exam(?:ination)?|sections|axial|coronal|helical|"
    r"intravenous|iv|oral|contrast|dose|ctdi|dlp|ct|known|history|previous|prior|post|status post|"
    r"referred|request|evaluate|assess|exclude|rule out|question|concern|compar(?:ed|ison)|he|she|"
    r"his|her|mr|mrs|ms|dr|diagnosed|underwent|treated|multiplanar|reformat\w*|reconstruct\w*)\b)",
    re.I,
)
_STATEMENT = re.compile(
    r"(?<=[.?!;])\s+(?!(?:[Nn]o|[Tt]here (?:is|are) no|[Tt]he) (?:prior|previous|comparison|iv|IV|"
    r"intravenous|oral|contrast|known|history|relevant|patient|study|scan|exam\w*|images?|request)\b)"
    r"(?=(?:There|No|Both|Bilateral|Normal|Mild|Moderate|Small|Severe|Multiple|Unremarkable)\b|"
    r"(?!He |She |Patient|Pt|This |Study|Scan|Exam|CT |Images?|Contrast|Intravenous|Oral)"
    r"[A-Za-z]+(?: [a-z]+){0,4} (?:is|are|appears?|shows?|demonstrates?|contains?|measures?|"
    r"normal|unremarkable|clear|intact)\b)"
)
_SHOUTED = frozenset({"findings", "impression", "technique", "comparison", "indication"})
_NOT_SHOUTED = frozenset(
    {"abdomen", "pelvis", "chest", "thorax", "neck", "head", "report", "description", "results"}
    | {"contrast", "dose", "protocol", "reason", "request", "summary", "assessment", "diagnosis"}
    | {"result", "comment", "comments", "finding", "interpretation", "opinion", "observations"}
)


@cache
def _abbreviations(kind: str) -> frozenset[str]:
    return frozenset(read_yaml(shipped("reading", "text.yaml"))[kind])


def sections(report: str) -> list[Section]:
    """The report's sections in order; they do not overlap, and headings belong to none.

    A heading counts with a colon or dash, alone on its line, or in capitals at the start of
    one. A report without headings is one section "". What comes before the findings (indication,
    technique, ...) ends with its first paragraph where no heading of findings follows it: the rest
    are the findings.
    """
    pattern, names = _headings()
    marks = list(pattern.finditer(report))
    starts = [(0, 0, "")] + [
        (m.start(), m.end(), names[" ".join((m.group(1) or m.group(2)).lower().split())])
        for m in marks
    ]
    ends = [mark.start() for mark in marks] + [len(report)]
    found = [
        Section(name, begin, end)
        for (_, begin, name), end in zip(starts, ends, strict=True)
        if report[begin:end].strip()
    ]
    return [part for n, item in enumerate(found) for part in _parted(report, item, found[n + 1 :])]


def _parted(report: str, section: Section, later: list[Section]) -> list[Section]:
    """A preamble without a heading of findings after it, parted from the findings it runs into.

    The heading of a part of the body ("PELVIS:") is one of many: findings may come before it.
    """
    after = next((s for s in later if s.name != "comparison"), None)
    if section.name not in PREAMBLE or (after and after.name in PREAMBLE):
        return [section]
    begin, end = section.start, section.end
    begin += len(report[begin:end]) - len(report[begin:end].lstrip())
    if after and after.name == "findings":
        heading = report[end : after.start].strip(" \t\r\n:*_#-–—").lower()
        stop = _first_finding(report, begin, end) if heading in _abbreviations("regions") else end
    else:
        stop = _first_finding(report, begin, end)
    if not report[stop:end].strip():
        return [section]
    return [Section(section.name, section.start, stop), Section("findings", stop, end)]


def _first_finding(report: str, begin: int, end: int) -> int:
    """Where the findings begin behind a preamble: at a paragraph, label or statement.

    Else at the second line, or later where the lines go on with the patient or the examination.
    """
    blank = _PARAGRAPH.search(report, begin, end)
    stop = blank.start() if blank else end
    stop = begin + len(report[begin:stop].rstrip())
    for at in [m.end() for m in _NEWLINE.finditer(report, begin, stop)]:
        label = _LABEL.match(report, at, stop)
        if (label and _is_label(label.group(1))) or not _BACKGROUND.match(report, at, stop):
            return at
    stated = _STATEMENT.search(report, begin, stop)
    return stated.start() if stated else stop


def sentences(report: str) -> list[Sentence]:
    """All sentences in order. Decimals, list numbers, abbreviations, wrapped lines end none."""
    layout = _Layout.of(report)
    found: list[Sentence] = []
    for section in sections(report):
        topic = ""
        for start, end, is_new_line in _pieces(report, section.start, section.end, layout):
            body = _LIST_ITEM.match(report, start, end) if is_new_line else None
            begin = body.end() if body else start
            label = _LABEL.match(report, begin, end)
            if label and _is_label(label.group(1)):
                topic = label.group(1).strip()
            elif is_new_line:
                topic = ""
            while begin < end and report[begin].isspace():
                begin += 1
            if begin < end and any(c.isalnum() for c in report[begin:end]):
                found.append(Sentence(report[begin:end], begin, end, section.name, topic))
    return found


def _is_label(text: str) -> bool:
    return len(text.split()) <= 6 and not re.search(
        r"\b(?:is|are|was|were|shows?|there)\b", text, re.I
    )


def _pieces(report: str, start: int, end: int, layout: _Layout) -> Iterator[tuple[int, int, bool]]:
    for begin, finish in _blocks(report, start, end, layout):
        at, is_first = begin, True
        for stop in _STOP.finditer(report, begin, finish):
            if _ends_sentence(report, begin, finish, stop, layout):
                yield from _short(report, at, stop.end(), is_first)
                at, is_first = stop.end(), False
        if at < finish:
            trimmed = at + len(report[at:finish].rstrip())
            yield from _short(report, at, trimmed, is_first)


def _short(report: str, start: int, end: int, is_first: bool) -> Iterator[tuple[int, int, bool]]:
    """What has no end for very long, cut where a clause or at least a word ends."""
    while end - start > _LONGEST:
        most = start + _LONGEST
        cut = max(report.rfind(sign, start + _LONGEST // 2, most) + 1 for sign in ";,\n")
        cut = cut or report.rfind(" ", start + 1, most) + 1 or most
        yield start, cut, is_first
        start, is_first = cut, False
    yield start, end, is_first


def _blocks(report: str, start: int, end: int, layout: _Layout) -> Iterator[tuple[int, int]]:
    """Runs of lines that belong together; list items and labels begin a new one."""
    begin, at = start, start
    while at < end:
        newline = report.find("\n", at, end)
        if newline < 0:
            break
        next_end = report.find("\n", newline + 1, end)
        following = report[newline + 1 : end if next_end < 0 else next_end]
        if _breaks_line(report[at:newline], following, layout):
            yield begin, newline
            begin = newline + 1
        at = newline + 1
    yield begin, end


def _breaks_line(line: str, following: str, layout: _Layout) -> bool:
    line, following = line.strip(), following.rstrip()
    if _FOOTER.fullmatch(line) or _FOOTER.fullmatch(following):
        return True
    if not line or not following.strip() or _LIST_ITEM.match(following):
        return True
    if line[-1] == ":":
        return False
    first = following.lstrip()[0]
    label = _LABEL.match(following)
    if label and _is_label(label.group(1)) and (first.isupper() or layout.is_dictated):
        return True
    if _WRAP_TAIL.search(line):
        return False
    if layout.widest < _NARROW:
        return True
    if layout.is_dictated and not (layout.is_wrapped and len(line) >= _LONG_LINE * layout.widest):
        return True
    if not (first.isupper() or first.isdigit()):
        return False
    return line[-1] in ".!?;" or len(line) < _LONG_LINE * layout.widest


def _ends_sentence(
    report: str, begin: int, finish: int, stop: re.Match[str], layout: _Layout
) -> bool:
    after = report[stop.end() : finish]
    if after and not after[0].isspace():  # 2.1 cm, 7:34 p.m.., "lesion.The liver"
        is_glued = (
            after[0].isupper() and report[max(begin, stop.start() - 2) : stop.start()].islower()
        )
        return is_glued and len(after) > 1 and after[1].islower()
    if stop.group()[0] != ".":
        return True
    word = re.search(r"[A-Za-z][A-Za-z.]*$|\d+$", report[begin : stop.start()])
    rest = after.lstrip()
    if word is None or not rest:
        return True
    token = word.group().lower()
    if token.isdigit():  # "1. Cyst" at the start of a block or after a full stop is a list number
        before = report[begin : begin + word.start()].rstrip()
        is_start = layout.is_dictated or not rest[0].islower()
        return bool(before) and before[-1] not in ".;:" and is_start
    if token in _abbreviations("titles"):
        return False
    if rest[0].islower():
        return _ends_before_small(token, rest, layout)
    return not (rest[0].isdigit() and token in _abbreviations("abbreviations"))


def _ends_before_small(token: str, rest: str, layout: _Layout) -> bool:
    """Whether a full stop before a small letter ends a sentence, as it does in quick dictation."""
    if "." in token or token in _abbreviations("abbreviations") | _abbreviations("shortened"):
        return False
    if token in ("cm", "mm") and _GOES_ON.match(rest):
        return False
    return layout.is_dictated or len(token) >= _OWN_WORD
