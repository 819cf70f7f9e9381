"""``voxcurate report``: a report with its evidence highlighted, and what was read from it."""

from typing import Annotated

import typer

from agent.console import run_command
from agent.options import JsonOption, WorkspaceOption

app = typer.Typer(help="Reports and what was read from them.", no_args_is_help=True)


@app.callback()
def report() -> None:
    """Reports and what was read from them."""


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
        from agent.commands import opened
        from agent.report_view import reports_of, show_reports

        with opened(workspace) as (_, catalog):
            return show_reports(reports_of(catalog, name), as_json=as_json)

    run_command(command)
