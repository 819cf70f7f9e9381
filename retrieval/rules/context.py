"""Clinical context of a phrase in a sentence: negated, uncertain, only history, only a question.

After ConText (Harkema et al. 2009): cues with a direction act up to the next terminator.
Departures: neutral phrases ("no change in") are cues like any other and win by length over the "no"
they contain; parentheses close a scope; a comma ends the backward reach of a cue unless what lies
between reads like a list. Cues are data: ``configs/reading/cues.yaml``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from voxcurate.config import read_yaml, shipped

_TOKEN = re.compile(r"[a-z0-9][a-z0-9/'-]*|[,;:.]")
_WIDEST_GAP_WORDS = 3


@dataclass(frozen=True)
class Context:
    """What the words around a phrase do to it; all false means that it is plainly affirmed."""

    negated: bool = False
    uncertain: bool = False
    likely: bool = False
    historical: bool = False
    family: bool = False
    hypothetical: bool = False
    unsaid: bool = False
    unchanged: bool = False
    cues: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Phrase:
    pattern: re.Pattern[str]
    roles: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class _Cue:
    start: int
    end: int
    text: str
    roles: frozenset[tuple[str, str]]


def context_of(sentence: str, start: int, end: int) -> Context:
    """Context of ``sentence[start:end]``. Words inside the phrase itself are never its cues."""
    text = sentence.lower()
    cues = _scan(text)
    if any(cue.start < end and start < cue.end for cue in cues):
        text = text[:start] + "\0" * (end - start) + text[end:]
        cues = _scan(text)
    acting: dict[str, list[str]] = {}
    for cue in cues:
        for role, direction in cue.roles:
            if role not in ("both", "forward") and _reaches(text, cue, direction, cues, start, end):
                acting.setdefault(role, []).append(cue.text)
    flags = {name: name in acting for name in _ROLES}
    names = tuple(text for role in acting for text in acting[role])
    return Context(**flags, unchanged="neutral" in acting, cues=names)


_ROLES = ("negated", "uncertain", "likely", "historical", "family", "hypothetical", "unsaid")


def _reaches(
    text: str, cue: _Cue, direction: str, cues: tuple[_Cue, ...], start: int, end: int
) -> bool:
    if direction == "before":
        if cue.end > start:
            return False
        between = text[cue.end : start]
        closes_bracket = between.count(")") > between.count("(")
        is_new_clause = any(cue.end <= m.start() < start for m in _clause().finditer(text))
        return not closes_bracket and not is_new_clause and not _stopped(cues, cue.end, start, True)
    if cue.start < end:
        return False
    _, comma, tail = text[end : cue.start].rpartition(",")
    is_list = bool(re.search(r"\b(?:or|nor|and)\b", tail)) or not tail.strip()
    return (not comma or is_list) and not _stopped(cues, end, cue.start, False)


def _stopped(cues: tuple[_Cue, ...], low: int, high: int, forward: bool) -> bool:
    kinds = {("both", "stop"), ("forward", "stop")} if forward else {("both", "stop")}
    return any(low <= cue.start and cue.end <= high and cue.roles & kinds for cue in cues)


@lru_cache(maxsize=4096)
def _scan(text: str) -> tuple[_Cue, ...]:
    """Cues of a lower-case sentence; the longer hides the shorter, stops stand beside."""
    matches = sorted(_matches(text), key=lambda cue: (cue.start - cue.end, cue.start))
    kept: list[_Cue] = []
    for cue in matches:
        is_stop = all(direction == "stop" for _, direction in cue.roles)
        if is_stop or not any(
            cue.start < other.end
            and other.start < cue.end
            and any(direction != "stop" for _, direction in other.roles)
            for other in kept
        ):
            kept.append(cue)
    return tuple(sorted(kept, key=lambda cue: (cue.start, cue.end)))


def _matches(text: str) -> Iterator[_Cue]:
    phrases = _phrases()
    for token in _TOKEN.finditer(text):
        for phrase in phrases.get(token.group(), ()):
            match = phrase.pattern.match(text, token.start())
            if match:
                yield _Cue(match.start(), match.end(), match.group(), phrase.roles)


@cache
def _phrases() -> dict[str, tuple[_Phrase, ...]]:
    data = read_yaml(shipped("reading", "cues.yaml"))
    roles: dict[str, set[tuple[str, str]]] = {}
    for role in ("neutral", *_ROLES):
        for direction, cues in data[role].items():
            for cue in cues:
                roles.setdefault(cue, set()).add((role, direction))
    for reach, cues in data["stop"].items():
        for cue in cues:
            roles.setdefault(cue, set()).add((reach, "stop"))
    by_token: dict[str, list[_Phrase]] = {}
    for cue, found in roles.items():
        first = _TOKEN.match(cue.lower())
        assert first is not None, cue
        by_token.setdefault(first.group(), []).append(_Phrase(_pattern(cue), frozenset(found)))
    return {token: tuple(items) for token, items in by_token.items()}


def _pattern(cue: str) -> re.Pattern[str]:
    gap = rf"(?:\s+[\w-]+){{0,{_WIDEST_GAP_WORDS}}}?"
    cue, is_last = cue.removesuffix("$"), cue.endswith("$")
    words = [gap if word == "~" else re.escape(word) for word in cue.lower().split()]
    joined = words[0]
    for word in words[1:]:
        joined += word if word == gap else rf"\s+{word}"
    ending = r"(?=[\s.]*$)" if is_last else r"(?!\w)" if cue[-1].isalnum() else ""
    return re.compile(joined + ending)


@cache
def _clause() -> re.Pattern[str]:
    return re.compile(read_yaml(shipped("reading", "cues.yaml"))["clause"])
