"""The catalog: every scan, report, label version, decision, model, round and work item, in SQL."""

from voxcurate.catalog.catalog import Catalog, Writer
from voxcurate.catalog.records import (
    Assembly,
    Decision,
    FindingRow,
    Label,
    Measure,
    Model,
    Reading,
    Report,
    Round,
    Scan,
    ScanHead,
    ScanPair,
    WorkItem,
)

__all__ = [
    "Assembly",
    "Catalog",
    "Decision",
    "FindingRow",
    "Label",
    "Measure",
    "Model",
    "Reading",
    "Report",
    "Round",
    "Scan",
    "ScanHead",
    "ScanPair",
    "WorkItem",
    "Writer",
]
