"""Whether another round is worth it: the facts that the stop rules look at, from the catalog."""

import csv
import json
import sqlite3
from contextlib import closing
from typing import Any

from labeling.config import AnnotationTimeConfig
from labeling.errors.reader import prices_of
from labeling.statistics.annotation_time import LOOKED_AT
from training.config import StopConfig
from training.rounds.stop import Gain, RoundFacts, stop_rules
from voxcurate.catalog import Decision, Measure, Model
from voxcurate.stage import StageContext, StageResult

HUMAN = {"revised", "retire", "confirm"}
CHANGED = {"replace", "remove", "to_review"}


def run(context: StageContext, config: StopConfig) -> StageResult:
    """Apply the stop rules to the round's evaluation, priority list, verdicts and costs.

    The result holds the reason, and how each rule stands in words.
    """
    facts = gather(context, config)
    rules = stop_rules(facts, config)
    reason = next((rule.words for rule in rules if rule.stops), "")
    counts: dict[str, Any] = {
        "stop": bool(reason),
        "reason": reason or "another round may still help",
        "rules": {rule.name: rule.words for rule in rules},
        "spent": {name: round(value, 4) for name, value in facts.spent.items()},
    }
    if facts.gains:
        gain = facts.gains[-1]
        noise = None if gain.noise is None else round(gain.noise, 4)
        counts |= {"gain": round(gain.mean, 4), "noise": noise}
    return StageResult(counts)


def gather(context: StageContext, config: StopConfig) -> RoundFacts:
    """The round's facts. The gain is the flagship's paired mean DSC difference to the last
    round."""
    agreement = _agreement(context)
    numbers = range(max(1, context.round - config.patience + 1), context.round + 1)
    gains = [gain for number in numbers if (gain := _gain(context, number)) is not None]
    return RoundFacts(
        number=context.round,
        top_verdicts=_top_verdicts(context, config.top),
        agreement=agreement,
        inter_annotator={
            c: dsc
            for c in agreement
            if c in context.vocabulary
            and (dsc := context.vocabulary[c].inter_annotator_dsc) is not None
        },
        gains=gains,
        spent=spent(context),
        names={info.id: info.name or info.id for info in context.vocabulary},
    )


def spent(context: StageContext) -> dict[str, float]:
    """What all rounds up to this one have cost.

    ``money``: of the calls to language models, in the unit of the configured prices; ``hours``: of
    the computer; ``review_minutes``: of people, as written down with their decisions, else
    reckoned; ``steps``: of the optimiser.
    """
    walls = context.catalog.columns(Measure, "round", "value", name="wall_s", case_id="")
    models = context.catalog.rows(Model)
    return {
        "money": _money(context),
        "hours": sum(value or 0.0 for number, value in walls if number <= context.round) / 3600,
        "review_minutes": _minutes(context),
        "steps": float(
            sum(int(m.facts.get("steps", 0)) for m in models if m.round <= context.round)
        ),
    }


def _money(context: StageContext) -> float:
    """Of all logged calls; the log does not know of rounds."""
    path = context.workspace.root / "chat.sqlite"
    if not path.is_file():
        return 0.0
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as log:
        (total,) = log.execute("SELECT SUM(cost) FROM call").fetchone()
    return float(total or 0.0)


def _minutes(context: StageContext) -> float:
    """Of people: what their decisions have written down, else what such an answer usually takes."""
    prices = prices_of(AnnotationTimeConfig())
    about = ("round", "class_id", "verdict", "cost")
    total = 0.0
    for number, class_id, verdict, cost in context.catalog.columns(
        Decision, *about, stage="review", verdict=LOOKED_AT
    ):
        usual = prices.look
        if verdict == "revised":
            usual = prices.draw.get(class_id, prices.draw_other)
        if number <= context.round:
            total += cost.get("minutes", cost["seconds"] / 60 if "seconds" in cost else usual)
    return total


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


def _flagship(context: StageContext, number: int) -> dict[str, Any]:
    path = context.workspace.round_path(number, "evaluation.json")
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    entries = found.get("models", [])
    return next((entry for entry in entries if entry.get("role") == "flagship"), {})


def _gain(context: StageContext, number: int) -> Gain | None:
    change = _flagship(context, number).get("against", {}).get("dsc", {})
    if change.get("mean") is None:
        return None
    low, high = change["interval"]
    return Gain(float(change["mean"]), None if low is None else float(high - low) / 2)


def _agreement(context: StageContext) -> dict[str, float]:
    classes = _flagship(context, context.round).get("classes", {})
    return {
        class_id: float(entry["dsc"]["mean"])
        for class_id, entry in classes.items()
        if entry.get("dsc", {}).get("mean") is not None
    }
