"""The worker of stage judge: candidates for one case's labels, and what a judge says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert.case import CaseJudge, JudgedCase, judge_of
from labeling.expert.committee import (
    AS_WRITTEN,
    CommitteeJudge,
    better_votes,
    seen_of,
    statement,
    wrong_votes,
)
from labeling.expert.conclusions import FUSED, Answer, drawn_first, exchanged_together
from labeling.expert.examine import read_structures
from labeling.expert.features import hu_median
from labeling.expert.judge import AnatomyJudge
from labeling.expert.learning import Weights
from labeling.expert.repairs import Surroundings, repairs, trimmed
from labeling.expert.spoken import agreement, candidates_of, read_known, spoken
from labeling.expert.support import Support, supports
from labeling.expert.suspicion import Usual
from labeling.fusion.fuse import vocabulary_of
from labeling.fusion.mend import mend
from labeling.refine.methods import candidates
from labeling.rules import Anatomy, CaseFacts, combined_weight, load_anatomy
from labeling.structures import NOWHERE, Structure
from labeling.vision.engine import Tally, engine_of
from labeling.vision.play import play
from labeling.vision.protocol import Play
from voxcurate.chat.engine import price
from voxcurate.errors import ModelReplyError
from voxcurate.labels import MaskFile, write_mask
from voxcurate.protocols import ChatEngine, Verdict
from voxcurate.volume import Volume

EMPTY = "empty"
CURRENT = "current"
Entry = tuple[str, Structure]


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: one case, of a judge that asks no model; masks that it prefers lie in the scratch
    folder."""
    (found,) = play(None, [consult(payload)])
    return found


def consult(payload: Mapping[str, Any]) -> Play[dict[str, Any]]:
    """One case: what a judge says; who runs it sends what a model is asked
    (`labeling.expert.side_by_side`)."""
    from voxcurate.nifti import read_nifti

    config = LabelingConfig.model_validate(payload["config"])
    vocabulary = vocabulary_of(payload["vocabulary"])
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    volume = read_nifti(Path(payload["root"], payload["ct"]))
    drawn = {**payload, "labels": payload["current"]}
    current, known = read_structures(drawn, volume), read_known(drawn, volume)
    fused = read_structures({**payload, "labels": payload["fused"]}, volume)
    models = _model_masks(payload, config, anatomy, volume)
    context = {**fused, **{c: s for c, s in current.items() if c not in payload["asked"]}}
    hu = {c: hu_median(s, volume.array) for c, s in context.items() if not s.is_empty}
    facts = CaseFacts(hu if payload["modality"] == "CT" else {}, None, payload["sex"])
    case = JudgedCase(
        vocabulary, anatomy, config.judge, Usual.of_plain(payload["usual"]), context, facts,
        _supports(payload), payload["parts"], payload["modality"], _engine(payload, config.judge),
        {head: Weights.of_plain(plain) for head, plain in payload["weights"].items()},
        is_crowd=False,
    )  # fmt: skip
    witness = AnatomyJudge.of_case(case)
    entries: dict[str, list[Entry]] = {}
    for class_id in payload["asked"]:
        label = current.get(class_id)
        entries[class_id] = _candidates(witness, class_id, label, fused, models, volume)
        if label is not None:
            around = _surroundings(anatomy, class_id, current, fused, context, known)
            if config.refine.repairs:
                refined = candidates(
                    label, volume, config.refine, support=case.supports.get(class_id),
                    others=around.others.values(), modality=payload["modality"],
                )  # fmt: skip
                around = replace(around, refined=refined)
            made = repairs(label, around)
            sound = [
                spoken(s, known.get(c)) for c, s in current.items() if c not in payload["asked"]
            ]
            rivals = [s for s in sound if not anatomy.may_share(s.class_id, class_id)]
            entries[class_id] += made
            own = [(n, trimmed(s, rivals)) for n, s in entries[class_id][1:]]
            always = (FUSED, EMPTY, *models)
            entries[class_id] = candidates_of([(CURRENT, label), *own], known.get(class_id), always)
    violations = anatomy.check({**current, **fused}, facts)
    for class_id in payload["doubtful"]:
        weight = combined_weight([v for v in violations if v.class_id == class_id])
        mark = witness.mark(volume, class_id, fused[class_id])
        odd = mark.oddity is not None and mark.oddity > config.detect.shape_z
        if weight >= config.judge.doubt or odd or mark.in_view is False:
            entries[class_id] = _candidates(witness, class_id, None, fused, models, volume)
    judge = witness if config.judge.name == witness.name else judge_of(case)
    tally = Tally()
    asking = judge.asking(volume, {c: [s for _, s in own] for c, own in entries.items()})
    verdicts = yield from tally.of(asking)
    if tally.lost:
        raise ModelReplyError(f"no reply to {tally.lost} of {tally.asked} requests")
    answers = _answers(verdicts, witness, entries, volume, config.judge)
    asked = {c: a for c, a in answers.items() if c in payload["asked"]}
    answers.update(exchanged_together(asked, {c: vocabulary[c].pair for c in asked}, config.judge))
    rows = [
        _judged(judge, case, payload, answer, volume, known.get(answer.class_id))
        for answer in answers.values()
    ]
    told = tally.told() if case.engine is not None else {}
    return {"rows": rows, "asked_model": told}


