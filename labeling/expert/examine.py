"""What the witnesses need to know of one case; `work` is the worker of stage detect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from labeling.body import BodyFrame, body_frame
from labeling.config import LabelingConfig
from labeling.expert.difference import difference
from labeling.expert.features import FEATURES, features, hu_median
from labeling.expert.spoken import read_known, spoken
from labeling.expert.support import Support, supports
from labeling.expert.tot import compare
from labeling.fusion.fuse import vocabulary_of
from labeling.rules import Anatomy, CaseFacts, load_anatomy
from labeling.structures import Structure
from voxcurate.classes import Vocabulary
from voxcurate.predictions import Prediction
from voxcurate.volume import Affine, Volume

DEFAULT_TOLERANCE_MM = 2.0  # NSD tolerance of a class that the vocabulary does not know
OF_VALUES = ("hu_median", "hu_spread", "hu_border", "log_contrast", "log_rim_spread")  # want a scan


@dataclass(frozen=True, eq=False)
class Subject:
    """One case as the witnesses see it.

    Attributes:
        labels: class to its label; an empty one says that the structure is absent.
        scan: None: only what masks say is known; no HU, nothing of the body.
        predictions: of models, on the labels' grid.
        modality: of the scan.
        sex: ``male``, ``female`` or empty.
        disjoint: the labels are from one label map, in which a voxel has one class.
        out_of_fold: none of the models was trained on this case.
        facts: class to what is known of its label version besides.
        known: class to where its label speaks; a class that is not there speaks everywhere.
    """

    labels: Mapping[str, Structure]
    scan: Volume | None = None
    predictions: Sequence[Prediction] = ()
    modality: str = "CT"
    sex: str = ""
    disjoint: bool = False
    out_of_fold: bool = True
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    known: Mapping[str, Structure] = field(default_factory=dict)


def examine(
    case: Subject,
    anatomy: Anatomy,
    config: LabelingConfig,
    vocabulary: Vocabulary,
    classes: Sequence[str],
) -> dict[str, Any]:
    """All numbers of a case that `labeling.expert.suspicion.weigh_results` weighs, as plain data.

    Args:
        case: labels, and scan and predictions if there are any.
        anatomy: the written rules.
        config: of the fusion of the predictions.
        vocabulary: tolerances.
        classes: that predictions are fused of.

    Returns:
        ``rows``, one for each label in the order of the classes, and ``view``, the lowest and
        highest world coordinates of the scan. Features that nobody can know without a scan are
        None.
    """
    if not case.labels:
        return {"rows": [], "view": [[0.0] * 3, [0.0] * 3]}
    like = next(iter(case.labels.values()))
    frame = frame_of(case.scan, like.shape, like.affine)
    is_ct = case.modality == "CT"
    predicted, found = predicted_structures(
        case.predictions, classes, config, anatomy, frame.middle if is_ct else None
    )
    soft = {c: found[c].mean(s) for c, s in predicted.items() if c in found}
    values = case.scan.array if case.scan else np.broadcast_to(np.int16(0), like.shape)
    hu = {
        c: hu_median(s, values)
        for c, s in case.labels.items()
        if not s.is_empty and is_ct and case.scan is not None
    }
    body = frame if case.scan is not None else None
    facts = CaseFacts(hu, frame.middle, case.sex, body, case.disjoint)
    violations = anatomy.check(case.labels, facts)
    rows = []
    for class_id, s in sorted(case.labels.items()):
        told, against, behind = s, predicted, found.get(class_id)
        if class_id in case.known:
            told = spoken(s, case.known[class_id])
            against = {c: spoken(p, case.known[class_id]) for c, p in predicted.items()}
            behind = behind and _spoken(behind, case.known[class_id])
        comparison = compare(
            told,
            against,
            soft,
            tolerance_mm=tolerance_of(class_id, vocabulary),
            n_models=len(case.predictions),
            out_of_fold=case.out_of_fold,
        )
        differs = difference(told, against)
        vector = None
        if not s.is_empty:
            vector = _listed(features(s, values, frame))
            if case.scan is None:
                vector = [
                    None if f in OF_VALUES else v for f, v in zip(FEATURES, vector, strict=True)
                ]
        rows.append(
            {
                "class_id": class_id,
                **case.facts.get(class_id, {}),
                "features": vector,
                "centroid": _listed(s.centroid) if not s.is_empty else None,
                "comparison": comparison.plain(),
                "difference": differs.plain() if differs else None,
                "doubt": behind.doubt(told).listed() if behind else None,
                "step": round(behind.step(told), 5) if behind else None,
                "violations": [v.plain() for v in violations if v.class_id == class_id],
            }
        )
    return {"rows": rows, "view": [_listed(side) for side in frame.view]}


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: what the witnesses need to know of one case of a workspace."""
    from voxcurate.nifti import read_nifti
    from voxcurate.predictions import open_prediction

    config = LabelingConfig.model_validate(payload["config"])
    vocabulary = vocabulary_of(payload["vocabulary"])
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    volume = read_nifti(Path(payload["root"], payload["ct"]))
    entries = payload["labels"].items()
    case = Subject(
        read_structures(payload, volume),
        volume,
        [open_prediction(Path(payload["root"], p)) for p in payload["predictions"]],
        modality=payload["modality"],
        sex=payload["sex"],
        out_of_fold=payload["out_of_fold"],
        facts={c: {k: v for k, v in e.items() if k not in ("path", "known")} for c, e in entries},
        known=read_known(payload, volume),
    )  # fmt: skip
    return examine(case, anatomy, config, vocabulary, payload["classes"])


def read_structures(payload: Mapping[str, Any], volume: Volume) -> dict[str, Structure]:
    """The label versions of a payload (`root`, `labels`) as structures."""
    from voxcurate.labels import read_mask

    root = Path(payload["root"])
    return {
        c: Structure.of(c, read_mask(root, entry["path"], volume.shape), volume.affine)
        for c, entry in payload["labels"].items()
    }


def predicted_structures(
    predictions: Sequence[Prediction],
    classes: Sequence[str],
    config: LabelingConfig,
    anatomy: Anatomy,
    middle: float | None,
) -> tuple[dict[str, Structure], dict[str, Support]]:
    """Fused and mended predictions, and the probabilities behind each."""
    from labeling.fusion.combine import fuse_case

    if not predictions:
        return {}, {}
    found = fuse_case(predictions, classes, anatomy, config, middle=middle).structures
    return dict(found), supports(predictions, found)


def tolerance_of(class_id: str, vocabulary: Vocabulary) -> float:
    """The NSD tolerance of a class in mm, by the vocabulary."""
    known = class_id in vocabulary
    return vocabulary[class_id].tolerance_mm if known else DEFAULT_TOLERANCE_MM


def frame_of(scan: Volume | None, shape: tuple[int, int, int], affine: Affine) -> BodyFrame:
    """Where the body lies; without a scan only what can be seen at all."""
    if scan is not None:
        return body_frame(scan.array, scan.affine)
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.float64)
    corners = (corners * (np.array(shape) - 1)) @ affine[:3, :3].T + affine[:3, 3]
    view = np.stack([corners.min(axis=0), corners.max(axis=0)])
    nowhere = np.full((1, 2), np.nan)
    return BodyFrame(float(view[0, 2]), nowhere, nowhere, view)


def _spoken(support: Support, known: Structure) -> Support:
    """The probabilities where a label speaks; 0 elsewhere."""
    return Support(support.box, np.where(known.within(support.box), support.array, np.uint8(0)))


def _listed(vector: Any) -> list[float | None]:
    return [round(float(v), 6) if np.isfinite(v) else None for v in vector]
