"""``voxcurate staging subtypes``: a folder of class scores in, subtypes against the truth out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.options import Layout
from agent.staging import write_table
from voxcurate.atomic import make_folder, write_text
from voxcurate.case_files import CaseFiles
from voxcurate.errors import ConfigError, CurationError

if TYPE_CHECKING:
    from training.staging.config import SubtypeConfig
    from voxcurate.classes import Vocabulary


@dataclass(frozen=True)
class SubtypeJob:
    """What was asked: see ``voxcurate staging subtypes --help``."""

    predictions: Path
    truth: Path
    config: "SubtypeConfig"
    classes: tuple[str, ...] = ()
    out: Path | None = None
    labels: Path | None = None
    layout: Layout = "auto"


def subtypes_of_folder(job: SubtypeJob) -> dict[str, Any]:
    """Subtypes of all cases by their lesions' scores, against the truth, patient by patient.

    Raises:
        ConfigError: a wrong table, no class, or scans of a patient with different subtypes.
        SourceError: a folder with nothing in it.
    """
    from agent.asked_classes import asked_classes, classes_there
    from agent.prediction_folders import cases_of
    from labeling.output_folder import check_apart
    from training.staging.confusion import confusion_of
    from training.staging.marks import read_truth
    from training.staging.plots import plot_confusion
    from training.staging.subtypes import patients_of
    from voxcurate.classes import load_vocabulary
    from voxcurate.progress import progress

    vocabulary = load_vocabulary()
    cases = cases_of(job.predictions, vocabulary, job.labels, job.layout, "predictions")
    if job.out is not None:
        check_apart(job.out, cases.values())
    there = classes_there(cases.values())
    known = [c for c in job.config.malignancy if c in there]
    classes = asked_classes(job.classes, vocabulary, there) if job.classes else known
    if not classes:
        raise ConfigError("no class of a subtype in the predictions: --class names them")
    truth = read_truth(job.truth, needs=("subtype",))
    if not set(truth.subtype) & set(cases):
        raise ConfigError(f"{job.truth.name}: no case of it is among the predictions")
    wanted = {c: class_named(s, classes, vocabulary) for c, s in truth.subtype.items()}
    lesions, failed = {}, {}
    with progress("subtypes", len(cases)) as bar:
        for case, files in cases.items():
            try:
                if case in wanted:
                    lesions[case] = _lesions(files, classes, job.config)
            except CurationError as error:
                failed[case] = str(error)
            bar.advance(note=case)
    called = patients_of(lesions, truth.patient, job.config)
    true = _true_patients({c: s for c, s in wanted.items() if c in lesions}, truth.patient)
    found = confusion_of(true, called, classes)
    told = {
        **found.plain(),
        "cases": {c: [x.plain() for x in each] for c, each in lesions.items()},
        "called": called,
        "truth": true,
        "failed": failed,
        "missing": sorted(set(wanted) - set(cases)),
        "settings": job.config.model_dump(mode="json"),
        "use": "research only",
    }
    if job.out is not None:
        make_folder(job.out)
        head = ["patient", "truth", "called"]
        write_table(job.out / "subtypes.csv", head, [[p, true[p], called[p]] for p in sorted(true)])
        plot_confusion(job.out / "confusion.png", found, "subtypes by patient (research only)")
        write_text(job.out / "subtypes.json", json.dumps(told, indent=1) + "\n")
    return told


def class_named(name: str, classes: Sequence[str], vocabulary: "Vocabulary") -> str:
    """The class that a table calls by its id, another name, or the last part of the id: ``cyst``
    for ``pancreatic_cyst``; a name that fits none stays."""
    by_name = vocabulary.resolve(name)
    if by_name in classes:
        return by_name or name
    ends = [c for c in classes if c.lower().endswith(f"_{name.strip().lower()}")]
    return ends[0] if len(ends) == 1 else (by_name or name.strip().lower())


def _lesions(files: CaseFiles, classes: Sequence[str], config: "SubtypeConfig") -> Any:
    from training.staging.subtypes import lesions_of_scores
    from voxcurate.ready_predictions import read_prediction

    own = files
    if files.soft is None and files.label_map is not None:
        own = replace(files, names={n: c for n, c in files.names.items() if c in classes})
    elif files.soft is None:
        own = replace(files, masks={c: p for c, p in files.masks.items() if c in classes})
        if not own.masks:
            raise CurationError("none of the classes is predicted")
    found = read_prediction(own, "predictions")
    names = [c for c in classes if c in found.classes]
    return lesions_of_scores({c: found.full(c) for c in names}, found.affine, config)


def _true_patients(subtype: Mapping[str, str], owner: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for case, name in sorted(subtype.items()):
        patient = owner.get(case, case)
        if found.setdefault(patient, name) != name:
            raise ConfigError(f"patient {patient} has two subtypes: {found[patient]} and {name}")
    return found
