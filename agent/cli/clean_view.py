"""What cleaning said of scans, on a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from agent.cli.console import DONE, WIDTH, show_json
from voxcurate.atomic import write_atomic
from voxcurate.catalog import Catalog, Decision, Scan, WorkItem
from voxcurate.errors import ConfigError
from voxcurate.workspace import Workspace

STATUSES = ("rejected", "suspect", "duplicate", "ok")
STYLES = {"rejected": "bold red", "suspect": "yellow", "duplicate": "cyan", "ok": "green"}


def checked_scans(catalog: Catalog, status: str = "") -> list[dict[str, Any]]:
    """Scans by status, worst first, then by case.

    Args:
        catalog: the workspace's.
        status: one of `STATUSES`, ``all``, or empty for all but ``ok``.

    Raises:
        ConfigError: no such status.
    """
    if status not in ("", "all", *STATUSES):
        raise ConfigError(f"want a status of {', '.join(STATUSES)} or all, found {status!r}")
    wanted = STATUSES if status == "all" else (status,) if status else STATUSES[:3]
    columns = ("case_id", "source", "modality", "status", "status_reason")
    rows = [
        dict(zip(columns, row, strict=True))
        for row in catalog.columns(Scan, *columns, status=wanted)
    ]
    return sorted(rows, key=lambda row: (STATUSES.index(row["status"]), row["case_id"]))


def show_checked(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> int:
    """Print a list of scans."""
    if as_json:
        show_json(list(rows))
        return DONE
    if not rows:
        typer.echo("No such scan. ('voxcurate checks list --status all' lists every scan.)")
        return DONE
    table = Table("case", "source", "status", "why", box=None, pad_edge=False)
    for row in rows:
        style = STYLES[row["status"]]
        status = f"[{style}]{row['status']}[/]"
        table.add_row(row["case_id"], row["source"], status, row["status_reason"])
    _console().print(table)
    return DONE


def check_of(catalog: Catalog, case: str) -> dict[str, Any]:
    """What was measured of a scan, what broke a limit, and what cleaning decided.

    Raises:
        ConfigError: no such scan.
    """
    scan = catalog.one(Scan, case_id=case)
    if scan is None:
        raise ConfigError(f"no scan is called {case!r}")
    lines = catalog.rows(WorkItem, stage="clean", subject=case, status="done")
    result = max(lines, key=lambda line: line.updated).result if lines else {}
    decisions = catalog.rows(Decision, stage="clean", case_id=case)
    return {
        "case_id": case,
        "source": scan.source,
        "modality": scan.modality,
        "status": scan.status,
        "status_reason": scan.status_reason,
        "shape": scan.shape,
        "spacing_mm": scan.spacing,
        "verdict": result.get("verdict", "not checked yet"),
        "reasons": result.get("reasons", []),
        "measured": result.get("evidence", {}),
        "decisions": [asdict(d) for d in sorted(decisions, key=lambda d: d.created)],
    }


def show_check(told: Mapping[str, Any], *, as_json: bool) -> int:
    """Print what `check_of` gives."""
    if as_json:
        show_json(dict(told))
        return DONE
    console = _console()
    style = STYLES[told["status"]]
    console.print(f"[bold]{told['case_id']}[/] ({told['source']}): [{style}]{told['status']}[/]")
    voxels = " x ".join(str(n) for n in told["shape"])
    spacing = " x ".join(f"{s:.3g}" for s in told["spacing_mm"])
    console.print(f"{told['modality']}, {voxels} voxels of {spacing} mm; check: {told['verdict']}")
    if told["status_reason"]:
        console.print(told["status_reason"])
    if told["reasons"]:
        table = Table("rule", "verdict", "measured", "limit", "what", box=None, pad_edge=False)
        for reason in told["reasons"]:
            table.add_row(
                reason["code"],
                reason["severity"],
                f"{reason['measured']:.4g}",
                f"{reason['limit']:.4g}",
                reason["text"],
            )
        console.print(table)
    if told["measured"]:
        numbers = ", ".join(f"{k} {v:.4g}" for k, v in sorted(told["measured"].items()))
        console.print(f"[dim]measured: {numbers}[/]")
    for decision in told["decisions"]:
        console.print(
            f"round {decision['round']}, {decision['created']}: {decision['verdict']} by "
            f"{decision['actor']}: {decision['reason']}"
        )
    return DONE


def write_picture(workspace: Workspace, catalog: Catalog, case: str, path: Path) -> None:
    """The picture of a scan with the place of each broken rule marked.

    Raises:
        ConfigError: no such scan.
        VolumeReadError: its file cannot be read.
    """
    from cleaning.check.pictures import evidence_picture
    from cleaning.check.reasons import Reason, worst
    from cleaning.check.rules import Check
    from voxcurate.nifti import read_nifti

    told = check_of(catalog, case)
    (scan,) = catalog.rows(Scan, case_id=case)
    reasons = tuple(Reason(**_reason(reason)) for reason in told["reasons"])
    volume = read_nifti(workspace.root / scan.path, allow_nonfinite=True)
    write_atomic(path, [evidence_picture(volume, Check(worst(reasons), reasons))])


def _reason(stored: Mapping[str, Any]) -> dict[str, Any]:
    planes = stored.get("planes")
    return {**stored, "planes": tuple(planes) if planes else None}


def _console() -> Console:
    plain = Console()
    return Console(width=max(plain.width, WIDTH) if plain.is_terminal else 160, highlight=False)
