"""The catalog's side of training cases: which scans, with which of their labels, as plain data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from voxcurate.catalog import Label, Scan
from voxcurate.stage import StageContext

Accept = Callable[[Label], bool]


def current_labels(
    ctx: StageContext, round_number: int, *, with_retired: bool = False
) -> dict[str, dict[str, Label]]:
    """Case to class to the label version that counts as of a round; retired ones on request."""
    pointers = ctx.catalog.current(round_number)
    ids = [pointer.label_id for pointer in pointers.values()]
    by_id = {label.label_id: label for label in ctx.catalog.rows(Label, label_id=ids)}
    found: dict[str, dict[str, Label]] = {}
    for (case_id, class_id), pointer in pointers.items():
        label = by_id.get(pointer.label_id)
        if label is not None and (with_retired or not label.retired):
            found.setdefault(case_id, {})[class_id] = label
    return found


def case_specs(
    ctx: StageContext,
    scans: Sequence[Scan],
    labels: Mapping[str, Mapping[str, Label]],
    classes: Sequence[str],
    accept: Accept = lambda label: True,
) -> list[dict[str, Any]]:
    """Plain `CaseSpec` of the scans that have an accepted label of one of the classes."""
    found = []
    for scan in scans:
        own = labels.get(scan.case_id, {})
        chosen = {c: _label_spec(ctx, own[c]) for c in classes if c in own and accept(own[c])}
        if chosen:
            found.append(_case_spec(ctx, scan, chosen))
    return found


def raw_specs(
    ctx: StageContext, scans: Sequence[Scan], labelled: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Plain `CaseSpec` of the scans that are not among the labelled ones."""
    taken = {case["case_id"] for case in labelled}
    return [_case_spec(ctx, scan, {}) for scan in scans if scan.case_id not in taken]


def labelled_classes(
    cases: Sequence[Mapping[str, Any]], classes: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Classes that some case has a mask of, and those that none has."""
    known = {c for case in cases for c, label in case["labels"].items() if label["path"]}
    return [c for c in classes if c in known], [c for c in classes if c not in known]


def target_classes(ctx: StageContext, labels: Mapping[str, Mapping[str, Label]]) -> tuple[str, ...]:
    """The round's classes, else all that are labelled anywhere."""
    return ctx.classes or tuple(sorted({c for own in labels.values() for c in own}))


def _label_spec(ctx: StageContext, label: Label) -> dict[str, Any]:
    """Plain `LabelSpec`; what a person confirmed weighs as what a person drew."""
    root = ctx.workspace.root
    is_human = (label.gold or label.confirmed) and label.origin != "original"
    return {
        "label_id": label.label_id,
        "path": str(root / label.path) if label.path else "",
        "known_path": str(root / label.known_path) if label.known_path else "",
        "origin": "revised" if is_human else label.origin,
    }


def _case_spec(ctx: StageContext, scan: Scan, labels: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "case_id": scan.case_id,
        "path": str(ctx.workspace.root / scan.path),
        "sha256": scan.sha256,
        "modality": scan.modality,
        "labels": dict(labels),
    }
