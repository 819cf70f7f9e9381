"""Clinical context of a phrase in a sentence: negated, uncertain, only history, only a question.

After ConText (Harkema et al. 2009): cues with a direction act up to the next terminator.
Departures: neutral phrases ("no change in") are cues like any other and win by length over the "no"
they contain; a scope ends at a bracket, at a new clause, and where a comma or "and" begins a
statement of its own; a cue behind a phrase reaches back over a list, not over another statement.
All cues of a sentence are found in one scan, their reaches are worked out once, and every phrase
asks which of them cover it. Cues are data: ``configs/reading/cues.yaml``.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from retrieval.rules.cues import (
    CHANGES,
    PREPOSITIONS,
    ROLES,
    Cue,
    CueRoles,
    cue_phrases,
    cue_words,
    cues_in,
    longest,
    word_lists,
)
from retrieval.rules.lexicon import Lexicon, Tokens, lower
from retrieval.rules.phrases import Automaton

_CLAUSE_LOOKAHEAD = 6
_LIST_LOOKBACK = 8  # words
_LONGEST_LIST_ITEM = 3  # words
_NEW_REACH = 4  # words: "new" speaks of the next few
_NEUTRAL = ("neutral", *CHANGES)


@dataclass(frozen=True, slots=True)
class Context:
    """What the words around a phrase do to it; all false means that it is plainly affirmed.

    `nature`: it is there, only what it is stays open. `restricted`: only some kind of it is denied
    ("no obstructing stone"). `change` against an earlier study. `cues`: the words that act, by
    role.
    """

    negated: bool = False
    uncertain: bool = False
    nature: bool = False
    likely: bool = False
    historical: bool = False
    family: bool = False
    hypothetical: bool = False
    unsaid: bool = False
    unchanged: bool = False
    restricted: bool = False
    change: str = ""
    cues: dict[str, str] = field(default_factory=dict)


PLAIN = Context()


@dataclass(frozen=True, slots=True)
class Reach:
    """A cue and the words ``low:high`` it acts on in one role."""

    role: str
    low: int
    high: int
    cue: Cue


class Scopes:
    """The cues of a sentence and how far each of them reaches.

    Args:
        tokens: of the sentence.
        cues: all that were found, overlapping ones too.
        text: the sentence, for the names of cues.
    """

    __slots__ = ("_boundaries", "_cues", "_raw", "_reaches", "_stops", "_text", "_tokens")

    def __init__(self, tokens: Tokens, cues: list[Cue], text: str) -> None:
        self._tokens, self._raw, self._text = tokens, cues, text
        self._cues = longest(cues)
        self._boundaries: tuple[list[int], list[int]] = [], []
        self._stops: list[int] = []
        self._reaches: tuple[Reach, ...] | None = None

    def of(self, start: int, end: int) -> Context:
        """Context of the words ``start:end``; words inside the phrase are never its cues."""
        if not self._cues:
            return PLAIN
        reaches = self.reaches()
        if any(r.cue.start < end and start < r.cue.end for r in reaches):
            others = [c for c in self._raw if c.end <= start or end <= c.start]
            if len(others) < len(self._raw):
                reaches = Scopes(self._tokens, others, self._text).reaches()
        acting = [r for r in reaches if r.low <= start and end <= r.high]
        return self._context(acting, start) if acting else PLAIN

    def _context(self, acting: list[Reach], start: int) -> Context:
        roles: dict[str, Reach] = {}
        change = ""
        for reach in acting:
            if reach.role in CHANGES:
                change = change or reach.role
            else:
                roles.setdefault(reach.role, reach)
        negation = roles.get("negated")
        if negation and _is_lifted(roles, start):
            del roles["negated"]
            negation = None
        return Context(
            **{role: role in roles for role in ROLES},
            unchanged="neutral" in roles or change == "same",
            restricted=negation is not None and self._is_restricted(negation, start),
            change="" if negation else change,
            cues={role: self._words(reach.cue) for role, reach in roles.items()},
        )

    def _words(self, cue: Cue) -> str:
        tokens = self._tokens
        return " ".join(self._text[tokens.starts[cue.start] : tokens.ends[cue.end - 1]].split())

    def _is_restricted(self, reach: Reach, start: int) -> bool:
        between = self._tokens.words[reach.cue.end : start]
        return bool(word_lists()["restricting"] & set(between)) and reach.cue.end <= start

    def reaches(self) -> tuple[Reach, ...]:
        """Every cue's reach, in the order of the sentence."""
        if self._reaches is None:
            self._reaches = tuple(self._all_reaches())
        return self._reaches

    def _all_reaches(self) -> Iterator[Reach]:
        words = self._tokens.words
        if any(role not in ("both", "forward") for cue in self._cues for role, _ in cue.roles):
            self._boundaries = _boundaries(words)
            self._stops = _forward_stops(
                words, self._cues, sorted([*self._boundaries[0], *self._boundaries[1]])
            )
        for cue in self._cues:
            for role, direction in cue.roles:
                if direction == "stop":
                    continue
                if words[cue.start] == "?" and not cue.start and cue.end < len(words):
                    yield Reach("hypothetical", cue.end, len(words), cue)  # "?recurrent embolism"
                elif direction == "after":
                    yield Reach(role, self._low(cue), cue.start, cue)
                else:
                    yield Reach(role, cue.end, self._high(cue, role, direction), cue)

    def _high(self, cue: Cue, role: str, direction: str) -> int:
        words, n = self._tokens.words, len(self._tokens.words)
        at = bisect_left(self._stops, cue.end)
        high = self._stops[at] if at < len(self._stops) else n
        if direction == "near":
            limit = (
                min(high, cue.end + _NEW_REACH + 2) if role in CHANGES and role != "same" else high
            )
            for p in range(cue.end, limit):
                if words[p] in _NEAR_STOPS:
                    return p
            return limit
        depth = 0
        for p in range(cue.end, high):
            if words[p] == "(":
                depth += 1
            elif words[p] == ")":
                if not depth:
                    return p
                depth -= 1
        return high

    def _low(self, cue: Cue) -> int:
        """The first word that a cue behind its phrase speaks of."""
        words, lists = self._tokens.words, word_lists()
        low = max(
            (c.end for c in self._cues if ("both", "stop") in c.roles and c.end <= cue.start),
            default=0,
        )
        low = max([low, *(b + 1 for b in self._boundaries[0] if b < cue.start)])
        if words[cue.start] == "?" and "(" in words[low : cue.start]:
            low += len(words[low : cue.start]) - words[low : cue.start][::-1].index("(")
        end = cue.start
        while end > low and (words[end - 1] in lists["verbs"] or words[end - 1] in ("been", "be")):
            end -= 1
        low = _after_verb(words, low, end)
        return _over_list(words, low, end, lists, ("negated", "after") in cue.roles)


