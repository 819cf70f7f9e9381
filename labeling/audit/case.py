"""One case of plain files: its labels, scan and predictions, and the workers that look at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from labeling.config import LabelingConfig
from labeling.expert.case import JudgedCase, judge_of
from labeling.expert.examine import Subject, examine, frame_of, predicted_structures
from labeling.expert.features import hu_median
from labeling.expert.suspicion import Usual
from labeling.fusion.fuse import vocabulary_of
from labeling.projections import Look, ScanPictures
from labeling.rules import Anatomy, CaseFacts, load_anatomy
from labeling.rules.files import nothing_like, read_case, read_scan
from labeling.structures import Structure, dice
from voxcurate.case_files import CaseFiles
from voxcurate.classes import Vocabulary
from voxcurate.errors import CurationError
from voxcurate.predictions import Prediction
from voxcurate.ready_predictions import Grid, read_prediction
from voxcurate.volume import Volume

ENSEMBLE = "ensemble"
SIDE = 360  # pixels of a picture's longer side
SIDES: tuple[Literal["frontal"], Literal["lateral"]] = ("frontal", "lateral")
AIR, TISSUE = -1000, 40  # HU of the stand-in where there is no scan


@dataclass(frozen=True)
class FolderCase:
    """The files of one case.

    Attributes:
        labels: as `voxcurate.case_files.find_cases` finds them.
        scan: None: there is none.
        models: model to its predictions of the case.
        empty: classes that other cases have; here their absence says that they are not there.
    """

    labels: CaseFiles
    scan: Path | None = None
    models: Mapping[str, CaseFiles] = field(default_factory=dict)
    empty: Sequence[str] = ()

    def state(self) -> list[Any]:
        """What a result made from these files depends on, as ``make`` does."""
        scan = [self.scan.stat().st_size, self.scan.stat().st_mtime_ns] if self.scan else []
        models = {name: files.state() for name, files in sorted(self.models.items())}
        return [self.labels.state(), scan, models, sorted(self.empty)]


@dataclass(frozen=True)
class Asked:
    """What is said of all cases of a run, as plain data.

    Attributes:
        config: all settings.
        vocabulary: the classes, as `ClassInfo` plain.
        modality: of the scans.
        out_of_fold: no model was trained on these cases.
        sexes: case to ``male`` or ``female``.
    """

    config: Mapping[str, Any]
    vocabulary: Sequence[Mapping[str, Any]]
    modality: str = "CT"
    out_of_fold: bool = True
    sexes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Read:
    case: Subject
    anatomy: Anatomy
    config: LabelingConfig
    vocabulary: Vocabulary
    classes: list[str]


def work(payload: tuple[str, FolderCase, Asked]) -> dict[str, Any]:
    """Worker: what the witnesses need to know of a case (`labeling.expert.examine.examine`)."""
    found = _read(*payload)
    result = examine(found.case, found.anatomy, found.config, found.vocabulary, found.classes)
    soft = any(_is_soft(p) for p in found.case.predictions)
    if found.case.predictions and not soft and len(found.case.predictions) == 1:
        for row in result["rows"]:  # a mask says no more than its Dice does
            row["doubt"] = row["step"] = None
    return {**result, "has_scan": found.case.scan is not None}


def second_look(
    payload: tuple[str, FolderCase, Asked, Mapping[str, Any], Sequence[str], Sequence[str]],
) -> dict[str, Any]:
    """Worker: what the judge prefers of a case's suspect labels, and pictures of some of them.

    Args:
        payload: case, files, settings, what is usual (`Usual.plain`), classes that are asked, and
            of these those that are drawn.

    Returns:
        ``better``: class to name, DSC and confidence of what is better; ``pictures``: class to the
        PNGs of label and prediction from the front, and of both from the side (None: there is
        none).
    """
    name, files, asked, usual, wanted, drawn = payload
    found = _read(name, files, asked)
    case = found.case
    like = next(iter(case.labels.values()))
    frame = frame_of(case.scan, like.shape, like.affine)
    is_ct = case.modality == "CT"
    predicted, supports = predicted_structures(
        case.predictions,
        found.classes,
        found.config,
        found.anatomy,
        frame.middle if is_ct else None,
    )
    better: dict[str, Any] = {}
    if case.scan is not None and predicted:
        candidates = {
            c: _candidates(case, c, predicted, found.config) for c in wanted if c in predicted
        }
        context = {**predicted, **{c: s for c, s in case.labels.items() if c not in wanted}}
        values = case.scan.array
        hu = {c: hu_median(s, values) for c, s in context.items() if is_ct and not s.is_empty}
        judge = judge_of(
            JudgedCase(
                found.vocabulary, found.anatomy, found.config.judge, Usual.of_plain(usual),
                context=context, facts=CaseFacts(hu, None, case.sex), supports=supports,
                modality=case.modality,
            )
        )  # fmt: skip
        masks = {c: [s for _, s in entries] for c, entries in candidates.items()}
        for c, verdict in judge.judge_all(case.scan, masks).items():
            if verdict.choice:
                what, chosen = candidates[c][verdict.choice]
                better[c] = [what, dice(case.labels[c], chosen), verdict.confidence]
    return {"better": better, "pictures": _pictures(case, predicted, drawn)}


def _read(name: str, files: FolderCase, asked: Asked) -> _Read:
    """A case with its predictions on the labels' grid."""
    config = LabelingConfig.model_validate(asked.config)
    vocabulary = vocabulary_of(asked.vocabulary)
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    labels = read_case(files.labels)
    if not labels and not files.empty:
        raise CurationError("no label in it")
    predictions = _predictions(files, next(iter(labels.values()), None))
    if labels:
        like = next(iter(labels.values()))
        labels = {**{c: nothing_like(c, like) for c in files.empty}, **labels}
    case = Subject(
        labels,
        read_scan(labels, files.scan),
        predictions,
        modality=asked.modality,
        sex=asked.sexes.get(name, ""),
        disjoint=files.labels.label_map is not None,
        out_of_fold=asked.out_of_fold,
        facts={c: dict(_FACTS) for c in labels},
    )
    classes = list(dict.fromkeys(c for p in predictions for c in p.classes))
    return _Read(case, anatomy, config, vocabulary, classes)


