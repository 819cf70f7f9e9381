"""What people decided about judged labels, and the committee's weights learned from it.

A person's answer to a review item tells which of label and candidate is better, and whether the
label is wrong; the judge's decision of that round holds the votes as they were then. Answers that
were taken back since do not count.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.assembly.history import in_time
from labeling.config import CommitteeConfig, JudgeConfig
from labeling.expert.committee import PRIORS, CommitteeJudge
from labeling.expert.conclusions import FUSED
from labeling.expert.learning import Case, Learned, learn, written
from voxcurate.catalog import Decision, Label, Measure, Scan
from voxcurate.labels import read_mask
from voxcurate.metrics import dsc
from voxcurate.stage import StageContext

STAGE = "judge"
MEASURE = "committee_"  # and the question: the weights and how well they do
REVISED_DSC = "revised_dsc"  # of a label with what a person made of it
ANSWERS = ("confirm", "accept", "retire", "revised")
UNDO = "undo"
RIGHT_DSC = 0.95  # of a label with its revision: nothing was wrong but the pen
CLEARER = 0.02  # of Dice: less is no difference between label and candidate
Key = tuple[str, str]  # case and class


@dataclass(frozen=True)
class Answered:
    """A person's answer: is the candidate better, is the label wrong; None where it says nothing of
    that."""

    better: bool | None
    wrong: bool | None


def learn_weights(ctx: StageContext, config: JudgeConfig) -> dict[str, dict[str, Any]]:
    """Question to the committee's weights of this round (`labeling.expert.learning.Learned`, plain)
    if there is a committee, from all answers to earlier rounds' items.

    They are learned once in a round and kept as Measures ``committee_better`` and
    ``committee_wrong`` (their value is the Brier score of what is used): a stage that is called
    again judges by the same ones, whatever people have answered since.
    """
    if config.name != CommitteeJudge.name:
        return {}
    names = [MEASURE + head for head in PRIORS]
    rows = ctx.catalog.rows(Measure, round=ctx.round, stage=STAGE, name=names)
    kept = {m.name: m.facts for m in rows}
    mark = config.committee.model_dump()
    found: dict[str, dict[str, Any]] = {}
    cases: dict[str, list[Case]] | None = None
    for head, prior in PRIORS.items():
        facts = kept.get(MEASURE + head)
        if facts is None or facts["settings"] != mark:
            if cases is None:
                cases = decided_cases(ctx) if config.committee.learn else {h: [] for h in PRIORS}
            learned = _learned(cases[head], head, config.committee)
            facts = {**learned.plain(), "settings": mark, "prior": dict(written(prior).values)}
            facts["weights"] = learned.weights.plain()
            with ctx.catalog.write() as writer:
                writer.put(
                    Measure(ctx.round, STAGE, "", "", "", MEASURE + head, _brier(learned), facts)
                )
        found[head] = dict(facts)
    return found


def _learned(cases: list[Case], head: str, config: CommitteeConfig) -> Learned:
    return learn(cases, PRIORS[head], minimum=config.minimum, minimum_each=config.minimum_each)


def _brier(learned: Learned) -> float | None:
    used = learned.held_out if learned.weights.n else learned.written
    return round(used.brier, 4) if used else None


def decided_cases(ctx: StageContext) -> dict[str, list[Case]]:
    """Question to all decided cases of earlier rounds, grouped as the splits are: by patients and
    their duplicates. Of a label that was judged twice in a round the last judgement is what people
    answered to."""
    found: dict[str, list[Case]] = {head: [] for head in PRIORS}
    earlier = in_time(d for d in ctx.catalog.rows(Decision, stage=STAGE) if d.round < ctx.round)
    last = {(d.round, d.case_id, d.class_id, d.label_id): d for d in earlier}
    judged = [d for d in last.values() if "committee" in d.evidence]
    if not judged:
        return found
    groups = _groups(ctx.catalog.columns(Scan, "case_id", "patient", "duplicate_group"))
    cases = {d.case_id for d in judged}
    said = _by_key(ctx.catalog.rows(Decision, stage="review", case_id=cases))
    undone = _by_key(ctx.catalog.rows(Decision, verdict=UNDO, case_id=cases))
    for d in judged:
        key = (d.case_id, d.class_id)
        answered = _answered(ctx, d, said.get(key, []), undone.get(key, []))
        if answered is None:
            continue
        told = d.evidence["committee"]
        for head, answer in (("better", answered.better), ("wrong", answered.wrong)):
            votes = told["votes"].get(head)
            if votes is not None and answer is not None:
                group = groups[d.case_id]
                found[head].append(Case(votes, answer, group, told.get(head)))
    return found


def _groups(scans: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Case to its group, from case, patient and duplicate group of each scan: cases share one if
    they share a patient or a duplicate group."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    cases = []
    for case_id, patient, copies in scans:
        cases.append(case_id)
        for link in (f"patient {patient}" if patient else "", f"copies {copies}" if copies else ""):
            one, other = root(case_id), root(link or case_id)
            parent[max(one, other)] = min(one, other)
    return {case_id: root(case_id) for case_id in cases}


def _by_key(decisions: list[Decision]) -> dict[Key, list[Decision]]:
    found: dict[Key, list[Decision]] = {}
    for d in in_time(decisions):
        found.setdefault((d.case_id, d.class_id), []).append(d)
    return found


def _answered(
    ctx: StageContext, judged: Decision, said: list[Decision], undone: list[Decision]
) -> Answered | None:
    """What people say of a judge's decision; None if nothing, or no longer."""
    back = [u for u in undone if u.created >= judged.created]
    if judged.verdict == "replace":
        same = [u for u in back if (u.label_id, u.other_label)
                == (judged.label_id, judged.other_label)]  # fmt: skip
        return Answered(better=False, wrong=False) if same and same[-1] == back[-1] else None
    own = [d for d in said if d.round == judged.round and d.label_id == judged.label_id]
    answers = [d for d in own if d.verdict in ANSWERS or d.verdict == "skip"]
    queued = [d for d in own if d.verdict == "queued"]
    if not answers or answers[-1].verdict == "skip":
        return None
    last = answers[-1]
    if any(u.created >= last.created for u in back):
        return None
    shown = queued[-1].other_label if queued else judged.other_label
    is_same = shown == judged.other_label or (
        not judged.other_label and judged.evidence["committee"]["challenger"] == FUSED
    )
    if last.verdict == "revised":
        return _revised(ctx, last, shown if is_same else "")
    wrong = {"confirm": False, "accept": True, "retire": True}[last.verdict]
    better = None if last.verdict == "retire" or not is_same else last.verdict == "accept"
    return Answered(better, wrong)


