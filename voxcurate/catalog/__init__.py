"""The catalog: every scan, report, label version, decision, model, round and work item, in SQL."""

from voxcurate.catalog.catalog import Catalog, Writer
from voxcurate.catalog.records import (
    Assembly,
    Decision,
    FindingRow,
    Label,
    LabelHead,
    Measure,
    Model,
    Reading,
    Report,
    Round,
    Scan,
    ScanHead,
    ScanPair,
    WorkHead,
    WorkItem,
)

__all__ = [
    "Assembly",
    "Catalog",
    "Decision",
    "FindingRow",
    "Label",
    "LabelHead",
    "Measure",
    "Model",
    "Reading",
    "Report",
    "Round",
    "Scan",
    "ScanHead",
    "ScanPair",
    "WorkHead",
    "WorkItem",
    "Writer",
]