_NEAR_STOPS = frozenset({",", "with", "and", ".", ":"})


def _is_lifted(roles: dict[str, Reach], start: int) -> bool:
    """Doubt said of a denial ("not excluded" is a cue of its own) or more words than its "no"."""
    doubt = roles.get("uncertain")
    denial = roles["negated"].cue
    return bool(doubt and doubt.cue.start <= denial.start and denial.end <= doubt.cue.end)


def _boundaries(words: list[str]) -> tuple[list[int], list[int]]:
    """Where a clause of its own begins: the places of its comma, semicolon or "and".

    The second list has the commas before which no verb stands: "No mass, the kidneys are normal"
    is two clauses, "effusion, pneumothorax was not seen" one.
    """
    verbs, relative = word_lists()["verbs"], word_lists()["relative"]
    hard: list[int] = []
    soft: list[int] = []
    has_verb = False
    for p, word in enumerate(words):
        if word in verbs and not (p and words[p - 1] in relative):
            has_verb = True
        elif word == ";" or (
            (word == "," or (word == "and" and has_verb)) and _is_clause(words, p + 1, word, verbs)
        ):
            (hard if has_verb or word == ";" else soft).append(p)
            has_verb = False
    return hard, soft


def _is_clause(words: list[str], at: int, joint: str, verbs: frozenset[str]) -> bool:
    """A few words that do not go on with a list, then a verb."""
    if at < len(words) and words[at] in ("or", "and", "nor", "which", "that", *verbs):
        is_and = joint == "," and at < len(words) and words[at] == "and"
        is_list = "," in words[max(0, at - _LIST_LOOKBACK) : at - 1]
        return is_and and (
            _has_own(words, at + 1) or (not is_list and _is_clause(words, at + 1, "and", verbs))
        )
    for p in range(at, min(len(words), at + _CLAUSE_LOOKAHEAD)):
        if words[p] in verbs:
            return p > at
        if words[p] in (",", ";", "or", "nor", ":", "(", "which", "that"):
            return False
    return False


