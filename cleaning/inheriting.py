"""Labels of a copy that leaves, carried to the scan that stays: candidates beside its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.checking import STAGE
from cleaning.duplicates.groups import Dropped
from voxcurate.catalog import Decision, Label, Scan, Writer
from voxcurate.geometry import resample_to
from voxcurate.labels import MaskFile, adopt_mask, read_mask, write_mask
from voxcurate.ledger import Item, LedgerResult, run_items
from voxcurate.stage import StageContext
from voxcurate.volume import Volume

LABEL_STAGE = f"{STAGE}_labels"
VERSION = "1"
DRAWN = ("original", "revised")  # what a machine drew, it can draw again on the scan that stays
INSIDE, KNOWN = 0.5, 0.999  # share of a voxel


def carry_labels(
    ctx: StageContext, dropped: Sequence[Dropped], scans: Mapping[str, Scan]
) -> LedgerResult:
    """The labels that count on each dropped copy, as versions of the scan that stays.

    They keep their origin and name the copy (``facts.from_copy``); no pointer moves here. A test
    scan inherits nothing, for its truth is frozen. Where the copy does not reach, the carried label
    says nothing (its `known` mask).

    Args:
        ctx: the round.
        dropped: copies, with the scans that stay.
        scans: all of the catalog.
    """
    wanted = [
        each
        for each in dropped
        if each.to_keeper is not None and scans[each.keeper].split != "test"
    ]
    pointers = ctx.catalog.current(case_id=[each.scan for each in wanted]) if wanted else {}
    ids = {pointer.label_id for pointer in pointers.values()}
    labels: dict[str, list[Label]] = {}
    for label in ctx.catalog.rows(Label, label_id=ids) if ids else []:
        if label.origin in DRAWN and not label.retired and "from_copy" not in label.facts:
            labels.setdefault(label.case_id, []).append(label)
    items = [
        _item(ctx, each, scans[each.scan], scans[each.keeper], label)
        for each in wanted
        for label in labels.get(each.scan, ())
    ]

    def record(writer: Writer, item: Item, value: Any) -> Mapping[str, Any]:
        return _adopt(ctx, writer, item, value)

    return run_items(
        ctx,
        LABEL_STAGE,
        items,
        "cleaning.inheriting:carry",
        record,
        version=VERSION,
        across_rounds=True,
        title="carry labels",
    )


def _item(ctx: StageContext, each: Dropped, copy: Scan, keeper: Scan, label: Label) -> Item:
    assert each.to_keeper is not None  # only such are wanted
    return Item(
        each.keeper,
        variant=f"{label.class_id}:{label.label_id}",
        inputs=[label.sha256, label.known_path, keeper.sha256, each.to_keeper.round(4).tolist()],
        payload={
            "label": label.label_id,
            "class_id": label.class_id,
            "origin": label.origin,
            "copy": each.scan,
            "root": str(ctx.workspace.root),
            "path": label.path,
            "known_path": label.known_path,
            "to_keeper": each.to_keeper.tolist(),
            "shape": keeper.shape,
            "affine": keeper.affine,
            "copy_shape": copy.shape,
            "copy_affine": copy.affine,
            "scratch": str(ctx.workspace.scratch),
            "name": f"{each.keeper}_{label.label_id}",
        },
    )


@dataclass(frozen=True)
class Carried:
    """A mask on the keeper's voxels, and where it is known; None: nothing of it lies there."""

    mask: MaskFile | None
    known: MaskFile | None = None


def carry(payload: Mapping[str, Any]) -> Carried:
    """Worker: one label of the copy on the voxels of the scan that stays."""
    root, shape = Path(payload["root"]), tuple(payload["copy_shape"])
    affine = np.asarray(payload["to_keeper"]) @ np.asarray(payload["copy_affine"])
    i, j, k = payload["shape"]
    target = np.asarray(payload["affine"])

    def moved(mask: npt.NDArray[np.bool_], enough: float) -> npt.NDArray[np.bool_]:
        share = Volume(mask.astype(np.float32), affine)
        found = resample_to(share, (i, j, k), target, order=1, fill=0.0)
        return np.asarray(found.array >= enough)

    drawn = read_mask(root, payload["path"], shape)
    said = read_mask(root, payload["known_path"], shape) if payload["known_path"] else None
    known = moved(np.ones(shape, bool) if said is None else said, KNOWN)
    mask = moved(drawn, INSIDE) & known
    if not known.any() or (drawn.any() and not mask.any()):
        return Carried(None)
    scratch, name = Path(payload["scratch"]), payload["name"]
    part = None if known.all() else write_mask(scratch, f"{name}_known", known, target)
    return Carried(write_mask(scratch, name, mask, target), part)


def _adopt(ctx: StageContext, writer: Writer, item: Item, made: Carried) -> Mapping[str, Any]:
    given = item.payload
    if made.mask is None:
        return {"label": "", "why": "nothing of it lies on the scan that stays"}
    label = adopt_mask(
        writer,
        ctx.workspace,
        made.mask,
        case_id=item.subject,
        class_id=given["class_id"],
        origin=given["origin"],
        round_number=ctx.round,
        parent=given["label"],
        known=made.known,
        facts={"from_copy": given["copy"]},
    )
    reason = f"carried over from {given['copy']}, a copy that leaves"
    writer.decide(
        Decision(
            decision_id="",
            round=ctx.round,
            stage=STAGE,
            case_id=item.subject,
            class_id=given["class_id"],
            label_id=label.label_id,
            verdict="candidate",
            reason=reason,
            actor=f"cleaning {VERSION}",
            other_label=given["label"],
        )
    )
    return {"label": label.label_id}
