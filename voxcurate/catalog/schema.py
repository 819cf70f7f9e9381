"""The tables, as the latest migration leaves them; columns mirror the records' fields."""

from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from voxcurate.catalog import records

metadata = sa.MetaData()


def _table(
    name: str, kind: type, key: tuple[str, ...], index: tuple[tuple[str, ...], ...]
) -> sa.Table:
    columns: list[Any] = []
    for item in fields(kind):
        columns.append(
            sa.Column(
                item.name,
                _type(item.type),
                primary_key=item.name in key,
                nullable=_optional(item.type),
            )
        )
    table = sa.Table(name, metadata, *columns)
    for names in index:
        sa.Index(f"ix_{name}_{'_'.join(names)}", *(table.c[n] for n in names))
    return table


def _optional(annotation: Any) -> bool:
    return "None" in str(annotation)


def _type(annotation: Any) -> Any:
    text = str(annotation)
    if annotation is bool:
        return sa.Boolean()
    if annotation is int:
        return sa.Integer()
    if annotation is float or "float | None" in text:
        return sa.Float()
    if text.startswith(("list", "dict")):
        return sa.JSON()
    return sa.String()


TABLES: dict[type, sa.Table] = {
    records.Scan: _table(
        "scan",
        records.Scan,
        ("case_id",),
        (("patient",), ("status", "split", "case_id", "source", "patient", "sha256")),
    ),
    records.ScanPair: _table("scan_pair", records.ScanPair, ("first", "second"), (("second",),)),
    records.Report: _table("report", records.Report, ("report_id",), (("case_id",),)),
    records.FindingRow: _table(
        "finding",
        records.FindingRow,
        ("report_id", "question"),
        (("case_id",), ("question", "value")),
    ),
    records.Reading: _table("reading", records.Reading, ("report_id",), (("status",),)),
    records.Label: _table(
        "label", records.Label, ("label_id",), (("case_id", "class_id"), ("round",))
    ),
    records.Assembly: _table(
        "assembly",
        records.Assembly,
        ("round", "case_id", "class_id"),
        (("case_id", "class_id", "round"),),
    ),
    records.Decision: _table(
        "decision",
        records.Decision,
        ("decision_id",),
        (("case_id", "class_id"), ("round", "stage")),
    ),
    records.Model: _table("model", records.Model, ("model_id",), (("round",),)),
    records.Measure: _table(
        "measure",
        records.Measure,
        ("round", "stage", "case_id", "class_id", "model_id", "name"),
        (("case_id",),),
    ),
    records.Round: _table("round", records.Round, ("number",), ()),
    records.WorkItem: _table(
        "work_item",
        records.WorkItem,
        ("round", "stage", "subject", "variant", "fingerprint"),
        (
            ("stage", "subject", "variant", "fingerprint"),
            ("status",),
            ("round", "stage", "status", "peak_mb"),
        ),
    ),
}
