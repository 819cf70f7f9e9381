"""The worker of stage roc: the candidates of one scan, compared with its trusted labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.roc.config import RocConfig
from voxcurate.errors import GeometryError
from voxcurate.labels import read_mask
from voxcurate.lesions.candidates import Found, find_candidates
from voxcurate.lesions.matching import match
from voxcurate.predictions import Prediction, open_prediction


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: one scan, all lesion classes that a model has predicted."""
    config = RocConfig.model_validate(payload["config"])
    classes = {}
    for class_id, told in payload["classes"].items():
        found = candidates_of(payload, class_id, config)
        if found is None:
            continue
        plain = [c.plain() for c in found.candidates]
        entry: dict[str, Any] = {"candidates": plain, "dropped": dict(found.dropped)}
        truth = _mask(payload, told["truth"], found)
        if truth is not None:
            known = _mask(payload, told["known"], found) if told["known"] else None
            matches = match(found, truth, config, known=known)
            for c, hits, ignored in zip(plain, matches.hits, matches.ignored, strict=True):
                c |= {"hits": list(hits), "ignored": ignored}
            entry |= {"lesions_ml": list(matches.lesions_ml), "positive": bool(truth.any())}
        classes[class_id] = entry
    return {"classes": classes}


def candidates_of(payload: Mapping[str, Any], class_id: str, config: RocConfig) -> Found | None:
    """The candidates of one class of the payload's scan; None: no model has predicted it.

    Raises:
        GeometryError: a prediction lies on another grid than the scan.
    """
    root, shape = Path(payload["root"]), tuple(payload["shape"])
    opened = [open_prediction(root / path) for path in payload["predictions"]]
    models = [p for p in opened if class_id in p.classes]
    for prediction in models:
        if prediction.shape != shape:
            raise GeometryError(f"want a prediction of shape {shape}, found {prediction.shape}")
    if not models:
        return None
    told = payload["classes"][class_id]
    return find_candidates(
        [p.box(class_id) for p in models], models[0].shape, models[0].affine, config,
        organ=_organ(payload, told["organs"], models), reach_mm=told["reach_mm"],
    )  # fmt: skip


def _organ(
    payload: Mapping[str, Any], organs: Mapping[str, str], models: list[Prediction]
) -> npt.NDArray[np.bool_] | None:
    """The organs together: as labels say, and as at least half of the models' mean: a label may be
    misplaced, and what lies in neither is in no organ. None if nothing is known of any."""
    whole = np.zeros(tuple(payload["shape"]), bool)
    for organ, path in organs.items():
        if path:
            whole |= read_mask(Path(payload["root"]), path, whole.shape)
        there = [p for p in models if organ in p.classes]
        total = np.zeros(whole.shape, np.uint16) if there else None
        for prediction in there:
            part = prediction.box(organ)
            total[part.box] += part.array  # type: ignore[index]
        if total is not None:
            whole |= total > 127 * len(there)
    return whole if whole.any() else None


def _mask(
    payload: Mapping[str, Any], path: str | None, found: Found
) -> npt.NDArray[np.bool_] | None:
    """A mask of the workspace; None: nobody knows. No path: empty."""
    return None if path is None else read_mask(Path(payload["root"]), path, found.shape)
