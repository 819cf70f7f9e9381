"""The reports of a workspace, a line each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table

from agent.cli.console import DONE, WIDTH, show_json
from agent.commands import check_cases
from voxcurate.catalog import Catalog, Reading, Report
from voxcurate.catalog.schema import TABLES
from voxcurate.catalog.statements import conditions

ROWS_SHOWN = 50
UNREAD = "not read"


@dataclass(frozen=True)
class Listed:
    """Some reports, and how many there are of that kind."""

    rows: Sequence[dict[str, Any]]
    total: int


def listed(catalog: Catalog, cases: Sequence[str] = (), most: int = 0) -> Listed:
    """The reports of a workspace, those of a scan together.

    Args:
        catalog: of the workspace.
        cases: only those of these scans; empty: all.
        most: so many at most; 0: all.

    Raises:
        ConfigError: no such scan.
    """
    check_cases(catalog, cases)
    report, reading = TABLES[Report], TABLES[Reading]
    rows: list[dict[str, Any]] = []
    total = 0
    with catalog.engine.connect() as connection:
        for wanted in conditions(report, {"case_id": list(cases)} if cases else {}):
            counted = sa.select(sa.func.count()).select_from(report).where(*wanted)
            total += connection.execute(counted).scalar_one()
            query = (
                sa.select(
                    report.c.report_id,
                    report.c.case_id,
                    report.c.source,
                    sa.func.length(report.c.text).label("characters"),
                    sa.func.coalesce(reading.c.status, UNREAD).label("status"),
                    sa.func.coalesce(reading.c.n_findings, 0).label("answers"),
                )
                .outerjoin(reading, reading.c.report_id == report.c.report_id)
                .where(*wanted)
                .order_by(report.c.case_id, report.c.report_id)
            )
            if most:
                query = query.limit(most - len(rows))
            rows += [dict(row) for row in connection.execute(query).mappings()]
    return Listed(rows, total)


def show_listed(found: Listed, *, as_json: bool) -> int:
    """Print the list."""
    if as_json:
        show_json({"total": found.total, "reports": list(found.rows)})
        return DONE
    if not found.total:
        typer.echo("no reports")
        return DONE
    table = Table(box=None, pad_edge=False)
    for column in ("report", "scan", "source", "characters", "reading", "answers"):
        is_number = column in ("characters", "answers")
        table.add_column(column, justify="right" if is_number else "left", no_wrap=True)
    for row in found.rows:
        cells = [row["report_id"], row["case_id"] or "none", row["source"]]
        table.add_row(*cells, str(row["characters"]), row["status"], str(row["answers"]))
    Console(width=max(WIDTH, Console().width)).print(table)
    rest = found.total - len(found.rows)
    more = f", {rest} not shown (--limit 0: all)" if rest else ""
    typer.echo(f"{found.total} reports{more}; 'voxcurate report show ID' shows one")
    return DONE
