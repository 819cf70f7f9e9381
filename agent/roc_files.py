"""``voxcurate roc`` on folders: reads them, analyses class by class, writes the results."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.options import Layout
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError, CurationError

if TYPE_CHECKING:
    from labeling.roc.analysis import Analysis
    from labeling.roc.config import RocConfig
    from labeling.roc.files import Folders
    from voxcurate.case_files import CaseFiles


@dataclass(frozen=True)
class FolderJob:
    """What was asked: see ``voxcurate roc --help``."""

    predictions: tuple[Path, ...]
    truth: Path
    classes: tuple[str, ...]
    config: "RocConfig"
    reports: Path | None = None
    organs: Path | None = None
    out: Path | None = None
    masks: bool = False
    missing_is_empty: bool = False
    labels: Path | None = None
    layout: Layout = "auto"


def analyse_folders(job: FolderJob) -> tuple[dict[str, Any], bool]:
    """All classes; what was found as plain data, and whether something failed or is missing.

    Raises:
        ConfigError: a wrong table or option, or no case in common.
        SourceError: a folder with nothing in it.
    """
    from agent.prediction_folders import cases_of, models_of
    from labeling.output_folder import check_apart
    from voxcurate.classes import load_vocabulary

    if job.masks and job.out is None:
        raise ConfigError("--masks wants --out")
    vocabulary = load_vocabulary()
    models = models_of(job.predictions, vocabulary, job.labels, job.layout)
    known = {case for cases in models.values() for case in cases}
    truth = cases_of(job.truth, vocabulary, job.labels, job.layout, "--truth")
    if len(known) == len(truth) == 1:
        truth = dict(zip(known, truth.values(), strict=True))
    organs = truth
    if job.organs is not None:
        organs = cases_of(job.organs, vocabulary, job.labels, job.layout, "--organs")
    read = [*truth.values(), *organs.values(), *(c for m in models.values() for c in m.values())]
    if job.out is not None:
        check_apart(job.out, read)
    classes: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    lacking: set[str] = set()
    for name in job.classes:
        class_id = vocabulary.resolve(name) or name
        analysis, measured = _one_class(job, class_id, models, truth, organs, vocabulary)
        failed |= {f"{case}/{class_id}": why for case, why in measured.failed.items()}
        lacking |= set(measured.lacking)
        if job.out is not None:
            failed |= _write(job, analysis, measured, models, organs, vocabulary)
        told = analysis.to_json(curve=job.out is None)
        classes.append({**told, **_lists(analysis, measured)})
    result = {"classes": classes, "failed": failed, "lacking": sorted(lacking)}
    return result, bool(failed or lacking)


def _one_class(
    job: FolderJob,
    class_id: str,
    models: Mapping[str, Mapping[str, "CaseFiles"]],
    truth: Mapping[str, "CaseFiles"],
    organs: Mapping[str, "CaseFiles"],
    vocabulary: Vocabulary,
) -> "tuple[Analysis, Folders]":
    from dataclasses import replace

    from labeling.roc.analysis import analyse
    from labeling.roc.files import measure_folders
    from labeling.roc.reach import reach_of
    from labeling.roc.tables import read_case_table
    from voxcurate.progress import progress

    table = read_case_table(job.reports, class_id) if job.reports is not None else None
    n_cases = len({case for cases in models.values() for case in cases})
    with progress(f"roc {class_id}", n_cases) as bar:
        measured = measure_folders(
            models, truth, class_id, vocabulary, job.config, organ_files=organs,
            reach_mm=reach_of(class_id, vocabulary),
            said=table.said if table else None, patients=table.patient if table else None,
            missing_is_empty=job.missing_is_empty,
            keep=job.out / class_id / "measured" if job.out else None,
            done=lambda case: bar.advance(note=case),
        )  # fmt: skip
    analysis = analyse(class_id, measured.rows, job.config)
    notes = list(analysis.notes)
    if measured.hard:
        notes.append(
            f"{len(measured.hard)} cases hold masks, not probabilities: there is one threshold only"
        )
    unknown = sum(row.positive is None for row in measured.rows)
    if unknown:
        notes.append(
            f"{unknown} cases without a true mask, whose report does not say no, are in no curve"
        )
    return replace(analysis, notes=tuple(notes)), measured


def _lists(analysis: "Analysis", measured: "Folders") -> dict[str, Any]:
    """What becomes of the candidates, and whom people should look at first."""
    from labeling.roc.written import state_of

    at = analysis.threshold
    states = [state_of(row, s, at) for row in measured.rows for s in row.scores]
    first = [
        row.case_id
        for row in measured.rows
        if row.said == "yes" and not any(state_of(row, s, at) == "kept" for s in row.scores)
    ]
    counts = {state: states.count(state) for state in ("kept", "removed", "below")}
    return {"candidates": counts, "report_says_yes_but_nothing_found": first}


def _write(
    job: FolderJob,
    analysis: "Analysis",
    measured: "Folders",
    models: Mapping[str, Mapping[str, "CaseFiles"]],
    organs: Mapping[str, "CaseFiles"],
    vocabulary: Vocabulary,
) -> dict[str, str]:
    from labeling.roc.files import write_kept
    from labeling.roc.written import write_analysis

    assert job.out is not None
    folder = job.out / analysis.class_id
    candidates = {name: case.candidates for name, case in measured.cases.items()}
    write_analysis(folder, analysis, vocabulary, candidates)
    failed: dict[str, str] = {}
    if not job.masks:
        return failed
    write = partial(write_kept, models, organs, vocabulary, analysis, folder / "candidates")
    for row in measured.rows:
        try:
            write(row)
        except CurationError as error:
            failed[f"{row.case_id}/{analysis.class_id}"] = str(error)
    return failed
