"""What sentences say on one question, and what follows from all of them together.

A plain yes beats doubt, and doubt beats a no: reports deny in general ("no focal lesion") and
affirm in particular. Departures, with their reasons:

- The impression is the author's last word. An explicit no there settles a doubt of the findings. A
  yes of the findings whose very words the impression denies is a contradiction in the report:
  uncertain. A denial of some kind of it only ("no obstructing stone") contradicts nothing.
- "The liver is unremarkable" is a no of low confidence; any other word on the matter beats it.
- A vague word ("subtle hypodensity") in a sentence that doubts a firmer one of the same question
  ("a mass cannot be excluded") shares its doubt.
- What is large by its size alone is not where the impression denies it.
- A sign makes it uncertain, and only where nothing else than a general "normal" is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from voxcurate.protocols import Finding

SURE, IN_TOPIC, INHERITED, NORMAL, OTHERWISE = 0.95, 0.85, 0.7, 0.6, 0.5
_LIKELY_COSTS, _RESTRICTED_COSTS = 0.15, 0.3


@dataclass(slots=True)
class Evidence:
    """One sentence's answer to one question.

    `kind`: ``said``, ``normal`` (of the organ as a whole) or ``sign``. `words` are those of the
    report that were found. `order` is the sentence's number.
    """

    value: str  # yes, no, uncertain
    kind: str
    rule: str
    confidence: float
    order: int
    section: str
    words: str = ""
    side: str = ""
    change: str = ""
    is_restricted: bool = False


def decide(found: Sequence[Evidence]) -> tuple[Evidence, list[Evidence]] | None:
    """The answer's evidence and all that agrees with it, the answer's own first."""
    said = [e for e in found if e.kind == "said"]
    yes, doubt, no = ([e for e in said if e.value == v] for v in ("yes", "uncertain", "no"))
    firm_no = [e for e in no if e.section == "impression" and not e.is_restricted]
    if yes and firm_no and all(e.rule.startswith("size:") for e in yes):
        return _best(firm_no), _with_rest(_best(firm_no), no)
    if yes:
        denied = {e.words for e in firm_no}
        is_contradicted = all(e.section != "impression" and e.words in denied for e in yes)
        best = _best(yes)
        if denied and is_contradicted:
            rule = f"uncertain: findings say yes, impression no ({best.rule})"
            doubtful = replace(best, value="uncertain", rule=rule, confidence=NORMAL)
            return doubtful, [doubtful, *(e for e in yes if e is not best)]
        return best, _with_rest(best, yes)
    if doubt:
        if firm_no and all(e.section != "impression" for e in doubt):
            return _best(firm_no), _with_rest(_best(firm_no), no)
        best = _best(doubt)
        return best, _with_rest(best, doubt)
    if no:
        best = _best(no)
        return best, _with_rest(best, no)
    for kind in ("sign", "normal"):
        weak = [e for e in found if e.kind == kind]
        if weak:
            best = _best(weak)
            return best, _with_rest(best, weak)
    return None


def _best(items: Sequence[Evidence]) -> Evidence:
    return max(items, key=lambda e: (e.confidence, -e.order))


def _with_rest(best: Evidence, items: Sequence[Evidence]) -> list[Evidence]:
    return [best, *(e for e in items if e is not best)]


def side_of(items: Sequence[Evidence]) -> str:
    """One side, or both where both are named, be it in different sentences."""
    named = {e.side for e in items if e.side}
    if "both" in named or {"left", "right"} <= named:
        return "both"
    return named.pop() if named else ""


def confidence(base: float, *, is_likely: bool, is_restricted: bool) -> float:
    """A hedge and a partial denial cost confidence."""
    costs = _LIKELY_COSTS * is_likely + _RESTRICTED_COSTS * is_restricted
    return round(base - costs, 2)


def raised(broad: Finding | None, narrow: Finding, broad_id: str) -> Finding | None:
    """What a broader question is to answer, given a narrower one's yes or uncertain; None: no news.

    A broader explicit no at least as sure as the narrower one's doubt stays.
    """
    if broad is not None:
        if broad.value == "yes" or broad.value == narrow.value:
            return None
        is_surer = broad.confidence >= narrow.confidence or not narrow.rule.startswith("sign")
        explicit = broad.value == "no" and not broad.rule.startswith("normal")
        if narrow.value == "uncertain" and explicit and is_surer:
            return None
    return Finding(
        question=broad_id,
        value=narrow.value,
        sentence=narrow.sentence,
        section=narrow.section,
        span=narrow.span,
        confidence=narrow.confidence,
        rule=f"implied by {narrow.question}",
        side=narrow.side,
        change=narrow.change,
        mentions=narrow.mentions,
    )