def engine_of_judge(config: JudgeConfig, root: str) -> ChatEngine:
    """The engine that a judge asks, made once."""
    settings = config.engine.model_dump_json(exclude_defaults=True)
    return engine_of(settings, config.vision.model_dump_json(), root)


def _engine(payload: Mapping[str, Any], config: JudgeConfig) -> ChatEngine | None:
    """The engine of a judge that asks a model."""
    return engine_of_judge(config, payload["root"]) if config.asks_model else None


def _answers(
    verdicts: Mapping[str, Verdict],
    witness: AnatomyJudge,
    entries: Mapping[str, Sequence[Entry]],
    volume: Volume,
    config: JudgeConfig,
) -> dict[str, Answer]:
    """What the judge says of named candidates of each class, the first one the label in question;
    with what the anatomy says of each, whoever judges."""
    found = {}
    for class_id, own in entries.items():
        verdict = verdicts[class_id]
        if "marks" not in verdict.evidence:
            marks = witness.marks(volume, class_id, [s for _, s in own])
            plain = [mark.plain() for mark in marks]
            verdict = replace(verdict, evidence={**verdict.evidence, "marks": plain})
        found[class_id] = drawn_first(Answer(class_id, own, verdict), config)
    return found


def _judged(
    judge: CaseJudge,
    case: JudgedCase,
    payload: Mapping[str, Any],
    answer: Answer,
    volume: Volume,
    known: Structure | None,
) -> dict[str, Any]:
    """An answer as plain data, with the mask that it prefers to the first, and where that speaks
    if not everywhere."""
    class_id, entries, verdict = answer.class_id, answer.entries, answer.verdict
    file = spoken_about = None
    if verdict.choice:
        name = f"{payload['case_id']}_{class_id}_judged"
        chosen = entries[verdict.choice][1]
        file = _written(payload, name, chosen, volume)
        if known is not None:
            spoken_about = _written(payload, f"{name}_known", known, volume)
    asked = class_id in payload["asked"]
    seen = seen_of(verdict)
    spent = dict(seen.evidence["asked"]) if seen else {}
    if spent:
        engine = case.config.engine
        spent["price"] = round(price(engine, spent["tokens_in"], spent["tokens_out"]), 6)
    return {
        "class_id": class_id,
        "label_id": payload["current" if asked else "fused"][class_id]["label_id"],
        "choice": verdict.choice,
        "names": [name for name, _ in entries],
        "dsc_with_first": [agreement(entries[0][1], s, known) for _, s in entries],
        "confidence": verdict.confidence,
        "reason": verdict.reason,
        "evidence": {**verdict.evidence, **_stated(case, answer)},
        "file": file,
        "known": spoken_about,
        "judge": f"{judge.name} {judge.version}",
        "is_committee": judge.name == CommitteeJudge.name,
        "cost": spent,
    }


