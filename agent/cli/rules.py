"""``voxcurate rules``: which labels break the written anatomy, in a workspace or of files alone."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, GOES_ON, SOME_FAILED, run_command, show_json
from agent.cli.options import (
    CaseOption,
    ClassOption,
    JsonOption,
    LabelsOption,
    LayoutOption,
    WorkersOption,
    WorkspaceOption,
)
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from labeling.rules import Outcome
    from labeling.rules.batch import Asked, Checked
    from voxcurate.case_files import Kind
    from voxcurate.classes import Vocabulary
    from voxcurate.stage import StageContext

app = typer.Typer(
    help="The written anatomy: which labels break it, with numbers and reasons.",
    invoke_without_command=True,
)
AT_ONCE = 4  # cases that are checked in this process
INTERRUPTED = "interrupted; nothing is kept (--keep FOLDER does), the same command begins anew"
SEXES = {"m": "male", "male": "male", "f": "female", "female": "female"}
AnatomyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--anatomy",
        help="Rules: a shipped file by name (abdomen, chest, head_neck, pelvis) or your own YAML "
        "file; again for more. Default: all shipped.",
    ),
]
RuleOption = Annotated[
    list[str] | None,
    typer.Option("--rule", help="Only this rule (side, gap, overlap ...); may be given again."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Show what holds and what is unknown, too.")]


@app.callback()
def rules(
    context: typer.Context,
    round_number: Annotated[int, typer.Option("--round", help="Only this round.")] = 0,
    case: CaseOption = None,
    class_id: ClassOption = None,
    rule: RuleOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rules that labels of a workspace break, by round, case and class.

    Example: voxcurate rules --round 1 --class aorta --rule gap
    """
    if context.invoked_subcommand:
        return

    def command() -> int:
        from agent.by_hand import by_hand
        from agent.cli.rules_view import show_rows
        from agent.commands import check_cases

        with by_hand(workspace, write=False) as (found, _):
            check_cases(found.catalog, case or [])
            classes = [found.vocabulary.resolve(c) or c for c in class_id or ()]
            rows = [
                row
                for row in _violations(found, round_number, case or ())
                if (not classes or row["class_id"] in classes) and (not rule or row["rule"] in rule)
            ]
        if as_json:
            show_json(rows)
        else:
            show_rows(rows)
        return DONE

    run_command(command)


