"""What follows from an operating point, scan by scan, as decisions of stage roc.

- remove: the report says that there is no such lesion, and the label of a machine (or of an origin
  in `auto_mend`) shows one: an empty judged version takes its place. Undone like any other.
- missed: the report says that there is one, and nothing was found: first in the list for people.
- candidate: it reaches the threshold, and nobody has drawn this lesion on the scan: accept or
  erase.
- contradicts: the report says no, but a label that may not be mended without a person shows one.

Of a label that a person has confirmed or revised nothing follows. Where somebody has undone
something, a report's no is a contradiction for people to look at, and removes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from labeling.config import LabelingConfig
from labeling.expert.detect import current_labels, results_of
from labeling.quality import MACHINE_MADE, TRUSTED
from labeling.roc.analysis import Analysis
from labeling.roc.reports import Key, Said
from voxcurate.catalog import Decision, Label, Measure, Scan, ScanHead, Writer
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.stage import StageContext

STAGE = "roc"
USUAL = 0.5  # where no operating point can be told
AT_ONCE = 200  # scans
VERDICTS = ("remove", "missed", "contradicts", "candidate")


@dataclass(frozen=True)
class Scene:
    """What `conclude` needs besides an analysis."""

    ctx: StageContext
    config: LabelingConfig
    said: Mapping[Key, Said]


def conclude(
    scene: Scene,
    found: Analysis,
    candidates: Iterable[tuple[str, Sequence[Mapping[str, Any]]]],
) -> dict[str, int]:
    """Write the measures and decisions of one class; how many of each.

    Said again with the same threshold, nothing new is written.

    Args:
        scene: the round, and what reports say.
        found: the analysis of the class.
        candidates: scan and its candidates; some hundred are in memory at a time.
    """
    threshold = USUAL if found.threshold is None else found.threshold
    counts: Counter[str] = Counter()
    waiting = iter(candidates)
    while part := dict(islice(waiting, AT_ONCE)):
        some = sorted(part)
        standing = _standing(scene.ctx, found.class_id, some)
        scans = {s.case_id: s for s in scene.ctx.catalog.rows(ScanHead, case_id=some)}
        where: dict[str, Any] = {"case_id": some, "class_id": found.class_id, "verdict": "undo"}
        undone = {case for (case,) in scene.ctx.catalog.columns(Decision, "case_id", **where)}
        with scene.ctx.catalog.write() as writer:
            for case_id in some:
                counts.update(
                    _one(
                        scene, writer, found, scans[case_id], part[case_id],
                        standing.get(case_id), threshold, may=case_id not in undone,
                    )
                )  # fmt: skip
    names = {"remove": "labels_emptied", "missed": "reported_but_not_found"}
    return {names.get(k, k): counts[k] for k in ("removed_by_reports", *VERDICTS)}


def _one(
    scene: Scene,
    writer: Writer,
    found: Analysis,
    scan: Scan,
    candidates: Sequence[Mapping[str, Any]],
    label: Label | None,
    threshold: float,
    *,
    may: bool,
) -> Counter[str]:
    """One scan; `may`: a report may remove, for nobody has taken such a thing back."""
    said = scene.said.get((scan.case_id, found.class_id), Said())
    name = found.config.score
    above = [c for c in candidates if c["scores"][name] >= threshold]
    left = [] if said.value == "no" else above
    facts = {
        "said": said.value, "above": len(above), "threshold": round(threshold, 6),
        "best": max((c["scores"][name] for c in candidates), default=0.0),
    }  # fmt: skip
    writer.put(
        Measure(scene.ctx.round, STAGE, scan.case_id, found.class_id, "", "candidates",
                float(len(left)), facts)
    )  # fmt: skip
    counts: Counter[str] = Counter(removed_by_reports=len(above) - len(left))
    drawn = label is not None and bool(label.voxels)
    finding = dict(said.finding or {})
    evidence: dict[str, Any] = {"finding": finding, "threshold": facts["threshold"]}

    def decide(verdict: str, reason: str, **more: Any) -> None:
        counts[verdict] += 1
        made = _decision(scene, scan, found.class_id, label, verdict, reason, evidence | more)
        if verdict == "remove" and label is not None:
            _empty(scene.ctx, writer, scan, label, made)
        else:
            writer.decide(made)

    question = finding.get("question", "")
    if label is not None and (label.gold or label.confirmed or label.origin == "revised"):
        return counts  # a person has looked at it: nobody is asked again
    if said.value == "no":
        if drawn and label is not None:
            may = may and label.origin in scene.config.judge.auto_mend
            why = f"the report says no ({question}), the label shows {label.ml:.3g} mL"
            told = {"candidates": _brief(above, name), "label_ml": round(label.ml, 4)}
            decide("remove" if may else "contradicts", why, **told)
    elif label is not None and label.origin in TRUSTED:
        if said.value == "yes" and not drawn:
            why = f"the report says yes ({question}), the label is empty"
            decide("missed", why, best=facts["best"])
    elif said.value == "yes" and not left and not drawn:
        why = f"the report says yes ({question}), nothing reaches {threshold:.3f}"
        decide("missed", why, best=facts["best"])
    else:
        for c in left:
            above_ml = f"{c['ml']:.3g} mL above {found.config.candidate_above:g}"
            why = f"{name} probability {c['scores'][name]:.2f}, {above_ml}"
            decide("candidate", why, **dict(c), score=c["scores"][name], said=said.value)
    return counts


def _standing(ctx: StageContext, class_id: str, cases: Sequence[str]) -> dict[str, Label]:
    """The label of each scan as the round has it so far: what a person drew; else what the judge
    put in the place of the fused one; else the fused one; else what the round began with."""
    began = {
        case: own[class_id] for case, own in current_labels(ctx, cases).items() if class_id in own
    }
    wanted = {
        case: result["labels"][class_id]
        for case, result in results_of(ctx, "fuse", cases).items()
        if class_id in result["labels"]
        and (case not in began or began[case].origin in MACHINE_MADE)
    }
    wanted |= {
        d.case_id: d.other_label
        for d in ctx.catalog.rows(
            Decision, round=ctx.round, stage="judge", verdict=("replace", "remove"),
            case_id=list(cases), class_id=class_id,
        )
        if d.other_label
    }  # fmt: skip
    newest = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=list(wanted.values()))}
    return {**began, **{case: newest[i] for case, i in wanted.items() if i in newest}}


def _empty(ctx: StageContext, writer: Writer, scan: Scan, old: Label, decision: Decision) -> None:
    """An empty judged version in the place of a label, and the decision that says why."""
    i, j, k = (slice(0, 1),) * 3
    nothing = write_mask(
        ctx.workspace.scratch, f"{scan.case_id}_{old.class_id}_roc", np.zeros((1, 1, 1), bool),
        np.asarray(scan.affine), box=(i, j, k), shape=(scan.shape[0], scan.shape[1], scan.shape[2]),
    )  # fmt: skip
    label = adopt_mask(
        writer, ctx.workspace, nothing, case_id=scan.case_id, class_id=old.class_id,
        origin="judged", round_number=ctx.round, parent=old.label_id, model_id="report",
        facts={"report_says": "no", "revision": int(old.facts.get("revision", 0)) + 1},
    )  # fmt: skip
    made = replace(decision, other_label=label.label_id)
    if old.origin == "original":
        writer.flag(old.label_id, made, retired=True)
    else:
        writer.decide(made)


def _decision(
    scene: Scene,
    scan: Scan,
    class_id: str,
    label: Label | None,
    verdict: str,
    reason: str,
    evidence: Mapping[str, Any],
) -> Decision:
    return Decision(
        decision_id="",
        round=scene.ctx.round,
        stage=STAGE,
        case_id=scan.case_id,
        class_id=class_id,
        label_id=label.label_id if label is not None else "",
        verdict=verdict,
        reason=reason,
        actor="roc",
        evidence=dict(evidence),
    )


def _brief(candidates: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    return [{"number": c["number"], "score": c["scores"][name], "ml": c["ml"]} for c in candidates]