def _written(payload: Mapping[str, Any], name: str, s: Structure, volume: Volume) -> MaskFile:
    scratch = Path(payload["scratch"])
    return write_mask(scratch, name, s.mask, volume.affine, box=s.box, shape=volume.shape)


def _stated(case: JudgedCase, answer: Answer) -> dict[str, Any]:
    """The committee's statement on the candidate that people would be shown: the chosen one, else
    the fusion; whoever judges."""
    names = [name for name, _ in answer.entries]
    fused = names.index(FUSED) if FUSED in names else 0
    n = answer.verdict.choice or fused
    if not n:
        return {}
    seen = seen_of(answer.verdict)
    parts = case.parts.get(answer.class_id)
    votes = better_votes(
        answer.marks, [s for _, s in answer.entries], n,
        support=case.supports.get(answer.class_id), seen=seen, parts=parts,
    )  # fmt: skip
    wrong = wrong_votes(votes, seen=seen, parts=parts) if parts else None
    weights = {**AS_WRITTEN, **(case.weights or {})}
    return {"committee": {"challenger": names[n], **statement(weights, votes, wrong)}}


def _candidates(
    judge: AnatomyJudge,
    class_id: str,
    current: Structure | None,
    fused: Mapping[str, Structure],
    models: Mapping[str, Mapping[str, Structure]],
    volume: Volume,
) -> list[tuple[str, Structure]]:
    """Named candidates in order of preference: the label, the fusion, each model.

    Nothing at all is a candidate only where the class lies outside the scan; an incomplete label
    of a structure that is there is not mended by removing it.
    """
    found = [(CURRENT, current)] if current is not None else []
    if class_id in fused:
        found.append((FUSED, fused[class_id]))
    if len(models) > 1:
        found += [(m, masks[class_id]) for m, masks in models.items() if class_id in masks]
    if judge.in_view(class_id, volume) is False and all(s.voxels for _, s in found):
        found.append((EMPTY, _nothing(class_id, volume)))
    return found


def _surroundings(
    anatomy: Anatomy,
    class_id: str,
    current: Mapping[str, Structure],
    fused: Mapping[str, Structure],
    context: Mapping[str, Structure],
    known: Mapping[str, Structure],
) -> Surroundings:
    """What a label of a class may be repaired with: its other side's label, whatever is thought of
    that (but if it speaks about a part only), the prediction, and what else lies there."""
    vocabulary = anatomy.vocabulary
    side = vocabulary[class_id].pair if class_id in vocabulary else ""
    pair = current.get(side) if side not in known else None
    others = {
        c: spoken(s, known.get(c)) if s is current.get(c) else s
        for c, s in context.items()
        if c != class_id and not anatomy.may_share(c, class_id)
    }
    return Surroundings(fused.get(class_id), pair, others)


def _supports(payload: Mapping[str, Any]) -> dict[str, Support]:
    from voxcurate.predictions import open_prediction

    predictions = [open_prediction(Path(payload["root"], p)) for p in payload["support"]]
    return supports(predictions, [*payload["asked"], *payload["doubtful"]])


def _nothing(class_id: str, volume: Volume) -> Structure:
    import numpy as np

    return Structure(class_id, np.zeros((0, 0, 0), bool), NOWHERE, volume.shape, volume.affine)


def _model_masks(
    payload: Mapping[str, Any], config: LabelingConfig, anatomy: Anatomy, volume: Volume
) -> dict[str, dict[str, Structure]]:
    """Each model's own thresholded and mended masks."""
    from voxcurate.predictions import open_prediction

    wanted = {*payload["asked"], *payload["doubtful"]}
    found: dict[str, dict[str, Structure]] = {}
    for model_id, path in payload["models"]:
        prediction = open_prediction(Path(payload["root"], path))
        masks = {}
        for class_id in prediction.classes:
            if class_id in payload["classes"]:
                part = prediction.box(class_id)
                mask = part.array > config.fuse.threshold * 255
                outer = Structure(class_id, mask, part.box, volume.shape, volume.affine)
                masks[class_id] = outer.part(mask)
        mended = mend(masks, anatomy)[0] if config.fuse.postprocess else masks
        found[model_id] = {c: s for c, s in mended.items() if c in wanted}
    return found
