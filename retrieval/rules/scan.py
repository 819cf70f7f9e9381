"""A sentence scanned once: its words, cues, organs, and where the questions' words stand."""

import re
from dataclasses import dataclass, field
from functools import cache

from retrieval.questions import terms
from retrieval.rules.anatomy import OrganGroup, clause_starts, grouped, organs_of
from retrieval.rules.context import Context, Scopes
from retrieval.rules.cues import Cue, cues_in
from retrieval.rules.lexicon import Tokens, lower
from retrieval.rules.phrases import Match, longest
from retrieval.rules.tables import Ending, Tables, Use
from retrieval.rules.text import Sentence

_ONE_OF_TWO = re.compile(r"\b(?:right|left|other|each|both) ones?\b", re.I)
_PHASE = re.compile(r"\s+(?:and \w+ )?phases?\b", re.I)
_KIND = re.compile(
    r"\s+(?:mass|lesion|nodul|densit|component|implant|deposit|attenuat|focus|cuff)", re.I
)
_SOFT_TISSUE = frozenset({"soft_tissue"})
_DUCT = frozenset({"duct"})
_PANCREAS = frozenset({"pancreas", "pancreatic_duct"})
_PANCREATIC_DUCT = frozenset({"pancreatic_duct"})  # what goes on from it may mean the gland
_BILE = frozenset({"bile_duct", "liver", "gall_bladder"})
_BY_PANCREAS = frozenset({"upstream", "pancreatitis"})  # a duct beside them is the pancreatic one
Span = tuple[int, int]


@cache
def roving() -> frozenset[str]:
    """Organs that lie in others."""
    return frozenset(terms()["roving"])


@cache
def unpaired() -> frozenset[str]:
    """Organs that have no side."""
    return frozenset(terms()["unpaired"])


@dataclass(slots=True)
class Hit:
    """A question's words in a sentence.

    `first` and `last` bound its words (of a phrase in parts: its head); `parts` are the places that
    context is asked for; `start` and `end` are characters of the sentence.
    """

    question: int
    role: str
    first: int
    last: int
    parts: tuple[Span, ...]
    start: int
    end: int
    is_own: bool = True  # its organ is named in the sentence, or it needs none


@dataclass(slots=True)
class Scan:
    """What stands in a sentence. `subject` are the organs that it speaks of unnamed."""

    sentence: Sentence
    tokens: Tokens
    scopes: Scopes
    groups: list[OrganGroup]
    subject: frozenset[str]
    is_topic: bool
    normals: list[Span]
    found: list[tuple[int, int, Ending]]
    hits: list[Hit] = field(default_factory=list)
    _organs: dict[Span, frozenset[str]] = field(default_factory=dict)

    def chars(self, first: int, last: int) -> Span:
        """Characters of the words ``first:last``."""
        return self.tokens.starts[first], self.tokens.ends[last - 1]

    def organs(self, first: int, last: int) -> frozenset[str]:
        """The organs that some words speak of; empty where the sentence names none for them."""
        key = (first, last)
        found = self._organs.get(key)
        if found is None:
            start, end = self.chars(first, last)
            found = organs_of(self.sentence.text, start, end, self.groups)
            if found and found <= roving():
                others = [g for g in self.groups if not g.organs <= roving()]
                found |= organs_of(self.sentence.text, start, end, others)
            self._organs[key] = found
        return found

    def organs_unnamed(self, first: int) -> frozenset[str]:
        """The organs that words without one speak of: the line's, else those named before."""
        if self.is_topic or not self.groups or self.groups[0].start < self.tokens.starts[first]:
            return self.subject
        return frozenset()

    def context(self, hit: Hit) -> Context:
        """Context of a hit; of a phrase in parts what acts on any part."""
        if len(hit.parts) == 1:
            return self.scopes.of(*hit.parts[0])
        first, *others = (self.scopes.of(*part, hit.parts) for part in hit.parts)
        return next((c for c in others if c.negated), first) if not first.negated else first


