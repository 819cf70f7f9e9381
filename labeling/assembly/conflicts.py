"""Voxels that two labels claim though their classes exclude each other.

The rules engine mends what one fusion drew. Here the labels that count are compared whoever drew
them: a person's liver and another source's stomach may overlap, and nobody but a person can say
which is right. A conflict is reported, nothing is taken away.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from labeling.structures import bounding_box, common_mask
from voxcurate.catalog import Label, Measure, Writer
from voxcurate.classes import Vocabulary
from voxcurate.ids import content_id
from voxcurate.labelmaps import Sparse, read_sparse
from voxcurate.ledger import Item, LedgerResult, run_items
from voxcurate.stage import StageContext
from voxcurate.volume import ML_PER_MM3

STAGE = "assemble_conflicts"
NAME = "conflict_ml"
VERSION = "1"
CASES_AT_ONCE = 200


def excluding_pairs(labels: Mapping[str, Label], vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """The pairs of a case's labels that may not share voxels and have not been compared already.

    A lesion may lie anywhere, as for the rules (`labeling.rules`). They looked at what one fusion
    made: of that only pairs that they call broken are compared again.
    """
    drawn = sorted(
        c
        for c, label in labels.items()
        if label.voxels and c in vocabulary and not vocabulary[c].lesion
    )
    return [
        (a, b)
        for n, a in enumerate(drawn)
        for b in drawn[n + 1 :]
        if not vocabulary.may_overlap(a, b) and not _found_apart(labels[a], labels[b])
    ]


def find_conflicts(ctx: StageContext, cases: Sequence[str]) -> LedgerResult:
    """Compare the labels that count of each case; what was compared in any round is not again.

    Each conflict is a measure ``conflict_ml`` of the case and the first class, with the second
    class in its facts (``model_id`` carries it too, as a case may have several). A case's sum of
    them, 0 too, is one without a class: it says that the case was compared in this round.
    """
    labels = Counting(ctx, cases)

    def payload(case_id: str) -> dict[str, Any]:
        own = labels.of(case_id)
        pairs, used = _compared(own, ctx.vocabulary)
        paths = {c: own[c].path for c in used}
        return {"root": str(ctx.workspace.root), "paths": paths, "pairs": pairs}

    items = []
    for case_id in cases:
        own = labels.of(case_id)
        pairs, used = _compared(own, ctx.vocabulary)
        if pairs:
            inputs = content_id(pairs, [own[c].label_id for c in used])
            items.append(Item(case_id, "", inputs, partial(payload, case_id)))

    def record(writer: Writer, item: Item, value: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {"conflicts": list(value)}

    done = run_items(
        ctx,
        STAGE,
        items,
        "labeling.assembly.conflicts:compare",
        record,
        version=VERSION,
        across_rounds=True,
        title="compare labels",
    )
    _measure(ctx, cases, done.results)
    return done


class Counting:
    """The labels that count as of the round, without the retired ones; read some cases at a time,
    for who asks for one case after the other."""

    def __init__(self, ctx: StageContext, cases: Sequence[str]) -> None:
        self._ctx, self._cases = ctx, cases
        self._places = {case_id: place for place, case_id in enumerate(cases)}
        self._page: dict[str, dict[str, Label]] = {}

    def of(self, case_id: str) -> dict[str, Label]:
        """Class to label of a case."""
        if case_id not in self._page:
            start = self._places[case_id] // CASES_AT_ONCE * CASES_AT_ONCE
            self._page = self._read(self._cases[start : start + CASES_AT_ONCE])
        return self._page[case_id]

    def _read(self, cases: Sequence[str]) -> dict[str, dict[str, Label]]:
        found: dict[str, dict[str, Label]] = {case_id: {} for case_id in cases}
        pointers = self._ctx.catalog.current(self._ctx.round, case_id=list(cases))
        wanted = {pointer.label_id for pointer in pointers.values()}
        for label in self._ctx.catalog.rows(Label, label_id=wanted):
            if not label.retired:
                found[label.case_id][label.class_id] = label
        return found


def compare(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Worker: the voxels and mL that the pairs share, and the box (I, J, K) that holds them."""
    masks = {c: read_sparse(Path(payload["root"], p)) for c, p in payload["paths"].items()}
    found = []
    for a, b in payload["pairs"]:
        shared = _shared(masks[a], masks[b])
        if shared is not None:
            found.append({"class_id": a, "other": b, **shared})
    return found


def _shared(a: Sparse, b: Sparse) -> dict[str, Any] | None:
    both, place = common_mask(a.array, a.box, b.array, b.box)
    voxels = int(np.count_nonzero(both))
    if not voxels:
        return None
    ml = voxels * abs(float(np.linalg.det(a.affine[:3, :3]))) * ML_PER_MM3
    box = [
        [outer.start + inner.start, outer.start + inner.stop]
        for outer, inner in zip(place, bounding_box(both), strict=True)
    ][::-1]  # files lie (K, J, I)
    return {"voxels": voxels, "ml": round(ml, 4), "box": box}


def _measure(
    ctx: StageContext, cases: Sequence[str], results: Mapping[str, Mapping[str, Any]]
) -> None:
    rows: list[Measure] = []
    sums = dict.fromkeys(cases, 0.0)
    for case_id, result in results.items():
        for found in result["conflicts"]:
            facts = {"other": found["other"], "voxels": found["voxels"], "box": found["box"]}
            place = (case_id, found["class_id"], found["other"])
            rows.append(Measure(ctx.round, "assemble", *place, NAME, found["ml"], facts))
            sums[case_id] += found["ml"]
    rows += [
        Measure(ctx.round, "assemble", case_id, "", "", NAME, round(ml, 4))
        for case_id, ml in sums.items()
    ]
    with ctx.catalog.write() as writer:
        writer.forget(Measure, round=ctx.round, stage="assemble", name=NAME, case_id=list(cases))
        writer.put_all(rows)


def _compared(
    own: Mapping[str, Label], vocabulary: Vocabulary
) -> tuple[list[tuple[str, str]], list[str]]:
    pairs = excluding_pairs(own, vocabulary)
    return pairs, sorted({c for pair in pairs for c in pair})


def _found_apart(a: Label, b: Label) -> bool:
    """Whether one fusion drew both, and the rules found no overlap between them."""
    if a.origin != "pseudo" or b.origin != "pseudo":
        return False
    if (a.round, a.model_id) != (b.round, b.model_id):
        return False
    return all(
        "broken" in one.facts
        and not any(v["rule"] == "overlap" and v["other"] == c for v in one.facts["broken"])
        for one, c in ((a, b.class_id), (b, a.class_id))
    )
