"""Where lines and sentences of a report end, by the manner in which it was written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from string import ascii_letters

from voxcurate.config import read_yaml, shipped

LIST_ITEM = re.compile(r"[ \t]*(?:\(?\d{1,2}[.)](?!\d)|[-*•·‣])[ \t]*")
_LABEL = re.compile(
    r"[ \t#*_]*([A-Za-z][A-Za-z0-9 /,&'()-]{1,60}?)"
    r"(?:[ \t*_]*([:|])(?!\d)|[ \t]+([-–—])[-–—]*[ \t])"
)  # "Liver: normal", "**Liver:** normal", "Liver | normal", "Liver - normal"
_MARK = re.compile(r"[:|–—-]")  # that a label ends with: quick to find
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
_START = re.compile(r"[.!?](?<=[^\W\d_]{2}[.!?])[ \t]*\n?[ \t]*([A-Za-z])")
_SMALL_LINE = re.compile(r"^[ \t]*[a-z]", re.M)
_BIG_LINE = re.compile(r"^[ \t]*[A-Z]", re.M)
_LAST_NUMBER = re.compile(r"\d+$")
_LONGEST_WORD = 30  # characters
_WORD_SIGNS = ascii_letters + "."
_LONGEST_TAIL = 8  # characters of `_WRAP_TAIL` and one before
_VERB = re.compile(r"\b(?:is|are|was|were|shows?|there)\b", re.I)
_SIDE_LABEL = re.compile(r"(?:the )?(?:left|right|lt|rt|both|bilateral)(?: side)?", re.I)
_OWN_WORD = 5  # letters before a full stop: no abbreviation, unless it is a known one
_GOES_ON = re.compile(r"(?:in|by|x|and|at|of|long|thick|wide|deep|from)\b")


@dataclass(frozen=True)
class Layout:
    """How a report was written.

    `widest` is its longest line's length, `n_lines` counts the lines. `is_dictated`: its sentences
    begin in small letters; `is_wrapped`: half of its lines are about as long as the longest.
    """

    widest: int
    n_lines: int
    is_dictated: bool
    is_wrapped: bool

    @classmethod
    def of(cls, report: str) -> "Layout":
        """The layout of a whole report."""
        lengths = [len(line) for raw in report.splitlines() if (line := raw.strip())]
        widest = max(lengths, default=0)
        n_long = sum(length >= _LONG_LINE * widest for length in lengths)
        is_wrapped = _NARROW <= widest <= _WIDE and n_long > 1 and 2 * n_long >= len(lengths)
        small, big = _starts(report)
        if small + big < 3:  # too few full stops to tell: lines instead
            small += len(_SMALL_LINE.findall(report))
            big += len(_BIG_LINE.findall(report))
        return cls(widest, len(lengths), small > 1 and 2 * small >= big, is_wrapped)


def _starts(report: str) -> tuple[int, int]:
    """How many sentences begin in a small letter, and how many in a big one.

    Of those that begin alike, the letter that one begins with is not the end of the one before.
    """
    ends, counts = [0, 0], [0, 0]
    for match in _START.finditer(report):
        is_big = match.group(1).isupper()
        if match.start() - 2 >= ends[is_big]:
            ends[is_big] = match.end()
            counts[is_big] += 1
    return counts[0], counts[1]


@cache
def word_list(kind: str) -> frozenset[str]:
    """A list of words of ``text.yaml``."""
    return frozenset(read_yaml(shipped("reading", "text.yaml"))[kind])


def label_at(report: str, start: int, end: int) -> str:
    """The words before a colon or bar that name what follows: few of them and no verb; else "".

    Before a dash they must be the names of organs. A side alone ("Left:") names nothing.
    """
    match = _LABEL.match(report, start, end) if _MARK.search(report, start, end) else None
    if match is None:
        return ""
    label = match.group(1).strip()
    if len(label.split()) > 6 or _VERB.search(label) or _SIDE_LABEL.fullmatch(label):
        return ""
    return label if match.group(2) or _is_organs(label) else ""


def names_organ(label: str) -> bool:
    """Whether a label names an organ ("Cysts" does not)."""
    return any(word in _organ_words() for word in _words_of(label))


def _is_organs(label: str) -> bool:
    """Whether words are only names of organs ("Liver and spleen", "Adrenal glands")."""
    words = _words_of(label)
    return bool(words) and all(
        w in _organ_words() or w in word_list("beside_organs") for w in words
    )


def _words_of(label: str) -> list[str]:
    return [w if w.endswith("is") else w.rstrip("s") for w in re.findall(r"[a-z]+", label.lower())]


@cache
def _organ_words() -> frozenset[str]:
    organs = read_yaml(shipped("reading", "terms.yaml"))["organs"]
    names = " ".join(name for names in organs.values() for name in names)
    return frozenset(_words_of(names)) - word_list("beside_organs")


def pieces(report: str, start: int, end: int, layout: Layout) -> Iterator[tuple[int, int, bool]]:
    """Sentences as their bounds in the report, and whether they begin a line of their own."""
    for begin, finish in blocks(report, start, end, layout):
        at, is_first = begin, True
        for stop in _STOP.finditer(report, begin, finish):
            if _ends_sentence(report, begin, finish, stop, layout):
                if stop.end() - at > _LONGEST:
                    yield from _short(report, at, stop.end(), is_first)
                else:
                    yield at, stop.end(), is_first
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


def blocks(report: str, start: int, end: int, layout: Layout) -> Iterator[tuple[int, int]]:
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


def _breaks_line(line: str, following: str, layout: Layout) -> bool:
    line, following = line.strip(), following.rstrip()
    if _FOOTER.fullmatch(line) or _FOOTER.fullmatch(following):
        return True
    if not line or not following.strip() or LIST_ITEM.match(following):
        return True
    if line.rstrip("*_")[-1:] == ":":
        return False
    first = following.lstrip()[0]
    if label_at(following, 0, len(following)) and (first.isupper() or layout.is_dictated):
        return True
    if _WRAP_TAIL.search(line, max(0, len(line) - _LONGEST_TAIL)):
        return False
    is_small = not (first.isupper() or first.isdigit())
    if layout.widest < _NARROW and (layout.n_lines > 2 or not is_small):
        return True
    if layout.is_dictated and not (layout.is_wrapped and len(line) >= _LONG_LINE * layout.widest):
        return True
    if is_small:
        return False
    return line[-1] in ".!?;" or layout.widest > _WIDE or len(line) < _LONG_LINE * layout.widest


def _ends_sentence(
    report: str, begin: int, finish: int, stop: re.Match[str], layout: Layout
) -> bool:
    after = report[stop.end() : finish]
    if after and not after[0].isspace():  # 2.1 cm, 7:34 p.m.., "lesion.The liver"
        is_glued = (
            after[0].isupper() and report[max(begin, stop.start() - 2) : stop.start()].islower()
        )
        return is_glued and len(after) > 1 and after[1].islower()
    rest = after.lstrip()
    if not rest or stop.group()[0] != ".":
        return True
    last = stop.start()
    if last > begin and report[last - 1] == "\n":  # "1\n. Cyst": a line wrapped there
        last -= 1
    token = _last_word(report[max(begin, stop.start() - _LONGEST_WORD) : last])
    if not token:
        return True
    token = token.lower()
    if token.isdigit():  # "1. Cyst" at the start of a block or after a full stop is a list number
        before = report[begin : last - len(token)].rstrip()
        is_start = layout.is_dictated or not rest[0].islower()
        return bool(before) and before[-1] not in ".;:" and is_start
    if token in word_list("titles"):
        return False
    if rest[0].islower():
        return _ends_before_small(token, rest, layout)
    return not (rest[0].isdigit() and token in word_list("abbreviations"))


def _last_word(text: str) -> str:
    """The letters (with full stops) or digits that a text ends with, if any."""
    word = text[len(text.rstrip(_WORD_SIGNS)) :].lstrip(".")
    if word or not text[-1:].isdigit():
        return word
    number = _LAST_NUMBER.search(text)
    return number.group() if number else ""


def _ends_before_small(token: str, rest: str, layout: Layout) -> bool:
    """Whether a full stop before a small letter ends a sentence, as it does in quick dictation."""
    if "." in token or token in word_list("abbreviations") | word_list("shortened"):
        return False
    if token in ("cm", "mm") and _GOES_ON.match(rest):
        return False
    return layout.is_dictated or len(token) >= _OWN_WORD
