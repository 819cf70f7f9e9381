"""Audits: of a dataset in plain files, and what detection found in a workspace."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from labeling.audit.case import FolderCase
    from labeling.audit.findings import Finding
    from labeling.audit.folder import Audit, AuditSettings
    from voxcurate.case_files import CaseFiles, Kind
    from voxcurate.classes import Vocabulary
    from voxcurate.protocols import Executor
    from voxcurate.stage import StageContext

FEW = 5  # labels of a class below which nothing is usual
NAMED = 8  # classes that a note names


@dataclass(frozen=True)
class Folders:
    """What is read: labels, their scans, predictions by model, and trusted cases."""

    labels: Path
    scans: Path | None = None
    predictions: Sequence[Path] = ()
    reference: Path | None = None
    reference_scans: Path | None = None
    names: Path | None = None
    layout: "Kind" = "auto"
    missing_is_empty: bool = False


@dataclass(frozen=True)
class Dataset:
    """The cases of folders, audited and trusted, and what should be said of them."""

    cases: "Mapping[str, FolderCase]"
    trusted: "Mapping[str, FolderCase]"
    notes: list[str]


def read_folders(folders: Folders, vocabulary: "Vocabulary", *, in_fold: bool = False) -> Dataset:
    """The cases of folders, matched by name.

    Raises:
        ConfigError: no case has a prediction though there are folders of them.
        SourceError: nothing in a folder.
    """
    from agent.prediction_folders import cases_of, name_folders

    labels = cases_of(folders.labels, vocabulary, folders.names, folders.layout)
    names = name_folders(folders.predictions) if folders.predictions else []
    models = {
        name: cases_of(path, vocabulary, folders.names, folders.layout)
        for name, path in zip(names, folders.predictions, strict=True)
    }
    notes: list[str] = []
    if models and not any(case in found for found in models.values() for case in labels):
        raise ConfigError("no case of the predictions is called like one of the labels")
    for name, found in models.items():
        if lacking := [case for case in labels if case not in found]:
            notes.append(f"model {name} has no prediction of {len(lacking)} of {len(labels)} cases")
    if not models:
        notes.append("no predictions: the written rules and the usual shape alone have looked")
    elif in_fold:
        notes.append(
            "the models were trained on these very labels: where they agree says little, for they "
            "may have learned the error; only where they disagree counts"
        )
    else:
        notes.append("the models are taken as not trained on these labels (--in-fold if they were)")
    cases = _cases(labels, folders.labels, folders.scans, models, folders.missing_is_empty)
    without = sum(files.scan is None for files in cases.values())
    if without:
        notes.append(
            f"{without} of {len(cases)} cases have no scan: nothing is known there of density and "
            "of the body"
        )
    trusted: Mapping[str, FolderCase] = {}
    if folders.reference is not None:
        found = cases_of(folders.reference, vocabulary, folders.names, folders.layout, "reference")
        trusted = _cases(
            found, folders.reference, folders.reference_scans, models, folders.missing_is_empty
        )
        notes.append(f"what is usual is learned from {len(trusted)} trusted cases")
    return Dataset(cases, trusted, notes)


def _cases(
    labels: "Mapping[str, CaseFiles]",
    folder: Path,
    scans: Path | None,
    models: "Mapping[str, Mapping[str, CaseFiles]]",
    missing_is_empty: bool,
) -> "dict[str, FolderCase]":
    from labeling.audit.case import FolderCase
    from labeling.rules.files import find_scans
    from voxcurate.errors import SourceError
    from voxcurate.layouts import SCAN_NAMES, stem

    volumes: Mapping[str, Path] = {}
    if scans is not None:
        volumes = find_scans(scans, labels)
    elif folder.is_dir():
        with suppress(SourceError):  # in the cases' folders; a label map is no scan
            found = find_scans(folder, labels)
            volumes = {c: p for c, p in found.items() if stem(p.name).lower() in SCAN_NAMES}
    every: set[str] = set()
    if missing_is_empty:
        every = {c for files in labels.values() for c in (*files.masks, *files.names.values())}
    return {
        case: FolderCase(
            files,
            volumes.get(case),
            {name: found[case] for name, found in models.items() if case in found},
            tuple(sorted(every)),
        )
        for case, files in labels.items()
    }


def run_audit(
    data: Dataset,
    vocabulary: "Vocabulary",
    out: Path | None,
    executor: "Executor",
    settings: "AuditSettings",
) -> "tuple[Audit, dict[str, Any]]":
    """Audit folders and write the results; what is said besides the lines themselves.

    Raises:
        ConfigError: `out` has to do with what is read.
    """
    from tempfile import TemporaryDirectory

    from labeling.audit.folder import audit_folder, plain_settings
    from labeling.audit.page import write_audit
    from labeling.output_folder import check_apart
    from voxcurate.progress import progress

    if out is not None:
        every = [*data.cases.values(), *data.trusted.values()]
        check_apart(out, (f for case in every for f in (case.labels, *case.models.values())))
        out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        folder = out or Path(scratch)
        with progress("audit", len(data.cases) + len(data.trusted)) as bar:
            found = audit_folder(
                data.cases, vocabulary, folder, executor, settings,
                trusted=data.trusted, done=lambda case: bar.advance(note=case),
            )  # fmt: skip
    classes = sorted({f.class_id for f in found.findings})
    told = plain_settings(settings, found.usual, vocabulary, classes)
    head = {
        "notes": [*data.notes, *_lacking(found.n_cases, told["classes"], bool(data.trusted))],
        "settings": told,
        "cases": found.n_cases,
        "reused": found.reused,
        "failed": dict(found.failed),
    }
    if out is not None:
        write_audit(out, found.findings, head, found.pictures)
    return found, head


def _lacking(n_cases: int, classes: Mapping[str, Any], has_trusted: bool) -> list[str]:
    """Of which classes nothing is usual, once it is known which cases could be read."""
    if n_cases < FEW and not has_trusted:
        cases = f"{n_cases} case{'s' if n_cases != 1 else ''}"
        return [
            f"{cases}: too few to tell what is usual (want {FEW}, or --reference); labels that "
            "break no rule are unknown, not fine"
        ]
    lacking = [c for c, told in classes.items() if not told["shapes_learned"]]
    if not lacking:
        return []
    names = ", ".join(lacking[:NAMED]) + (" ..." if len(lacking) > NAMED else "")
    return [f"no usual shape was learned of {len(lacking)} of {len(classes)} classes: {names}"]


def audit_round(
    context: "StageContext", config: Any, round_number: int, classes: Sequence[str]
) -> "list[Finding]":
    """What detection found in a round, the most suspicious first, and what became of it.

    Args:
        context: of the workspace.
        config: of labeling, for the round.
        round_number: which; 0: the last that was examined.
        classes: only these; empty: all.

    Raises:
        ConfigError: nothing was examined in that round.
    """
    from labeling.audit.findings import findings_of, rank
    from labeling.expert.detect import results_of
    from labeling.expert.suspicion import weigh
    from voxcurate.catalog import WorkItem

    examined = {n for (n,) in context.catalog.columns(WorkItem, "round", stage="detect")}
    number = round_number or max(examined, default=0)
    if number not in examined:
        raise ConfigError("no label was examined in that round: 'voxcurate round' does it")
    ctx = replace(context, round=number)
    suspicions, usual = weigh(ctx, config, results_of(ctx, "detect"))
    became = _became(ctx)
    found = []
    for finding in findings_of(suspicions, usual, config.detect, ctx.vocabulary):
        if classes and finding.class_id not in classes:
            continue
        told = became.get((finding.case, finding.class_id), [])
        judged = (d for d in told if d.stage == "judge" and d.label_id == finding.label_id)
        better = next((d for d in judged if d.other_label), None)
        evidence = better.evidence if better else {}
        choice = evidence.get("choice")
        found.append(
            replace(
                finding,
                became=[_words(d) for d in told],
                better=evidence["candidates"][choice] if better and choice else "",
                better_dsc=evidence["dsc_with_first"][choice] if better and choice else None,
                better_confidence=evidence.get("confidence"),
            )
        )
    kinds = _kinds(ctx, {f.case for f in found if f.status == "suspect"})
    suspect = ((f, kinds.get((f.case, f.class_id, f.label_id))) for f in found)
    return rank(replace(f, kind=kind) if kind and f.kind else f for f, kind in suspect)


def _kinds(ctx: "StageContext", cases: set[str]) -> dict[tuple[str, str, str], str]:
    """Case, class and label to the kind that `voxcurate errors` tells: what has become of a label
    says more of its error than what made it suspect."""
    from labeling.errors.reader import read_errors

    if not cases:
        return {}
    return {
        (e.case_id, e.class_id, e.label_id): e.kind
        for e, _ in read_errors(ctx.catalog, ctx.vocabulary, cases=cases)
        if e.scope == "label" and ctx.round in e.seen
    }


def _became(ctx: "StageContext") -> dict[tuple[str, str], list[Any]]:
    """Case and class to the decisions of judge, regions and people on it, from this round on."""
    from labeling.assembly.history import in_time
    from voxcurate.catalog import Decision

    stages = ("judge", "review", "regions", "labels")
    found: dict[tuple[str, str], list[Any]] = {}
    rows = ctx.catalog.rows(Decision, stage=stages)
    for d in in_time(d for d in rows if d.round >= ctx.round):
        found.setdefault((d.case_id, d.class_id), []).append(d)
    return found


def _words(decision: Any) -> str:
    return f"{decision.verdict.replace('_', ' ')} by {decision.actor} (round {decision.round})"


def confusion(
    findings: "Iterable[Finding]", wrong: Mapping[tuple[str, str], str]
) -> dict[str, dict[str, int]]:
    """Kind of error to how many are found, missed and falsely alarmed, and of found ones how many
    were told to be of that kind; ``all`` has the sums.

    Args:
        findings: of all labels whose truth is known.
        wrong: (case, class) to the kind of error, of those that are wrong.
    """
    table: dict[str, dict[str, int]] = {}

    def count(kind: str, what: str) -> None:
        for name in (kind, "all"):
            row = table.setdefault(name, dict.fromkeys(_COUNTED, 0))
            row[what] += 1

    for f in findings:
        kind = wrong.get((f.case, f.class_id), "")
        is_suspect = f.status == "suspect"
        if kind:
            count(kind, "found" if is_suspect else "missed")
            if is_suspect and f.kind == kind:
                count(kind, "named")
        elif is_suspect:
            count(f.kind, "false_alarm")
    return dict(sorted(table.items(), key=lambda item: (item[0] == "all", item[0])))


_COUNTED = ("found", "missed", "false_alarm", "named")


def wrong_by_list(path: Path) -> dict[tuple[str, str], str]:
    """Planted errors: a JSON list of ``{case_id, class_id, kind}``, or under ``errors``.

    Raises:
        ConfigError: it is none.
    """
    import json

    try:
        data: Any = json.loads(path.read_text())
        rows = data["errors"] if isinstance(data, Mapping) else data
        return {(str(r["case_id"]), str(r["class_id"])): str(r["kind"]) for r in rows}
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            "--truth: want a folder of true labels, or a JSON list of planted errors with case_id, "
            "class_id and kind"
        ) from None


def wrong_by_masks(
    context: "StageContext", findings: "Sequence[Finding]", folder: Path, least_dsc: float
) -> "tuple[list[Finding], dict[tuple[str, str], str]]":
    """The labels whose true mask is in a folder (cases are called by their ids), and of these the
    kinds of errors of those that are wrong: Dice with the truth below `least_dsc`."""
    import numpy as np

    from labeling.expert.difference import difference
    from labeling.rules.files import read_case
    from labeling.structures import Structure, dice
    from voxcurate.case_files import find_cases
    from voxcurate.catalog import Label, ScanHead
    from voxcurate.errors import GeometryError
    from voxcurate.labelmaps import same_affine
    from voxcurate.labels import read_mask

    truth = find_cases(folder, context.vocabulary)
    root = context.workspace.root
    by_case: dict[str, list[Finding]] = {}
    for f in findings:
        if f.case in truth:
            by_case.setdefault(f.case, []).append(f)
    if not by_case:
        raise ConfigError("--truth: no case there is called like one of the workspace")
    known: list[Finding] = []
    wrong: dict[tuple[str, str], str] = {}
    for case, own in by_case.items():
        true = read_case(truth[case])
        (scan,) = context.catalog.rows(ScanHead, case_id=case)
        affine = np.asarray(scan.affine, np.float64)
        if not all(same_affine(s.affine, affine) for s in true.values()):
            raise GeometryError("the true masks lie on another grid than the scan", case_id=case)
        labels = {
            x.label_id: x for x in context.catalog.rows(Label, label_id=[f.label_id for f in own])
        }
        for f in own:
            right = true.get(f.class_id)
            if right is None:
                continue
            mask = read_mask(root, labels[f.label_id].path, right.shape)
            label = Structure.of(f.class_id, mask, right.affine)
            known.append(f)
            dsc = dice(label, right)
            if dsc is not None and dsc < least_dsc:
                pair = context.vocabulary[f.class_id].pair
                others = {c: dice(label, s) or 0.0 for c, s in true.items() if c != f.class_id}
                best = max(sorted(others), key=lambda c: others[c], default="")
                if not label.is_empty and best and others[best] >= max(0.5, dsc):
                    wrong[case, f.class_id] = "left_right_swap" if best == pair else "wrong_class"
                else:
                    wrong[case, f.class_id] = _kind(label, right, difference(label, true), dsc)
    return known, wrong


def _kind(label: Any, right: Any, found: Any, dsc: float) -> str:
    if label.is_empty:
        return "missing"
    if right.is_empty:
        return "false_positive"
    if dsc < 0.25:
        return "misplaced"
    return (found.kind() if found else "") or "noisy_border"
