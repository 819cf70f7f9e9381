"""``voxcurate audit``: which labels are probably wrong, of plain files or of a workspace."""

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
    ModalityOption,
    PredictionsOption,
    SetOption,
    WorkersOption,
    WorkspaceOption,
)
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from labeling.audit.folder import AuditSettings
    from voxcurate.protocols import Executor

app = typer.Typer(
    help="Which labels are probably wrong, worst first: of plain files, or of a workspace.",
    invoke_without_command=True,
)
FEW = 2  # cases for which no processes are started
LEAST_DSC = 0.9  # with the truth: below, a label counts as wrong


@app.callback()
def audit(
    context: typer.Context,
    round_number: Annotated[
        int, typer.Option("--round", help="Which round; 0: the last that was examined.")
    ] = 0,
    class_id: ClassOption = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Folder of true labels (cases called by their ids), or JSON list of planted "
            "errors (case_id, class_id, kind): adds what was found, missed and falsely alarmed."
        ),
    ] = None,
    least_dsc: Annotated[
        float,
        typer.Option(
            "--least-dsc", help="With --truth FOLDER: a label below is wrong.", min=0.01, max=1.0
        ),
    ] = LEAST_DSC,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what detection found in a round, worst first, and what became of each label.

    Example: voxcurate audit --round 1 --class liver --truth planted.json
    """
    if context.invoked_subcommand:
        return

    def command() -> int:
        from agent.asked_classes import asked_classes
        from agent.audit import audit_round, confusion, wrong_by_list, wrong_by_masks
        from agent.by_hand import by_hand
        from agent.cli.audit_view import show_confusion, show_findings

        with by_hand(workspace, write=False, needs_round=True) as (found, config):
            classes = asked_classes(class_id or (), found.vocabulary)
            findings = audit_round(found, config.labeling, round_number, classes)
            table: dict[str, Any] = {}
            if truth is not None and truth.is_dir():
                table = confusion(*wrong_by_masks(found, findings, truth, least_dsc))
            elif truth is not None:
                table = confusion(findings, wrong_by_list(truth))
        rows = [{"rank": n, **f.plain()} for n, f in enumerate(findings, 1)]
        if as_json:
            show_json({"labels": rows, **({"truth": table} if truth else {})})
        else:
            show_findings(findings, is_round=True)
            if truth is not None:
                show_confusion(table)
        return DONE

    run_command(command)


@app.command()
def folder(
    given: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS", help="Folder of cases (masks or label maps), or a single case."
        ),
    ],
    scans: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the CTs (<case>.nii.gz, <case>_0000.nii.gz, <case>/ct.nii.gz); "
            "default: in the cases' folders."
        ),
    ] = None,
    predictions: PredictionsOption = None,
    in_fold: Annotated[
        bool,
        typer.Option(
            "--in-fold",
            help="The models were trained on these very labels: that they agree clears none.",
        ),
    ] = False,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Folder of trusted cases: what is usual is learned from them, not from the "
            "audited labels."
        ),
    ] = None,
    reference_scans: Annotated[
        Path | None, typer.Option(help="Where the scans of --reference lie, if elsewhere.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for audit.csv, audit.json, audit.html with pictures of the worst; a "
            "later run takes over what still fits."
        ),
    ] = None,
    worst: Annotated[int, typer.Option(help="With --out: labels that are drawn.", min=0)] = 20,
    class_id: ClassOption = None,
    missing_is_empty: Annotated[
        bool,
        typer.Option(
            "--missing-is-empty",
            help="A class that some case has and another has not is absent there; else nobody "
            "knows about it.",
        ),
    ] = False,
    sex: Annotated[
        str, typer.Option(help="male or female, of all; or a CSV file with columns case and sex.")
    ] = "",
    modality: ModalityOption = "CT",
    labels: LabelsOption = None,
    layout: LayoutOption = "auto",
    settings: SetOption = None,
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Find labels that are probably wrong in a dataset of plain files, worst first.

    Of every structure: the probability that its label is wrong, what kind of error it would be,
    what each witness says (models, their probabilities, written anatomy, usual shape), and the
    prediction that is better, if one is. Works without predictions and without scans, and says
    what that means. What cannot be known is unknown, never fine. The exit status is 1 if a case
    cannot be read.

    Example: voxcurate audit folder labelsTr --labels dataset.json --scans imagesTr --predictions
    unet --out audit --json
    """

    def command() -> int:
        from agent.asked_classes import asked_classes, classes_there
        from agent.audit import Folders, read_folders, run_audit
        from agent.cli.audit_view import show_findings, show_notes
        from voxcurate.classes import load_vocabulary

        vocabulary = load_vocabulary()
        folders = Folders(
            given, scans, tuple(predictions or ()), reference, reference_scans, labels, layout,
            missing_is_empty,
        )  # fmt: skip
        if reference_scans is not None and reference is None:
            raise ConfigError("--reference-scans goes with --reference")
        data = read_folders(folders, vocabulary, in_fold=in_fold)
        there = classes_there(case.labels for case in data.cases.values())
        classes = frozenset(asked_classes(class_id or (), vocabulary, there))
        chosen = _settings(
            settings or [], modality, in_fold, _sexes(sex, data.cases), classes,
            worst if out is not None else 0,
        )  # fmt: skip
        n = len(data.cases) + len(data.trusted)
        found, head = run_audit(data, vocabulary, out, _executor(workers, n), chosen)
        if as_json:
            rows = [{"rank": n, **f.plain()} for n, f in enumerate(found.findings, 1)]
            show_json({**head, "labels": rows})
        else:
            show_findings(found.findings, is_round=False)
            show_notes(head, out)
        return SOME_FAILED if found.failed else DONE

    run_command(command)


def _settings(
    given: Sequence[str],
    modality: str,
    in_fold: bool,
    sexes: Mapping[str, str],
    classes: frozenset[str],
    worst: int,
) -> "AuditSettings":
    """The settings; ``--set`` names them as in a round."""
    from labeling.audit.folder import AuditSettings
    from labeling.config import LabelingConfig
    from voxcurate.config import build, parse_overrides

    wanted = dict(parse_overrides(given))
    own = wanted.pop("labeling", {})
    if wanted:
        raise ConfigError(f"--set: want labeling.key=value, found {', '.join(sorted(wanted))}")
    config = build(LabelingConfig, own)
    return AuditSettings(config, modality.upper(), in_fold, sexes, classes, worst)


def _sexes(given: str, cases: Mapping[str, Any]) -> dict[str, str]:
    from agent.cli.rules import sexes_of

    return sexes_of(given, list(cases))


def _executor(workers: int, n_cases: int) -> "Executor":
    from voxcurate.executors import LocalExecutor, SerialExecutor

    if workers == 1 or n_cases <= FEW:
        return SerialExecutor()
    return LocalExecutor(workers=workers, retries=0)
