"""``voxcurate review``: the queue of labels that people should look at."""

import typer

from agent.console import run_command
from agent.options import JsonOption, WorkspaceOption

app = typer.Typer(help="The queue of labels that people should look at.", no_args_is_help=True)


@app.command(name="list")
def list_(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List what waits for review, most urgent first.

    Example: voxcurate review list --json
    """

    def command() -> int:
        from agent.commands import review_items
        from agent.console import show_json

        items = review_items(workspace)
        if as_json:
            show_json(items)
        else:
            for item in items:
                typer.echo(
                    f"{item['rank']:>4}  {item['case_id']}  {item['class_id']} {item['reason']}"
                )
            typer.echo(f"{len(items)} waiting")
        return 0

    run_command(command)


@app.command(name="export")
def export_(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Write the review folder anew (scan, label, candidate, attention, picture per item).

    Example: voxcurate review export
    """

    def command() -> int:
        from agent.commands import export_review
        from agent.console import show_result

        return show_result("review export", export_review(workspace), as_json=as_json)

    run_command(command)


@app.command(name="import")
def import_(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Read back what people put into the review folder: revised masks and verdicts.

    Example: voxcurate review import
    """

    def command() -> int:
        from agent.commands import import_review
        from agent.console import show_result

        return show_result("review import", import_review(workspace), as_json=as_json)

    run_command(command)
