"""``voxcurate roc``: how low to set the threshold for tumours, and what that costs people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, show_json
from agent.cli.options import (
    ClassOption,
    JsonOption,
    LabelsOption,
    LayoutOption,
    PredictionsOption,
    SetOption,
    WorkspaceOption,
)
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from labeling.roc.config import RocConfig


def roc(
    predictions: PredictionsOption = None,
    truth: Annotated[
        Path | None, typer.Option(help="With --predictions: folder of the true masks.")
    ] = None,
    classes: ClassOption = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            help="With --predictions: CSV with a line per case: case, report (yes, no or "
            "uncertain), and patient if scans share one."
        ),
    ] = None,
    organs: Annotated[
        Path | None,
        typer.Option(
            help="With --predictions: masks of the organs that hold the lesions; default: those "
            "of --truth, else as predicted."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for roc.json, curve.csv, cases.csv, candidates.csv, roc.png."),
    ] = None,
    masks: Annotated[
        bool,
        typer.Option(
            "--masks",
            help="With --out: also write the candidates at the operating point, numbered.",
        ),
    ] = False,
    preset: Annotated[
        str, typer.Option(help="default, or scalemai: the settings that the paper tells.")
    ] = "default",
    sensitivity: Annotated[
        float | None, typer.Option(help="Wanted; default: 0.99.", min=0.01, max=1.0)
    ] = None,
    missing_is_empty: Annotated[
        bool, typer.Option("--missing-is-empty", help="No file of truth: no lesion.")
    ] = False,
    labels: LabelsOption = None,
    layout: LayoutOption = "auto",
    settings: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sweep the threshold for tumours: ROC, free response, the operating point, people's time.

    In a workspace: measures the last round's predictions against its labels and reports, removes
    what reports rule out, and says what people should look at. Alone on files: two folders.

    Example: voxcurate roc --predictions soft --truth labels --class liver_tumor --out curves
    """

    def command() -> int:
        if not predictions:
            alone = {
                "--truth": truth, "--class": classes, "--reports": reports, "--organs": organs,
                "--labels": labels, "--masks": masks, "--missing-is-empty": missing_is_empty,
            }  # fmt: skip
            wrong = [name for name, value in alone.items() if value]
            if wrong:
                raise ConfigError(f"{', '.join(wrong)}: only with --predictions")
            return _in_workspace(workspace, settings or [], preset, sensitivity, out, as_json)
        if truth is None or not classes:
            raise ConfigError("--predictions wants --truth and --class")
        from agent.roc_files import FolderJob, analyse_folders

        config = _config(preset, sensitivity, settings or [])
        job = FolderJob(
            tuple(predictions), truth, tuple(classes), config, reports, organs, out, masks,
            missing_is_empty, labels, layout,
        )  # fmt: skip
        told, bad = analyse_folders(job)
        _show(told, as_json=as_json, out=out)
        return SOME_FAILED if bad else DONE

    run_command(command)


def _config(preset: str, sensitivity: float | None, settings: Sequence[str]) -> "RocConfig":
    """The settings; ``--set`` names them as in a round."""
    from labeling.roc.config import PRESETS, RocConfig
    from voxcurate.config import build, parse_overrides

    if preset not in PRESETS:
        raise ConfigError(f"want --preset {' or '.join(PRESETS)}, found {preset!r}")
    given = dict(parse_overrides(settings))
    labeling = dict(given.pop("labeling", {}))
    own = labeling.pop("roc", {})
    if given or labeling:
        raise ConfigError("--set: without a workspace want labeling.roc.key=value")
    wanted = {} if sensitivity is None else {"sensitivity": sensitivity}
    return build(RocConfig, PRESETS[preset]().model_dump(), own, wanted)


