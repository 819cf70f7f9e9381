"""Findings of a question joined by its words: "or", events, changes, sides, what is left out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from retrieval.search.frames import Frames, Mark
from retrieval.search.query import Condition, Event, Group
from retrieval.search.wording import condition_words

_OR = re.compile(r"\bor\b|/", re.I)
_OR_UNSURE = re.compile(
    r"\bor (?:even )?(?:uncertain|more|less|older|younger|larger|smaller)\b", re.I
)
# what may stand between a finding and the side that follows it
_BEHIND = re.compile(r"\s*(?:,|in|of|on|at)?\s*(?:the\s+)?")
_NEAR = 25  # characters between an adjective and its finding


@dataclass(frozen=True)
class Said:
    """A condition and where the question says it; a size belongs to the finding at `owner`."""

    condition: Condition
    start: int
    end: int
    owner: int = -1


@dataclass
class Joined:
    """The groups of a query, settings beside them, and what was used for what."""

    groups: dict[str, Any] = field(default_factory=dict)
    layer: dict[str, Any] = field(default_factory=dict)
    used: list[tuple[str, str]] = field(default_factory=list)
    taken: list[tuple[int, int]] = field(default_factory=list)


def join(
    text: str, frame: Frames, said: Sequence[Said], choices: Sequence[Condition] = ()
) -> Joined:
    """The conditions of a question, each where it belongs."""
    made = Joined()
    said = [_with_marks(item, frame, made) for item in said]
    made.used += [
        (" ".join(text[item.start : item.end].split()), condition_words(item.condition))
        for item in said
    ]
    events = {role: _inside(said, list(frame.roles(role))) for role in ("before", "after", "none")}
    apart = {id(item) for items in events.values() for item in items}
    plain = [item for item in said if id(item) not in apart]
    within = next((mark.value for mark in frame.roles("within")), None)
    for role in ("before", "after"):
        if events[role]:
            group = _grouped(text, events[role])
            made.layer[role] = Event(**group, within_days=within).model_dump()
        made.taken += [(m.start, m.start) for m in frame.roles(role)]
    groups = _grouped(text, plain)
    groups["all_of"] = (*groups.get("all_of", ()), *choices)
    if events["none"]:
        groups["none_of"] = tuple(_affirmed(item.condition) for item in events["none"])
    made.groups = groups
    return made


def _with_marks(item: Said, frame: Frames, made: Joined) -> Said:
    """A condition with the change and side that stand beside it."""
    if item.owner >= 0 or item.condition.value == "no":
        return item
    changed: dict[str, Any] = {}
    for role in ("change", "side"):
        for mark in frame.roles(role):
            gap = frame.text[mark.end : item.start] if mark.end <= item.start else ""
            behind = frame.text[item.end : mark.start] if mark.start >= item.end else "-"
            follows = bool(_BEHIND.fullmatch(behind))
            inside = item.start <= mark.start < item.end
            before = (
                mark.end <= item.start and len(gap) <= _NEAR and not re.search(r"[,;]|\band\b", gap)
            )
            if follows or before or inside:
                changed[role] = (mark.value,) if role == "change" else mark.value
                made.taken.append((mark.start, mark.end))
    return replace(item, condition=item.condition.model_copy(update=changed))


def _grouped(text: str, said: Sequence[Said]) -> dict[str, Any]:
    """Conditions that "or" joins beside each other are alternatives, with their sizes."""
    findings = sorted((i for i in said if i.owner < 0), key=lambda i: i.start)
    runs: list[list[Said]] = []
    for item in findings:
        gap = text[runs[-1][-1].end : item.start] if runs else ""
        if runs and _joins(gap, text, item, findings):
            runs[-1].append(item)
        else:
            runs.append([item])
    sizes = [i for i in said if i.owner >= 0]
    every: list[Condition] = []
    any_of: list[Condition] = []
    either: list[Group] = []
    groups: list[Group] = []
    for run in runs:
        own = [[i.condition, *(s.condition for s in sizes if s.owner == i.start)] for i in run]
        if len(run) == 1:
            every += own[0]
        elif any(len(conditions) > 1 for conditions in own) and not either:
            either = [Group(all_of=tuple(conditions)) for conditions in own]
        elif not any_of:
            any_of = [conditions[0] for conditions in own]
        else:
            groups.append(Group(any_of=tuple(conditions[0] for conditions in own)))
    every += [s.condition for s in sizes if s.owner not in {i.start for i in findings}]
    parts: dict[str, Sequence[Any]] = {
        "all_of": every,
        "any_of": any_of,
        "either": either,
        "groups": groups,
    }
    return {name: tuple(dict.fromkeys(items)) for name, items in parts.items() if items}


def _joins(gap: str, text: str, item: Said, findings: Sequence[Said]) -> bool:
    """Whether a gap makes alternatives: an "or", or a comma of a list that an "or" ends."""
    if item.condition.value == "no":
        return False  # "no A or B" denies both
    plain = _OR_UNSURE.sub("", gap)
    if _OR.search(plain):
        return True
    rest = [f for f in findings if f.start > item.start]
    return plain.strip() == "," and bool(rest) and bool(_OR.search(text[item.end : rest[0].start]))


def _inside(said: Sequence[Said], marks: Sequence[Mark]) -> list[Said]:
    return [
        item
        for item in said
        if any(mark.start <= max(item.owner, item.start) < mark.end for mark in marks)
    ]


def _affirmed(condition: Condition) -> Condition:
    """What is left out, as it would be asked for."""
    return condition.model_copy(update={"value": "yes", "or_uncertain": True})