def _revised(ctx: StageContext, last: Decision, shown: str) -> Answered:
    """A revision says what is true: the label is wrong if it is far from it, the candidate better
    if it is nearer to it."""
    place = {"case_id": last.case_id, "class_id": last.class_id}
    known = ctx.catalog.one(Measure, round=last.round, stage=STAGE, name=REVISED_DSC, **place)
    if known is None or known.facts["versions"] != [last.label_id, shown, last.other_label]:
        scan = ctx.catalog.one(Scan, case_id=last.case_id)
        shape = tuple(scan.shape) if scan else ()
        wanted = [last.label_id, last.other_label, *([shown] if shown else [])]
        labels = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=wanted)}
        masks = {i: read_mask(ctx.workspace.root, x.path, shape) for i, x in labels.items()}
        truth = masks[last.other_label]
        scores = {i: _dice(mask, truth) for i, mask in masks.items()}
        facts = {
            "versions": [last.label_id, shown, last.other_label],
            "candidate": scores.get(shown),
        }
        known = Measure(last.round, STAGE, last.case_id, last.class_id, "", REVISED_DSC,
                        scores[last.label_id], facts)  # fmt: skip
        with ctx.catalog.write() as writer:
            writer.put(known)
    label, candidate = known.value or 0.0, known.facts["candidate"]
    better = None
    if candidate is not None and abs(candidate - label) >= CLEARER:
        better = bool(candidate > label)
    return Answered(better, wrong=label < RIGHT_DSC)


def _dice(mask: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    found = dsc(mask, truth)
    return 1.0 if np.isnan(found) else round(found, 4)  # both are empty