_FACTS = {"label_id": "", "origin": "original", "gold": False, "confirmed": False}


def _predictions(files: FolderCase, like: Structure | None) -> list[Prediction]:
    if like is None:
        return []
    grid = Grid(like.shape, like.affine, "the labels")
    found = []
    for model, own in files.models.items():
        try:
            found.append(replace(read_prediction(own, model, grid=grid), model_id=model))
        except CurationError as error:
            raise type(error)(f"model {model}: {error}") from None
    return found


def _is_soft(prediction: Prediction) -> bool:
    return any(
        bool(((part.array > 0) & (part.array < 255)).any()) for part in prediction.classes.values()
    )


def _candidates(
    case: Subject, class_id: str, predicted: Mapping[str, Structure], config: LabelingConfig
) -> list[tuple[str, Structure]]:
    """The label, the fused prediction, and each model's own mask if there are several."""
    found = [("label", case.labels[class_id]), (ENSEMBLE, predicted[class_id])]
    for p in case.predictions if len(case.predictions) > 1 else ():
        if class_id in p.classes:
            part = p.box(class_id)
            mask: npt.NDArray[np.bool_] = part.array > config.fuse.threshold * 255
            whole = Structure(class_id, mask, part.box, p.shape, p.affine)
            found.append((p.model_id, whole.part(mask)))
    return found


def _pictures(
    case: Subject, predicted: Mapping[str, Structure], drawn: Sequence[str]
) -> dict[str, list[bytes | None]]:
    """Projections of the label and of the prediction, in red: from the front, then from the side
    (what lies too far back is in its place from the front)."""
    if not drawn:
        return {}
    volume = case.scan or _stand_in(case.labels)
    window = "organs" if case.modality == "CT" or case.scan is None else "auto"
    pictures = ScanPictures(volume, windows=(window,), axes=SIDES)
    looks = [Look(window, axis, "tinted", SIDE) for axis in SIDES]
    found: dict[str, list[bytes | None]] = {}
    for c in drawn:
        pair = (case.labels[c], predicted.get(c))
        shadows = [None if s is None else pictures.shadow(s) for s in pair]
        found[c] = [None if s is None else pictures.png(k, s) for k in looks for s in shadows]
    return found


def _stand_in(labels: Mapping[str, Structure]) -> Volume:
    """All labels together, where there is no scan to lay them on."""
    like = next(iter(labels.values()))
    array = np.full(like.shape, AIR, np.int16)
    for s in labels.values():
        array[s.box][s.mask] = TISSUE
    return Volume(array, like.affine)
