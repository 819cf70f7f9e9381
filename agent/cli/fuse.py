"""``voxcurate fuse``: several models' predictions become one set of masks, and what was mended."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, WIDTH, run_command, show_json, show_result
from agent.cli.options import (
    ClassOption,
    JsonOption,
    LabelsOption,
    Layout,
    LayoutOption,
    MoreFolders,
    PredictionsOption,
    SetOption,
    WorkspaceOption,
)
from agent.cli.prediction_view import warn_of_models
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from labeling.config import LabelingConfig
    from labeling.fusion.batch import Batch
    from voxcurate.case_files import CaseFiles
    from voxcurate.stage import StageResult

METHODS = ("mean", "staple")
ROWS_SHOWN = 20


def fuse(
    more: MoreFolders = None,
    predictions: PredictionsOption = None,
    out: Annotated[
        Path | None, typer.Option(help="With --predictions: folder to write to.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="mean (of the probabilities) or staple. Default: mean.")
    ] = "",
    weights: Annotated[
        Path | None,
        typer.Option(
            help="With --predictions and mean: YAML or JSON of each model's weight, or of the "
            "weights of its classes."
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Of the result; default: 0.5.", min=0.01, max=0.99)
    ] = None,
    rules: Annotated[
        bool, typer.Option("--rules/--no-rules", help="Mend by the written anatomy.")
    ] = True,
    classes: ClassOption = None,
    labels: LabelsOption = None,
    layout: LayoutOption = "auto",
    settings: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fuse several models' predictions into one set of masks that keep to the written anatomy.

    In a workspace: the pseudo labels and attention of its last round, as the round makes them.
    Without, of the folders that --predictions names: per case segmentations/, removed/ (what the
    rules took away) and fuse.json, and rules.csv of all. What is done is not done again while
    inputs and settings stay.

    Example: voxcurate fuse --predictions unet --predictions swin --predictions nnunet --out fused
    """

    def command() -> int:
        folders = [*(predictions or []), *(more or [])]
        chosen = _settings(method, threshold, rules)
        if not folders:
            alone = {"--out": out, "--weights": weights, "--class": classes, "--labels": labels}
            wrong = [name for name, value in alone.items() if value]
            if wrong:
                raise ConfigError(f"{', '.join(wrong)}: only with --predictions")
            given = [*(settings or []), *(f"labeling.fuse.{k}={v}" for k, v in chosen.items())]
            return show_result("fuse", _in_workspace(workspace, given), as_json=as_json)
        if out is None:
            raise ConfigError("--predictions wants --out")
        if method == "staple" and weights is not None:
            raise ConfigError("--weights goes with --method mean: STAPLE estimates its own")
        config = _config(chosen, settings or [])
        batch, models = _alone(folders, out, config, weights, classes or (), labels, layout)
        if as_json:
            show_json(_plain(batch, models, config))
        else:
            _show(batch, out)
        _warn(batch, models, config)
        return SOME_FAILED if batch.failed or batch.missing else DONE

    run_command(command)


def _settings(method: str, threshold: float | None, rules: bool) -> dict[str, Any]:
    if method and method not in METHODS:
        raise ConfigError(f"want --method {' or '.join(METHODS)}, found {method!r}")
    found: dict[str, Any] = {"method": method} if method else {}
    if threshold is not None:
        found["threshold"] = threshold
    if not rules:
        found["postprocess"] = False
    return found


def _config(chosen: Mapping[str, Any], settings: Sequence[str]) -> "LabelingConfig":
    """The settings without a workspace; ``--set`` names them as in a round."""
    from labeling.config import LabelingConfig
    from voxcurate.config import build, parse_overrides

    given = dict(parse_overrides(settings))
    own = given.pop("labeling", {})
    if given:
        raise ConfigError(f"--set: without a workspace want labeling.key=value, found {set(given)}")
    return build(LabelingConfig, own, {"fuse": dict(chosen)})


