"""The masks of one scan against each other: the worker of stage statistics."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeling.statistics.figures import CaseAgreement, Part, Rater, dice_table
from labeling.statistics.label_bias import COUNTING, FUSED, ORIGINAL, REVISED
from voxcurate.errors import CatalogError, GeometryError
from voxcurate.predictions import EMPTY_BOX, Prediction, open_prediction

RATERS = {
    FUSED: Rater(FUSED, "fused label", "machine"),
    COUNTING: Rater(COUNTING, "machine label in use", "machine"),
    REVISED: Rater(REVISED, "revised label", "human"),
    ORIGINAL: Rater(ORIGINAL, "original label", "human"),
}
EMPTY = Part(EMPTY_BOX, np.zeros((0, 0, 0), np.bool_))


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: one scan; DSC of every two raters per class, as a triangle of numbers."""
    root, shape = Path(payload["root"]), tuple(payload["shape"])
    least = int(payload["threshold"] * 255) + 1  # above the threshold, as fused
    models = {m: open_prediction(root / path) for m, path in payload["predictions"].items()}
    for model_id, prediction in models.items():
        if prediction.shape != shape:
            raise GeometryError(f"{model_id}: want shape {shape}, found {prediction.shape}")
    labels = {r: payload["labels"][r] for r in RATERS if r in payload["labels"]}
    classes = {}
    for class_id in payload["classes"]:
        parts = [_predicted(prediction, class_id, least) for prediction in models.values()]
        drawn, known = _drawn([own.get(class_id) for own in labels.values()], root, shape)
        moved = {len(models) + i: part for i, part in known.items()}
        table = dice_table([*parts, *drawn], moved)
        upper = table[np.triu_indices(len(table), 1)]
        if np.isfinite(upper).any():
            classes[class_id] = [round(v, 6) if np.isfinite(v) else None for v in upper.tolist()]
    return {"raters": [*models, *labels], "seen": payload["seen"], "classes": classes}


def _predicted(prediction: Prediction, class_id: str, least: int) -> Part | None:
    """A model's mask; axes as in files, ``(K, J, I)``."""
    if class_id not in prediction.classes:
        return None
    found = prediction.box(class_id)
    return Part(found.box[::-1], (found.array >= least).T)


def _drawn(
    entries: Sequence[tuple[str, str] | None], root: Path, shape: tuple[int, ...]
) -> tuple[list[Part | None], dict[int, Part]]:
    """Label versions (paths of mask and known mask), and where those speak that say so."""
    read: dict[str, Part] = {}  # one version may count as two raters
    known = {}
    for i, entry in enumerate(entries):
        for path in entry or ():
            if path not in read:
                read[path] = _mask(root, path, shape)
        if entry is not None and entry[1]:
            known[i] = read[entry[1]]
    return [None if entry is None else read[entry[0]] for entry in entries], known


def _mask(root: Path, path: str, shape: tuple[int, ...]) -> Part:
    """A mask, axes ``(K, J, I)``; no path is an empty one."""
    from voxcurate.labelmaps import read_sparse

    if not path:
        return EMPTY
    if not (root / path).is_file():
        raise CatalogError("a label version's file is gone from the workspace")
    found = read_sparse(root / path)
    if found.shape != shape:
        raise GeometryError(f"want a mask of shape {shape}, found {found.shape}")
    return Part(found.box, found.array != 0)


def case_of_json(case_id: str, value: Mapping[str, Any]) -> CaseAgreement:
    """A worker's result; a label that was made from models has seen what they have."""
    raters = value["raters"]
    pairs = [(a, b) for i, a in enumerate(raters) for b in raters[i + 1 :]]
    dsc = {
        class_id: {pair: v for pair, v in zip(pairs, row, strict=True) if v is not None}
        for class_id, row in value["classes"].items()
    }
    seen = set(value["seen"])
    return CaseAgreement(case_id, dsc, frozenset(seen | ({FUSED, COUNTING} if seen else set())))
