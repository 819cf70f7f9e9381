"""What would be submitted, on a terminal and as JSON."""

from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.clusters.forecast import Forecast
from agent.clusters.submit import Plan


def plain_plan(plan: Plan) -> dict[str, Any]:
    """Plain data."""
    return {
        "cluster": plan.cluster.model_dump(mode="json"),
        "stages": [stage.plain() for stage in plan.stages],
        "models": [model.plain() for model in plan.models],
        "driver": None if plan.driver is None else list(plan.driver.command),
        "scripts": plan.scripts,
    }


def show_plan(plan: Plan) -> None:
    """A table of the stages, their needs, and what the scheduler would be given."""
    cluster = plan.cluster
    typer.echo(f"cluster {cluster.name} ({cluster.kind}); nothing is submitted\n")
    table = Table(
        title="what is left of the round", title_justify="left", box=SIMPLE_HEAD, show_edge=False,
        pad_edge=False,
    )  # fmt: skip
    table.add_column("stage", no_wrap=True)
    for name in ("items", "s/item", "shards", "core-h", "GPU-h"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in plan.stages:
        table.add_row(*_row(stage))
    console = Console()
    console.print(table)
    _totals(plan, console)
    for why in dict.fromkeys(stage.why for stage in plan.stages if stage.items is None):
        alike = [s.name for s in plan.stages if s.items is None and s.why == why]
        console.print(Text(f"items {why}: {', '.join(alike)}"))
    for model in plan.models:
        console.print(Text(f"language model of {model.told()}"))
    typer.echo("")
    for names, script in plan.scripts.items():
        told = "the driver" if names == "driver" else f"a job of {names}"
        console.print(Text(f"--- {told}", style="bold"))
        typer.echo(script.rstrip() + "\n")
    if plan.driver is None:
        typer.echo("--- the driver runs here (--driver job: as a job)")


def _row(stage: Forecast) -> list[str]:
    if stage.items == 0:
        return [stage.name, "0", "", "", "", ""]
    cost = "?" if stage.seconds is None else f"{stage.seconds:.3g}"
    return [
        stage.name,
        "?" if stage.items is None else f"{stage.items:,}",
        cost,
        "here" if stage.here else "?" if stage.shards is None else f"{stage.shards:,}",
        _hours(stage.core_hours),
        _hours(stage.gpu_hours),
    ]


def _hours(value: float | None) -> str:
    if value is None:
        return "?"
    return "0" if not value else "<0.01" if value < 0.01 else f"{value:,.3g}"


def _totals(plan: Plan, console: Console) -> None:
    """The sum of what is known, and what is not in it."""
    for name, told in (("core_hours", "core-hours"), ("gpu_hours", "GPU-hours")):
        values = [getattr(stage, name) for stage in plan.stages]
        known = sum(value for value in values if value is not None)
        unknown = None in values
        if known or not unknown:
            typer.echo(f"expected: {'at least ' if unknown else ''}{known:,.3g} {told}")
    missing = [s.name for s in plan.stages if s.seconds is None and s.items != 0]
    if missing:
        console.print(Text(f"not yet measured, so not in it: {', '.join(missing)}"))
    typer.echo("(s/item: mean of items measured on this workspace so far, wherever they ran)")
