"""Whether another round is worth it: the facts that the stop rule looks at, from the catalog."""

import csv
import json
from typing import Any

from training.config import StopConfig
from training.stop import RoundFacts, stop_reason
from voxcurate.catalog import Decision
from voxcurate.stage import StageContext, StageResult

HUMAN = {"revised", "retire", "confirm"}
CHANGED = {"replace", "remove", "to_review"}


def run(context: StageContext, config: StopConfig) -> StageResult:
    """Apply the stop rule to the round's evaluation, priority list and verdicts."""
    facts = gather(context, config)
    reason = stop_reason(facts, config)
    counts: dict[str, Any] = {
        "stop": bool(reason),
        "reason": reason or "another round may still help",
    }
    if facts.gain is not None:
        counts |= {"gain": round(facts.gain, 4), "noise": round(facts.noise, 4)}
    return StageResult(counts)


def gather(context: StageContext, config: StopConfig) -> RoundFacts:
    """The round's facts. The gain is the flagship's paired mean DSC difference to the last
    round."""
    gain, noise = _gain(context)
    agreement = _agreement(context)
    return RoundFacts(
        number=context.round,
        top_verdicts=_top_verdicts(context, config.top),
        agreement=agreement,
        inter_annotator={
            c: dsc
            for c in agreement
            if (dsc := context.vocabulary[c].inter_annotator_dsc) is not None
        },
        gain=gain,
        noise=noise,
    )


def _top_verdicts(context: StageContext, top: int) -> list[str]:
    path = context.workspace.round_path(context.round, "priority.csv")
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as stream:
        cases = list(dict.fromkeys(row["case_id"] for row in csv.DictReader(stream)))[:top]
    decisions = context.catalog.rows(Decision, round=context.round, case_id=cases)
    return [_verdict([d for d in decisions if d.case_id == case]) for case in cases]


def _verdict(decisions: list[Decision]) -> str:
    """What was said of a case: people first, then the judge; nobody looked: ``unseen``."""
    human = {d.verdict for d in decisions if d.stage == "review"} & HUMAN
    for verdict in ("revised", "retire", "confirm"):
        if verdict in human:
            return verdict
    judged = {d.verdict for d in decisions if d.stage == "judge"}
    for verdict in sorted(CHANGED & judged):
        return verdict
    return "keep" if "keep" in judged else "unseen"


def _evaluation(context: StageContext) -> dict[str, Any]:
    path = context.workspace.round_path(context.round, "evaluation.json")
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def _flagship(context: StageContext) -> dict[str, Any]:
    entries = _evaluation(context).get("models", [])
    return next((entry for entry in entries if entry.get("role") == "flagship"), {})


def _gain(context: StageContext) -> tuple[float | None, float]:
    change = _flagship(context).get("against", {}).get("dsc", {})
    if change.get("mean") is None:
        return None, 0.0
    low, high = change["interval"]
    return float(change["mean"]), float(high - low) / 2


def _agreement(context: StageContext) -> dict[str, float]:
    classes = _flagship(context).get("classes", {})
    return {
        class_id: float(entry["dsc"]["mean"])
        for class_id, entry in classes.items()
        if entry.get("dsc", {}).get("mean") is not None
    }
