"""The tables of a release: cases, labels with who drew them and why, decisions, licences."""

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from labeling.assembly.history import in_time, lineage, reasons, who_drew
from voxcurate.catalog import Assembly, Decision, Label, Model, Scan, ScanHead
from voxcurate.stage import StageContext

CASES_AT_ONCE = 100
DECISIONS_AT_ONCE = 5000
PLAIN = (str, int, float, bool)
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
class Batch:
    """Some cases of a release: scans, and labels by case and class, in the order of the cases."""

    scans: Mapping[str, Scan]
    labels: Mapping[str, Mapping[str, Label]]
    pointers: Mapping[tuple[str, str], Assembly]


@dataclass(frozen=True)
class Released:
    """What is in a release: cases in their order, and the classes asked for. Scans and labels are
    read some at a time."""

    ctx: StageContext
    cases: Sequence[str]
    classes: Sequence[str]
    combined: bool

    def batches(self) -> Iterator[Batch]:
        """The release, some cases at a time; of a retired label nobody knows better: left out."""
        catalog = self.ctx.catalog
        for first in range(0, len(self.cases), CASES_AT_ONCE):
            cases = list(self.cases[first : first + CASES_AT_ONCE])
            scans = {scan.case_id: scan for scan in catalog.rows(ScanHead, case_id=cases)}
            pointers = catalog.current(case_id=cases)
            ids = {p.label_id for (_, c), p in pointers.items() if c in self.classes}
            labels: dict[str, dict[str, Label]] = {case: {} for case in cases}
            for label in catalog.rows(Label, label_id=ids):
                if not label.retired:
                    labels[label.case_id][label.class_id] = label
            yield Batch(scans, labels, pointers)


@dataclass
class _Counts:
    """What the tables' lines add up to."""

    licences: dict[str, Counter[str]]
    splits: Counter[str]
    classes: Counter[tuple[str, str]]
    models: set[str]
    n_labels: int = 0


def write_tables(released: Released, refused: Mapping[str, str], folder: Path) -> int:
    """Write cases.csv, labels.csv, decisions.csv, LICENSES.txt and dataset.json into `folder`;
    returns how many labels there are."""
    ctx = released.ctx
    counts = _Counts(defaultdict(Counter), Counter(), Counter(), set())
    facts = _fact_names(released)
    columns = [*CASE_COLUMNS, *(f"facts_{name}" for name in facts)]
    with (
        _table(folder / "cases.csv", columns) as cases,
        _table(folder / "labels.csv", LABEL_COLUMNS) as labels,
    ):
        for batch in released.batches():
            cases.writerows(_case_row(scan, facts) for _, scan in sorted(batch.scans.items()))
            labels.writerows(_label_rows(ctx, batch, counts))
            for scan in batch.scans.values():
                counts.licences[scan.licence][scan.source] += 1
                counts.splits[scan.split] += 1
    with _table(folder / "decisions.csv", [item.name for item in fields(Decision)]) as decided:
        decided.writerows(_decision_row(d) for d in _decisions(released))
    models = ctx.catalog.rows(Model, model_id=counts.models - {""})
    (folder / "LICENSES.txt").write_text(_licences(counts.licences, models), encoding="utf-8")
    description = _description(released, counts, refused)
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    (folder / "dataset.json").write_text(text, encoding="utf-8")
    return counts.n_labels


@contextmanager
def _table(path: Path, columns: Sequence[str]) -> Iterator["csv.DictWriter[str]"]:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
        writer.writeheader()
        yield writer


def _label_rows(ctx: StageContext, batch: Batch, counts: _Counts) -> Iterator[dict[str, Any]]:
    cases = list(batch.labels)
    versions = {label.label_id: label for label in ctx.catalog.rows(Label, case_id=cases)}
    about: dict[tuple[str, str], list[Decision]] = defaultdict(list)
    for decision in ctx.catalog.rows(Decision, case_id=cases):
        about[decision.case_id, decision.class_id].append(decision)
    for case_id, labels in batch.labels.items():
        for class_id, label in sorted(labels.items()):
            key = (case_id, class_id)
            row = _label_row(label, batch.pointers[key], versions, about[key])
            counts.classes[class_id, row["state"]] += 1
            made_by = label.facts.get("models", ())  # those whose fusion it is
            counts.models.update([*label.model_id.replace("+", ",").split(","), *made_by])
            counts.n_labels += 1
            yield row


def _decisions(released: Released) -> Iterator[Decision]:
    """Decisions about the cases, in the order in which they were made."""
    names = ("round", "created", "decision_id")
    catalog = released.ctx.catalog
    keys = sorted(catalog.columns(Decision, *names, case_id=list(released.cases)))
    for first in range(0, len(keys), DECISIONS_AT_ONCE):
        ids = [key[-1] for key in keys[first : first + DECISIONS_AT_ONCE]]
        yield from in_time(catalog.rows(Decision, decision_id=ids))


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


def _fact_names(released: Released) -> list[str]:
    """Facts of scans that fit into a cell."""
    wanted, found = set(released.cases), set[str]()
    for rows in released.ctx.catalog.stream(Scan, "case_id", "facts"):
        for case_id, facts in rows:
            if case_id in wanted:
                found |= {name for name, value in facts.items() if isinstance(value, PLAIN)}
    return sorted(found)


def _case_row(scan: Scan, facts: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {c: getattr(scan, c, "") for c in CASE_COLUMNS}
    row["shape"] = "x".join(str(n) for n in scan.shape)
    row["spacing_mm"] = "x".join(f"{s:.4g}" for s in scan.spacing)
    return row | {f"facts_{name}": _fact(name, scan.facts.get(name)) for name in facts}


def _fact(key: str, value: Any) -> Any:
    if not isinstance(value, PLAIN):
        return ""
    if key in {"age", "age_years"} and not isinstance(value, str) and value > OLDEST_AGE:
        return f"{OLDEST_AGE + 1}+"
    return value


def _decision_row(decision: Decision) -> dict[str, Any]:
    row = asdict(decision)
    for name in ("evidence", "cost"):
        row[name] = json.dumps(row[name], sort_keys=True, ensure_ascii=False)
    return row


def _licences(by_licence: Mapping[str, Counter[str]], models: Sequence[Model]) -> str:
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


def _description(released: Released, counts: _Counts, refused: Mapping[str, str]) -> dict[str, Any]:
    ctx, classes = released.ctx, []
    for value, class_id in enumerate(released.classes, 1):
        present, absent = (counts.classes[class_id, state] for state in ("present", "absent"))
        classes.append(
            {
                "id": class_id,
                "name": _class_name(ctx, class_id),
                "value": value,
                "present": present,
                "absent": absent,
                "unknown": len(released.cases) - present - absent,
            }
        )
    rounds = set(ctx.catalog.columns(Assembly, "round"))
    return {
        "format": "AbdomenAtlas layout, voxcurate export 1",
        "workspace": ctx.workspace.config.id,
        "round": max((number for (number,) in rounds), default=0),
        "coordinates": "NIfTI RAS+ mm; masks lie on the grid of their ct",
        "masks": "uint8, 1 inside; an all-zero mask: absent; no file: unknown, not background",
        "combined_labels": released.combined,
        "classes": classes,
        "splits": dict(sorted(counts.splits.items())),
        "cases": list(released.cases),
        "refused": dict(sorted(refused.items())),
    }


def _class_name(ctx: StageContext, class_id: str) -> str:
    return (ctx.vocabulary[class_id].name if class_id in ctx.vocabulary else "") or class_id
