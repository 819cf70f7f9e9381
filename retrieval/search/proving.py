"""Which finding proves a condition, and its answer in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from retrieval.search.query import Condition, Group, Proof
from retrieval.search.tree import Tree

Row = Mapping[str, Any]


def prove(condition: Condition, rows: Sequence[Row], tree: Tree, phase: str = "") -> Proof | None:
    """The surest finding that proves a condition, or None if none of these reports does.

    Args:
        condition: what must hold.
        rows: findings of a unit's reports.
        tree: of the questionnaire; a broader "no" proves a narrower one.
        phase: the scan's own contrast phase.
    """
    asked = [row for row in rows if row["question"] == condition.question]
    is_denial = condition.value == "no" and not condition.is_number and not condition.choice
    if is_denial and any(row["value"] == "yes" for row in asked):
        return None
    best = max((row for row in asked if fits(condition, row)), key=_confidence, default=None)
    if best is None and is_denial:
        best = _broader_no(condition.question, rows, tree)
    if best is not None:
        return Proof(
            str(best["question"]), words(best), str(best["sentence"]), str(best["report_id"]),
            int(best.get("start") or 0), int(best.get("stop") or 0),
        )  # fmt: skip
    if asked:
        return None
    if condition.question == "contrast_phase" and phase and phase in condition.choice:
        return Proof(condition.question, phase, "", "")
    return Proof(condition.question, "not mentioned", "", "") if condition.or_unmentioned else None


def holds(group: Group, rows: Sequence[Row], tree: Tree) -> bool:
    """Whether findings fulfil conditions joined."""

    def met(condition: Condition) -> bool:
        return prove(condition, rows, tree) is not None

    return (
        all(map(met, group.all_of))
        and not any(map(met, group.none_of))
        and (not group.any_of or any(map(met, group.any_of)))
        and all(holds(nested, rows, tree) for nested in group.groups)
        and (not group.either or any(holds(nested, rows, tree) for nested in group.either))
    )


def fits(condition: Condition, row: Row) -> bool:
    """Whether one finding has the wanted answer; a change is not looked at."""
    side = str(row.get("side") or "")
    if condition.side and side not in (condition.side, "both"):
        return False
    if condition.choice:
        return bool({row.get("choice"), *(row.get("items") or ())} & set(condition.choice))
    if condition.is_number:
        size = row.get("number")
        return size is not None and _within(condition, float(size))
    if row["value"] == "number":
        return bool(condition.change)
    return row["value"] == condition.value or (
        condition.or_uncertain and row["value"] == "uncertain"
    )


def words(row: Row) -> str:
    """An answer in words: ``yes, left, new``, ``18 mm``, ``head, neck``."""
    if row["value"] == "number":
        said = f"{row['number']:g} {row.get('unit') or ''}".strip()
    else:
        said = ", ".join(row.get("items") or ()) or str(row.get("choice") or row["value"])
    more = [str(row[name]) for name in ("side", "change") if row.get(name)]
    return ", ".join((said, *more))


def _broader_no(question: str, rows: Sequence[Row], tree: Tree) -> Row | None:
    said = {str(row["question"]): row for row in rows}
    for name in tree.broader.get(question, ()):
        row = said.get(name)
        if row is not None and row["value"] == "no":
            return row
        if row is None and (wider := _broader_no(name, rows, tree)) is not None:
            return wider
    return None


def _confidence(row: Row) -> float:
    return float(row.get("confidence", 1.0))


def _within(condition: Condition, size: float) -> bool:
    return (
        (condition.at_least is None or size >= condition.at_least)
        and (condition.at_most is None or size <= condition.at_most)
        and (condition.above is None or size > condition.above)
        and (condition.below is None or size < condition.below)
    )