def _in_workspace(
    given: Path | None,
    settings: Sequence[str],
    preset: str,
    sensitivity: float | None,
    out: Path | None,
    as_json: bool,
) -> int:
    from agent.by_hand import by_hand
    from agent.lesions import run_roc
    from labeling.roc.config import PRESETS
    from labeling.roc.stage import stored
    from labeling.roc.written import write_analysis

    if preset not in PRESETS:
        raise ConfigError(f"want --preset {' or '.join(PRESETS)}, found {preset!r}")
    own = [*settings]
    if preset != "default":
        chosen = PRESETS[preset]().model_dump(exclude_defaults=True)
        own = [*(f"labeling.roc.{k}={v}" for k, v in chosen.items()), *own]
    if sensitivity is not None:
        own.append(f"labeling.roc.sensitivity={sensitivity}")
    with by_hand(given, own) as (context, config):
        result = run_roc(context, config)
        found = stored(context)
        if out is not None:
            for analysis in found:
                write_analysis(out / analysis.class_id, analysis, context.vocabulary)
        told = {
            "counts": dict(result.counts),
            "classes": [analysis.to_json(curve=False) for analysis in found],
            "failed": dict(result.failed),
        }
    _show(told, as_json=as_json, out=out)
    return SOME_FAILED if result.failed else DONE


def _show(told: Mapping[str, Any], *, as_json: bool, out: Path | None) -> None:
    if as_json:
        show_json(told)
        return
    for found in told["classes"]:
        typer.echo("\n".join(_lines(found)))
    if not told["classes"]:
        typer.echo("no lesion class: --class names one, or the round's classes have one")
    for name, value in told.get("counts", {}).items():
        typer.echo(f"{name.replace('_', ' ')}: {value}")
    if out is not None:
        typer.echo("curves written")
    for case, why in told["failed"].items():
        typer.echo(f"failed: {case}: {why}", err=True)
    for case in told.get("lacking", ()):
        typer.echo(f"missing: {case}: no prediction", err=True)


def _lines(found: Mapping[str, Any]) -> list[str]:
    """One class in words."""
    patients = found["patients"]
    lines = [
        f"{found['class']}: {found['scans']} scans, {found['lesions']} lesions; patients: "
        f"{patients['positive']} with, {patients['negative']} without"
    ]
    if found["auc"] is not None:
        lines.append(f"  ROC area per patient {found['auc']:.3f}{_span(found, 'auc')}")
    named = (("operating_point", "operating point"), ("least_time", "least time"))
    for key, name in (*named, ("usual_threshold", "threshold 0.5")):
        point = found[key]
        if point is None:
            continue
        spans = key == "operating_point"

        def of(figure: str, spans: bool = spans) -> str:
            return _span(found, figure) if spans else ""

        at = "none" if point["threshold"] is None else f"{point['threshold']:.3f}"
        saved = point["time_saved"]
        least, most = point["minutes"]
        lines.append(f"  {name}: threshold {at}")
        if point["sensitivity"] is not None:
            lines.append(
                f"    lesions found {point['lesions_found']} of {found['lesions']} "
                f"({point['sensitivity']:.1%}{of('sensitivity')})"
            )
        lines.append(
            f"    false positives per scan {point['false_per_scan']:.2f}{of('false_per_scan')}; "
            f"left to people {point['left_per_scan']:.2f}, the reports remove "
            f"{point['removed_by_reports']}"
        )
        by_hand = "" if saved is None else f", {saved:.0%} less than by hand"
        lines.append(f"    people's time {least:.1f} to {most:.1f} min in all{by_hand}")
    if found["sensitivity_of_unseen"] is not None:
        lines.append(
            f"  of patients not used to choose: {found['sensitivity_of_unseen']:.1%} found (mean "
            "of the resamples)"
        )
    return [*lines, *(f"  note: {note}" for note in found["notes"])]


def _span(found: Mapping[str, Any], name: str) -> str:
    low, high = found["intervals"].get(name, (None, None))
    form = ".1%" if "sensitivity" in name else ".3g"
    return "" if low is None or high is None else f" [{low:{form}} to {high:{form}}]"
