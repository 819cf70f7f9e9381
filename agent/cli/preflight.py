"""``voxcurate preflight``: are a cluster's nodes ready for a round?"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, say, show_json
from agent.cli.options import ClusterOption, JsonOption, SetOption, WorkspaceOption

if TYPE_CHECKING:
    from agent.clusters.preflight import Preflight


def preflight(
    cluster: ClusterOption,
    file: Annotated[Path | None, typer.Argument(help="Round YAML, as 'plan' writes it.")] = None,
    settings: SetOption = None,
    probes: Annotated[
        int, typer.Option(help="Jobs for each kind of node: more see more nodes.", min=1)
    ] = 1,
    driver: Annotated[
        str, typer.Option(help="Where the driver is to run, as of 'submit': here or job.")
    ] = "",
    patience: Annotated[
        float,
        typer.Option(
            help="Minutes that the probes of a kind of node may be in the queue; 0: as long as it "
            "takes.",
            min=0.0,
        ),
    ] = 30.0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a cluster's nodes before a long job: software, devices, models, files, clocks, limits.

    A probe runs on the nodes as the round's jobs will: through the same scheduler, with the same
    needs. While it is in the queue that is said. Exit status 1 when a check failed.

    Example: voxcurate preflight round.yaml --cluster slurm --probes 4
    """

    def command() -> int:
        from agent.clusters.preflight import run_preflight
        from agent.clusters.reading import check_writable, looking
        from agent.clusters.submit import Request, check, is_job
        from voxcurate.executors.launchers import make_launcher

        request = Request(cluster, file, tuple(settings or ()), driver=driver)
        with looking(workspace) as (found, catalog):
            check_writable(found)
            chosen, config = check(found, catalog, request)
            told = run_preflight(
                found, catalog, config, chosen, make_launcher(chosen), probes=probes,
                driver=is_job(request, chosen), patience_s=60 * patience or math.inf, say=say,
            )  # fmt: skip
        _show(told, as_json=as_json)
        return SOME_FAILED if any(c.status == "failed" for c in told.checks) else DONE

    run_command(command, interrupted="interrupted; the probes were cancelled")


def _show(told: "Preflight", *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        written = [{**asdict(each), "gb": each.gb} for each in told.written]
        show_json({"checks": [asdict(c) for c in told.checks], "written": written})
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for where in dict.fromkeys(check.where for check in told.checks):
        table = Table(
            title=where or "the round", title_justify="left", box=SIMPLE_HEAD, show_edge=False,
            pad_edge=False,
        )  # fmt: skip
        table.add_column("check", no_wrap=True)
        table.add_column("", no_wrap=True)
        table.add_column("found", overflow="fold")
        table.add_column("wanted", overflow="fold")
        own = [check for check in told.checks if check.where == where]
        for check in own:
            style = {"ok": "", "warning": "yellow", "failed": "bold red"}[check.status]
            table.add_row(check.name, check.status, check.found, check.wanted, style=style)
        console.print(table)
        for check in own:
            if check.mend:
                typer.echo(f"  {check.name}: {check.mend}")
        typer.echo("")
    for each in told.written:
        typer.echo(f"will be written: {each.told()}")
    failed = sum(check.status == "failed" for check in told.checks)
    warned = sum(check.status == "warning" for check in told.checks)
    typer.echo(f"{len(told.checks)} checks: {failed} failed, {warned} warnings")
