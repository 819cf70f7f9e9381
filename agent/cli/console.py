"""What commands print: results on stdout (text or JSON), progress and errors on stderr; exit
status 0, 1, 2."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from voxcurate.errors import CurationError

if TYPE_CHECKING:
    from agent.rounds import RoundOutcome
    from voxcurate.stage import StageResult

WIDTH = 120  # tables are laid out for at least so many columns
DONE, SOME_FAILED, COULD_NOT_RUN = 0, 1, 2
GOES_ON = "interrupted; the same command goes on from here"


def run_command(command: Callable[[], int], *, interrupted: str = GOES_ON) -> None:
    """Run a command and leave with its exit status.

    A `CurationError` becomes ``error: ...`` on stderr and exit status 2. Ctrl-C leaves with 130
    and says `interrupted`: of most commands, that what is done is recorded and the same command
    goes on from there. Of a file that the system refuses (no permission, disk full) only the
    reason and the place in our code are told: the path may name a patient.
    """
    try:
        code = command()
    except CurationError as error:
        case = f"{error.case_id}: " if error.case_id else ""
        typer.echo(f"error: {case}{error}", err=True)
        code = COULD_NOT_RUN
    except BrokenPipeError:  # nobody reads our output any more
        raise
    except OSError as error:
        from voxcurate.executors.worker import describe

        why = error.strerror or type(error).__name__
        typer.echo(f"error: {why} ({describe(error)})", err=True)
        code = COULD_NOT_RUN
    except KeyboardInterrupt:
        typer.echo(interrupted, err=True)
        code = 130
    sys.stdout.flush()
    raise typer.Exit(code)


def show_json(data: Any) -> None:
    """JSON on stdout."""
    typer.echo(json.dumps(data, indent=2, default=str, ensure_ascii=False))


def say(line: str) -> None:
    """A line of progress on stderr."""
    typer.echo(line, err=True)


def show_mapping(data: Mapping[str, Any], *, as_json: bool) -> int:
    """Keys and values, a line each."""
    if as_json:
        show_json(data)
    else:
        for key, value in data.items():
            typer.echo(f"{key}: {value}")
    return DONE


def show_result(name: str, result: "StageResult", *, as_json: bool) -> int:
    """Counts and failures of one stage; exit status 1 when something failed."""
    if as_json:
        show_json({"stage": name, "counts": dict(result.counts), "failed": dict(result.failed)})
    else:
        for key, value in result.counts.items():
            shown = _short(value)
            is_many = isinstance(value, (Mapping, list, tuple)) and shown.startswith("(")
            typer.echo(f"{key.replace('_', ' ')}: {shown[1:-1] if is_many else shown}")
        show_failures(result.failed)
    return SOME_FAILED if result.failed else DONE


def show_rounds(outcomes: "Sequence[RoundOutcome]", *, as_json: bool) -> int:
    """How the rounds ended, and what to do next."""
    failed = any(outcome.failed for outcome in outcomes)
    if as_json:
        show_json([vars(outcome) for outcome in outcomes])
        return SOME_FAILED if failed else DONE
    for outcome in outcomes:
        typer.echo(f"round {outcome.number}: {outcome.status}")
        for stage, counts in outcome.counts.items():
            shown = ", ".join(f"{k.replace('_', ' ')} {_short(v)}" for k, v in counts.items())
            typer.echo(f"  {stage:<10} {shown}")
        if outcome.failed:
            typer.echo(f"  {outcome.failed} items failed: see 'voxcurate status'")
        if outcome.status == "waiting":
            typer.echo(
                f"  It waits for people: look into review/{outcome.number}/ (README.txt), "
                "then run 'voxcurate round' again (with --no-review: go on without)."
            )
        else:
            typer.echo(f"  report: rounds/{outcome.number}/report.html")
            if outcome.stop_reason:
                typer.echo(f"  {'stop' if outcome.stop else 'go on'}: {outcome.stop_reason}")
    return SOME_FAILED if failed else DONE


def show_status(status: Mapping[str, Any], *, as_json: bool) -> int:
    """The workspace at a glance."""
    if as_json:
        show_json(status)
        return DONE
    from rich.console import Console
    from rich.table import Table

    console = Console(width=max(WIDTH, Console().width))
    if "origin" in status:
        console.print_json(data=status["origin"])
        return DONE
    scans = status["scans"]
    typer.echo(
        f"{scans['total']} scans of {scans['patients']} patients, {status['reports']} reports"
    )
    for key in ("by_source", "by_split", "by_status"):
        typer.echo(f"  {key[3:]:<8}" + ", ".join(f"{k} {v}" for k, v in scans[key].items()))
    for item in status["rounds"]:
        table = Table(title=f"round {item['number']}: {item['status']}", title_justify="left")
        for column in ("stage", "done", "failed", "wall time", "peak memory"):
            table.add_column(column, no_wrap=True, justify="left" if column == "stage" else "right")
        table.add_column("result")
        for row in item["stages"]:
            table.add_row(*(str(cell) for cell in row.values()))
        console.print(table)
    show_failures(status["failures"])
    typer.echo(f"next: {status['next']}")
    return DONE


def show_scores(table: Any, *, as_json: bool) -> int:
    """The table of ``score-demo``."""
    if as_json:
        show_json(table.to_json())
    else:
        from rich.console import Console

        Console(width=max(WIDTH, Console().width)).print(table.render())
    return DONE


def show_failures(failed: Mapping[str, str], limit: int = 30) -> None:
    """Items that failed and why, the first of them."""
    for key, why in sorted(failed.items())[:limit]:
        typer.echo(f"failed: {key}: {why}")
    if len(failed) > limit:
        typer.echo(f"... and {len(failed) - limit} more ('voxcurate status --json' lists all)")


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value else "0.0"
    if isinstance(value, (list, tuple)) and len(value) > 6:
        return f"{len(value)} items"
    if isinstance(value, (Mapping, list, tuple)):
        named = value.items() if isinstance(value, Mapping) else (("", each) for each in value)
        parts = (f"{name} {_short(each)}".strip() for name, each in named)
        return f"({', '.join(parts)})" if value else "none"
    return str(value)
