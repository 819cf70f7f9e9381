"""``voxcurate evaluate PREDICTIONS TRUTH``: reads the folders, scores, writes the results."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.options import Layout
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from training.evaluation.config import EvaluateConfig
    from training.evaluation.folders import Measured
    from training.evaluation.subgroups import Subjects
    from voxcurate.case_files import CaseFiles

SEED = 0
KEPT = "kept"  # in the folder of results: scores of the cases, for a later run


@dataclass(frozen=True)
class FolderJob:
    """What was asked: see ``voxcurate evaluate --help``."""

    predictions: Path
    truth: Path
    config: "EvaluateConfig"
    against: Path | None = None
    classes: tuple[str, ...] = ()
    lesions: tuple[str, ...] = ()
    subgroups: Path | None = None
    out: Path | None = None
    labels: Path | None = None
    layout: Layout = "auto"
    missing_is_empty: bool = False
    workers: int = 0


@dataclass(frozen=True)
class Evaluated:
    """The summary, and of each model what could not be scored."""

    summary: dict[str, Any]
    measured: "Mapping[str, Measured]"

    @property
    def is_whole(self) -> bool:
        """Whether all cases of all folders were scored."""
        return all(found.is_whole for found in self.measured.values())

    def to_json(self) -> dict[str, Any]:
        """Plain data, scores of the cases included."""
        return {**self.summary, "cases": {m: f.scores for m, f in self.measured.items()}}


def evaluate_folders(job: FolderJob) -> Evaluated:
    """Score one or two folders of predictions; with `job.out`, write tables and pictures there.

    Raises:
        ConfigError: a wrong table or option, or no case in common.
        SourceError: a folder with nothing in it.
    """
    from agent.asked_classes import asked_classes, classes_there
    from agent.prediction_folders import cases_of, matched, name_folders
    from labeling.output_folder import check_apart
    from training.evaluation.subgroups import Subjects, read_subjects
    from voxcurate.classes import load_vocabulary

    vocabulary = load_vocabulary()
    truth = cases_of(job.truth, vocabulary, job.labels, job.layout, "TRUTH")
    folders = [job.predictions, *([job.against] if job.against else [])]
    models = {
        name: matched(
            cases_of(folder, vocabulary, job.labels, job.layout, role), truth, (role, "TRUTH")
        )
        for name, folder, role in zip(
            name_folders(folders), folders, ("PREDICTIONS", "--against"), strict=False
        )
    }
    if job.out is not None:
        check_apart(job.out, [*truth.values(), *(c for m in models.values() for c in m.values())])
    there = classes_there([*truth.values()])
    classes = tuple(asked_classes(job.classes, vocabulary, there))
    lesions = asked_classes(job.lesions or job.config.lesion_classes, vocabulary, there)
    config = job.config.model_copy(update={"lesion_classes": tuple(lesions)})
    job = replace(job, config=config)
    subjects = Subjects()
    if job.subgroups is not None:
        subjects = read_subjects(job.subgroups, job.config)
        if not set(subjects.patients) & set(truth):
            raise ConfigError(f"{job.subgroups.name}: none of its cases is one of the truth")
    measured = {
        name: _measure(name, cases, truth, job, vocabulary, classes)
        for name, cases in models.items()
    }
    summary = _summary(job, measured, subjects, vocabulary)
    if job.out is not None:
        _write(job, Evaluated(summary, measured), vocabulary)
    return Evaluated(summary, measured)


def _measure(
    name: str,
    cases: "Mapping[str, CaseFiles]",
    truth: "Mapping[str, CaseFiles]",
    job: FolderJob,
    vocabulary: Vocabulary,
    classes: tuple[str, ...],
) -> "Measured":
    from training.evaluation.folders import Job, measure
    from voxcurate.executors import cores
    from voxcurate.progress import progress

    keep = None if job.out is None else job.out / KEPT / name
    config, workers = job.config.of_case(), job.workers or cores()
    own = Job(vocabulary, config, classes, job.missing_is_empty, workers, keep)
    with progress(f"evaluate {name}", sum(case in truth for case in cases)) as bar:
        return measure(cases, truth, own, lambda case: bar.advance(note=case))


def _summary(
    job: FolderJob,
    measured: "Mapping[str, Measured]",
    subjects: "Subjects",
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    from training.evaluation.case import IMPLEMENTATION
    from training.evaluation.significance import compare
    from training.evaluation.summary import RULES, summarise
    from training.evaluation.values import tables_of

    entries = []
    for name, found in measured.items():
        told = summarise(
            found.scores, job.config, vocabulary, patients=subjects.patients,
            groups=subjects.groups, seed=SEED,
        )  # fmt: skip
        wrong = {
            "failed": dict(found.failed),
            "missing": list(found.missing),
            "extra": list(found.extra),
            "not_predicted": list(found.not_predicted),
            "unnamed": {side: dict(values) for side, values in found.unnamed.items()},
        }
        entries.append({"name": name, **told, **wrong})
    if len(entries) == 2:
        one, two = (tables_of(found.scores) for found in measured.values())
        tests = compare(one, two, subjects.patients, job.config, seed=SEED)
        entries[0]["against_others"] = [{"name": entries[1]["name"], "tests": tests}]
    return {
        "truth": str(job.truth),
        "implementation": IMPLEMENTATION,
        "settings": job.config.model_dump(mode="json"),
        "rules": RULES,
        "models": entries,
    }


def _write(job: FolderJob, found: Evaluated, vocabulary: Vocabulary) -> None:
    from training.evaluation.written import write_evaluation
    from voxcurate.workspace import write_text

    assert job.out is not None
    scores = {name: part.scores for name, part in found.measured.items()}
    write_evaluation(job.out, found.summary, scores, job.config, vocabulary=vocabulary)
    text = json.dumps(found.summary, indent=1, sort_keys=True, allow_nan=False)
    write_text(job.out / "evaluation.json", text + "\n")
