"""``voxcurate jobs``, ``cancel`` and ``logs``: work on a cluster, looked at and ended."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, run_command, show_json
from agent.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from agent.clusters.asking import Asking
    from agent.clusters.reading import Copies

GOES_ON = "no longer watching; the work goes on"


def jobs(
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.2)] = 5.0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how the work stands: stages, jobs, speed, what is left, cost, and who drives it.

    Reads files and the catalog: it works without a driver, from any machine that sees the
    workspace. Of jobs that give no sign of life it asks the scheduler, if that answers soon.

    Example: voxcurate jobs --watch
    """

    def command() -> int:
        from agent.clusters.asking import Asking
        from agent.clusters.reading import Copies

        asking, copies = Asking(), Copies()
        if watch and not as_json:
            from agent.cli.jobs_view import watching

            watching(lambda: _look(workspace, asking, copies), every)
            return DONE
        while True:
            found = _look(workspace, asking, copies)
            if as_json:
                show_json(found.plain())
            else:
                from agent.cli.jobs_view import show_jobs

                show_jobs(found)
            if not watch:
                return DONE
            time.sleep(every)

    run_command(command, interrupted=GOES_ON if watch else "interrupted")


def _look(given: Path | None, asking: "Asking", copies: "Copies") -> Any:
    from agent.clusters.overview import overview
    from agent.clusters.reading import looking

    with looking(given, copies) as (workspace, catalog):
        return overview(workspace, catalog, asking)


def cancel(
    job: Annotated[
        str,
        typer.Argument(help="Its id at the scheduler, its shard, or driver.", show_default=False),
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="The driver, then all jobs of this workspace.")
    ] = False,
    cluster: Annotated[
        str, typer.Option("--cluster", help="Default: the last round's, or the one submitted to.")
    ] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """End one job, or the driver and all jobs. What is done stays; 'voxcurate submit' goes on.

    Example: voxcurate cancel --all
    """

    def command() -> int:
        from agent.clusters.cancelling import cancel_all, cancel_one
        from agent.clusters.overview import cluster_of
        from agent.clusters.reading import check_writable, looking
        from voxcurate.errors import ConfigError
        from voxcurate.executors.launchers import make_launcher

        if bool(job) == everything:
            raise ConfigError("want either a job or --all")
        with looking(workspace) as (found, catalog):
            check_writable(found)
            config = cluster_of(found, catalog, cluster)
            launcher = make_launcher(config)
            if everything:
                told = cancel_all(found, config, launcher)
            else:
                told = cancel_one(found, config, launcher, job)
        if as_json:
            show_json(vars(told))
            return DONE
        if told.driver:
            typer.echo(f"ended the driver: {told.driver}")
        if told.jobs or not told.driver:  # a driver ends its jobs itself
            typer.echo(f"ended {len(told.jobs)} job{'s' * (len(told.jobs) != 1)}")
        if told.note:
            typer.echo(f"note: {told.note}", err=True)
        return DONE

    run_command(command)


def logs(
    item: Annotated[str, typer.Argument(help="A case, or CASE/CLASS or CASE/MODEL; or driver.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of one item: its tries, its error, what the jobs said that had it.

    Items that were quarantined because they took their jobs down keep the last job's log.

    Example: voxcurate logs kits_x4k2m9q7ab/liver
    """

    def command() -> int:
        from agent.cli.jobs_view import show_driver_log, show_story
        from agent.clusters.item_log import story
        from agent.clusters.reading import looking

        with looking(workspace) as (found, catalog):
            if item == "driver":
                return show_driver_log(found, as_json=as_json)
            told = story(found, catalog, item)
        if as_json:
            show_json(told.plain())
        else:
            show_story(told)
        return DONE

    run_command(command)
