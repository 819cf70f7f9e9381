"""``voxcurate refine``: borders of labels drawn anew, accepted only if the judge prefers it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, show_json, show_result
from agent.cli.options import (
    CaseOption,
    ClassOption,
    JsonOption,
    ModalityOption,
    SetOption,
    WorkspaceOption,
)
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from agent.refining import Done
    from labeling.config import LabelingConfig
    from voxcurate.case_files import CaseFiles
    from voxcurate.classes import Vocabulary
    from voxcurate.stage import StageResult

INTERRUPTED = "interrupted; the same command begins this scan again"


def refine(
    scan: Annotated[
        Path | None,
        typer.Option(help="Without a workspace: the CT, a file or a folder with a DICOM series."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="With --scan: mask of one structure, which --class names."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="With --scan: label map or folder of masks; other structures' voxels "
            "are not taken."
        ),
    ] = None,
    classes: ClassOption = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(help="With --scan: a model's prediction of this scan; again for more."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="With --scan: trusted cases with their scans, what is usual; without "
            "them the judge hardly ever accepts a border."
        ),
    ] = None,
    reference_scans: Annotated[
        Path | None, typer.Option(help="Where the scans of --reference lie, if elsewhere.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --scan: folder for the results.")] = None,
    proposals: Annotated[
        bool,
        typer.Option("--proposals", help="With --scan: write what was not accepted, too."),
    ] = False,
    modality: ModalityOption = "CT",
    case: CaseOption = None,
    budget: Annotated[
        int,
        typer.Option(
            min=0, help="In a workspace: the first so many cases of the priority list; 0: all."
        ),
    ] = 0,
    method: Annotated[
        str, typer.Option(help="geodesic (no weights) or sam (a model folder). Default: geodesic.")
    ] = "",
    settings: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw borders of labels anew from points, the scan and models; the judge accepts or not.

    In a workspace: labels of its last round, those that may be mended automatically are replaced,
    others become review items. Alone: one scan and its masks. What is not accepted stays as it was,
    with the reason.

    Example: voxcurate refine --scan ct.nii.gz --mask aorta.nii.gz --class aorta --reference
    trusted/ --out refined
    """

    def command() -> int:
        given = list(settings or [])
        alone = {
            "--mask": mask, "--labels": labels, "--predictions": predictions, "--out": out,
            "--reference": reference, "--reference-scans": reference_scans,
            "--proposals": proposals,
        }  # fmt: skip
        if scan is None:
            if wrong := [name for name, value in alone.items() if value]:
                raise ConfigError(f"{', '.join(wrong)}: only with --scan")
            result = _in_workspace(workspace, given, method, classes or [], case or [], budget)
            code = show_result("refine", result, as_json=as_json)
            if not as_json and result.counts.get("replace"):
                typer.echo("Next: 'voxcurate assemble' lets the refined labels count.")
            return code
        if workspace or case or budget:
            raise ConfigError("--workspace, --case, --budget: only without --scan")
        if out is None or (mask is None) == (labels is None):
            raise ConfigError("--scan wants --out, and either --mask with --class or --labels")
        from agent.judging import Reference
        from agent.refining import Job, refine_files
        from voxcurate.classes import load_vocabulary
        from voxcurate.progress import progress

        vocabulary = load_vocabulary()
        files, wanted = _files(mask, labels, classes or [], vocabulary)
        trusted = Reference(reference, reference_scans) if reference else None
        job = Job(
            scan, files, wanted, out, _config(given, method), predictions or [], trusted,
            modality.upper(), proposals,
        )  # fmt: skip
        with progress("refine", len(wanted)) as bar:
            done = refine_files(job, vocabulary, lambda name: bar.advance(note=name))
        if as_json:
            failed = {**done.failed, **(trusted.failed if trusted else {})}
            show_json({"classes": done.classes, "failed": failed, "reused": done.reused})
        else:
            _show(done)
        if trusted is None:
            typer.echo("note: without --reference only the written anatomy is judged", err=True)
        for name, why in (trusted.failed if trusted else {}).items():
            typer.echo(f"failed: {name}: {why}", err=True)
        return SOME_FAILED if done.failed or (trusted and trusted.failed) else DONE

    run_command(command, interrupted=INTERRUPTED if scan else "interrupted; go on the same way")


def _in_workspace(
    given: Path | None,
    settings: list[str],
    method: str,
    classes: list[str],
    cases: list[str],
    budget: int,
) -> "StageResult":
    from agent.asked_classes import asked_classes
    from agent.by_hand import by_hand
    from labeling.refine import stage

    own = [*settings, *([f"labeling.refine.method={method}"] if method else [])]
    with by_hand(given, own, needs_round=True) as (context, config):
        only = asked_classes(classes, context.vocabulary, context.classes)
        return stage.run(context, config.labeling, classes=only, cases=cases, budget=budget)


def _config(settings: list[str], method: str) -> "LabelingConfig":
    """The settings without a workspace; ``--set`` names them as in a round."""
    from labeling.config import LabelingConfig
    from voxcurate.config import build, parse_overrides

    given = dict(parse_overrides(settings))
    own = given.pop("labeling", {})
    if given:
        raise ConfigError(f"--set: without a workspace want labeling.key=value, found {set(given)}")
    return build(LabelingConfig, own, {"refine": {"method": method}} if method else {})


def _files(
    mask: Path | None, labels: Path | None, classes: list[str], vocabulary: "Vocabulary"
) -> "tuple[CaseFiles, list[str]]":
    """What is read, and the classes to refine."""
    from agent.asked_classes import asked_classes, classes_there
    from voxcurate.case_files import ONE_CASE, CaseFiles, find_cases

    if mask is not None:
        if len(classes) != 1:
            raise ConfigError("--mask wants one --class, which says what it shows")
        known = vocabulary.resolve(classes[0]) or classes[0]
        return CaseFiles(ONE_CASE, {known: mask}), [known]
    assert labels is not None
    cases = find_cases(labels, vocabulary)
    if len(cases) != 1:
        raise ConfigError(f"--labels: want the structures of one scan, found {len(cases)} cases")
    (files,) = cases.values()
    there = classes_there([files])
    wanted = asked_classes(classes, vocabulary, there)
    return files, list(wanted) or sorted(there)


def _show(done: "Done") -> None:
    for class_id, told in sorted(done.classes.items()):
        typer.echo(f"{class_id}: {_line(told)}")
    if done.reused:
        typer.echo("done before with the same inputs and settings")
    for name, why in sorted(done.failed.items()):
        typer.echo(f"failed: {name}: {why}", err=True)


def _line(told: Any) -> str:
    if not told["accepted"]:
        return f"kept ({told['reason']})"
    before, after = told["ml"]
    return (
        f"refined ({told['proposal']}), {before:.4g} to {after:.4g} mL, better with a chance of "
        f"{told['confidence']:.2f}: {told['reason']}"
    )
