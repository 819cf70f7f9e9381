"""The isolated part: one scan, one model, one prediction file (see `voxcurate.isolation`)."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from training.predictors.spec import ZooModel, make_spec
from voxcurate.classes import ClassInfo, Vocabulary
from voxcurate.errors import CurationError, GeometryError, PredictionError
from voxcurate.predictions import Prediction, ProbabilityBox, write_prediction
from voxcurate.protocols import PREDICTORS, Predictor, load
from voxcurate.volume import Volume

LOADED = 2  # models that a process keeps


def predict_to_file(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: a scan's prediction in a file.

    Args:
        payload: ``scan`` (a path, or a list of DICOM files), ``case_id``, ``shape`` (None: as it
            is), ``spec`` and ``weights`` of the model, ``vocabulary`` (plain `ClassInfo`),
            ``modality``, ``target``, ``scratch``, and for the header ``model_id``, ``sha256``,
            ``fold``, ``out_of_fold``.

    Returns:
        the classes that were predicted, and the shape.

    Raises:
        CurationError: with the case.
    """
    case_id = payload["case_id"]
    try:
        volume = _read(payload)
        model = _predictor(
            json.dumps(payload["spec"], sort_keys=True),
            payload["weights"],
            json.dumps(payload["vocabulary"]),
            payload["modality"],
        )
        model.scratch = Path(payload["scratch"])
        classes = _Once(model, volume, case_id)
        prediction = Prediction(
            classes=classes,
            shape=volume.shape,
            affine=volume.affine,
            model_id=payload["model_id"] or model.model_id,
            out_of_fold=payload["out_of_fold"],
            model_sha256=payload["sha256"],
            fold=payload["fold"],
            meta={"model": payload["spec"]["name"], "licence": model.licence},
        )
        write_prediction(Path(payload["target"]), prediction)
    except CurationError as error:
        raise type(error)(str(error), case_id=case_id) from None
    return {"classes": classes.names, "shape": list(volume.shape)}


@lru_cache(maxsize=LOADED)
def _predictor(spec: str, weights: str, vocabulary: str, modality: str) -> Any:
    """A model ready to predict; plain text in, so that it can be kept."""
    values = json.loads(spec)
    model = ZooModel(make_spec(values, name=values["name"]), Path(weights) if weights else None)
    known = Vocabulary(ClassInfo.model_validate(fields) for fields in json.loads(vocabulary))
    return load(PREDICTORS, values["kind"])(model, known, modality=modality)


class _Once(Mapping[str, ProbabilityBox]):
    """Classes as the predictor gives them: gone through once, one of them in memory."""

    def __init__(self, model: Predictor, volume: Volume, case_id: str) -> None:
        self._parts = model.predict(volume, case_id)
        self.names: list[str] = []

    def items(self) -> Iterator[tuple[str, ProbabilityBox]]:  # type: ignore[override]
        for class_id, part in self._parts:
            if class_id in self.names:
                raise PredictionError(f"class {class_id} is predicted twice")
            self.names.append(class_id)
            yield class_id, part
        if not self.names:
            raise PredictionError("it predicted no class")

    def __getitem__(self, class_id: str) -> ProbabilityBox:
        raise KeyError(class_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _read(payload: Mapping[str, Any]) -> Volume:
    from voxcurate.readers import read_volume

    scan = payload["scan"]
    volume = read_volume([Path(p) for p in scan] if isinstance(scan, list) else Path(scan))
    if payload["shape"] is not None and list(volume.shape) != list(payload["shape"]):
        raise GeometryError(f"ct: want shape {payload['shape']}, found {list(volume.shape)}")
    return volume
