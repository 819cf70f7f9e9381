"""How likely a label is right, by the newest that detection or a judge said of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from voxcurate.catalog import Decision, Label, Measure
from voxcurate.stage import StageContext

DETECT, JUDGE, CHANCE = "detect", "judge", "error_probability"
DIGITS = 2  # finer differences do not make another training


def chances(ctx: StageContext, case_ids: Iterable[str]) -> dict[str, float]:
    """Label id to the probability that it is right, as of the context's round.

    Detection (test-on-training and its other witnesses) tells a calibrated probability of error of
    every label that it looked at. A judge speaks later and counts for the labels that it kept or
    made. Labels that are gold or that a person confirmed are not doubted; of labels that nobody
    looked at nothing is told.
    """
    ids = sorted(set(case_ids))
    if not ids:
        return {}
    told: dict[str, tuple[int, int, float]] = {}
    for measure in ctx.catalog.rows(Measure, stage=DETECT, name=CHANCE, case_id=ids):
        if measure.round <= ctx.round and measure.value is not None:
            wrong = measure.facts.get("calibrated", measure.value)
            _newest(told, measure.facts.get("label_id", ""), (measure.round, 0, 1 - float(wrong)))
    for decision in ctx.catalog.rows(Decision, stage=JUDGE, case_id=ids):
        sure = decision.evidence.get("confidence")
        if decision.round <= ctx.round and isinstance(sure, int | float):
            kept = decision.label_id if decision.verdict == "keep" else decision.other_label
            _newest(told, kept, (decision.round, 1, float(sure)))
    sure_of = {
        row[0]
        for flag in ("gold", "confirmed")
        for row in ctx.catalog.columns(Label, "label_id", case_id=ids, **{flag: True})
    }
    return {
        label_id: round(min(1.0, max(0.0, said[2])), DIGITS)
        for label_id, said in told.items()
        if label_id and label_id not in sure_of
    }


def with_chances(case: Mapping[str, Any], told: Mapping[str, float]) -> dict[str, Any]:
    """A plain `CaseSpec` whose labels know how likely they are right."""
    labels = {
        class_id: {**label, "right": told.get(label["label_id"], 1.0)}
        for class_id, label in case["labels"].items()
    }
    return {**case, "labels": labels}


def _newest(
    told: dict[str, tuple[int, int, float]], label_id: str, said: tuple[int, int, float]
) -> None:
    if label_id not in told or said[:2] >= told[label_id][:2]:
        told[label_id] = said
