"""Which lesions people look at in one round: the most certain of each kind, within the budget.

A round waits for what it hands out, so that all kinds are limited; what finds no room is listed,
and comes in the next round, when the first have been answered.
"""

from collections.abc import Collection, Sequence
from math import ceil

from labeling.roc.config import RocConfig
from voxcurate.catalog import Decision

KINDS = ("missed", "contradicts", "candidate")


def within_budget(
    made: Sequence[Decision], config: RocConfig
) -> tuple[list[Decision], list[Decision]]:
    """The rows that get a folder, and those that wait; both by kind, the most certain first.

    Missed and contradicting ones have up to their shares of the budget, candidates the rest; room
    that a kind leaves goes to the others in order. A scan's candidates stay together: there may be
    more than room for the likeliest scan's, which are never split; of others whole scans while
    there is room.

    Args:
        made: the decisions, each once.
        config: budget and shares.
    """
    groups = {kind: _groups([d for d in made if d.verdict == kind]) for kind in KINDS}
    rooms: list[int] = []
    for share in (config.missed_share, config.contradicts_share, 1.0):
        rooms.append(min(ceil(config.budget * share), config.budget - sum(rooms)))
    taken = {
        kind: _fitting(groups[kind], room, first=kind == "candidate" and room > 0)
        for kind, room in zip(KINDS, rooms, strict=True)
    }
    for kind in KINDS:
        left = config.budget - sum(len(groups[k][n]) for k in KINDS for n in taken[k])
        only = kind == "candidate" and left == config.budget > 0
        taken[kind] |= _fitting(groups[kind], left, first=only, but=taken[kind])
    rows: tuple[list[Decision], list[Decision]] = ([], [])
    for kind in KINDS:
        for n, group in enumerate(groups[kind]):
            rows[n not in taken[kind]].extend(group)
    return rows


def _fitting(
    groups: Sequence[Sequence[Decision]],
    room: int,
    *,
    first: bool = False,
    but: Collection[int] = (),
) -> set[int]:
    """Numbers of the groups that there is room for, one after the other.

    Args:
        groups: of rows.
        room: rows.
        first: take the first one in any case.
        but: these are taken already.
    """
    found: set[int] = set()
    for n, group in enumerate(groups):
        if n not in but and (len(group) <= room or (first and not found)):
            found.add(n)
            room -= len(group)
    return found


def _groups(made: Sequence[Decision]) -> list[list[Decision]]:
    """What is handed out together, the most certain first."""
    found: dict[tuple[str, str], list[Decision]] = {}
    for d in made:
        found.setdefault((d.case_id, d.class_id), []).append(d)
    for group in found.values():
        group.sort(key=lambda d: int(d.evidence.get("number", 0)))
    return [group for _, group in sorted(found.items(), key=lambda g: (_certain(g[1]), g[0]))]


def _certain(group: Sequence[Decision]) -> tuple[float, float]:
    """Falls with the certainty: of a candidate its score, else how sure the report is, and then
    what the model saw though it was below the threshold, or how much the label shows."""
    first = group[0]
    if first.verdict == "candidate":
        return -max(float(d.evidence["score"]) for d in group), 0.0
    sure = float(first.evidence.get("finding", {}).get("confidence") or 0.0)
    more = "best" if first.verdict == "missed" else "label_ml"
    return -sure, -float(first.evidence.get(more, 0.0))
