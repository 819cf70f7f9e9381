"""Training cases from a folder of scans and labels: the same linking, checks and geometry as
ingest, without a workspace. What was read stays in the work folder until the model is done."""

import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.ingest.cases import find_cases
from agent.ingest.draft import draft
from agent.ingest.files import list_files, marks_of
from agent.ingest.items import payload_of
from agent.ingest.records import Case
from cleaning.standardise.config import StandardiseConfig
from voxcurate.atomic import adopt_file, write_text
from voxcurate.classes import Vocabulary
from voxcurate.config import build, shipped
from voxcurate.dicom import find_series
from voxcurate.errors import SourceError, TrainingError
from voxcurate.executors import LocalExecutor
from voxcurate.ids import content_id
from voxcurate.keys import key_folder, make_key, read_key
from voxcurate.labels import MaskFile
from voxcurate.layouts import is_volume
from voxcurate.progress import progress
from voxcurate.protocols import Task
from voxcurate.sources import (
    FILE_NAME,
    Pattern,
    SourceConfig,
    load_source,
    shipped_sources,
    unfinished,
)

log = logging.getLogger(__name__)
VERSION = "1"
KEY_NAME = "train.key"
PEEK = 20  # files opened per pattern where nobody describes the folder
GENERIC = "data"  # what a folder is called that may be named like a patient
TIME_LIMIT_S = 1800.0  # per case


@dataclass(frozen=True)
class Folder:
    """A described folder: its cases, linked, and which file of the user each is.

    Attributes:
        strays: files of labels that belong to none of the cases; relative paths.
    """

    source: SourceConfig
    cases: Sequence[Case]
    strays: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadCase:
    """A case as training gets it.

    Attributes:
        labels: class to plain `LabelSpec`; an empty `path` is "not there".
        ml: of each label.
        person: the patient that all scans of one person go by here (`agent.training_split`).
    """

    case_id: str
    patient: str
    modality: str
    licence: str
    path: str
    sha256: str
    shape: tuple[int, int, int]
    affine: tuple[tuple[float, ...], ...]
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ml: Mapping[str, float] = field(default_factory=dict)
    person: str = ""

    @property
    def owner(self) -> str:
        """Whose scan it is."""
        return self.person or self.patient

    def spec(self, *, labelled: bool = True) -> dict[str, Any]:
        """Plain `CaseSpec`."""
        return {
            "case_id": self.case_id,
            "path": self.path,
            "sha256": self.sha256,
            "modality": self.modality,
            "labels": {c: dict(label) for c, label in self.labels.items()} if labelled else {},
        }


@dataclass
class Reading:
    """What became of a folder's cases: those that can be used, and ``case`` or ``case/role`` to
    the reason why not."""

    cases: list[ReadCase] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def describe(
    folder: Path,
    source: str,
    vocabulary: Vocabulary,
    draft_to: Path,
    *,
    leave_out: Sequence[Path] = (),
    labels: bool = True,
) -> Folder:
    """The cases of a folder as its description says, or as it is recognised.

    Args:
        folder: images, and labels if there are any.
        source: a description's file, or the name of a shipped one; empty: ``dataset.yaml`` in the
            folder, else a recognised layout.
        vocabulary: of the classes.
        draft_to: where a description goes that a person must complete.
        leave_out: folders not to look into.
        labels: whether masks are wanted.

    Raises:
        SourceError: the folder cannot be understood, no scan fits, a class is unknown; or a
            description was drafted that a person must complete.
    """
    files = list_files(folder.resolve(), leave_out=leave_out)
    option = "--source" if labels else "--raw-source"
    config = _source(folder, source, files, vocabulary, draft_to, option)
    if not labels:
        config = config.model_copy(update={"masks": (), "complete": ()})
    cases = find_cases(config, folder.resolve(), files, vocabulary, _key())
    return Folder(config, cases, _strays(config, files, cases))


def read_cases(found: Folder, work: Path, *, workers: int = 0) -> Reading:
    """Read, check and standardise all cases; one that fails does not stop the others.

    What is there already from the same files and settings is not read again.

    Raises:
        TrainingError: the disk is full: no fault of the case that came then, and a model without it
            would count as done.
    """
    result = Reading()
    marks = {case.case_id: _mark(case) for case in found.cases}
    tasks = []
    for case in found.cases:
        if _kept(work / case.case_id, marks[case.case_id]) is None:
            shutil.rmtree(work / case.case_id, ignore_errors=True)
            scratch = work / ".tmp"
            scratch.mkdir(parents=True, exist_ok=True)
            tasks.append(Task(case.case_id, payload_of(case, scratch, StandardiseConfig())))
    by_id = {case.case_id: case for case in found.cases}
    executor = LocalExecutor(workers=workers, time_limit_s=TIME_LIMIT_S)
    with progress("read cases", len(tasks)) as bar:
        for outcome in executor.run("agent.ingest.worker:ingest_case", tasks):
            if outcome.ok:
                _keep(work / outcome.key, by_id[outcome.key], outcome.value, marks[outcome.key])
            elif outcome.error_kind == OSError.__name__:
                raise TrainingError(
                    "cannot write beside the bundle (is the disk full?): make room, and the same "
                    f"command goes on ({outcome.error})"
                )
            else:
                result.failed[outcome.key] = outcome.error
            bar.advance(note=outcome.key)
    for case in found.cases:
        kept = _kept(work / case.case_id, marks[case.case_id])
        if kept is None:
            continue
        values, problems = kept
        result.cases.append(_read_case(values, work / case.case_id))
        result.failed.update({f"{case.case_id}/{role}": why for role, why in problems.items()})
    return result


