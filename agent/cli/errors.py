"""``voxcurate errors``: every label error ever found, which come back, whether they grow fewer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.console import run_command
from agent.cli.options import CaseOption, ClassOption, JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from voxcurate.catalog import Catalog
    from voxcurate.classes import Vocabulary

app = typer.Typer(
    help="Label errors over all rounds: kinds, how found, how mended, which come back.",
    no_args_is_help=True,
)
RoundOption = Annotated[
    int, typer.Option("--round", min=0, help="Only what was seen in this round; default: all.")
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option("--source", help="Only scans of this data set; may be given again."),
]


@app.command(name="list")
def list_(
    round_number: RoundOption = 0,
    case: CaseOption = None,
    class_id: ClassOption = None,
    source: SourceOption = None,
    kind: Annotated[
        str, typer.Option(help="Only this kind: missing, false_positive, merged ...")
    ] = "",
    standing: Annotated[
        str,
        typer.Option(
            help="Only verified, mended, open, kept or refuted. Default: the first three."
        ),
    ] = "",
    drawings: Annotated[
        bool,
        typer.Option(
            "--drawings", help="Also what machines drew wrong and was caught before it counted."
        ),
    ] = False,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0: all.")] = 50,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", help="Write all of them, scan by scan, to this file."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List label errors, worst first: what came back after it was mended, what is open, the surest.

    Example: voxcurate errors list --class pancreas --round 2
    """

    def command() -> int:
        from agent.cli.errors_view import Wanted, show_list
        from agent.commands import check_cases

        with _read(workspace, class_id) as (catalog, vocabulary, classes):
            check_cases(catalog, case or ())
            wanted = Wanted(
                round_number, tuple(case or ()), classes, tuple(source or ()), kind, standing,
                drawings,
            )  # fmt: skip
            return show_list(
                catalog, vocabulary, wanted, limit=limit, file=csv_file, as_json=as_json
            )

    run_command(command)


@app.command()
def show(
    case: Annotated[str, typer.Argument(help="Case id.")],
    class_id: Annotated[
        str, typer.Argument(metavar="CLASS", help="Class, by any of its names, as in liver.")
    ],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the errors of one structure: what spoke against it, what was decided, how to undo it.

    Example: voxcurate errors show CASE_ID pancreas
    """

    def command() -> int:
        from agent.cli.errors_view import show_one
        from agent.commands import check_cases

        with _read(workspace, [class_id]) as (catalog, vocabulary, classes):
            check_cases(catalog, [case])
            return show_one(catalog, vocabulary, case, classes[0], as_json=as_json)

    run_command(command)


@app.command()
def summary(
    round_number: RoundOption = 0,
    known: Annotated[
        Path | None,
        typer.Option(
            help="Table of what is really wrong (case_id, class_id, kind; no kind: nothing): "
            "compare with it."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count label errors by kind, class and round, per 1,000 labels; tell what comes back.

    Example: voxcurate errors summary --json
    """

    def command() -> int:
        from agent.cli.errors_view import show_summary

        with _read(workspace, None) as (catalog, vocabulary, _):
            return show_summary(
                catalog, vocabulary, upto=round_number or None, known=known, as_json=as_json
            )

    run_command(command)


@contextmanager
def _read(
    workspace: Path | None, asked: Sequence[str] | None
) -> "Iterator[tuple[Catalog, Vocabulary, tuple[str, ...]]]":
    """Catalog, vocabulary, and the classes that are meant.

    Raises:
        ConfigError: a class that nobody knows.
    """
    from agent.asked_classes import asked_classes
    from agent.commands import opened
    from agent.rounds import vocabulary_of

    with opened(workspace) as (found, catalog):
        vocabulary = vocabulary_of(found)
        yield catalog, vocabulary, tuple(asked_classes(asked or (), vocabulary))
