"""The worker of stage refine: the labels of one case."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labeling.config import LabelingConfig
from labeling.expert.examine import read_structures
from labeling.expert.features import hu_median
from labeling.expert.judge import AnatomyJudge
from labeling.expert.spoken import read_known, spoken
from labeling.expert.support import Support, supports
from labeling.expert.suspicion import Usual
from labeling.fusion.fuse import vocabulary_of
from labeling.refine.judged import Said, choose
from labeling.refine.methods import Refined, Refiner, make_refiner, refine
from labeling.rules import Anatomy, CaseFacts, load_anatomy
from labeling.structures import Structure
from voxcurate.labels import write_mask
from voxcurate.volume import Volume


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: refine and judge; masks that the judge prefers lie in the scratch folder."""
    from voxcurate.nifti import read_nifti
    from voxcurate.predictions import open_prediction

    config = LabelingConfig.model_validate(payload["config"])
    anatomy = load_anatomy(
        vocabulary_of(payload["vocabulary"]), config.rules.anatomy, config.rules.weights
    )
    volume = read_nifti(Path(payload["root"], payload["ct"]))
    labels, spoken_about = read_structures(payload, volume), read_known(payload, volume)
    labels = {c: spoken(s, spoken_about.get(c)) for c, s in labels.items()}
    predictions = [open_prediction(Path(payload["root"], p)) for p in payload["support"]]
    known = supports(predictions, payload["asked"])
    refiner = make_refiner(config.refine)
    rows = []
    accepted: dict[str, Structure] = {}
    for class_id in payload["asked"]:
        found = refine_one(
            class_id, labels, volume, Usual.of_plain(payload["usual"]), anatomy, config, refiner,
            supports=known, modality=payload["modality"], sex=payload["sex"], accepted=accepted,
        )  # fmt: skip
        if found is not None:
            note_accepted(accepted, *found)
            rows.append(_row(payload, class_id, volume, refiner, *found))
    return {"rows": rows}


def refine_one(
    class_id: str,
    labels: Mapping[str, Structure],
    volume: Volume,
    usual: Usual,
    anatomy: Anatomy,
    config: LabelingConfig,
    refiner: Refiner,
    *,
    supports: Mapping[str, Support],
    modality: str = "CT",
    sex: str = "",
    accepted: Mapping[str, Structure] | None = None,
) -> tuple[Refined, Said] | None:
    """Refine one label among the others of its scan, and ask the judge; None if it is empty.

    Args:
        class_id: whose label.
        labels: of the scan.
        volume: the scan.
        usual: what is usual.
        anatomy: the written rules.
        config: of labeling.
        refiner: of `labeling.refine.methods.make_refiner`.
        supports: class to the models' probabilities.
        modality: of the scan.
        sex: of the patient.
        accepted: others that were refined before (`note_accepted`): two labels that grow into the
            same gap would overlap; nor is what one has left free for the next, for nobody may
            have agreed yet.
    """
    others = {c: s for c, s in labels.items() if c != class_id and not s.is_empty}
    grown = accepted or {}
    apart = [
        s.joined(grown[c]) if c in grown else s
        for c, s in others.items()
        if not anatomy.may_share(c, class_id)
    ]
    made = refine(
        labels[class_id], volume, refiner, config.refine,
        support=supports.get(class_id), others=apart, modality=modality,
    )  # fmt: skip
    if made is None:
        return None
    is_ct = modality.upper() == "CT"
    hu = {c: hu_median(s, volume.array) for c, s in others.items()} if is_ct else {}
    judge = AnatomyJudge(
        usual, anatomy, config.judge,
        context=others, facts=CaseFacts(hu, None, sex), supports=supports,
    )  # fmt: skip
    return made, choose(judge, volume, made, config.refine)


def note_accepted(accepted: dict[str, Structure], made: Refined, said: Said) -> None:
    """Remember a proposal that the judge accepts."""
    if said.choice is not None:
        accepted[made.label.class_id] = made.proposals[said.choice]


def _row(
    payload: Mapping[str, Any],
    class_id: str,
    volume: Volume,
    refiner: Refiner,
    made: Refined,
    said: Said,
) -> dict[str, Any]:
    file = None
    if said.choice is not None:
        chosen = made.proposals[said.choice]
        file = write_mask(
            Path(payload["scratch"]), f"{payload['case_id']}_{class_id}_refined", chosen.mask,
            volume.affine, box=chosen.box, shape=volume.shape,
        )  # fmt: skip
    return {
        "class_id": class_id,
        "label_id": payload["labels"][class_id]["label_id"],
        "choice": said.choice,
        "confidence": said.confidence,
        "reason": said.reason,
        "evidence": said.evidence,
        "points": made.points.plain(),
        "judge": f"{AnatomyJudge.name} {AnatomyJudge.version}",
        "refiner": f"{refiner.name} {refiner.version}",
        "file": file,
    }
