"""``voxcurate evaluate``: how good predictions are, of a round or of two folders."""

from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, show_json
from agent.cli.options import (
    ClassOption,
    JsonOption,
    LabelsOption,
    LayoutOption,
    SetOption,
    WorkersOption,
    WorkspaceOption,
)
from voxcurate.errors import ConfigError


def evaluate(
    predictions: Annotated[
        Path | None,
        typer.Argument(help="Folder of predictions: soft or hard, of any known layout."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Argument(help="Folder of true labels; cases are matched by name.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="Another folder of predictions: paired tests, patient by patient."),
    ] = None,
    classes: ClassOption = None,
    lesions: Annotated[
        list[str] | None,
        typer.Option(
            "--lesions",
            help="Score this class lesion by lesion; may be given again. Default: all that the "
            "vocabulary calls lesions.",
        ),
    ] = None,
    subgroups: Annotated[
        Path | None,
        typer.Option(
            help="CSV with a column 'case', perhaps 'patient'; each other column (sex, age, "
            "scanner ...) makes subgroups."
        ),
    ] = None,
    tolerance_mm: Annotated[
        float | None,
        typer.Option(help="NSD tolerance for all classes; default: each class's own.", min=0),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for tables (Markdown, CSV, JSON) and pictures; a later run takes over the "
            "scores of cases whose files and settings are the same."
        ),
    ] = None,
    labels: LabelsOption = None,
    layout: LayoutOption = "auto",
    missing_is_empty: Annotated[
        bool,
        typer.Option(
            "--missing-is-empty", help="A class without a predicted file is predicted as absent."
        ),
    ] = False,
    workers: WorkersOption = 0,
    settings: SetOption = None,
    round_number: Annotated[
        int, typer.Option("--round", help="Of a workspace: which round; 0: the last.")
    ] = 0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score predictions against a truth: DSC, NSD, HD95, volume, lesions, subgroups, calibration.

    Without arguments: a round's figures on the frozen test split. With two folders: theirs, with
    intervals over patients; --against tests the difference to another model, corrected for many
    tests. Where neither folder is the truth, 'voxcurate compare' tells how far two labellings
    agree. Cases that cannot be scored are named, the others go on, and the exit status is 1.

    Example: voxcurate evaluate predictions labelsTs --subgroups patients.csv --out evaluation
    """

    def command() -> int:
        if predictions is None:
            alone = {"--against": against, "--class": classes, "--lesions": lesions,
                     "--subgroups": subgroups, "--out": out, "--labels": labels,
                     "--tolerance-mm": tolerance_mm, "--set": settings}  # fmt: skip
            wrong = [name for name, value in alone.items() if value is not None]
            if wrong:
                raise ConfigError(f"{', '.join(wrong)}: only with PREDICTIONS and TRUTH")
            return _of_round(workspace, round_number, as_json=as_json)
        if truth is None:
            raise ConfigError("want two folders: PREDICTIONS and TRUTH")
        if round_number or workspace is not None:
            raise ConfigError("--round and --workspace: only without folders")
        from agent.cli.evaluate_view import show_folders
        from agent.evaluation_folders import FolderJob, evaluate_folders

        job = FolderJob(
            predictions, truth, _config(settings or [], tolerance_mm), against=against,
            classes=tuple(classes or ()), lesions=tuple(lesions or ()), subgroups=subgroups,
            out=out, labels=labels, layout=layout, missing_is_empty=missing_is_empty,
            workers=workers,
        )  # fmt: skip
        found = evaluate_folders(job)
        if as_json:
            show_json(found.to_json())
        else:
            show_folders(found, out)
        return DONE if found.is_whole else SOME_FAILED

    run_command(command)


def _of_round(workspace: Path | None, number: int, *, as_json: bool) -> int:
    from agent.cli.evaluate_view import show_round
    from agent.commands import evaluation_of

    return show_round(evaluation_of(workspace, number), as_json=as_json)


def _config(settings: list[str], tolerance_mm: float | None) -> Any:
    """The settings; ``--set`` names them as in a round, with or without ``evaluate.``."""
    from training.evaluation.config import EvaluateConfig
    from voxcurate.config import build, parse_overrides

    given = dict(parse_overrides(settings))
    inner = given.pop("evaluate", {})
    own = {} if tolerance_mm is None else {"tolerance_mm": tolerance_mm}
    return build(EvaluateConfig, given, inner, own)
