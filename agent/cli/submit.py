"""``voxcurate submit``: rounds as jobs of a cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.console import DONE, run_command, show_json
from agent.cli.options import ClusterOption, JsonOption, SetOption, WorkspaceOption

if TYPE_CHECKING:
    from agent.clusters.submit import Request


def submit(
    cluster: ClusterOption,
    file: Annotated[Path | None, typer.Argument(help="Round YAML, as 'plan' writes it.")] = None,
    settings: SetOption = None,
    rounds: Annotated[
        int, typer.Option(help="Run up to this many rounds, or until the stop rule.")
    ] = 1,
    no_review: Annotated[bool, typer.Option("--no-review", help="Do not wait for people.")] = False,
    driver: Annotated[
        str,
        typer.Option(
            help="Where the driver runs, which hands out the work: here, or as a job of the "
            "cluster. Default: here for processes of this machine, else job."
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be submitted, and at what cost.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run rounds on a cluster: their items become jobs of SLURM, Ray or this machine.

    After scancel, a crash or kill -9 the same command goes on: what is done is not done again.
    While somebody drives the workspace it says who, and does nothing.

    Example: voxcurate submit round.yaml --cluster slurm --dry-run
    """

    def command() -> int:
        from agent.clusters.submit import Request

        request = Request(
            cluster, file, tuple(settings or ()), rounds=rounds, no_review=no_review, driver=driver
        )
        if dry_run:
            return _dry(workspace, request, as_json=as_json)
        return _run(workspace, request, as_json=as_json)

    run_command(command)


def _dry(given: Path | None, request: "Request", *, as_json: bool) -> int:
    from agent.cli.submit_view import plain_plan, show_plan
    from agent.clusters.reading import looking
    from agent.clusters.submit import plan

    with looking(given) as (workspace, catalog):
        found = plan(workspace, catalog, request)
    if as_json:
        show_json(plain_plan(found))
    else:
        show_plan(found)
    return DONE


def _run(given: Path | None, request: "Request", *, as_json: bool) -> int:
    from dataclasses import asdict

    from agent.clusters.driving import check_no_driver, on_cluster
    from agent.clusters.live import short_id
    from agent.clusters.reading import check_writable, looking
    from agent.clusters.submit import check, is_job, submit
    from voxcurate.executors.launchers import make_launcher

    with looking(given) as (workspace, catalog):
        check_writable(workspace)
        cluster, _ = check(workspace, catalog, request)
        if is_job(request, cluster):
            told = submit(workspace, catalog, request)
            if as_json:
                show_json(asdict(told))
            else:
                typer.echo(f"driver submitted: job {short_id(told.job)} of cluster {told.cluster}")
                typer.echo(
                    f"its log: driver/job.{told.number}.log; its work: voxcurate jobs --watch"
                )
            return DONE
        check_no_driver(workspace, cluster, make_launcher(cluster))
    from agent.cli.console import show_rounds
    from agent.commands import run_rounds

    chosen = [*request.settings, *on_cluster(request.cluster)]
    outcomes = run_rounds(
        given, file=request.file, settings=chosen, rounds=request.rounds,
        no_review=request.no_review,
    )  # fmt: skip
    return show_rounds(outcomes, as_json=as_json)
