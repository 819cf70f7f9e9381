"""What the rules did to pseudo labels, for the decision log."""

from collections.abc import Mapping, Sequence
from typing import Any

from labeling.rules import Violation
from voxcurate.catalog import Decision
from voxcurate.stage import StageContext

ACTOR = "rules"
VERDICTS = {"removed": "rule_removed", "moved": "rule_moved", "told": "rule_told"}


def effect_decision(
    ctx: StageContext, case_id: str, effect: Mapping[str, Any], labels: Mapping[str, str]
) -> Decision:
    """What one rule did: how much of which class, where in the scan, and why."""
    class_id, other = effect["class_id"], effect["other"]
    taken = f"{effect['voxels']} voxels, {effect['ml']:.3g} mL: " if effect["voxels"] else ""
    return Decision(
        decision_id="",
        round=ctx.round,
        stage="fuse",
        case_id=case_id,
        class_id=class_id,
        label_id=labels.get(class_id, ""),
        verdict=VERDICTS[effect["action"]],
        reason=f"{effect['rule']}: {taken}{effect['reason']}",
        actor=ACTOR,
        other_label=labels.get(other, "") if other else "",
        evidence=dict(effect),
    )


def broken_decision(
    ctx: StageContext,
    case_id: str,
    class_id: str,
    broken: Sequence[Mapping[str, Any]],
    labels: Mapping[str, str],
) -> Decision:
    """The rules that a pseudo label still breaks; only told, detection and the judge weigh them."""
    found = [Violation(**v) for v in broken if v["class_id"] == class_id]
    return Decision(
        decision_id="",
        round=ctx.round,
        stage="fuse",
        case_id=case_id,
        class_id=class_id,
        label_id=labels.get(class_id, ""),
        verdict="rule_broken",
        reason="; ".join(v.text() for v in found),
        actor=ACTOR,
        evidence={"broken": [v.plain() for v in found]},
    )
