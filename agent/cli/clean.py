"""``voxcurate clean`` and ``voxcurate checks``: cleaning outside a round, and what it said."""

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.console import run_command
from agent.cli.options import JsonOption, SetOption, WorkspaceOption

app = typer.Typer(help="What the checks said of each scan.", no_args_is_help=True)


@app.callback()
def checks() -> None:
    """What the checks said of each scan."""


def clean(
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this part: check, duplicates or leaks; may be given again."),
    ] = None,
    settings: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check all scans of the workspace, find duplicates, and look for identifiers in what it holds.

    A round does the same for its cohort and takes over what was done here.

    Example: voxcurate clean --only check --only duplicates --set cleaning.check.min_slices=10
    """

    def command() -> int:
        from agent.cli.console import show_result
        from agent.commands import clean_workspace

        result = clean_workspace(workspace, only or [], settings or [])
        return show_result("clean", result, as_json=as_json)

    run_command(command)


@app.command(name="list")
def list_(
    status: Annotated[
        str, typer.Option(help="ok, suspect, rejected, duplicate, or all; default: all but ok.")
    ] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List scans with their status and the reasons.

    Example: voxcurate checks list --status rejected
    """

    def command() -> int:
        from agent.cli.clean_view import checked_scans, show_checked
        from agent.commands import opened

        with opened(workspace) as (_, catalog):
            return show_checked(checked_scans(catalog, status), as_json=as_json)

    run_command(command)


@app.command()
def show(
    case: Annotated[str, typer.Argument(help="Case id.")],
    picture: Annotated[
        Path | None, typer.Option(help="Write a picture of the scan, the place marked (PNG).")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was measured of one scan, and every decision of cleaning about it.

    Example: voxcurate checks show CASE_ID --picture scan.png
    """

    def command() -> int:
        from agent.cli.clean_view import check_of, show_check, write_picture
        from agent.commands import opened

        with opened(workspace) as (found, catalog):
            told = check_of(catalog, case)
            if picture is not None:
                write_picture(found, catalog, case, picture)
            return show_check(told, as_json=as_json)

    run_command(command)
