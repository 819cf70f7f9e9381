"""``voxcurate priority``: which cases and structures of a workspace people should look at first."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.console import DONE, run_command, show_json
from agent.options import JsonOption, SetOption, WorkspaceOption
from agent.priority_view import CUT_HELP, ROWS_SHOWN, SCORE_HELP, cut_words, priority_of, show_rows
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from labeling.config import LabelingConfig
    from labeling.priority import Entry
    from voxcurate.stage import StageContext


def priority(
    score: Annotated[str, typer.Option(help=f"{SCORE_HELP} Default: the round's.")] = "",
    cut: Annotated[str, typer.Option(help=f"{CUT_HELP} Default: the round's.")] = "",
    top_percent: Annotated[float, typer.Option(help="For --cut top.", min=0, max=100)] = 5.0,
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
        from labeling import priority as stage

        chosen = priority_of(score, cut, top_percent)
        given = [*(settings or []), *(f"labeling.priority.{k}={v}" for k, v in chosen.items())]
        with by_hand(workspace, given) as (context, config):
            if out is not None or not given:
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
    """The list with what it is about; `entries` are read when asked for.

    Raises:
        ConfigError: there is no attention yet.
    """
    from labeling.priority import entries, ranked_cases

    ranked = ranked_cases(context, config.priority)
    if not ranked:
        raise ConfigError(
            f"no attention in round {context.round}: predict with two models or more, then "
            "'voxcurate fuse', or run 'voxcurate round'"
        )
    chosen = [case for case in ranked if case.chosen]
    return {
        "round": context.round,
        "score": config.priority.score,
        "cut": cut_words(config.priority),
        "cases": len(ranked),
        "chosen": len(chosen),
        "entries": entries(context, config, ranked if whole else chosen),
    }


def _plain(entry: "Entry") -> dict[str, Any]:
    fields = asdict(entry)
    return {**fields.pop("row"), **fields}


def _show(told: dict[str, Any], *, whole: bool) -> None:
    found: Iterator[Entry] = told["entries"]
    rows = [entry.row for entry in (found if whole else islice(found, ROWS_SHOWN + 1))]
    title = f"{told['cases']} cases, {told['chosen']} for review ({told['cut']})"
    show_rows(rows if whole else rows[:ROWS_SHOWN], told["score"], title)
    if not whole and len(rows) > ROWS_SHOWN:
        typer.echo("... and more: --all, or priority.csv of the round")
