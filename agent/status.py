"""``voxcurate status``: rounds, stages, counts, failures, and what to do next."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from agent.stages import LEDGER_NAMES, in_order
from voxcurate.catalog import Catalog, Measure, Report, Round, Scan, WorkItem
from voxcurate.catalog.schema import TABLES
from voxcurate.ledger import item_key
from voxcurate.progress import duration
from voxcurate.workspace import Workspace


@dataclass
class _Lines:
    """The ledger lines of a stage, counted."""

    statuses: Counter[str] = field(default_factory=Counter)
    peak_mb: float = 0.0


def status(workspace: Workspace, catalog: Catalog) -> dict[str, Any]:
    """The workspace at a glance, as plain data."""
    scans = catalog.columns(Scan, "source", "split", "status", "patient")
    lines = _lines(catalog)
    rounds = catalog.rows(Round)
    failures = _failures(catalog)
    return {
        "scans": {
            "total": len(scans),
            "patients": len({patient for *_, patient in scans}),
            "by_source": dict(sorted(Counter(source for source, *_ in scans).items())),
            "by_split": dict(sorted(Counter(split for _, split, *_ in scans).items())),
            "by_status": dict(sorted(Counter(status for _, _, status, _ in scans).items())),
        },
        "reports": catalog.count(Report),
        "rounds": [_round(catalog, row, lines.get(row.number, {})) for row in rounds],
        "failures": failures,
        "next": _next(len(scans), rounds, failures, _more_lesions(workspace, rounds)),
    }


def _round(catalog: Catalog, row: Round, lines: Mapping[str, _Lines]) -> dict[str, Any]:
    walls = catalog.rows(Measure, round=row.number, name="wall_s", case_id="")
    counts = row.facts.get("counts", {})
    stages = []
    for stage in in_order({*counts, *(w.stage for w in walls), *lines}):
        own = lines.get(stage)
        wall = sum(w.value or 0.0 for w in walls if w.stage == stage)
        stages.append(
            {
                "stage": stage,
                "done": own.statuses["done"] if own else 0,
                "failed": own.statuses["failed"] if own else 0,
                "wall": duration(wall) if wall else "",
                "peak": f"{own.peak_mb / 1024:.1f} GB" if own else "",
                "result": ", ".join(
                    f"{k.replace('_', ' ')} {v}"
                    for k, v in counts.get(stage, {}).items()
                    if isinstance(v, (int, str)) and not isinstance(v, bool)
                ),
            }
        )
    return {
        "number": row.number,
        "status": row.status,
        "seed": row.seed,
        "classes": row.facts.get("classes", []),
        "stop_reason": row.stop_reason,
        "stages": stages,
    }


def _lines(catalog: Catalog) -> dict[int, dict[str, _Lines]]:
    """Per round and stage; counted by the database, for there may be a million."""
    found: dict[int, dict[str, _Lines]] = {}
    table = TABLES[WorkItem].c
    key = (table.round, table.stage, table.status)
    query = sa.select(*key, sa.func.count(), sa.func.max(table.peak_mb)).group_by(*key)
    with catalog.engine.connect() as connection:
        for number, name, state, n, peak_mb in connection.execute(query):
            stages = found.setdefault(number, {})
            stage = stages.setdefault(LEDGER_NAMES.get(name, name), _Lines())
            stage.statuses[state] += n
            stage.peak_mb = max(stage.peak_mb, peak_mb)
    return found


def _failures(catalog: Catalog) -> dict[str, str]:
    """Failed items by name; one that succeeded since in the same stage is left out."""
    found: dict[str, str] = {}
    columns = ("round", "stage", "subject", "variant", "fingerprint", "error")
    for number, stage, subject, variant, _, error in sorted(
        catalog.columns(WorkItem, *columns, status="failed")
    ):
        name = f"{stage} {item_key(subject, variant)}"
        found[f"round {number} {name}" if number else name] = error
    return found


def _more_lesions(workspace: Workspace, rounds: list[Round]) -> str:
    """How many lesions of the last round found no room in its budget, and where they are listed."""
    from labeling.roc.queue import WAITING, waiting_lesions

    folder = f"review/{rounds[-1].number}/lesions" if rounds else ""
    more = waiting_lesions(workspace.root / folder) if folder else 0
    return f"; {more} more wait in {folder}/{WAITING} for the next rounds" if more else ""


def _next(
    n_scans: int, rounds: list[Round], failures: dict[str, str], more_lesions: str = ""
) -> str:
    if not n_scans:
        return "bring in scans: voxcurate ingest PATH"
    mend = "; mend the failed items and run the same command again" if failures else ""
    if not rounds:
        return "run the first round: voxcurate round" + mend
    last = rounds[-1]
    if last.status == "waiting":
        return (
            f"look at review/{last.number}/ and put masks or verdicts there, then: voxcurate round "
            "(or voxcurate round --no-review)" + more_lesions
        )
    if last.status == "running":
        return f"round {last.number} was interrupted: voxcurate round goes on with it" + mend
    return f"look at rounds/{last.number}/report.html, then: voxcurate round{mend}{more_lesions}"
