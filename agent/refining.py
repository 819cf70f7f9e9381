"""Refinement on files alone: a scan, labels, predictions, trusted cases; resumable."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxcurate.errors import ConfigError, CurationError, GeometryError

if TYPE_CHECKING:
    from agent.judging import Reference
    from labeling.config import LabelingConfig
    from labeling.expert.support import Support
    from labeling.structures import Structure
    from voxcurate.case_files import CaseFiles
    from voxcurate.classes import Vocabulary
    from voxcurate.volume import Volume

CASE_FILE, MASKS, PROPOSALS, POINTS = "refine.json", "segmentations", "proposals", "points"
VERSION = "2"
LEFT = "confidence_by_class leaves its borders alone"


@dataclass(frozen=True)
class Job:
    """What is asked of one scan.

    Attributes:
        scan: the CT: file, or folder with one DICOM series.
        labels: of the scan.
        classes: those to refine.
        out: folder to write to.
        config: of labeling; `refine` and `judge` of it count.
        predictions: of models, each a folder or file of this scan.
        reference: trusted cases.
        modality: of the scans.
        proposals: also write what the judge does not accept.
    """

    scan: Path
    labels: "CaseFiles"
    classes: Sequence[str]
    out: Path
    config: "LabelingConfig"
    predictions: Sequence[Path] = ()
    reference: "Reference | None" = None
    modality: str = "CT"
    proposals: bool = False


@dataclass(frozen=True)
class Done:
    """What came out.

    Attributes:
        classes: class to what ``refine.json`` says of it.
        failed: class to what is wrong with its file.
        reused: all of it was done before.
    """

    classes: Mapping[str, Mapping[str, Any]]
    failed: Mapping[str, str] = field(default_factory=dict)
    reused: bool = False


def refine_files(
    job: Job, vocabulary: "Vocabulary", done: Callable[[str], None] = lambda _: None
) -> Done:
    """Refine the labels of one scan and ask the judge.

    Writes ``segmentations/<class>.nii.gz`` (the refined mask where the judge prefers it, else the
    label as it was), ``points/<class>.mrk.json`` for viewers, ``proposals/<class>_<name>.nii.gz``
    if wanted, and ``refine.json``. Done before with the same inputs and settings: nothing is done.

    Raises:
        ConfigError: `out` has to do with what is read; no trusted case can be read.
        VolumeReadError, GeometryError: the scan, or a prediction; names which.
    """
    from labeling.output_folder import check_apart, claim, read_case_file
    from labeling.refine.methods import make_refiner
    from voxcurate.atomic import write_text
    from voxcurate.readers import read_volume

    key = _fingerprint(job, vocabulary)
    if len(job.labels.masks) != 1:
        check_apart(job.out, [job.labels])
    elif job.out.resolve() in [p.resolve().parent for p in job.labels.masks.values()]:
        raise ConfigError("--out is the folder of the mask: want another one")
    known = read_case_file(job.out / CASE_FILE) or {}
    if known.get("fingerprint") == key and _is_whole(job.out, known):
        return Done(known["classes"], known["failed"], reused=True)
    refiner = make_refiner(job.config.refine)
    volume = read_volume(job.scan)
    labels, failed = read_labels(job.labels, volume)
    supports = _supports(job, volume, vocabulary)
    usual, anatomy = _usual(job, vocabulary)
    made: dict[str, dict[str, Any]] = {}
    files: dict[str, dict[str, Structure]] = {}
    written: dict[str, Structure] = {}
    accepted: dict[str, Structure] = {}
    for class_id in job.classes:
        if class_id in labels:
            told = _refine(
                job, class_id, labels, volume, usual, anatomy, refiner, supports, accepted
            )
            made[class_id], files[class_id] = told
        elif class_id not in failed and not failed.get("labels"):
            made[class_id] = {"accepted": False, "reason": "there is no label of it"}
        done(class_id)
    for class_id, found in files.items():
        written |= {_name(class_id, name): s for name, s in found.items()}
    claim(job.out, CASE_FILE, [*written])
    for name, s in written.items():
        _write(job.out / name, s)
    for class_id in made:
        if points := made[class_id].pop("markups", ""):
            write_text(job.out / POINTS / f"{class_id}.mrk.json", points)
    data = {"fingerprint": key, "files": [*written], "classes": made, "failed": failed}
    write_text(job.out / CASE_FILE, json.dumps(data, indent=1, sort_keys=True) + "\n")
    return Done(made, failed)


def read_labels(
    files: "CaseFiles", volume: "Volume"
) -> "tuple[dict[str, Structure], dict[str, str]]":
    """The structures of a scan, and class to what is wrong with its file; a wrong one leaves the
    others alone."""
    from dataclasses import replace

    from labeling.rules.files import read_case
    from voxcurate.labelmaps import same_affine

    parts = [files]
    if files.label_map is None:
        parts = [replace(files, masks={c: path}) for c, path in files.masks.items()]
    found: dict[str, Structure] = {}
    failed: dict[str, str] = {}
    for part in parts:
        name = next(iter(part.masks), "labels")
        try:
            structures = read_case(part)
            for s in structures.values():
                if s.shape != volume.shape or not same_affine(s.affine, volume.affine):
                    raise GeometryError(f"mask {s.class_id} lies on another grid than the scan")
            found |= structures
        except CurationError as error:
            failed[name] = str(error)
    return found, failed


def _refine(
    job: Job,
    class_id: str,
    labels: "Mapping[str, Structure]",
    volume: "Volume",
    usual: Any,
    anatomy: Any,
    refiner: Any,
    supports: "Mapping[str, Support]",
    accepted: "dict[str, Structure]",
) -> "tuple[dict[str, Any], dict[str, Structure]]":
    """What is told of one class, and its masks by name: empty for the result."""
    from labeling.refine.points import markups
    from labeling.refine.work import note_accepted, refine_one

    label = labels[class_id]
    if job.config.refine.leaves(class_id):
        return {"accepted": False, "reason": LEFT}, {"": label}
    found = refine_one(
        class_id, labels, volume, usual, anatomy, job.config, refiner,
        supports=supports, modality=job.modality, accepted=accepted,
    )  # fmt: skip
    if found is None:
        return {"accepted": False, "reason": "the label is empty"}, {"": label}
    made, said = found
    note_accepted(accepted, made, said)
    masks = {"": made.proposals[said.choice] if said.choice else label}
    if job.proposals:
        masks |= made.proposals
    return {
        "accepted": said.choice is not None,
        "proposal": said.choice,
        "confidence": said.confidence,
        "reason": said.reason,
        "ml": [round(label.ml, 3), round(masks[""].ml, 3)],
        "dsc": dict(said.evidence.get("dsc", {})),
        "points": made.points.plain(),
        "refiner": f"{refiner.name} {refiner.version}",
        "markups": markups(made.points, class_id),
    }, masks


def _usual(job: Job, vocabulary: "Vocabulary") -> tuple[Any, Any]:
    """What is usual among trusted cases, and the written anatomy."""
    from agent.judging import usual_of
    from labeling.expert.layout import Layout
    from labeling.expert.suspicion import Usual
    from labeling.rules import load_anatomy

    config = job.config
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    if job.reference is None:
        return Usual({}, Layout({})), anatomy
    return usual_of(job.reference, vocabulary, config, anatomy, job.modality), anatomy


def _supports(job: Job, volume: "Volume", vocabulary: "Vocabulary") -> "dict[str, Support]":
    """The models' mean probabilities of each class.

    Raises:
        ConfigError: predictions of several cases.
        CurationError: one cannot be read; names the model.
    """
    from agent.prediction_folders import models_of
    from labeling.expert.support import supports
    from voxcurate.ready_predictions import Grid, read_prediction

    if not job.predictions:
        return {}
    found = []
    for model, cases in models_of(list(job.predictions), vocabulary, None, "auto").items():
        if len(cases) != 1:
            raise ConfigError(
                f"model {model}: want the predictions of this scan, found {len(cases)} cases"
            )
        try:
            (own,) = cases.values()
            found.append(read_prediction(own, model, grid=Grid.of(volume)))
        except CurationError as error:
            raise type(error)(f"model {model}: {error}") from None
    return supports(found, job.classes)


def _fingerprint(job: Job, vocabulary: "Vocabulary") -> str:
    """Of all that the result depends on."""
    from labeling.refine.stage import HOW
    from labeling.rules import load_anatomy
    from voxcurate.ids import content_id

    own = job.labels
    read: list[Path] = [job.scan, *(p for p in (own.label_map, own.soft) if p), *own.masks.values()]
    folders = [*job.predictions]
    if job.reference is not None:
        folders += [p for p in (job.reference.folder, job.reference.scans) if p is not None]
    for folder in (*read, *folders):
        if not folder.exists():
            raise ConfigError("want files and folders that exist: one that was given is not there")
    marks = [_marks(path) for path in [*read, *folders]]
    config = job.config
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    return content_id(
        VERSION, marks, sorted(job.classes), {str(k): v for k, v in own.names.items()},
        config.refine.model_dump(exclude=set(HOW)),
        config.judge.model_dump(mode="json"), config.detect.model_dump(mode="json"),
        anatomy.plain(),
        [vocabulary[c].model_dump() for c in job.classes if c in vocabulary],
        job.modality, job.proposals,
    )  # fmt: skip


def _marks(path: Path) -> list[Any]:
    """Name, size and time of change of a file, or of all in a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    root = path if path.is_dir() else path.parent
    return [
        [str(f.relative_to(root)), f.stat().st_size, f.stat().st_mtime_ns]
        for f in files
        if f.is_file()
    ]


def _is_whole(out: Path, known: Mapping[str, Any]) -> bool:
    return all((out / name).is_file() for name in known.get("files", ()))


def _name(class_id: str, proposal: str) -> str:
    if not proposal:
        return f"{MASKS}/{class_id}.nii.gz"
    return f"{PROPOSALS}/{class_id}_{proposal}.nii.gz"


def _write(path: Path, s: "Structure") -> None:
    from voxcurate.atomic import write_atomic
    from voxcurate.labelmaps import box_parts

    write_atomic(path, box_parts(s.mask, s.box, s.shape, s.affine))
