"""Report text cut into sections and sentences, every piece with its place in the original text.

Nothing is rewritten: `Sentence.text` is a slice of the report, so that a finding can point at its
proof.
"""

import re
from dataclasses import dataclass
from functools import cache

from retrieval.rules.breaks import LIST_ITEM, Layout, label_at, names_organ, pieces, word_list
from retrieval.rules.preamble import PREAMBLE, first_finding
from voxcurate.config import read_yaml, shipped


@dataclass(slots=True)
class Section:
    """A stretch of the report under one heading; `name` is "" for text before any heading.

    `start` and `end` bound the body (without the heading), in characters of the report.
    """

    name: str
    start: int
    end: int


@dataclass(slots=True)
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


_BEGIN = r"[ \t#*_\d.)]*"  # of a line, before its heading
_MAY_BEGIN = re.compile(rf"(?:\n{_BEGIN}|[.!?;][ \t]+)([^\W\d_]+)")
_FIRST_LINE = re.compile(rf"{_BEGIN}([^\W\d_]+)")
_LETTERS = re.compile(r"[a-z]+")
_ALNUM = re.compile(r"[^\W_]")


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
    begin = rf"(?:^{_BEGIN}|(?<=[.!?;])[ \t]+)"
    end = r"(?:[*_]*[ \t]*:[*_]*|[ \t]*[*_]*[ \t]*\r?$|[ \t]+[-–—][ \t])"
    pattern = rf"{begin}(?i:({any_heading}))(?i:{end})|^[ \t]*({shout})[ \t]+(?=[A-Z0-9])"
    return re.compile(pattern, re.M), names


_SHOUTED = frozenset({"findings", "impression", "technique", "comparison", "indication"})
_NOT_SHOUTED = frozenset(
    {"abdomen", "pelvis", "chest", "thorax", "neck", "head", "report", "description", "results"}
    | {"contrast", "dose", "protocol", "reason", "request", "summary", "assessment", "diagnosis"}
    | {"result", "comment", "comments", "finding", "interpretation", "opinion", "observations"}
)


def sections(report: str) -> list[Section]:
    """The report's sections in order; they do not overlap, and headings belong to none.

    A heading counts with a colon or dash, alone on its line, or in capitals at the start of
    one. A report without headings is one section "". What comes before the findings (indication,
    technique, ...) ends with its first paragraph where no heading of findings follows it: the rest
    are the findings.
    """
    marks, names = _marks(report), _headings()[1]
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


@cache
def _first_words() -> frozenset[str]:
    return frozenset(word.group() for name in _headings()[1] if (word := _LETTERS.match(name)))


def _marks(report: str) -> list[re.Match[str]]:
    """The headings, left to right: tried only where a line or sentence begins with a first word."""
    pattern, firsts = _headings()[0], _first_words()
    found: list[re.Match[str]] = []
    begin = _FIRST_LINE.match(report)
    for maybe in (*([begin] if begin else ()), *_MAY_BEGIN.finditer(report)):
        word = maybe.group(1)
        if word.lower() not in firsts and word.isascii():
            continue
        at = maybe.start() + (maybe is not begin)
        mark = pattern.match(report, at) if not found or at >= found[-1].end() else None
        if mark:
            found.append(mark)
    return found


def _parted(report: str, section: Section, later: list[Section]) -> list[Section]:
    """A preamble without a heading of findings after it, parted from the findings it runs into.

    The heading of a part of the body ("PELVIS:") is one of many: findings may come before it.
    """
    after = next((s for s in later if s.name != "comparison"), None)
    if section.name not in PREAMBLE or (after and after.name in PREAMBLE):
        return [section]
    end = section.end
    if after and after.name == "findings":
        heading = report[end : after.start].strip(" \t\r\n:*_#-–—").lower()
        if heading not in word_list("regions"):
            return [section]
    stop = first_finding(report, section.start, end)
    if not report[stop:end].strip():
        return [section]
    return [Section(section.name, section.start, stop), Section("findings", stop, end)]


def sentences(report: str) -> list[Sentence]:
    """All sentences in order. Decimals, list numbers, abbreviations, wrapped lines end none."""
    layout = Layout.of(report)
    found: list[Sentence] = []
    for section in sections(report):
        topic = ""
        for start, end, is_new_line in pieces(report, section.start, section.end, layout):
            body = LIST_ITEM.match(report, start, end) if is_new_line else None
            begin = body.end() if body else start
            label = label_at(report, begin, end)
            if label and (is_new_line or names_organ(label)):  # "Kidneys: ... Cysts: left."
                topic = label
            elif is_new_line:
                topic = ""
            while begin < end and report[begin].isspace():
                begin += 1
            if begin < end and _ALNUM.search(report, begin, end):
                found.append(Sentence(report[begin:end], begin, end, section.name, topic))
    return found
