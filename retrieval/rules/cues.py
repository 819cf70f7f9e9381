"""Cues of clinical context: what they are, and which of those that overlap count.

Cues are data: ``configs/reading/cues.yaml``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from retrieval.rules.lexicon import Lexicon, Tokens
from voxcurate.config import read_yaml, shipped

ROLES = (
    "negated",
    "unsaid",
    "uncertain",
    "nature",
    "likely",
    "historical",
    "family",
    "hypothetical",
)
_LISTS = ("restricting", "starters", "verbs", "relative", "fillers")
CHANGES = ("new", "larger", "smaller", "same")
CueRoles = frozenset[tuple[str, str]]  # role and direction
PREPOSITIONS = frozenset({"in", "of", "at", "on", "with", "within", "to", "from", "for", "(", ")"})


@dataclass(slots=True)
class Cue:
    """A cue on the words ``start:end`` of a sentence."""

    start: int
    end: int
    roles: CueRoles


def longest(cues: list[Cue]) -> list[Cue]:
    """The longer hides the shorter; stops and words of change stand beside."""
    if len(cues) < 2:
        return cues
    changes = [c for c in cues if any(role in CHANGES for role, _ in c.roles)]
    if changes:
        others = [c for c in cues if c not in changes]
        kept = _hidden_out([c for c in changes if c.roles & _SAME] or changes)
        kept += [c for c in _hidden_out(changes) if not any(_touch(c, k) for k in kept)]
        both = [*_hidden_out(others), *kept]
        return sorted(both, key=lambda c: (c.start, c.end))
    return _hidden_out(cues)


_SAME = frozenset({("same", "near"), ("same", "after")})


def _touch(a: Cue, b: Cue) -> bool:
    return a.start < b.end and b.start < a.end


def _hidden_out(cues: list[Cue]) -> list[Cue]:
    kept: list[Cue] = []
    taken: list[Cue] = []
    for cue in sorted(cues, key=lambda c: (c.start - c.end, c.start, not _is_neutral(c))):
        if all(direction == "stop" for _, direction in cue.roles):
            kept.append(cue)
        elif not any(cue.start < other.end and other.start < cue.end for other in taken):
            kept.append(cue)
            taken.append(cue)
        elif any(
            cue.start == o.start and cue.end == o.end and not _denies_denial(o, cue) for o in taken
        ):
            kept.append(cue)
    kept.sort(key=lambda c: (c.start, c.end))
    return kept


def _is_neutral(cue: Cue) -> bool:
    return any(role == "neutral" for role, _ in cue.roles)


def _denies_denial(taken: Cue, cue: Cue) -> bool:
    return _is_neutral(taken) and any(role == "negated" for role, _ in cue.roles)


@cache
def _data() -> dict[str, Any]:
    return read_yaml(shipped("reading", "cues.yaml"))


@cache
def word_lists() -> dict[str, frozenset[str]]:
    lexicon = Lexicon(())
    return {
        name: frozenset(word for item in _data()[name] for word in lexicon.phrase(item))
        for name in _LISTS
    }


def cue_words() -> Iterator[str]:
    """Words that the reaches depend on, for the vocabulary."""
    for name in _LISTS:
        yield from _data()[name]
    yield from (
        "and",
        "or",
        "nor",
        "with",
        "which",
        "been",
        "be",
        "than",
        "above",
        "beyond",
        "upstream",
        "behind",
        "gland",
        "pancreatitis",
        *sorted(PREPOSITIONS - {"(", ")"}),
    )


@cache
def cue_phrases() -> tuple[tuple[str, CueRoles], ...]:
    """Every cue with its roles; what ends in "$" only counts at the end of a sentence."""
    roles: dict[str, set[tuple[str, str]]] = {}
    data = _data()
    for role in ("neutral", *ROLES, *CHANGES):
        for direction, cues in data[role].items():
            for cue in _spelled_out(cues):
                roles.setdefault(cue, set()).add((role, direction))
    for reach, cues in data["stop"].items():
        for cue in cues:
            roles.setdefault(cue, set()).add((reach, "stop"))
    made: list[tuple[str, CueRoles]] = []
    for cue, found in roles.items():
        change = frozenset(item for item in found if item[0] in CHANGES)
        rest = found - change
        if change and cue.startswith(("no ", "not ", "without ")):
            rest = rest | {("neutral", "before")}
        made += [(cue, frozenset(part)) for part in (rest, change) if part]
    return tuple(made)


def _spelled_out(cues: Iterable[str]) -> Iterator[str]:
    for cue in cues:
        name = next((name for name in ("seen", "degree") if f"<{name}>" in cue), "")
        if name:
            yield from (cue.replace(f"<{name}>", word) for word in _data()[name])
        else:
            yield cue


def cues_in(tokens: Tokens, found: Iterable[tuple[int, int, CueRoles, bool]]) -> list[Cue]:
    """Cues from places, roles, and whether they want to end the sentence."""
    words = tokens.words
    last = len(words)
    while last and words[last - 1] in (".", "!", "?"):
        last -= 1
    return [Cue(i, j, roles) for i, j, roles, ends in found if not ends or j == last]