def _in_workspace(given: Path | None, settings: Sequence[str]) -> "StageResult":
    from agent.by_hand import by_hand
    from labeling.fusion import fuse as stage
    from labeling.predicted import Predictions

    with by_hand(given, settings) as (context, config):
        if not context.classes:
            raise ConfigError("no class is annotated yet: --set classes=[liver,...] names them")
        if not Predictions(context, config.labeling):
            raise ConfigError("no predictions in this round: 'voxcurate predict' makes some")
        return stage.run(context, config.labeling)


def _alone(
    folders: Sequence[Path],
    out: Path,
    config: "LabelingConfig",
    weights: Path | None,
    classes: Sequence[str],
    labels: Path | None,
    layout: Layout,
) -> "tuple[Batch, dict[str, dict[str, CaseFiles]]]":
    from agent.asked_classes import asked_classes, classes_there
    from agent.prediction_folders import models_of
    from labeling.fusion.batch import fuse_folders, read_weights
    from voxcurate.classes import load_vocabulary
    from voxcurate.progress import progress

    vocabulary = load_vocabulary()
    models = models_of(folders, vocabulary, labels, layout)
    shares = read_weights(weights, list(models), vocabulary) if weights else None
    there = classes_there(case for cases in models.values() for case in cases.values())
    wanted = asked_classes(classes, vocabulary, there)
    with progress("fuse", len({c for cases in models.values() for c in cases})) as bar:
        batch = fuse_folders(
            models, vocabulary, out, config, classes=wanted, weights=shares,
            done=lambda case: bar.advance(note=case),
        )  # fmt: skip
    return batch, models


def _plain(batch: "Batch", models: Mapping[str, Any], config: "LabelingConfig") -> dict[str, Any]:
    return {
        "models": list(models),
        "method": config.fuse.method,
        "threshold": config.fuse.threshold,
        "cases": dict(batch.cases),
        "failed": dict(batch.failed),
        "missing": dict(batch.missing),
        "reused": batch.reused,
    }


def _show(batch: "Batch", out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    n_classes = sum(len(told["classes"]) for told in batch.cases.values())
    before = f" ({batch.reused} of them done before)" if batch.reused else ""
    typer.echo(f"{len(batch.cases)} cases{before}, {n_classes} masks in {out}")
    effects = [(case, e) for case, told in batch.cases.items() for e in told["rules"]]
    broken = sum(len(told["broken"]) for told in batch.cases.values())
    if effects:
        table = Table(title="what the rules did", title_justify="left")
        for column in ("case", "class", "rule", "action", "mL", "voxels", "why"):
            is_number = column in ("mL", "voxels")
            table.add_column(column, justify="right" if is_number else "left")
        for case, e in effects[:ROWS_SHOWN]:
            action = f"{e['action']} to {e['other']}" if e["action"] == "moved" else e["action"]
            ml = f"{e['ml']:.3g}"
            table.add_row(case, e["class_id"], e["rule"], action, ml, str(e["voxels"]), e["reason"])
        Console(width=max(WIDTH, Console().width)).print(table)
    if len(effects) > ROWS_SHOWN:
        typer.echo(f"... and {len(effects) - ROWS_SHOWN} more in rules.csv")
    if broken:
        typer.echo(f"rules still broken: {broken} (which: `broken` in each case's fuse.json)")


def _warn(batch: "Batch", models: Mapping[str, Any], config: "LabelingConfig") -> None:
    if len(models) == 1:
        typer.echo("note: one model: the masks are its own, thresholded and mended", err=True)
    unsided = [case for case, told in batch.cases.items() if told["sides"] != "checked"]
    if unsided and config.fuse.postprocess:
        typer.echo(
            f"note: {len(unsided)} cases have no structure that tells the midline: left and right "
            "were not checked there",
            err=True,
        )
    warn_of_models(models, batch.missing, batch.failed)
