"""Scans sentences one after another: whose organs they name, and whose they mean unnamed."""

import re

from retrieval.questions import terms
from retrieval.rules.anatomy import OrganGroup, grouped
from retrieval.rules.context import Scopes
from retrieval.rules.cues import CueRoles, cues_in
from retrieval.rules.hits import hits_in
from retrieval.rules.lexicon import lower
from retrieval.rules.phrases import Match, longest
from retrieval.rules.scan import Scan, Span, unpaired
from retrieval.rules.tables import Ending, Tables
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
_MOST_TOPICS = 5000


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
        cues: list[tuple[int, int, CueRoles, bool]] = []
        organs: list[Match[frozenset[str]]] = []
        normals: list[Match[None]] = []
        for i, j, ending in found:
            if ending.cues:
                cues += [(i, j, roles, ends) for roles, ends in ending.cues]
            if ending.organs:
                organs.append(Match(tokens.starts[i], tokens.ends[j - 1], ending.organs))
            if ending.is_normal:
                normals.append(Match(i, j, None))
        topic = self._topic(sentence.topic) if sentence.topic else frozenset[str]()
        groups: list[OrganGroup] = []
        if organs:
            is_duct = any(match.payload == _DUCT for match in organs)
            is_pancreas = is_duct and _is_on_pancreas(tokens.words, topic, before)
            groups = organ_groups_in(sentence.text, organs, is_pancreas=is_pancreas)
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
            Scopes(tokens, cues_in(tokens, cues) if cues else [], sentence.text),
            groups,
            subject | _PANCREAS if subject == _PANCREATIC_DUCT else subject,
            bool(topic),
            [(m.start, m.end) for m in longest(normals)] if normals else [],
            found,
        )
        scan.hits = hits_in(scan, tables)
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
            found = frozenset(o for group in organ_groups_in(topic, organs) for o in group.organs)
            self._topics[topic] = found
        return found


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


def _is_on_pancreas(words: list[str], topic: frozenset[str], before: Scan | None) -> bool:
    """Whether what went before speaks of the pancreas, so that a bare duct is its own."""
    spoken = topic
    if not topic and before is not None:
        spoken = before.subject.union(*(group.organs for group in before.groups))
    if not _BY_PANCREAS.isdisjoint(words) or (spoken & _PANCREAS and not spoken & _BILE):
        return True
    is_open = before is not None and not topic and not spoken & _BILE
    return is_open and before is not None and not _BY_PANCREAS.isdisjoint(before.tokens.words)


def organ_groups_in(
    text: str, organs: list[Match[frozenset[str]]], *, is_pancreas: bool = False
) -> list[OrganGroup]:
    """`is_pancreas`: what went before speaks of the pancreas, so that a bare duct is its own."""
    kept = [match for match in organs if _is_place(text, match)]
    if len(kept) > 1:
        kept = longest(_merged(kept))
    if any(match.payload == _DUCT for match in kept):
        named = frozenset(organ for match in kept for organ in match.payload)
        is_pancreas = "pancreas" in named or (is_pancreas and not named & _BILE)
        duct = frozenset({"pancreatic_duct" if is_pancreas else "bile_duct"})
        kept = [Match(m.start, m.end, duct) if m.payload == _DUCT else m for m in kept]
    return grouped(text, kept)


def _is_place(text: str, match: Match[frozenset[str]]) -> bool:
    """Neither "the portal venous phase" nor "soft tissue mass" names an organ."""
    if match.payload == _SOFT_TISSUE and _KIND.match(text, match.end):
        return False
    return not _PHASE.match(text, match.end)


def _merged(organs: list[Match[frozenset[str]]]) -> list[Match[frozenset[str]]]:
    """Those at the same place as one."""
    merged: dict[Span, frozenset[str]] = {}
    for match in organs:
        key = (match.start, match.end)
        merged[key] = merged.get(key, frozenset()) | match.payload
    return [Match(start, end, names) for (start, end), names in merged.items()]
