"""``voxcurate status``: rounds, stages, counts, failures, and what to do next."""

from collections import Counter
from typing import Any

from agent.stages import LEDGER_NAMES, in_order
from voxcurate.catalog import Catalog, Measure, Report, Round, Scan, WorkItem
from voxcurate.progress import duration
from voxcurate.workspace import Workspace


def status(workspace: Workspace, catalog: Catalog) -> dict[str, Any]:
    """The workspace at a glance, as plain data."""
    scans = catalog.columns(Scan, "source", "split", "status", "patient")
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
        "rounds": [_round(catalog, row) for row in rounds],
        "failures": failures,
        "next": _next(len(scans), rounds, failures),
    }


def _round(catalog: Catalog, row: Round) -> dict[str, Any]:
    items = catalog.rows(WorkItem, round=row.number)
    walls = catalog.rows(Measure, round=row.number, name="wall_s")
    counts = row.facts.get("counts", {})
    stages = []
    found = {*counts, *(w.stage for w in walls), *(_stage_of(item) for item in items)}
    for stage in in_order(found):
        own = [item for item in items if _stage_of(item) == stage]
        wall = sum(w.value or 0.0 for w in walls if w.stage == stage)
        stages.append(
            {
                "stage": stage,
                "done": sum(item.status == "done" for item in own),
                "failed": sum(item.status == "failed" for item in own),
                "wall": duration(wall) if wall else "",
                "peak": f"{max(i.peak_mb for i in own) / 1024:.1f} GB" if own else "",
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


def _stage_of(item: WorkItem) -> str:
    return LEDGER_NAMES.get(item.stage, item.stage)


def _failures(catalog: Catalog) -> dict[str, str]:
    """Failed items by name; one that succeeded since in the same stage is left out."""
    found: dict[str, str] = {}
    for item in catalog.rows(WorkItem, status="failed"):
        name = f"{item.subject}/{item.variant}" if item.variant else item.subject
        found[
            f"round {item.round} {item.stage} {name}" if item.round else f"{item.stage} {name}"
        ] = item.error
    return found


def _next(n_scans: int, rounds: list[Round], failures: dict[str, str]) -> str:
    if not n_scans:
        return "bring in scans: voxcurate ingest PATH"
    mend = "; mend the failed items and run the same command again" if failures else ""
    if not rounds:
        return "run the first round: voxcurate round" + mend
    last = rounds[-1]
    if last.status == "waiting":
        return (
            f"look at review/{last.number}/ and put masks or verdicts there, then: voxcurate round "
            "(or voxcurate round --no-review)"
        )
    if last.status == "running":
        return f"round {last.number} was interrupted: voxcurate round goes on with it" + mend
    return f"look at rounds/{last.number}/report.html, then: voxcurate round" + mend
