"""``voxcurate ask``: parses, asks, shows."""

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.console import run_command
from agent.cli.options import JsonOption, WorkspaceOption


def ask(
    question: Annotated[str, typer.Argument(help="What you look for, in plain words.")] = "",
    query: Annotated[
        Path | None, typer.Option(help="YAML file with the query itself, as --explain shows it.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the query and how each word was used.")
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Go on though a part was not understood.")
    ] = False,
    dense: Annotated[
        bool,
        typer.Option("--dense", help="Search by meaning what is not understood; slow at first."),
    ] = False,
    reports: Annotated[
        bool, typer.Option("--reports", help="Find reports, those without a scan too.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many; default: 50 are shown.")
    ] = None,
    count_by: Annotated[
        str, typer.Option(help="Count by sex, phase, source, age, year, scanner or question:ID.")
    ] = "",
    csv: Annotated[
        Path | None, typer.Option(help="Write all of it to a CSV file, a line per proof.")
    ] = None,
    save: Annotated[str, typer.Option(help="Keep the cohort under this name, for rounds.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find scans by what their reports say, each with the sentence that proves it.

    Example: voxcurate ask "portal-venous CT with a pancreatic tumour under 2 cm, earliest first"
    """

    def command() -> int:
        from agent.answers import AskOptions
        from agent.cli.answer_view import show_answer, write_csv
        from agent.commands import answer

        options = AskOptions(query, limit, reports, count_by, save, anyway, csv is not None, dense)
        found = answer(workspace, question, options)
        code = show_answer(found, as_json=as_json, explain=explain)
        if csv is not None and found.answered is not None:
            write_csv(csv, found)
        return code

    run_command(command)