def inputs_mark(found: Folder) -> str:
    """What a model depends on of a folder: files with sizes and times, and what they mean."""
    return content_id(VERSION, found.source, sorted((c.case_id, _mark(c)) for c in found.cases))


def _strays(source: SourceConfig, files: Sequence[str], cases: Sequence[Case]) -> tuple[str, ...]:
    """The files that are called like labels, and belong to no image."""
    volumes = [path for path in files if is_volume(path)]
    named = {path for mask in source.masks for path, _ in Pattern(mask.path).select(volumes)}
    used = {os.path.relpath(m.path, case.root) for case in cases for m in case.masks}
    scans = {os.path.relpath(path, case.root) for case in cases for path in case.files}
    return tuple(sorted(named - used - scans))


def _source(
    folder: Path,
    source: str,
    files: Sequence[str],
    vocabulary: Vocabulary,
    draft_to: Path,
    option: str,
) -> SourceConfig:
    if source:
        if Path(source).is_file():
            return load_source(Path(source))
        if source in shipped_sources():
            return load_source(shipped("sources", f"{source}.yaml"))
        raise SourceError(
            f"{option} names neither a file nor a shipped description; there are: "
            + ", ".join(shipped_sources())
        )
    if FILE_NAME in files:
        return load_source(folder / FILE_NAME)
    root = folder.resolve()
    has_dicom = any(not is_volume(f) for f in files) and bool(find_series(root))
    made = draft(root, files, vocabulary, peek=PEEK, has_dicom=has_dicom)
    if unfinished(made.data):
        write_text(draft_to, made.text(GENERIC))
        shown = ", ".join(unfinished(made.data)[:6])
        raise SourceError(
            f"the data do not say everything: edit {draft_to.name} beside the bundle (TODO at: "
            f"{shown}), then run again with {option} {draft_to.name}; shipped descriptions: "
            + ", ".join(shipped_sources())
        )
    log.info("recognised", extra={"layout": made.kind})
    return build(SourceConfig, {"name": GENERIC, **made.data})


def _key() -> bytes:
    """The key of ids of cases that lie in no workspace: this user's own, the same in all calls."""
    path = key_folder() / KEY_NAME
    if not path.exists():
        make_key(path)
    return read_key(path, "the training cases'")


def _mark(case: Case) -> str:
    paths = [*case.files, *(mask.path for mask in case.masks)]
    masks = [(m.role, m.class_id, {str(k): v for k, v in m.labels.items()}) for m in case.masks]
    source = case.source
    used = [case.modality, source.hu_offset, source.complete, case.patient, masks]
    return content_id(VERSION, marks_of(case.root, paths), used)


def _keep(folder: Path, case: Case, made: Any, mark: str) -> None:
    """Move what a worker wrote into the work folder; ``case.json`` comes last: all of it is
    there."""
    adopt_file(Path(made.temporary), folder / "ct.nii.gz")
    labels = {}
    for part in made.labels:
        labels[part.class_id] = {
            "label_id": part.mask.sha256[:16],
            "path": _adopt(part.mask, folder, part.class_id),
            "known_path": _adopt(part.known, folder, f"{part.class_id}_known"),
            "origin": "original",
        }
        if part.known is not None:
            labels[part.class_id]["label_id"] += part.known.sha256[:16]
    values = {
        "mark": mark,
        "case_id": case.case_id,
        "patient": case.patient,
        "modality": made.modality,
        "licence": case.source.licence,
        "sha256": made.sha256,
        "shape": made.shape,
        "affine": made.affine,
        "labels": labels,
        "ml": {part.class_id: part.mask.ml for part in made.labels},
        "problems": made.problems,
    }
    write_text(folder / "case.json", json.dumps(values))


def _adopt(mask: MaskFile | None, folder: Path, name: str) -> str:
    if mask is None or not mask.temporary:
        return ""
    adopt_file(Path(mask.temporary), folder / f"{name}.nii.gz")
    return f"{name}.nii.gz"


def _kept(folder: Path, mark: str) -> tuple[dict[str, Any], dict[str, str]] | None:
    try:
        values: dict[str, Any] = json.loads((folder / "case.json").read_text())
    except (OSError, ValueError):
        return None
    if values.pop("mark", "") != mark:
        return None
    problems: dict[str, str] = values.pop("problems")
    return values, problems


def _read_case(values: Mapping[str, Any], folder: Path) -> ReadCase:
    """With absolute paths: the work folder may have moved."""
    base = os.path.abspath(folder)  # noqa: PTH100 - resolve() would follow the links
    labels = {
        class_id: {
            **label,
            **{k: f"{base}/{label[k]}" if label[k] else "" for k in ("path", "known_path")},
        }
        for class_id, label in values["labels"].items()
    }
    i, j, k = values["shape"]
    return ReadCase(
        case_id=values["case_id"],
        patient=values["patient"],
        modality=values["modality"],
        licence=values["licence"],
        path=f"{base}/ct.nii.gz",
        sha256=values["sha256"],
        shape=(i, j, k),
        affine=tuple(tuple(row) for row in values["affine"]),
        labels=labels,
        ml=values["ml"],
    )
