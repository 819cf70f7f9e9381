"""A workspace full of small reports, and what became of it."""

from pathlib import Path
from typing import Any

from voxcurate.catalog import Catalog, FindingRow, Reading, Report, WorkItem
from voxcurate.classes import load_vocabulary
from voxcurate.executors import ExecutorConfig
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

TEXTS = (
    "FINDINGS: Liver: cyst of {mm} mm in segment {segment}. Spleen is unremarkable.",
    "FINDINGS: No liver cyst. A pulmonary nodule of {mm} mm in the right upper lobe.",
    "FINDINGS: Pancreas: the head holds a mass of {mm} mm, suspicious for adenocarcinoma.",
)


def make_reports(n: int, first: int = 0) -> list[Report]:
    """Reports that differ from each other, of three kinds."""
    return [
        Report(f"r{k:05}", "", f"p{k}", "a", TEXTS[k % 3].format(mm=3 + k, segment=1 + k % 8))
        for k in range(first, first + n)
    ]


def put(catalog: Catalog, reports: list[Report]) -> None:
    with catalog.write() as writer:
        writer.put_all(reports)


def context_of(root: Path, kind: str = "serial", url: str = "", **changes: Any) -> StageContext:
    """A context over the workspace at `root`, which is made if it is not there."""
    made = Workspace.find(root) if (root / "voxcurate.yaml").exists() else Workspace.create(root)
    return StageContext(
        made,
        Catalog(url or made.catalog_url),
        load_vocabulary(),
        **{
            "round": 1,
            "executor_config": ExecutorConfig(kind=kind, workers=2),
            "quiet": True,
            **changes,
        },
    )


def state(catalog: Catalog) -> tuple[list[FindingRow], list[Reading]]:
    """All that reading leaves behind."""
    return catalog.rows(FindingRow), catalog.rows(Reading)


def shards_done(catalog: Catalog, number: int = 1) -> dict[str, tuple[str, str]]:
    """When each finished shard was recorded, with its fingerprint."""
    lines = catalog.rows(WorkItem, stage="retrieve", status="done", round=number)
    return {line.subject: (line.updated, line.fingerprint) for line in lines}
