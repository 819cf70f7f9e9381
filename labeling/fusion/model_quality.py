"""How good each model is at each class, measured before it is weighed in the fusion."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from labeling.config import LabelingConfig
from labeling.predicted import Predictions
from labeling.quality import TRUSTED
from voxcurate.catalog import Label, Measure, Scan, Writer
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext

STAGE = "fuse_quality"
NAME = "model_dsc"
VERSION = "1"
LEAST = 0.05  # a model that never finds a class still has a say
Quality = Mapping[tuple[str, str], float]


def model_quality(
    ctx: StageContext, config: LabelingConfig, predictions: Predictions
) -> dict[tuple[str, str], float]:
    """Median DSC of each (model, class) over trusted labels that the model has not seen.

    Trusted are non-empty original, revised and confirmed labels of train and validation, never of
    test, as the round began with them. A class with fewer than `assemble.minimum_labels` of them
    is left out. Each DSC is a Measure ``model_dsc``.
    """
    items = [
        item
        for scans in ctx.batches("train", "validation")
        for item in _items(ctx, predictions, scans, config.fuse.threshold)
    ]
    done = run_items(
        ctx,
        STAGE,
        items,
        "labeling.fusion.model_quality:work",
        lambda writer, item, value: _record(ctx, writer, item, value),
        version=VERSION,
        config=config.fuse.threshold,
        title="quality of models",
    )
    values: dict[tuple[str, str], list[float]] = {}
    model_of = {item.key: item.variant for item in items}
    for key, found in done.results.items():  # some hundred at a time
        for class_id, dsc in found.items():
            values.setdefault((model_of[key], class_id), []).append(dsc)
    least = config.assemble.minimum_labels
    return {place: median(dscs) for place, dscs in sorted(values.items()) if len(dscs) >= least}


def weights_of(
    models: Sequence[tuple[str, str]],
    classes: Sequence[str],
    given: Mapping[str, float | Mapping[str, float]],
    quality: Quality | None = None,
) -> dict[str, list[float]]:
    """Class to the weight of each model.

    Args:
        models: id and name of each.
        classes: ids.
        given: id or name to the weight of a model, or to that of each class; others 1.
        quality: (model id, class) to its measured DSC, which multiplies. A model without one takes
            the median of the others'; a class that is measured for none is not weighed by it.
    """
    found = {}
    for class_id in classes:
        known = [v for (_, c), v in (quality or {}).items() if c == class_id]
        usual = median(known) if known else 1.0
        row = []
        for model_id, name in models:
            own = given.get(model_id, given.get(name, 1.0))
            weight = own.get(class_id, 1.0) if isinstance(own, Mapping) else own
            measured = (quality or {}).get((model_id, class_id), usual)
            row.append(float(weight) * max(measured, LEAST if known else measured))
        found[class_id] = row if any(row) else [1.0] * len(row)
    return found


def work(payload: dict[str, Any]) -> dict[str, float]:
    """Worker: the DSC of one model's classes with the labels of one case."""
    import numpy as np

    from voxcurate.labels import read_mask
    from voxcurate.predictions import open_prediction

    prediction = open_prediction(Path(payload["root"], payload["prediction"]))
    found = {}
    for class_id, path in payload["labels"].items():
        if class_id in prediction.classes:
            true = read_mask(Path(payload["root"]), path, prediction.shape)
            part = prediction.box(class_id)
            mask = part.array > payload["threshold"] * 255
            both = int(np.count_nonzero(true[part.box] & mask))
            total = int(np.count_nonzero(true)) + int(np.count_nonzero(mask))
            found[class_id] = round(2.0 * both / total, 6)
    return found


def _is_trusted(label: Label) -> bool:
    drawn = label.origin in TRUSTED or label.confirmed or label.gold
    return drawn and bool(label.voxels) and not label.known_path


def _items(
    ctx: StageContext, predictions: Predictions, scans: Sequence[Scan], threshold: float
) -> Iterator[Item]:
    from labeling.expert.detect import current_labels

    cases = [scan.case_id for scan in scans]
    lines = predictions.of(cases)
    for case_id, own in current_labels(ctx, cases).items():
        paths = {c: x.path for c, x in sorted(own.items()) if _is_trusted(x)}
        versions = {c: own[c].label_id for c in paths}
        if not paths:
            continue
        for line in lines.get(case_id, []):
            if line.result.get("out_of_fold"):
                payload = {
                    "root": str(ctx.workspace.root),
                    "prediction": line.result["path"],
                    "labels": paths,
                    "threshold": threshold,
                }
                inputs = [line.fingerprint, versions]
                yield Item(case_id, line.variant, inputs, payload)


def _record(
    ctx: StageContext, writer: Writer, item: Item, value: Mapping[str, float]
) -> Mapping[str, float]:
    writer.put_all(
        [
            Measure(ctx.round, "fuse", item.subject, class_id, item.variant, NAME, dsc, {})
            for class_id, dsc in value.items()
        ]
    )
    return value
