"""Which organ a phrase in a sentence belongs to."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from retrieval.questions import terms
from retrieval.rules.phrases import Match, PhraseFinder, longest

_JOINT = re.compile(
    r"[\s,/&-]*(?:(?:and|or|the|both|right|left|bilateral|visuali[sz]ed|either|within|in|of|"
    r"lobes?|nor|as well as|also|upper|lower|main|major|proximal|distal|their|its|supra-?aortic|"
    r"branch(?:es)?|vessels?|vascular|structures?|arter(?:y|ies)|walls?|regions?|areas?|levels?)\b"
    r"[\s,/&-]*)*",
    re.I,
)
_CLAUSE = re.compile(r";|\b(?:but(?! for\b)|however|while|whereas|although)\b", re.I)
_LINK = re.compile(
    r"\b(?:in|of|within|involving|at|throughout|from|arising|along|to|on|near|about|for|around|replacing|into|through)\b",
    re.I,
)
_BREAK_BEFORE = re.compile(
    r"\b(?:is|are|was|were|with|without|in|of|there|has|have|shows?|contains?|demonstrates?|within|at|from|on|no|to|which|"
    r"that|for|by|reveals?)\b|[.:]",
    re.I,
)
_ANOTHER = re.compile(r"\b(?:and|or|with|without|no)\b", re.I)
_TOUCHED = re.compile(  # "a mass invading the chest wall" is not one of the chest wall
    r"\b(?:invad|abut|infiltrat|displac|compress|touch|encas|contact|narrow|obstruct)\w*\s+"
    r"(?:(?:to|with|of|from|on|the|adjacent)\s+)*$",
    re.I,
)
_FRONTED = re.compile(
    r"(?:^|[.;:])\s*(?:with)?in\s+(?:the\s+|both\s+|either\s+|\w+\s+){0,4}$", re.I
)
_STRAIGHT = re.compile(
    r"\s*(?:(?:is|are|was|were) \w+ )?(?:(?:with)?in|of|to|with|on|at)\s+(?:\w+\s+){0,3}$", re.I
)
_IS = re.compile(  # "the pancreas is atrophic, with prominence of the duct"
    r"\s+(?:glands?\s+|parenchyma\s+)?(?:is|are|was|were|appears?|remains?|looks?)\s+"
    r"(?:(?!seen|noted|present|found|there|an?\b|the\b)\w+\s+){0,2}",
    re.I,
)
_AND = re.compile(r"\band\b", re.I)
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|contains?|shows?|demonstrates?|reveals?|holds?|carr(?:y|ies))\b",
    re.I,
)
_STATES = re.compile(
    r"\s+(?:glands?\s+|parenchyma\s+)?(?:(?:is|are|was|were|appears?|looks?|remains?|show|shows)\s+"
    r"(?:\w+ly\s+)?(?:normal|natural|unremarkable|intact|clear|free|regular|inconspicuous|without|no\b|"
    r"within|of\s+normal|slim|homogeneous)|(?:contains?|ha(?:s|ve)\s+(?:a|no|normal))\b)",
    re.I,
)
_WIDEST_BEFORE, _WIDEST_AFTER = 70, 70


@dataclass(slots=True)
class OrganGroup:
    """Organs named together ("liver, spleen and both kidneys"), at ``sentence[start:end]``."""

    start: int
    end: int
    organs: frozenset[str]


@cache
def _finder() -> PhraseFinder[str]:
    return PhraseFinder(
        (word, organ)
        for organ, words in terms()["organs"].items()
        for word in (organ.replace("_", " "), *words)
    )


def organ_groups(sentence: str) -> list[OrganGroup]:
    """Organs in a sentence; those joined by commas, "and", "or" are one group."""
    matches = organ_mentions(sentence)
    return grouped(sentence, [Match(m.start, m.end, frozenset({m.payload})) for m in matches])


def grouped(sentence: str, mentions: list[Match[frozenset[str]]]) -> list[OrganGroup]:
    """Mentions of organs, left to right, with those that are named together in one group."""
    if len(mentions) > 1:
        mentions = _placed(sentence, mentions)
    groups: list[OrganGroup] = []
    for i, match in enumerate(mentions):
        last = groups[-1] if groups else None
        if (
            last
            and _JOINT.fullmatch(sentence, last.end, match.start)
            and not _begins_clause(sentence, last, mentions[i:])
        ):
            groups[-1] = OrganGroup(last.start, match.end, last.organs | match.payload)
        else:
            groups.append(OrganGroup(match.start, match.end, match.payload))
    return groups


def _placed(sentence: str, mentions: list[Match[frozenset[str]]]) -> list[Match[frozenset[str]]]:
    """Parts that several organs have ("segment 6", "lower pole") as those of the organ named."""
    small = sentence.lower()
    for word, (usual, other) in terms()["parts"].items():
        if word not in small:
            continue
        parts = [m for m in mentions if usual in m.payload and word in small[m.start : m.end]]
        others = [m.payload for m in mentions if m not in parts]
        if not parts or not any(other in p for p in others) or any(usual in p for p in others):
            continue
        mentions = [
            Match(m.start, m.end, frozenset({other})) if m in parts else m for m in mentions
        ]
    return mentions


def clause_starts(sentence: str, groups: list[OrganGroup]) -> list[int]:
    """Where organs that "and" joins to others begin a statement of their own."""
    return [b.start for a, b in pairwise(groups) if _JOINT.fullmatch(sentence, a.end, b.start)]


def _begins_clause(sentence: str, last: OrganGroup, rest: list[Match[frozenset[str]]]) -> bool:
    """Whether organs begin a statement of their own ("cyst in the liver and the spleen is normal").

    Args:
        last: the organs named before "and".
        rest: the mentions behind it.
    """
    if not _AND.search(sentence, last.end, rest[0].start):
        return False
    end = rest[0].end
    for match in rest[1:]:
        if not _JOINT.fullmatch(sentence, end, match.start):
            break
        end = match.end
    if not _STATES.match(sentence, end):
        return False
    begin = max(sentence.rfind(sign, 0, last.start) for sign in ";:.") + 1
    return bool(_VERB.search(sentence, begin, last.start))


def organ_mentions(sentence: str) -> list[Match[str]]:
    """Every name of an organ, longest first where they overlap, left to right.

    A bare "duct" is the pancreatic one where the sentence names the pancreas, else a bile duct.
    """
    found = longest(_finder().find(sentence))
    duct = "pancreatic_duct" if any(m.payload == "pancreas" for m in found) else "bile_duct"
    return [Match(m.start, m.end, duct) if m.payload == "duct" else m for m in found]


def organs_of(sentence: str, start: int, end: int, groups: list[OrganGroup]) -> frozenset[str]:
    """The organs that ``sentence[start:end]`` speaks of, empty if the clause names none.

    In this order: named inside the phrase; right before it ("left renal 2 cm cyst"); the place that
    the clause begins with ("In the liver there is a cyst"); linked by a preposition after it ("cyst
    in the liver"); the nearest before it in the clause; the nearest after.
    """
    if not groups:
        return frozenset()
    low, high = _clause(sentence, start, end)
    near = [g for g in groups if low <= g.start and g.end <= high]
    inside = [g for g in near if g.start < end and start < g.end]
    if inside:
        return inside[0].organs
    before = [g for g in near if g.end <= start]
    if (
        before
        and start - before[-1].end <= _WIDEST_BEFORE
        and not _BREAK_BEFORE.search(sentence, before[-1].end, start)
    ):
        return before[-1].organs
    if before and _IS.fullmatch(sentence, before[-1].end, start):
        return before[-1].organs
    after = [g for g in near if g.start >= end and not _TOUCHED.search(sentence[end : g.start])]
    is_fronted = bool(before) and bool(_FRONTED.search(sentence, 0, before[-1].start))
    if is_fronted and not (after and _STRAIGHT.fullmatch(sentence, end, after[0].start)):
        return before[-1].organs  # "In the pancreatic head there is a mass close to the vein"
    if after and after[0].start - end <= _WIDEST_AFTER:
        gap = sentence[end : after[0].start]
        if _LINK.search(gap) and not re.search(r"\b(?:is|are|was|were|has|have|and the)\b", gap):
            return after[0].organs
    if before:
        return before[-1].organs
    if not after:
        return frozenset()
    gap = sentence[end : after[0].start]
    joint = max((m.end() for m in _ANOTHER.finditer(gap)), default=-1)
    is_its_own = joint < 0 or bool(_LINK.search(gap, joint))
    return after[0].organs if is_its_own else frozenset()


def _clause(sentence: str, start: int, end: int) -> tuple[int, int]:
    if not _CLAUSE.search(sentence):
        return 0, len(sentence)
    low = max((m.end() for m in _CLAUSE.finditer(sentence, 0, start)), default=0)
    high = min((m.start() for m in _CLAUSE.finditer(sentence, end)), default=len(sentence))
    return low, high