@app.command()
def show(
    case: Annotated[str, typer.Argument(help="Case id.")],
    class_id: Annotated[
        list[str] | None, typer.Argument(metavar="[CLASS]...", help="Only these classes.")
    ] = None,
    anatomy: AnatomyOption = None,
    everything: AllOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the labels of a scan that count now; tell what is broken, holds and is unknown.

    Example: voxcurate rules show CASE_ID aorta --all
    """

    def command() -> int:
        from agent.by_hand import by_hand
        from agent.cli.rules_view import show_outcomes
        from agent.commands import check_cases
        from labeling.rules.batch import count

        with by_hand(workspace, write=False) as (context, config):
            check_cases(context.catalog, [case])
            names = anatomy or list(config.labeling.rules.anatomy)
            found = _of_workspace(context, case, names, config.labeling.rules.weights)
            classes = [context.vocabulary.resolve(c) or c for c in class_id or ()]
        found = [v for v in found if not classes or v.class_id in classes]
        if as_json:
            show_json({"case": case, **count(found), "outcomes": [v.plain() for v in found]})
        else:
            rows = [(case, v) for v in found if everything or v.state == "broken"]
            show_outcomes(rows, every=everything)
            typer.echo(", ".join(f"{n} {state}" for state, n in count(found).items()))
        return DONE

    run_command(command)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Label map, folder of masks, or folder of cases.")],
    scans: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the CTs (<case>.nii.gz, <case>_0000.nii.gz, <case>/ct.nii.gz): for "
            "HU and the body's place."
        ),
    ] = None,
    anatomy: AnatomyOption = None,
    sex: Annotated[
        str,
        typer.Option(help="male or female, of all; or a CSV file with columns case and sex."),
    ] = "",
    rule: RuleOption = None,
    class_id: ClassOption = None,
    missing_is_empty: Annotated[
        bool,
        typer.Option(
            "--missing-is-empty",
            help="A class that some case has and another has not is absent there; else nobody "
            "knows about it, and rules that need it are unknown.",
        ),
    ] = False,
    labels: LabelsOption = None,
    layout: LayoutOption = "auto",
    everything: AllOption = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps what was found in each case: stopped, the same command goes "
            "on; later, it checks what has changed."
        ),
    ] = None,
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Check labels against the written anatomy, without a workspace.

    Every rule says broken, holds or unknown, in mm and mL of the patient, with the voxels in
    question. The exit status is 1 if a hard rule is broken (anatomy knows no exception; ranges are
    not hard) or a case cannot be read. Values of a label map that have no name are told, and not
    checked. docs/rules.md lists the rules, and how to write your own.

    Example: voxcurate rules check labelsTr --labels dataset.json --scans imagesTr --json
    """

    def command() -> int:
        from agent.cli.rules_view import plain_checked, show_checked, warn_unnamed
        from labeling.rules import shipped_anatomies
        from labeling.rules.batch import Asked

        asked = Asked(
            tuple(anatomy or shipped_anatomies()), tuple(rule or ()), tuple(class_id or ()),
            everything,
        )  # fmt: skip
        found = _checked(folder, scans, sex, labels, layout, missing_is_empty, asked, workers, keep)
        if as_json:
            show_json(plain_checked(found))
        else:
            show_checked(found, every=everything)
        warn_unnamed(found)
        return SOME_FAILED if found.failed or found.total("hard") else DONE

    run_command(command, interrupted=GOES_ON if keep else INTERRUPTED)


def _checked(
    folder: Path,
    scans: Path | None,
    sex: str,
    labels: Path | None,
    layout: "Kind",
    missing_is_empty: bool,
    asked: "Asked",
    workers: int,
    keep: Path | None,
) -> "Checked":
    from agent.prediction_folders import cases_of
    from labeling.output_folder import check_apart
    from labeling.rules import load_anatomy
    from labeling.rules.batch import check_cases, classes_of
    from labeling.rules.files import find_scans
    from voxcurate.classes import load_vocabulary
    from voxcurate.executors import LocalExecutor, SerialExecutor
    from voxcurate.progress import progress

    vocabulary = load_vocabulary()
    written = load_anatomy(vocabulary, asked.anatomy)
    cases = cases_of(folder, vocabulary, labels, layout)
    if keep is not None:
        check_apart(keep, cases.values(), "--keep")
    there = classes_of(cases)
    asked = _spelt(asked, vocabulary, there)
    if missing_is_empty:
        asked = replace(asked, empty=there)
    if strange := sorted(c for c in written.named() - {*there} if c not in vocabulary):
        typer.echo(f"rules of classes that nobody knows: {', '.join(strange)}", err=True)
    volumes = find_scans(scans, cases) if scans else {}
    if scans and (without := [c for c in cases if c not in volumes]):
        typer.echo(f"no scan of {len(without)} cases: checked without", err=True)
    is_quick = len(cases) <= AT_ONCE and not workers  # starting processes would take longer
    executor = SerialExecutor() if is_quick else LocalExecutor(workers=workers, retries=0)
    with progress("check labels", len(cases)) as bar:
        return check_cases(
            cases, asked, executor, scans=volumes, sexes=sexes_of(sex, list(cases)),
            keep=keep, done=lambda case: bar.advance(note=case),
        )  # fmt: skip


def _spelt(asked: "Asked", vocabulary: "Vocabulary", there: Collection[str]) -> "Asked":
    """What is asked, classes by their ids; a misspelt name must not pass for "nothing is
    broken"."""
    from labeling.rules import RULE_WEIGHTS

    wrong = [r for r in asked.rules if r not in RULE_WEIGHTS]
    if wrong:
        raise ConfigError(f"no rule {wrong[0]!r}; there are: {', '.join(RULE_WEIGHTS)}")
    named = [vocabulary.resolve(c) or c for c in asked.classes]
    unknown = [c for c in named if c not in vocabulary and c not in there]
    if unknown:
        raise ConfigError(f"no class {unknown[0]!r}, neither known nor among the labels")
    return replace(asked, classes=tuple(named))


def sexes_of(given: str, cases: Sequence[str]) -> dict[str, str]:
    """Case to its sex, from ``--sex``.

    Raises:
        ConfigError: it is neither a sex nor a CSV file with columns case and sex.
    """
    if not given:
        return {}
    if given.lower() in SEXES:
        return dict.fromkeys(cases, SEXES[given.lower()])
    import csv

    path = Path(given)
    if not path.is_file():
        raise ConfigError("--sex: want male, female or a CSV file with columns case and sex")
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"--sex: {path.name}: want a CSV table of UTF-8 text") from None
    if not rows or not {"case", "sex"} <= set(rows[0]):
        raise ConfigError(f"--sex: want columns case and sex in {path.name}")
    found = {row["case"]: SEXES.get((row["sex"] or "").strip().lower(), "") for row in rows}
    if not set(found) & set(cases):
        raise ConfigError(f"--sex: no case of the labels is in {path.name}")
    return found


def _violations(
    context: "StageContext", round_number: int, cases: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """What detection found of the labels that a round began with, and fusion of the pseudo labels
    that it made."""
    from labeling.expert.detect import results_of
    from voxcurate.catalog import Decision, Round

    rounds = [r.number for r in context.catalog.rows(Round)]
    for number in [round_number] if round_number else rounds:
        some = replace(context, round=number)
        for case_id, result in results_of(some, "detect", cases or None).items():
            for row in result["rows"]:
                yield from _plain(number, case_id, "detect", row["violations"])
        where: dict[str, Any] = {"round": number, "stage": "fuse", "verdict": "rule_broken"}
        where |= {"case_id": list(cases)} if cases else {}
        for decision in context.catalog.rows(Decision, **where):
            yield from _plain(number, decision.case_id, "fuse", decision.evidence["broken"])


def _plain(
    number: int, case_id: str, stage: str, broken: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    from labeling.rules import Outcome

    for found in broken:
        yield {"round": number, "case_id": case_id, "stage": stage, **Outcome(**found).plain()}


def _of_workspace(
    context: "StageContext", case_id: str, names: Sequence[str], weights: dict[str, float]
) -> "list[Outcome]":
    from labeling.rules import load_anatomy
    from labeling.rules.files import facts_of
    from labeling.structures import Structure
    from voxcurate.catalog import Label, ScanHead
    from voxcurate.labels import read_mask
    from voxcurate.nifti import read_nifti

    catalog, root = context.catalog, context.workspace.root
    (scan,) = catalog.rows(ScanHead, case_id=case_id)
    pointers = catalog.current(case_id=case_id)
    wanted = {p.label_id for p in pointers.values()}
    volume = read_nifti(root / scan.path)
    structures = {
        x.class_id: Structure.of(x.class_id, read_mask(root, x.path, volume.shape), volume.affine)
        for x in catalog.rows(Label, label_id=wanted)
        if not x.retired
    }
    sex = SEXES.get(str(scan.facts.get("sex", "")).lower(), "")
    facts = facts_of(structures, volume if scan.modality == "CT" else None, sex=sex)
    anatomy = load_anatomy(context.vocabulary, names, weights)
    return anatomy.outcomes(structures, facts)
