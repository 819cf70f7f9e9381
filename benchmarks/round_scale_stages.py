"""The real stages fuse, detect and judge on a simulated workspace, without their work on images.

What the driver does is real: which labels and predictions there are, what a worker would be given,
the ledger, the statistics of all labels together, measures and decisions. The workers' values are
canned; of fuse and judge nothing is recorded.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from labeling.config import LabelingConfig
from labeling.expert import contest, detect
from labeling.expert.features import FEATURES
from labeling.fusion import fuse
from voxcurate.ledger import Item, LedgerResult
from voxcurate.stage import StageContext

EXAMINED = "benchmarks.round_scale_stages:examined"
ODD = 0.03  # share of labels that do not agree with the predictions


def fusing(ctx: StageContext, config: LabelingConfig) -> dict[str, Any]:
    """Stage fuse up to its workers' door."""
    return _listed("labeling.fuse", lambda: fuse.run(ctx, config))


def judging(ctx: StageContext, config: LabelingConfig) -> dict[str, Any]:
    """Stage judge up to its workers' door; behind stage detect."""
    return _listed("labeling.contest", lambda: contest.contest(ctx, config))


def detecting(ctx: StageContext, config: LabelingConfig) -> dict[str, Any]:
    """Stage detect with canned comparisons of every class."""
    with patch.object(detect, "WORKER", EXAMINED):
        done = detect.run(ctx, config)
    return {"counts": dict(done.counts), "failed": len(done.failed)}


def examined(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: as that of stage detect, for a label of each class."""
    rng = random.Random(payload["case_id"])
    return {"rows": [_row(rng, n, c, payload["case_id"]) for n, c in enumerate(payload["classes"])]}


def _row(rng: random.Random, n: int, class_id: str, case_id: str) -> dict[str, Any]:
    dsc = 0.1 * rng.random() if rng.random() < ODD else 0.9 + 0.05 * rng.gauss(0, 1)
    ml = rng.uniform(90, 110)
    return {
        "class_id": class_id, "label_id": f"{case_id}-{class_id}", "origin": "original",
        "gold": False, "confirmed": False,
        "features": [round(rng.gauss(0, 1), 6) for _ in FEATURES],
        "centroid": [round(20.0 * n + rng.gauss(0, 5), 6) for _ in range(3)],
        "comparison": {"dsc": dsc, "nsd": dsc, "label_ml": ml, "predicted_ml": ml, "soft": 0.9,
                       "best_class": class_id, "best_dsc": dsc, "n_models": 3,
                       "out_of_fold": True},
        "violations": [],
    }  # fmt: skip


def _listed(module: str, run: Callable[[], Any]) -> dict[str, Any]:
    """What a stage would give its workers, one after the other, and what it says."""
    given: list[int] = []

    def look(_ctx: Any, _stage: str, items: Sequence[Item], *_: Any, **__: Any) -> LedgerResult:
        for item in items:
            payload = item.payload()
            given.append(len(payload.get("predictions", payload.get("models", ()))))
        return LedgerResult(0, len(items))

    with patch(f"{module}.run_items", look):
        counts = dict(run().counts)
    return {"counts": counts, "items": len(given), "predictions": sum(given)}
