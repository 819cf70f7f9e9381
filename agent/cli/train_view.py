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

    table = Table(
        title="held-out cases, mean and 95 % interval over patients", title_justify="left"
    )
    table.add_column("class")
    for column in ("n", "DSC", "", "NSD", ""):
        table.add_column(column, justify="right")
    for name, row in [*metrics["classes"].items(), ("mean", metrics["mean"])]:
        cells: list[str] = [str(row["dsc"]["n"]) if row["dsc"] else "0"]
        for part in (row["dsc"], row["nsd"]):
            cells += [f"{part['mean']:.3f}", _interval(part["interval"])] if part else ["", ""]
        table.add_row(name, *cells)
    Console(width=max(WIDTH, Console().width)).print(table)


def _interval(bounds: list[float | None]) -> str:
    low, high = bounds
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
