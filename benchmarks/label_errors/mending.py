"""What the product's own stages make of wrong labels: judge and assemble, round after round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.cohort.label_errors import dsc
from benchmarks.label_errors.planting import Planted, Truth
from benchmarks.label_errors.workspaces import check, next_round
from labeling.assembly import assemble
from labeling.config import LabelingConfig
from labeling.expert import detect, judge
from labeling.fusion import fuse
from voxcurate.catalog import Decision, Label
from voxcurate.labels import read_mask
from voxcurate.stage import StageContext

GAIN = 0.1  # of Dice with the truth: less is not mended
BELOW_TYPICAL = 0.15  # of the class's median Dice of prediction and truth: worse is not right
HARM = 0.02  # of Dice lost by a label that was right
RETIRED = "retired"
Key = tuple[str, str]  # case and class


@dataclass(frozen=True)
class Outcome:
    """One label after a round: Dice with the truth before and after, and what was decided.

    `after` is None for a retired label. `right`: mended rightly; None where nobody knows the truth.
    `could`: the fused prediction would have mended it rightly.
    """

    round: int
    case_id: str
    class_id: str
    kind: str
    before: float
    after: float | None
    verdict: str
    right: bool | None
    harmed: bool
    could: bool = False


def mend_rounds(
    ctx: StageContext,
    config: LabelingConfig,
    truth: Truth,
    errors: Sequence[Planted],
    predicted: Mapping[Key, float],
    rounds: int,
) -> list[Outcome]:
    """Judge and assemble, detect again on the mended labels, and so on.

    An error is mended rightly if the Dice with the truth has gained `GAIN` and is at most
    `BELOW_TYPICAL` under what predictions of the class reach; a false positive on a structure that
    is known to be absent, if it is gone. A right label is harmed if it has lost more than `HARM`.

    Args:
        ctx: of the first round, after detection; its config mends originals.
        truth: before anything was planted.
        errors: that were planted.
        predicted: case and class to the Dice of prediction and truth.
        rounds: how many.
    """
    planted = {(e.case_id, e.class_id): e for e in errors}
    found = []
    for n in range(rounds):
        if n:
            ctx = next_round(ctx)
            check(fuse.run(ctx, config))
            check(detect.run(ctx, config))
        check(judge.run(ctx, config))
        check(assemble.run(ctx, config))
        found += _compare(ctx, truth, planted, predicted)
    return found


def _compare(
    ctx: StageContext,
    truth: Truth,
    planted: Mapping[Key, Planted],
    predicted: Mapping[Key, float],
) -> list[Outcome]:
    typical = typical_dice(predicted)
    pointers = ctx.catalog.current(ctx.round)
    labels = {x.label_id: x for x in ctx.catalog.rows(Label)}
    verdicts = {
        (d.case_id, d.class_id): d.verdict
        for d in ctx.catalog.rows(Decision, round=ctx.round, stage="judge")
    }
    given = {(case, name) for case, own in truth.labels.items() for name in own}
    found = []
    for key in sorted(given | set(planted)):
        pointer, error = pointers.get(key), planted.get(key)
        if pointer is None:
            continue
        label = labels[pointer.label_id]
        if error is None and label.origin == "original" and pointer.trust != RETIRED:
            after: float | None = 1.0  # nobody touched it
        elif pointer.trust == RETIRED:
            after = None
        else:
            shape = tuple(truth.scans[key[0]].shape)
            after = dsc(read_mask(ctx.workspace.root, label.path, shape), truth.mask(*key))
        before = error.dsc if error else 1.0
        found.append(
            Outcome(
                ctx.round, *key, error.kind if error else "", before, after,
                verdicts.get(key, ""),
                right=_is_right(error, label, after, typical) if error else None,
                harmed=error is None and (after is None or after < 1.0 - HARM),
                could=error is not None and _is_mended(error, predicted.get(key, 0.0), typical),
            )
        )  # fmt: skip
    return found


def _is_right(
    error: Planted, label: Label, after: float | None, typical: Mapping[str, float]
) -> bool | None:
    is_gone = after is None or label.voxels == 0
    if error.kind == "false_positive":
        return is_gone if error.known or is_gone or label.origin == "original" else None
    return after is not None and _is_mended(error, after, typical)


def _is_mended(error: Planted, after: float, typical: Mapping[str, float]) -> bool:
    least = typical.get(error.class_id, 0.8) - BELOW_TYPICAL
    return error.known and after - error.dsc >= GAIN and after >= least


def predicted_dice(results: Mapping[str, Mapping[str, Any]]) -> dict[Key, float]:
    """Case and class to the Dice of predictions with the true labels; from results of detect."""
    return {
        (case, row["class_id"]): row["comparison"]["dsc"]
        for case, result in results.items()
        for row in result["rows"]
        if row["comparison"]["dsc"] is not None and row["comparison"]["label_ml"] > 0
    }


def typical_dice(predicted: Mapping[Key, float]) -> dict[str, float]:
    """Class to the median Dice of predictions with the true labels."""
    values: dict[str, list[float]] = {}
    for (_, name), dice in predicted.items():
        values.setdefault(name, []).append(dice)
    return {name: float(np.median(found)) for name, found in sorted(values.items())}