class Scanner:
    """Scans the sentences of a report in order, so that each knows what went before."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._topics: dict[str, frozenset[str]] = {}

    def scan(self, sentence: Sentence, before: Scan | None, is_apart: bool) -> Scan:
        """One sentence after another; `is_apart`: a paragraph or list item of its own."""
        tables = self._tables
        tokens = tables.lexicon.tokens(lower(sentence.text))
        found: list[tuple[int, int, Ending]] = tables.automaton.find(tokens.words)
        raw: list[tuple[int, int, frozenset[tuple[str, str]], bool]] = []
        organs: list[Match[frozenset[str]]] = []
        normals: list[Match[None]] = []
        for i, j, ending in found:
            if ending.cues:
                raw.extend((i, j, roles, ends) for roles, ends in ending.cues)
            if ending.organs:
                organs.append(Match(tokens.starts[i], tokens.ends[j - 1], ending.organs))
            if ending.is_normal:
                normals.append(Match(i, j, None))
        cues: list[Cue] = cues_in(tokens, raw) if raw else []
        topic = self._topic(sentence.topic) if sentence.topic else frozenset[str]()
        spoken = topic or (before.subject if before is not None else frozenset())
        known = [] if topic or before is None else [g.organs for g in before.groups]
        spoken = spoken.union(*known)
        is_pancreas = bool(_BY_PANCREAS.intersection(tokens.words)) or (
            bool(spoken & _PANCREAS) and not spoken & _BILE
        )
        if before is not None and not topic and not spoken & _BILE:
            is_pancreas = is_pancreas or bool(_BY_PANCREAS.intersection(before.tokens.words))
        groups = _groups(sentence.text, organs, is_pancreas=is_pancreas) if organs else []
        if topic and _drifts(groups, topic, sentence, before, is_apart):
            topic = frozenset()
        subject = groups[0].organs if groups else frozenset()
        if not groups and before is not None and not is_apart:
            subject = before.subject if not before.is_topic else frozenset()
            paired = [g.organs - unpaired() for g in before.groups if g.organs - unpaired()]
            if paired and _ONE_OF_TWO.search(sentence.text):
                subject = paired[-1]
        subject = topic or subject
        scan = Scan(
            sentence,
            tokens,
            Scopes(tokens, cues, sentence.text),
            groups,
            subject | _PANCREAS if subject == _PANCREATIC_DUCT else subject,
            bool(topic),
            [(m.start, m.end) for m in longest(normals)] if normals else [],
            found,
        )
        scan.hits = self._hits(scan)
        return scan

    def _topic(self, topic: str) -> frozenset[str]:
        if len(self._topics) > _MOST_TOPICS:
            self._topics.clear()
        found = self._topics.get(topic)
        if found is None:
            tokens = self._tables.lexicon.tokens(lower(topic))
            organs = [
                Match(tokens.starts[i], tokens.ends[j - 1], ending.organs)
                for i, j, ending in self._tables.automaton.find(tokens.words)
                if ending.organs
            ]
            found = frozenset(o for group in _groups(topic, organs) for o in group.organs)
            self._topics[topic] = found
        return found

    def _hits(self, scan: Scan) -> list[Hit]:
        by_question: dict[int, list[Hit]] = {}
        for i, j, ending in scan.found:
            for use in ending.uses:
                _put(by_question, scan, use, i, j)
            if ending.terms:
                named = scan.organs(i, j)
                organs = named or scan.organs_unnamed(i)
                for organ, uses in ending.terms:
                    if organ in organs:
                        for use in uses:
                            _put(by_question, scan, use, i, j, is_own=bool(named))
        words, starts = scan.tokens.words, scan.tokens.starts
        cuts = clause_starts(scan.sentence.text, scan.groups)
        for parts in self._tables.loose.find(words):
            head = parts.places[0]
            low, high = starts[min(parts.places)], starts[max(parts.places)]
            if any(low < cut <= high for cut in cuts):
                continue
            spans = tuple((p, p + 1) for p in parts.places)
            for use in parts.payloads:
                if use.role == "exclude" and self._is_shared(use.question, scan, parts.places):
                    continue
                _put(by_question, scan, use, head, head + 1, spans)
        return [
            hit
            for hits in by_question.values()
            for hit in (hits if len(hits) == 1 else _longest(hits))
            if hit.role != "exclude"
        ]

    def _is_shared(self, question: int, scan: Scan, places: tuple[int, ...]) -> bool:
        """Whether a look-alike is told of the question's own organ as well.

        "Calcified plaques in the aorta and coronary arteries" is more than the look-alike "coronary
        artery plaque".
        """
        organ, head = self._tables.questions[question].organ, places[0]
        return bool(organ) and head < places[-1] and organ in scan.organs(head, head + 1)


_MOST_TOPICS = 5000


def _drifts(
    groups: list[OrganGroup],
    topic: frozenset[str],
    sentence: Sentence,
    before: Scan | None,
    is_apart: bool,
) -> bool:
    """Whether a line has left the organ it began with ("Spleen: Normal. The pancreas is ...")."""
    if groups:
        named = groups[0].organs
        return named.isdisjoint(topic) and not named <= frozenset(terms()["adjunct"])
    is_same = before is not None and before.sentence.topic == sentence.topic and not is_apart
    return is_same and before is not None and not before.is_topic


def _put(
    by_question: dict[int, list[Hit]],
    scan: Scan,
    use: Use,
    i: int,
    j: int,
    parts: tuple[Span, ...] = (),
    *,
    is_own: bool = True,
) -> None:
    start, end = scan.chars(i, j)
    hit = Hit(use.question, use.role, i, j, parts or ((i, j),), start, end, is_own)
    by_question.setdefault(use.question, []).append(hit)


def _longest(hits: list[Hit]) -> list[Hit]:
    """Per question the phrase with the most words; what does not count hides what it holds.

    Of "pericardial or pleural effusion" both are found: a phrase of its own word before the same
    head is not hidden by the other.
    """
    kept: list[Hit] = []
    order = sorted(hits, key=lambda h: (-_width(h), len(h.parts) > 1, h.role != "exclude", h.first))
    for hit in order:
        if not any(hit.first < o.last and o.first < hit.last and _hides(o, hit) for o in kept):
            kept.append(hit)
    kept.sort(key=lambda h: h.first)
    return kept


def _hides(other: Hit, hit: Hit) -> bool:
    if other.role != "exclude" or _width(hit) == 1:
        return True
    if len(hit.parts) > 1:  # has words outside of the other
        low = min(part[0] for part in other.parts)
        high = max(part[1] for part in other.parts)
        return all(low <= a and b <= high for a, b in hit.parts)
    is_list = len(other.parts) > 1 and other.parts[1] < other.parts[0]
    return not is_list


def _width(hit: Hit) -> int:
    return max(len(hit.parts), hit.last - hit.first)


def _groups(
    text: str, organs: list[Match[frozenset[str]]], *, is_pancreas: bool = False
) -> list[OrganGroup]:
    """`is_pancreas`: what went before speaks of the pancreas, so that a bare duct is its own."""
    merged: dict[Span, frozenset[str]] = {}
    for match in organs:
        if _PHASE.match(text, match.end):  # "the portal venous phase" is no vessel
            continue
        if match.payload == _SOFT_TISSUE and _KIND.match(text, match.end):  # "soft tissue mass"
            continue
        key = (match.start, match.end)
        merged[key] = merged.get(key, frozenset()) | match.payload
    kept = longest(Match(start, end, names) for (start, end), names in merged.items())
    named = frozenset(organ for m in kept for organ in m.payload)
    is_pancreas = "pancreas" in named or (is_pancreas and not named & _BILE)
    duct = frozenset({"pancreatic_duct" if is_pancreas else "bile_duct"})
    return grouped(text, [Match(m.start, m.end, duct) if m.payload == _DUCT else m for m in kept])


# --- what is called normal ---
_ENDS = frozenset({";", ".", "(", ")", "but", "with", "without"})


def how_normal(scan: Scan, first: int, last: int, tables: Tables) -> str:
    """Whether "normal" is meant ``wholly`` or only of a ``part`` (size, calibre, course).

    Size together with contour or shape is whole ("normal in size and contour"), as radiologists
    then speak of the organ; size alone is not.
    """
    words, spelled = scan.tokens.words, tables.attributes
    named = spelled["full"] | spelled["partial"] | spelled["joining"]
    low, high = first, last
    while low and words[low - 1] not in _ENDS:
        if words[low - 1] == "," and (low < 2 or words[low - 2] not in named):
            break
        low -= 1
    while high < len(words) and words[high] not in _ENDS:
        if words[high] == "," and not named.intersection(words[high + 1 : high + 3]):
            break
        high += 1
    near = set(words[low:first]) | set(words[last:high])
    if near & spelled["full"]:
        return "wholly"
    if near & spelled["partial"]:
        return "wholly" if near & spelled["joining"] and "size" in near else "part"
    return "part" if near & spelled["joining"] else "wholly"
