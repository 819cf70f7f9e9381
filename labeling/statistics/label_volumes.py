"""Volumes of the labels that count, as the catalog has them."""

from collections.abc import Iterator
from typing import Any

from labeling.statistics.figures import LabelVolume
from voxcurate.catalog import Label
from voxcurate.stage import StageContext

RETIRED = "retired"
CASES_AT_ONCE = 500


def counting_volumes(ctx: StageContext, round_number: int | None = None) -> Iterator[LabelVolume]:
    """The labels that count as of a round (default: the context's) in the scans in use, of the
    round's classes (all, if it has none), some hundred scans at a time.

    Retired labels are left out. A label that speaks of a part of its scan is marked: its volume is
    not the organ's.
    """
    number = ctx.round if round_number is None else round_number
    source = {scan.case_id: scan.source for scan in ctx.scans()}
    cases = sorted(source)
    for first in range(0, len(cases), CASES_AT_ONCE):
        where: dict[str, Any] = {"case_id": cases[first : first + CASES_AT_ONCE]}
        if ctx.classes:
            where["class_id"] = ctx.classes
        pointers = ctx.catalog.current(number, **where)
        names = ("label_id", "ml", "known_path", "retired")
        rows = ctx.catalog.columns(Label, *names, **where)
        facts = {label_id: rest for label_id, *rest in rows}
        for (case_id, class_id), pointer in pointers.items():
            ml, known_path, is_retired = facts[pointer.label_id]
            if pointer.trust != RETIRED and not is_retired:
                yield LabelVolume(class_id, source[case_id], pointer.trust, ml, bool(known_path))
