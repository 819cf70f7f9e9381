"""Clinical context of a phrase in a sentence: negated, uncertain, only history, only a question.

After ConText (Harkema et al. 2009): cues with a direction act up to the next terminator.
Departures: neutral phrases ("no change in") are cues like any other and win by length over the "no"
they contain; a scope ends at a bracket, at a new clause, and where a comma or "and" begins a
statement of its own; a cue behind a phrase reaches back over a list, not over another statement
(`clauses`).
All cues of a sentence are found in one scan, their reaches are worked out once, and every phrase
asks which of them cover it. Cues are data: ``configs/reading/cues.yaml``.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from retrieval.rules.clauses import after_verb, boundaries, forward_stops, over_list
from retrieval.rules.cues import (
    CHANGES,
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

_NEW_REACH = 4  # words: "new" speaks of the next few
_NEUTRAL = ("neutral", *CHANGES)


@dataclass(slots=True)
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


@dataclass(slots=True)
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
        self._cues: list[Cue] = []
        self._boundaries: tuple[list[int], list[int]] = [], []
        self._stops: list[int] = []
        self._reaches: tuple[Reach, ...] | None = None

    def of(self, start: int, end: int, parts: tuple[tuple[int, int], ...] = ()) -> Context:
        """Context of the words ``start:end``; words inside the phrase are never its cues.

        Args:
            parts: all parts of the phrase, where ``start:end`` is one of them.
        """
        if not self._raw:
            return PLAIN
        reaches = self.reaches()
        own = [c for c in self._raw if c.start < end and start < c.end]
        if parts:  # a whole part of the phrase: "absent" of "absent uterus"
            own += [c for c in self._raw if any(self._is_part(c, a, b) for a, b in parts)]
        if own and any(r.cue in own for r in reaches):
            others = [c for c in self._raw if c not in own]
            reaches = Scopes(self._tokens, others, self._text).reaches()
        acting = [r for r in reaches if r.low <= start and end <= r.high]
        return self._context(acting, start) if acting else PLAIN

    def _is_part(self, cue: Cue, start: int, end: int) -> bool:
        """Whether a cue is made of a part's words and verbs before them ("are missing")."""
        verbs = word_lists()["verbs"]
        return start < cue.end <= end and verbs.issuperset(self._tokens.words[cue.start : start])

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
            **{role: True for role in roles if role in ROLES},
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
            self._cues = longest(self._raw)
            self._reaches = tuple(self._all_reaches())
        return self._reaches

    def _all_reaches(self) -> Iterator[Reach]:
        words = self._tokens.words
        if any(
            role not in ("both", "forward", "denial") for cue in self._cues for role, _ in cue.roles
        ):
            self._boundaries = boundaries(words)
            self._stops = forward_stops(
                words, self._cues, sorted([*self._boundaries[0], *self._boundaries[1]])
            )
        for cue in self._cues:
            for role, direction in cue.roles:
                if direction == "stop":
                    continue
                if words[cue.start] == "?" and self._leads(cue):
                    role = "uncertain" if cue.start else "hypothetical"
                    yield Reach(role, cue.end, self._high(cue, role, "before"), cue)
                elif direction == "after":
                    yield Reach(role, self._low(cue), cue.start, cue)
                else:
                    yield Reach(role, cue.end, self._high(cue, role, direction), cue)

    def _leads(self, cue: Cue) -> bool:
        """Whether a question mark stands before what it asks ("?recurrent embolism")."""
        starts, ends = self._tokens.starts, self._tokens.ends
        if cue.end >= len(starts):
            return False
        is_apart = bool(cue.start) and starts[cue.start] > ends[cue.start - 1]
        return not cue.start or (is_apart and starts[cue.end] == ends[cue.start])

    def _high(self, cue: Cue, role: str, direction: str) -> int:
        words, n = self._tokens.words, len(self._tokens.words)
        at = bisect_left(self._stops, cue.end)
        high = self._stops[at] if at < len(self._stops) else n
        if role == "negated":
            high = min(
                (
                    c.start
                    for c in self._cues
                    if cue.end <= c.start < high and _ENDS_DENIAL in c.roles
                ),
                default=high,
            )
        if direction == "near":
            limit = (
                min(high, cue.end + _NEW_REACH + 2) if role in CHANGES and role != "same" else high
            )
            for p in range(cue.end, limit):
                if words[p] in _NEAR_STOPS:
                    return p
            return limit
        if role == "negated" and words[cue.end - 1] == "not":
            high = self._adjective_end(cue.end, high)
        depth = 0
        for p in range(cue.end, high):
            if words[p] == "(":
                depth += 1
            elif words[p] == ")":
                if not depth:
                    return p
                depth -= 1
        return high

    def _adjective_end(self, start: int, high: int) -> int:
        """Where a bare "not" ends: "not enlarged, steatosis" denies no steatosis."""
        words = self._tokens.words
        if "," not in words[start:high] or not _ARTICLES.isdisjoint(words[start : start + 2]):
            return high  # "not a nodule, mass, effusion"
        at = words.index(",", start, high)
        return high if "or" in words[at:high] or "nor" in words[at:high] else at

    def _low(self, cue: Cue) -> int:
        """The first word that a cue behind its phrase speaks of."""
        words, lists = self._tokens.words, word_lists()
        is_closed = cue.start > 0 and words[cue.start - 1] in _CLOSING
        if is_closed and words[cue.start] == "no" and words[cue.start + 1] != "longer":
            return cue.start  # "Dilated duct, no mass seen"
        low = max(
            (c.end for c in self._cues if ("both", "stop") in c.roles and c.end <= cue.start),
            default=0,
        )
        low = max([low, *(b + 1 for b in self._boundaries[0] if b < cue.start)])
        if words[cue.start] in _VERSUS:  # "opacities, likely atelectasis versus pneumonia"
            low = max(
                [low, *(c.end for c in self._cues if c.end <= cue.start and c.roles & _READS)]
            )
        if words[cue.start] == "?":  # what it asks stands behind a bracket or colon
            for sign in ("(", ":"):
                if sign in words[low : cue.start - 1]:
                    low = cue.start - 1 - words[low : cue.start - 1][::-1].index(sign)
        end = cue.start
        while end > low and (words[end - 1] in lists["verbs"] or words[end - 1] in ("been", "be")):
            end -= 1
        low = after_verb(words, low, end)
        return over_list(words, low, end, lists, ("negated", "after") in cue.roles)


_CLOSING = frozenset({",", ")"})
_VERSUS = frozenset({"versus", "vs"})
_READS = frozenset((role, way) for role in ("uncertain", "likely") for way in ("before", "near"))
_ARTICLES = frozenset({"a", "an", "any"})
_ENDS_DENIAL = ("denial", "stop")
_NEAR_STOPS = frozenset({",", "with", "and", ".", ":"})


def _is_lifted(roles: dict[str, Reach], start: int) -> bool:
    """Doubt said of a denial ("not excluded" is a cue of its own) or more words than its "no"."""
    doubt = roles.get("uncertain")
    denial = roles["negated"].cue
    return bool(doubt and doubt.cue.start <= denial.start and denial.end <= doubt.cue.end)


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
