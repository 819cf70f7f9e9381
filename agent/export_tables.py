"""The tables of a release: cases, labels with who drew them and why, decisions, licences."""

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from labeling.history import in_time, lineage, reasons, who_drew
from voxcurate.catalog import Assembly, Decision, Label, Model, Scan
from voxcurate.stage import StageContext

OLDEST_AGE = 89  # years; older ones would identify a person (HIPAA safe harbor: "90+")
CASE_COLUMNS = (
    "case_id",
    "source",
    "licence",
    "split",
    "patient",
    "duplicate_group",
    "modality",
    "shape",
    "spacing_mm",
    "status",
    "status_reason",
    "sha256",
)
LABEL_COLUMNS = (
    "case_id",
    "class_id",
    "state",
    "label_id",
    "origin",
    "trust",
    "gold",
    "confirmed",
    "round",
    "actor",
    "model_id",
    "lineage",
    "reason_chain",
    "ml",
    "voxels",
    "partly_known",
    "sha256",
)


@dataclass(frozen=True)
class Released:
    """What is in the release: scans, their labels by class, and the classes asked for."""

    scans: Sequence[Scan]
    labels: Mapping[str, Mapping[str, Label]]
    classes: Sequence[str]
    combined: bool


def write_tables(
    ctx: StageContext, released: Released, refused: Mapping[str, str], folder: Path
) -> None:
    """Write cases.csv, labels.csv, decisions.csv, LICENSES.txt and dataset.json into `folder`."""
    cases = [scan.case_id for scan in released.scans]
    decisions = ctx.catalog.rows(Decision, case_id=cases)
    trust = ctx.catalog.current(case_id=cases)
    versions = {label.label_id: label for label in ctx.catalog.rows(Label, case_id=cases)}
    _write_cases(folder / "cases.csv", released.scans)
    about: dict[tuple[str, str], list[Decision]] = defaultdict(list)
    for decision in decisions:
        about[decision.case_id, decision.class_id].append(decision)
    rows = [
        _label_row(label, trust[key], versions, about[key])
        for scan in released.scans
        for class_id, label in sorted(released.labels[scan.case_id].items())
        for key in [(scan.case_id, class_id)]
    ]
    _write_csv(folder / "labels.csv", rows, LABEL_COLUMNS)
    decided = [_decision_row(d) for d in in_time(decisions)]
    _write_csv(folder / "decisions.csv", decided, [item.name for item in fields(Decision)])
    models = _models(ctx, rows)
    (folder / "LICENSES.txt").write_text(_licences(released, models), encoding="utf-8")
    description = _description(ctx, released, refused)
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    (folder / "dataset.json").write_text(text, encoding="utf-8")


def _label_row(
    label: Label,
    pointer: Assembly,
    versions: Mapping[str, Label],
    decisions: Sequence[Decision],
) -> dict[str, Any]:
    chain = lineage(label, versions)
    about = reasons(chain, decisions)
    return {
        "case_id": label.case_id,
        "class_id": label.class_id,
        "state": "present" if label.voxels else "absent",
        "label_id": label.label_id,
        "origin": label.origin,
        "trust": pointer.trust,
        "gold": int(label.gold),
        "confirmed": int(label.confirmed),
        "round": label.round,
        "actor": who_drew(label, about),
        "model_id": label.model_id,
        "lineage": " < ".join(f"{v.origin}:{v.label_id}" for v in chain),
        "reason_chain": "; ".join(
            f"round {d.round} {d.stage} {d.verdict} by {d.actor}: {d.reason}" for d in about
        ),
        "ml": label.ml,
        "voxels": label.voxels,
        "partly_known": int(bool(label.known_path)),
        "sha256": label.sha256,
    }


def _write_cases(path: Path, scans: Sequence[Scan]) -> None:
    plain = (str, int, float, bool)
    keys = sorted({k for s in scans for k, v in s.facts.items() if isinstance(v, plain)})
    rows = []
    for scan in scans:
        row: dict[str, Any] = {c: getattr(scan, c, "") for c in CASE_COLUMNS}
        row["shape"] = "x".join(str(n) for n in scan.shape)
        row["spacing_mm"] = "x".join(f"{s:.4g}" for s in scan.spacing)
        row.update({f"facts_{key}": _fact(key, scan.facts.get(key)) for key in keys})
        rows.append(row)
    _write_csv(path, rows, [*CASE_COLUMNS, *(f"facts_{key}" for key in keys)])


def _fact(key: str, value: Any) -> Any:
    if not isinstance(value, (str, int, float, bool)):
        return ""
    if key in {"age", "age_years"} and not isinstance(value, str) and value > OLDEST_AGE:
        return f"{OLDEST_AGE + 1}+"
    return value


def _decision_row(decision: Decision) -> dict[str, Any]:
    row = asdict(decision)
    for name in ("evidence", "cost"):
        row[name] = json.dumps(row[name], sort_keys=True, ensure_ascii=False)
    return row


def _models(ctx: StageContext, rows: Sequence[Mapping[str, Any]]) -> list[Model]:
    used = {part for row in rows for part in str(row["model_id"]).replace("+", ",").split(",")}
    return ctx.catalog.rows(Model, model_id=used - {""})


def _licences(released: Released, models: Sequence[Model]) -> str:
    by_licence: dict[str, Counter[str]] = defaultdict(Counter)
    for scan in released.scans:
        by_licence[scan.licence][scan.source] += 1
    lines = ["Licences of the scans and their original labels", ""]
    for licence, sources in sorted(by_licence.items()):
        lines.append(licence)
        lines += [f"  {source}: {n} scans" for source, n in sorted(sources.items())]
    if models:
        lines += ["", "Models that drew labels of this release", ""]
        lines += [f"  {m.model_id} ({m.architecture}): {m.licence}" for m in models]
    if "unknown" in by_licence:
        lines += ["", "Some licences are unknown: clear them before you pass this dataset on."]
    return "\n".join(lines) + "\n"


def _description(
    ctx: StageContext, released: Released, refused: Mapping[str, str]
) -> dict[str, Any]:
    classes = []
    for value, class_id in enumerate(released.classes, 1):
        own = [labels.get(class_id) for labels in released.labels.values()]
        classes.append(
            {
                "id": class_id,
                "name": _class_name(ctx, class_id),
                "value": value,
                "present": sum(1 for label in own if label and label.voxels),
                "absent": sum(1 for label in own if label and not label.voxels),
                "unknown": sum(1 for label in own if label is None),
            }
        )
    return {
        "format": "AbdomenAtlas layout, voxcurate export 1",
        "workspace": ctx.workspace.config.id,
        "round": max((p.round for p in ctx.catalog.current().values()), default=0),
        "coordinates": "NIfTI RAS+ mm; masks lie on the grid of their ct",
        "masks": "uint8, 1 inside; an all-zero mask: absent; no file: unknown, not background",
        "combined_labels": released.combined,
        "classes": classes,
        "splits": dict(sorted(Counter(scan.split for scan in released.scans).items())),
        "cases": [scan.case_id for scan in released.scans],
        "refused": dict(sorted(refused.items())),
    }


def _class_name(ctx: StageContext, class_id: str) -> str:
    return (ctx.vocabulary[class_id].name if class_id in ctx.vocabulary else "") or class_id


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
