"""What ``voxcurate train`` prints in the end: the held-out scores, what failed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from agent.cli.console import WIDTH, say

if TYPE_CHECKING:
    from agent.training import Trained


def show(done: "Trained", out: Path) -> None:
    """What was made, and its scores, on stdout."""
    if done.reused:
        typer.echo("done before, with the same cases and settings")
    n = len(done.bundles)
    typer.echo(
        f"{'bundle' if n == 1 else f'{n} bundles'} in {out}: {len(done.classes)} classes, "
        f"{done.training_cases} training cases, {done.held_out_cases} held out"
    )
    if done.metrics:
        _table(done.metrics)


def warn(done: "Trained", out: Path) -> None:
    """What a person should know, on stderr."""
    from agent.training_failures import failures_path

    for line in done.warnings:
        say(f"warning: {line}")
    for key, why in sorted(done.failed.items()):
        say(f"failed: {key}: {why}")
    if done.failed:
        say(f"their files: {failures_path(out).name} beside the bundle, readable by you alone")


def _table(metrics: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("class")
    for column in ("cases", "DSC", "NSD"):
        table.add_column(column, justify="right")
    for name, row in [*metrics["classes"].items(), ("mean", metrics["mean"])]:
        cells: list[str] = [str(row["dsc"]["n"]) if row["dsc"] else "0"]
        cells += [_score(part) if part else "" for part in (row["dsc"], row["nsd"])]
        table.add_row(name, *cells)
    typer.echo("scores of the held-out cases: mean (95 % interval over patients)")
    Console(width=max(WIDTH, Console().width)).print(table)


def _score(part: dict[str, Any]) -> str:
    low, high = part["interval"]
    is_known = low is not None and high is not None
    return f"{part['mean']:.3f}" + (f" ({low:.3f}–{high:.3f})" if is_known else "")
