"""``voxcurate report``: a report with its evidence highlighted, and what was read from it."""

from typing import Annotated

import typer

from agent.cli.console import run_command
from agent.cli.options import CaseOption, JsonOption, WorkspaceOption

app = typer.Typer(help="Reports and what was read from them.", no_args_is_help=True)


@app.callback()
def report() -> None:
    """Reports and what was read from them."""


@app.command(name="list")
def list_(
    case: CaseOption = None,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="At most so many; 0: all. Default: 50; with --json all."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the reports: their scan, source, length, and how many answers were read from them.

    Example: voxcurate report list --case CASE_ID
    """

    def command() -> int:
        from agent.commands import opened
        from agent.report_list import ROWS_SHOWN, listed, show_listed

        most = (0 if as_json else ROWS_SHOWN) if limit is None else limit
        with opened(workspace) as (_, catalog):
            return show_listed(listed(catalog, case or (), most), as_json=as_json)

    run_command(command)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Id of a report, or of a scan for its reports.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a report with its evidence highlighted, and its answers with rule and reader.

    Example: voxcurate report show REPORT_OR_CASE_ID
    """

    def command() -> int:
        from agent.cli.report_view import reports_of, show_reports
        from agent.commands import opened

        with opened(workspace) as (_, catalog):
            return show_reports(reports_of(catalog, name), as_json=as_json)

    run_command(command)
