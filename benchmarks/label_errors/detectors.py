"""The same labels under several detectors: each label's score, higher is more suspicious.

``ours`` is the product's own suspicion, read through `labeling.expert.suspicion.weigh`;
its witnesses stand alone beside it. The peers: plain Dice with the prediction, test-on-training as
published, a random order, and three scores in the manner of cleanlab from the soft predictions of a
structure's voxels (structure against all else, mean of the networks).
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.config import LabelingConfig
from labeling.expert.detect import results_of
from labeling.expert.suspicion import centroids_of, weigh
from labeling.expert.tot import combine
from voxcurate.catalog import Label, Model, WorkItem
from voxcurate.labels import read_mask
from voxcurate.predictions import ProbabilityBox, open_prediction, tight_box
from voxcurate.stage import StageContext

DETECTORS = {
    "random": "a random order",
    "dice": "1 - Dice with the prediction",
    "tot as published": "Dice 0 and a label that is not empty (arXiv:2501.03410)",
    "self-confidence": "1 - mean probability of what the label says, where label or prediction are",
    "cleanlab softmin": "1 - softmin of it over the scan, as cleanlab.segmentation (its default)",
    "confident learning": "share of voxels that are sure of the other side (arXiv:1911.00068)",
    "ours": "labeling.suspicion",
    "ours, tot": "its test-on-training alone",
    "ours, rules": "its written anatomy alone",
    "ours, shape": "its usual shape alone",
    "ours, layout": "its usual place alone",
}
TEMPERATURE = 0.1  # of the softmin: cleanlab's default
LEVELS = np.arange(256) / 255.0
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """One label and what each detector says of it."""

    case_id: str
    class_id: str
    label_id: str
    scores: Mapping[str, float]


class SoftVoxels:
    """How often each probability occurs inside and outside of labels; kept between workspaces.

    Args:
        models: names of the models whose mean counts; empty: all.
    """

    def __init__(self, models: Collection[str] = ()) -> None:
        self._models = models
        self._means: dict[tuple[str, str], ProbabilityBox] = {}
        self._counts: dict[tuple[str, str], Counts] = {}

    def counts(self, ctx: StageContext, label: Label, shape: tuple[int, ...]) -> Counts:
        """``(2, 256)``: voxels outside and inside of a label by the mean probability (x 255)."""
        key = (label.case_id, label.class_id)
        if key not in self._means:
            self._read(ctx, label.case_id, label.class_id)
        place = (label.label_id, label.case_id)
        if place not in self._counts:
            mask = read_mask(ctx.workspace.root, label.path, shape)
            mean = self._means[key]
            inside = mask[mean.box]
            found = np.stack(
                [np.bincount(mean.array[inside == side], minlength=256) for side in (False, True)]
            )
            n = int(np.count_nonzero(mask))
            found[1, 0] += n - int(found[1].sum())
            found[0, 0] += mask.size - n - int(found[0].sum())
            self._counts[place] = found
        return self._counts[place]

    def _read(self, ctx: StageContext, case_id: str, class_id: str) -> None:
        where = {"stage": "predict", "round": ctx.round, "status": "done", "subject": case_id}
        total, n = None, 0
        used = {m.model_id for m in ctx.catalog.rows(Model) if m.name in self._models}
        for line in ctx.catalog.rows(WorkItem, **where):
            if self._models and line.variant not in used:
                continue
            prediction = open_prediction(ctx.workspace.root / line.result["path"])
            if class_id in prediction.classes:
                part = prediction.full(class_id).astype(np.uint16)
                total, n = (part, 1) if total is None else (total + part, n + 1)
        mean = (
            np.zeros((1, 1, 1), np.uint8) if total is None else np.rint(total / n).astype(np.uint8)
        )
        self._means[case_id, class_id] = tight_box(mean)


def score_labels(
    ctx: StageContext, config: LabelingConfig, soft: SoftVoxels, seed: int
) -> list[Scored]:
    """Every current label of the round under every detector, after stage detect."""
    results = results_of(ctx, "detect", ctx.cases("train", "validation"))
    suspicions, usual = weigh(ctx, config, results)
    shapes = {scan.case_id: tuple(scan.shape) for scan in ctx.scans()}
    found = list(suspicions)
    ids = [s.row["label_id"] for s in found]
    labels = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=ids)}
    counts = {
        s.row["label_id"]: soft.counts(ctx, labels[s.row["label_id"]], shapes[s.case_id])
        for s in found
    }
    limits = _sure_from(found, counts)
    scored = []
    for s in found:
        row, parts = s.row, s.parts
        own = counts[row["label_id"]]
        centroids = centroids_of(results[s.case_id]["rows"])
        scores = {
            "random": _random(s.case_id, row["class_id"], seed),
            **_agreement(row["comparison"]),
            "self-confidence": 1.0 - self_confidence(own),
            "cleanlab softmin": 1.0 - softmin(own),
            "confident learning": issue_share(own, *limits[row["class_id"]]),
            "ours": s.probability,
            "ours, tot": combine({k: v for k, v in parts.items() if k.startswith("tot")}),
            "ours, rules": parts.get("rules", 0.0),
            **_usual(usual, row, centroids),
        }
        scored.append(Scored(s.case_id, row["class_id"], row["label_id"], scores))
    return scored


def _agreement(comparison: Mapping[str, Any]) -> dict[str, float]:
    dsc = 1.0 if comparison["dsc"] is None else float(comparison["dsc"])
    return {
        "dice": 1.0 - dsc,
        "tot as published": float(dsc == 0.0 and comparison["label_ml"] > 0),
    }


def _usual(usual: Any, row: Mapping[str, Any], centroids: Mapping[str, Any]) -> dict[str, float]:
    """Distances of shape and place; 0 where nothing is known (an empty label)."""
    if row["features"] is None:
        return {"ours, shape": 0.0, "ours, layout": 0.0}
    profile = usual.profiles.get(row["class_id"])
    shape = profile.distance(np.array(row["features"])) if profile else None
    place = usual.layout.distance(row["class_id"], np.array(row["centroid"]), centroids)
    return {"ours, shape": shape or 0.0, "ours, layout": place or 0.0}


def _random(case_id: str, class_id: str, seed: int) -> float:
    digest = hashlib.sha256(f"{case_id}/{class_id}/{seed}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def self_confidence(counts: Counts) -> float:
    """Mean probability of the given label over the voxels of label or prediction; 1 without any."""
    outside = np.where(LEVELS > 0.5, counts[0], 0)
    n = int(counts[1].sum() + outside.sum())
    total = float(counts[1] @ LEVELS + outside @ (1.0 - LEVELS))
    return total / n if n else 1.0


def softmin(counts: Counts, temperature: float = TEMPERATURE) -> float:
    """Mean of the voxels' probabilities of their label, each weighed by ``exp((1 - p) / T)``.

    ``cleanlab.segmentation.rank.get_label_quality_scores`` of two classes and one scan.
    """
    quality = np.stack([1.0 - LEVELS, LEVELS])
    weights = counts * np.exp((1.0 - quality) / temperature)
    return float((weights * quality).sum() / weights.sum())


def issue_share(counts: Counts, outside: float, inside: float) -> float:
    """Share of the scan's voxels whose probability of the other side reaches that side's mean."""
    wrong = counts[0][inside <= LEVELS].sum() + counts[1][outside <= 1.0 - LEVELS].sum()
    return float(wrong / counts.sum())


def _sure_from(found: Any, counts: Mapping[str, Counts]) -> dict[str, tuple[float, float]]:
    """Class to the mean probability of being outside where labels say so, and of inside."""
    totals: dict[str, Counts] = {}
    for s in found:
        class_id = s.row["class_id"]
        totals[class_id] = totals.get(class_id, 0) + counts[s.row["label_id"]]
    return {
        c: (
            float(n[0] @ (1.0 - LEVELS) / max(n[0].sum(), 1)),
            float(n[1] @ LEVELS / max(n[1].sum(), 1)),
        )
        for c, n in totals.items()
    }
