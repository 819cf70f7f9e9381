"""``voxcurate review``: the queue of labels that people should look at."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import SOME_FAILED, run_command
from agent.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from voxcurate.stage import StageContext

app = typer.Typer(help="The queue of labels that people should look at.", no_args_is_help=True)


@app.command(name="list")
def list_(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List what waits for review, most urgent first.

    Example: voxcurate review list --json
    """

    def command() -> int:
        from agent.by_hand import by_hand
        from agent.cli.console import show_json
        from labeling.review.review import pending
        from labeling.roc.answers import pending_lesions

        with by_hand(workspace, write=False, needs_round=True) as (context, _):
            items: list[dict[str, Any]] = [*pending_lesions(context), *pending(context)]
        if as_json:
            show_json(items)
        else:
            for item in items:
                typer.echo(
                    f"{item['rank']:>4}  {item['case_id']}  {item['class_id']}: {item['reason']}"
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
        from agent.by_hand import by_hand
        from agent.cli.console import show_result
        from agent.lesions import export_roc
        from labeling.review.review import export_review
        from voxcurate.stage import StageResult

        with by_hand(workspace, needs_round=True) as (context, config):
            found = export_review(context, config.labeling), export_roc(context, config)
        result = StageResult(
            {key: n for part in found for key, n in part.counts.items()},
            {key: why for part in found for key, why in part.failed.items()},
        )
        return show_result("review export", result, as_json=as_json)

    run_command(command)


@app.command(name="import")
def import_(
    number: Annotated[
        int,
        typer.Option(
            "--round",
            min=0,
            help="Read all answers of this round again. Default: those of the last round, and "
            "what was open in earlier ones.",
        ),
    ] = 0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read back what people put into the review folders: revised masks and verdicts.

    Answers to an earlier round are never too late. They count from the next 'voxcurate assemble'
    on, or in the round that is under way.

    Example: voxcurate review import
    """

    def command() -> int:
        from agent.by_hand import by_hand
        from agent.cli.console import show_json

        with by_hand(workspace, needs_round=True) as (context, _):
            told = _imported(context, number)
        if as_json:
            show_json(told)
        else:
            _show_imported(told)
        return SOME_FAILED if told["failed"] else 0

    run_command(command)


def _imported(context: "StageContext", number: int) -> dict[str, Any]:
    """Answers by round and verdict, failures, and what to do next."""
    from dataclasses import replace

    from labeling.review.review import import_late, import_review, review_folder
    from labeling.roc.answers import import_lesions
    from voxcurate.catalog import Round
    from voxcurate.errors import ConfigError

    asked = replace(context, round=number, cohort=frozenset()) if number else context
    if number and not review_folder(asked).is_dir():
        raise ConfigError(f"round {number} asked nobody: there is no review/{number}/")
    taken = import_review(asked)
    drawn = import_lesions(asked)
    lesions = {key: n for key, n in drawn.counts.items() if n and key != "lesions_open"}
    rounds: dict[str, Mapping[str, int]] = {str(asked.round): {**taken.counts, **lesions}}
    failed = {**taken.failed, **drawn.failed}
    if not number:
        late = import_late(context)
        rounds, failed = {**late.counts, **rounds}, {**late.failed, **failed}
    last = context.catalog.one(Round, number=context.round)
    is_over = last is None or last.status == "done"
    return {"rounds": rounds, "failed": failed, "next": "assemble" if is_over else "round"}


def _show_imported(told: Mapping[str, Any]) -> None:
    n_read = 0
    for number, counts in told["rounds"].items():
        said = {verdict: n for verdict, n in counts.items() if verdict != "open" and n}
        n_read += sum(said.values())
        if not any(counts.values()):
            typer.echo(f"round {number}: nothing to read: it has asked nobody")
            continue
        shown = ", ".join(f"{n} {verdict}" for verdict, n in said.items()) or "no answers"
        still = f"; {counts['open']} open" if "open" in counts else ""
        typer.echo(f"round {number}: {shown}{still}")
    for key, why in sorted(told["failed"].items()):
        typer.echo(f"failed: {key}: {why}", err=True)
    if told["next"] == "round":
        typer.echo("next: voxcurate round goes on, and the answers count in it")
    elif n_read:
        typer.echo("next: voxcurate assemble lets the answers count")
