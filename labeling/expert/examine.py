"""What the witnesses need to know of one case: the worker of stage detect."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labeling.body import body_frame
from labeling.config import LabelingConfig
from labeling.expert.features import features, hu_median
from labeling.expert.support import Support, supports
from labeling.expert.tot import compare
from labeling.fusion.fuse import vocabulary_of
from labeling.rules import Anatomy, CaseFacts, load_anatomy
from labeling.structures import Structure
from voxcurate.volume import Volume


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: what the witnesses need to know of one case."""
    from voxcurate.nifti import read_nifti

    config = LabelingConfig.model_validate(payload["config"])
    vocabulary = vocabulary_of(payload["vocabulary"])
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    volume = read_nifti(Path(payload["root"], payload["ct"]))
    labels = read_structures(payload, volume)
    frame = body_frame(volume.array, volume.affine)
    middle = frame.middle if payload["modality"] == "CT" else None
    predicted, found = predicted_structures(payload, config, anatomy, middle)
    soft = {c: found[c].mean(s) for c, s in predicted.items() if c in found}
    hu = {c: hu_median(s, volume.array) for c, s in labels.items() if not s.is_empty}
    facts = CaseFacts(
        hu if payload["modality"] == "CT" else {}, frame.middle, payload["sex"], body=frame
    )
    violations = anatomy.check(labels, facts)
    rows = []
    for class_id, s in sorted(labels.items()):
        comparison = compare(
            s,
            predicted,
            soft,
            tolerance_mm=vocabulary[class_id].tolerance_mm,
            n_models=len(payload["predictions"]),
            out_of_fold=payload["out_of_fold"],
        )
        rows.append(
            {
                "class_id": class_id,
                **{k: v for k, v in payload["labels"][class_id].items() if k != "path"},
                "features": _listed(features(s, volume.array, frame)) if not s.is_empty else None,
                "centroid": _listed(s.centroid) if not s.is_empty else None,
                "comparison": comparison.plain(),
                "doubt": found[class_id].doubt(s).listed() if class_id in found else None,
                "step": round(found[class_id].step(s), 5) if class_id in found else None,
                "violations": [v.plain() for v in violations if v.class_id == class_id],
            }
        )
    return {"rows": rows, "view": [_listed(side) for side in frame.view]}


def read_structures(payload: Mapping[str, Any], volume: Volume) -> dict[str, Structure]:
    """The label versions of a payload (`root`, `labels`) as structures."""
    from voxcurate.labels import read_mask

    root = Path(payload["root"])
    return {
        c: Structure.of(c, read_mask(root, entry["path"], volume.shape), volume.affine)
        for c, entry in payload["labels"].items()
    }


def predicted_structures(
    payload: Mapping[str, Any], config: LabelingConfig, anatomy: Anatomy, middle: float | None
) -> tuple[dict[str, Structure], dict[str, Support]]:
    """Fused and mended predictions, and the probabilities behind each."""
    from labeling.fusion.combine import fuse_case
    from voxcurate.predictions import open_prediction

    if not payload["predictions"]:
        return {}, {}
    predictions = [open_prediction(Path(payload["root"], p)) for p in payload["predictions"]]
    found = fuse_case(predictions, payload["classes"], anatomy, config, middle=middle).structures
    return dict(found), supports(predictions, found)


def _listed(vector: Any) -> list[float]:
    return [round(float(v), 6) for v in vector]
