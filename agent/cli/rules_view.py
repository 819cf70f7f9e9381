"""Violations of the written anatomy on a terminal and as plain data."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from agent.cli.console import WIDTH

if TYPE_CHECKING:
    from labeling.rules import Outcome
    from labeling.rules.batch import Checked

ROWS_SHOWN = 200
VALUES_SHOWN = 10


def plain_checked(found: "Checked") -> dict[str, Any]:
    """The outcomes that were kept of all cases, and how many there were of each kind."""
    return {
        "cases": {
            case: {**found.counts[case], "outcomes": [v.plain() for v in outcomes]}
            for case, outcomes in found.cases.items()
        },
        "failed": dict(found.failed),
        "unnamed": {case: dict(values) for case, values in found.unnamed.items()},
    }


def show_checked(found: "Checked", *, every: bool) -> None:
    """A line per violation, the worst first; `every`: per outcome."""
    rows = [(case, v) for case, outcomes in found.cases.items() for v in outcomes]
    show_outcomes(rows, every=every)
    typer.echo(
        f"{len(found.cases)} cases, {found.total('structures')} structures: "
        f"{found.total('broken')} broken ({found.total('hard')} hard), {found.total('holds')} "
        f"hold, {found.total('unknown')} unknown"
    )
    for case, why in found.failed.items():
        typer.echo(f"failed: {case}: {why}", err=True)


def warn_unnamed(found: "Checked") -> None:
    """Which values of label maps nobody knows the names of: they were not checked."""
    if not found.unnamed:
        return
    cases: dict[int, int] = {}
    for values in found.unnamed.values():
        for value in values:
            cases[value] = cases.get(value, 0) + 1
    shown = [f"{value} in {n} case{'s' if n > 1 else ''}" for value, n in sorted(cases.items())]
    more = f" and {len(shown) - VALUES_SHOWN} more" if len(shown) > VALUES_SHOWN else ""
    typer.echo(
        f"values without a name, not checked: {', '.join(shown[:VALUES_SHOWN])}{more} (--labels "
        "names them; --json has their cases and voxels)",
        err=True,
    )


def show_outcomes(rows: "Iterable[tuple[str, Outcome]]", *, every: bool = False) -> None:
    """Outcomes of cases in a table."""
    from rich.console import Console
    from rich.table import Table

    found = list(rows)
    if not found:
        return
    table = Table()
    columns = ("case", "class", "rule", "hard", *(("state",) if every else ()), "what", "voxels")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("rule", "hard", "state"))
    for case, v in found[:ROWS_SHOWN]:
        box = ",".join(f"{a}:{b}" for a, b in v.box)
        state = (v.state,) if every else ()
        hard = "hard" if v.hard else ""
        table.add_row(case, v.class_id or "(scan)", v.rule, hard, *state, v.detail, box)
    Console(width=max(WIDTH, Console().width)).print(table)
    if len(found) > ROWS_SHOWN:
        typer.echo(f"... and {len(found) - ROWS_SHOWN} more (--json has all)")


def show_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Violations that a workspace's rounds found."""
    from labeling.rules import Outcome

    fields = Outcome.__dataclass_fields__
    named = [
        (f"{row['round']} {row['case_id']}", Outcome(**{k: row[k] for k in fields})) for row in rows
    ]
    show_outcomes(named)
    hard = sum(v.hard for _, v in named)
    typer.echo(f"{len(named)} violations ({hard} hard) in {len({n for n, _ in named})} cases")