def _has_own(words: list[str], at: int) -> bool:
    return at < len(words) and words[at] in word_lists()["starters"] and words[at] != "it"


def _forward_stops(words: list[str], cues: list[Cue], boundaries: list[int]) -> list[int]:
    starters = word_lists()["starters"]
    found = list(boundaries)
    found += [c.start for c in cues if any(direction == "stop" for _, direction in c.roles)]
    for p in range(len(words) - 1):
        if words[p] in (",", "and") and (words[p + 1] in starters or words[p + 1][:1].isdigit()):
            rest = words[p + 1 : next((b for b in boundaries if b > p), len(words))]
            if "or" not in rest and "nor" not in rest:
                found.append(p)
    return sorted(found)


def _after_verb(words: list[str], low: int, end: int) -> int:
    """Behind the clause of an earlier verb, where "and" or a comma follows that verb."""
    lists = word_lists()
    for v in range(end - 1, low - 1, -1):
        if words[v] in lists["verbs"] and not (v and words[v - 1] in lists["relative"]):
            for p in range(v + 1, end):
                if words[p] in (",", "and", "with", "which"):
                    return p + 1
            return low
    return low


def _over_list(
    words: list[str], low: int, end: int, lists: dict[str, frozenset[str]], is_denial: bool
) -> int:
    """From the last comma on; further back where a list reads on, or where nothing is between.

    Only denials are said of bare lists ("effusion, pneumothorax was not seen").
    """
    commas = [p for p in range(low, end) if words[p] == ","]
    if not commas:
        return low
    begin = commas.pop() + 1
    segment = words[begin:end]
    if segment and not {"or", "and", "nor"} & set(segment) and not lists["fillers"] >= set(segment):
        if not is_denial:
            return begin
        edge = begin
        while commas or low < edge - 1:
            start = commas.pop() + 1 if commas else low
            item = words[start : edge - 1]
            if not _is_list_item(item, lists):
                return edge
            edge = start
            if edge == low:
                break
        return edge
    return low


def _is_list_item(item: list[str], lists: dict[str, frozenset[str]]) -> bool:
    return (
        0 < len(item) <= _LONGEST_LIST_ITEM
        and not any(w[:1].isdigit() or w in PREPOSITIONS or w in lists["verbs"] for w in item)
        and item[0] not in lists["starters"]
    )


@cache
def _automaton() -> tuple[Lexicon, Automaton[tuple[CueRoles, bool]]]:
    phrases = [(cue.removesuffix("$"), (roles, cue.endswith("$"))) for cue, roles in cue_phrases()]
    lexicon = Lexicon([*(phrase for phrase, _ in phrases), *cue_words()])
    return lexicon, Automaton(lexicon, phrases)


def context_of(sentence: str, start: int, end: int) -> Context:
    """Context of ``sentence[start:end]``. Words inside the phrase itself are never its cues."""
    lexicon, automaton = _automaton()
    tokens = lexicon.tokens(lower(sentence))
    found = [
        (i, j, roles, ends)
        for i, j, payloads in automaton.find(tokens.words)
        for roles, ends in payloads
    ]
    first = bisect_left(tokens.ends, start + 1)
    last = bisect_left(tokens.starts, end)
    return Scopes(tokens, cues_in(tokens, found), sentence).of(first, max(first + 1, last))
