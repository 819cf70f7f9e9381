"""``voxcurate priority``: which cases and structures of a workspace people should look at first."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, run_command, show_json
from agent.cli.options import (
    CutOption,
    JsonOption,
    ScoreOption,
    SetOption,
    TopPercentOption,
    WorkspaceOption,
)
from agent.cli.priority_view import ROWS_SHOWN, cut_words, priority_of, show_rows
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from labeling.attention.priority import Entry
    from labeling.config import LabelingConfig
    from voxcurate.stage import StageContext


def priority(
    score: ScoreOption = "",
    cut: CutOption = "",
    top_percent: TopPercentOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for priority.csv and priority.png; default: the round's own, unless score "
            "or cut differ from the round's."
        ),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Show all cases, not only those to look at.")
    ] = False,
    settings: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank a workspace's cases by attention: who needs a person's eye first, where, and why.

    Of its last round, after 'voxcurate fuse' or within a round; the list is what the round makes.
    Without a workspace: voxcurate attention.

    Example: voxcurate priority --cut 40 --json
    """

    def command() -> int:
        from agent.by_hand import by_hand
        from labeling.attention import priority as stage

        chosen = priority_of(score, cut, top_percent)
        given = [*(settings or []), *(f"labeling.priority.{k}={v}" for k, v in chosen.items())]
        writes = out is not None or not given
        with by_hand(workspace, given, write=writes) as (context, config):
            if writes:
                stage.run(context, config.labeling, out)
            told = _told(context, config.labeling, whole=whole)
            if as_json:
                rows = [_plain(entry) for entry in told.pop("entries")]
                show_json({**told, "rows": rows})
            else:
                _show(told, whole=whole)
        return DONE

    run_command(command)


def _told(context: "StageContext", config: "LabelingConfig", *, whole: bool) -> dict[str, Any]:
    """The list with what it is about, all of it or what people look at; `entries` are read when
    asked for.

    Raises:
        ConfigError: there is no attention yet.
    """
    from labeling.attention.priority import entries, ranked_cases

    ranked = ranked_cases(context, config.priority)
    if not ranked:
        raise ConfigError(
            f"no attention in round {context.round}: predict with two models or more, then "
            "'voxcurate fuse', or run 'voxcurate round'"
        )
    last = max((case.rank for case in ranked if case.chosen), default=0)
    found = entries(context, config, ranked if whole else ranked[:last])
    return {
        "round": context.round,
        "score": config.priority.score,
        "cut": cut_words(config.priority),
        "cases": len(ranked),
        "chosen": sum(case.chosen for case in ranked),
        "entries": found if whole else (entry for entry in found if entry.row.chosen),
    }


def _plain(entry: "Entry") -> dict[str, Any]:
    fields = asdict(entry)
    return {**fields.pop("row"), **fields}


def _show(told: dict[str, Any], *, whole: bool) -> None:
    found: Iterator[Entry] = told["entries"]
    shown = list(found if whole else islice(found, ROWS_SHOWN + 1))
    drawn = {(e.row.case_id, e.row.class_id) for e in shown if e.drawn_by_people}
    rows = [entry.row for entry in shown]
    title = f"{told['cases']} cases, {told['chosen']} to look at ({told['cut']})"
    if rows:
        show_rows(rows if whole else rows[:ROWS_SHOWN], told["score"], title, drawn)
    else:
        typer.echo(f"{title}: the models agree, or people drew what they disagree about")
    if not whole and len(rows) > ROWS_SHOWN:
        typer.echo("... and more: --all, or priority.csv of the round")
