"""An audit on a terminal: the worst labels, what became of them, and what is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from agent.cli.console import WIDTH

if TYPE_CHECKING:
    from labeling.audit.findings import Finding

ROWS_SHOWN = 40
FAILURES_SHOWN = 30
SHOWN_ANYWAY = 5  # lines where fewer labels are suspect


def show_findings(findings: "Sequence[Finding]", *, is_round: bool) -> None:
    """The suspect labels, at least some; `is_round`: with what became of them."""
    from rich.console import Console
    from rich.table import Table

    suspect = sum(f.status == "suspect" for f in findings)
    rows = findings[: min(ROWS_SHOWN, max(suspect, SHOWN_ANYWAY))]
    table = Table()
    columns = ("case", "class", "chance", "status", "kind", "better", "why")
    for column in (*columns, *(("became",) if is_round else ())):
        table.add_column(column, overflow="fold", justify="right" if column == "chance" else "left")
    for f in rows:
        better = f.better and f"{f.better} (DSC {f.better_dsc or 0:.2f})"
        became = ("; ".join(f.became),) if is_round else ()
        chance = "?" if f.probability is None else f"{100 * f.probability:.0f} %"
        table.add_row(
            f.case, f.class_id, chance, f.status, f.kind_name, better, f.strongest, *became
        )
    if rows:
        Console(width=max(WIDTH, Console().width)).print(table)
    unknown = sum(f.status == "unknown" for f in findings)
    cases = len({f.case for f in findings})
    typer.echo(
        f"{len(findings)} labels of {cases} cases: {suspect} suspect, {unknown} unknown (nothing "
        f"could tell), {len(findings) - suspect - unknown} without doubt"
    )


def show_notes(head: Mapping[str, Any], out: Path | None) -> None:
    """What was there to judge by, how small and thin classes are handled, and what failed."""
    for note in head["notes"]:
        typer.echo(f"note: {note}", err=True)
    own = {
        c: told["smallest_missing_ml"]
        for c, told in head["settings"]["classes"].items()
        if told["smallest_missing_ml"] != head["settings"]["detect"]["missing_ml"]
    }
    if own:
        words = ", ".join(f"{c} {ml:g} mL" for c, ml in own.items())
        typer.echo(f"note: smallest find of small and thin classes: {words}", err=True)
    failed = head["failed"]
    for case, why in list(failed.items())[:FAILURES_SHOWN]:
        typer.echo(f"failed: {case}: {why}", err=True)
    if len(failed) > FAILURES_SHOWN:
        typer.echo(f"... and {len(failed) - FAILURES_SHOWN} more (--json has all)", err=True)
    if out is not None:
        typer.echo(f"written to {out}: audit.csv, audit.json, audit.html")


def show_confusion(table: Mapping[str, Mapping[str, int]]) -> None:
    """Found, missed and falsely alarmed, by kind of error."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(title="against the truth", title_justify="left")
    for column in ("kind", "found", "of these named so", "missed", "false alarms"):
        shown.add_column(column, justify="left" if column == "kind" else "right")
    for kind, row in table.items():
        name = kind.replace("_", " ")
        numbers = (row["found"], row["named"], row["missed"], row["false_alarm"])
        shown.add_row(name, *map(str, numbers))
    Console(width=max(WIDTH, Console().width)).print(shown)
