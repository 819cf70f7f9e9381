"""The committee: the anatomy's verdict if nobody else votes, and what people's answers change."""

from dataclasses import replace

import numpy as np
import pytest

from labeling.assembly import assemble
from labeling.assembly.undo import undo
from labeling.body import body_frame
from labeling.config import CommitteeConfig, JudgeConfig, LabelingConfig
from labeling.expert import detect, judge
from labeling.expert.committee import (
    AS_WRITTEN,
    CommitteeJudge,
    better_votes,
    statement,
    wrong_votes,
)
from labeling.expert.features import features
from labeling.expert.judge import AnatomyJudge
from labeling.expert.layout import learn_layout
from labeling.expert.learning import Weights
from labeling.expert.reviewed import _groups, decided_cases, learn_weights
from labeling.expert.shape import learn_profile
from labeling.expert.suspicion import Usual
from labeling.expert.tot import combine
from labeling.fusion import fuse
from labeling.review.review import export_review, import_review, review_folder
from labeling.rules import load_anatomy
from labeling.structures import Structure
from tests.labeling.conftest import AFFINE, phantom
from tests.labeling.test_stages import answer
from voxcurate.catalog import Measure
from voxcurate.classes import load_vocabulary
from voxcurate.nifti import write_nifti
from voxcurate.protocols import LABEL_JUDGES, LabelJudge, Verdict, load
from voxcurate.volume import Volume

ANATOMY = load_anatomy(load_vocabulary(), ("abdomen",))
KEYS = [("src_case01", "kidney_left"), ("src_case01", "kidney_right"), ("src_case03", "spleen"),
        ("src_case05", "liver")]  # fmt: skip


class Saying:
    """A vision judge that always says the same."""

    name, version = "vision", "test"

    def __init__(self, choice, confidence=0.95):
        self.verdict = Verdict(choice, confidence, "so it is", {"comparisons": [], "failed": 0})

    def judge_all(self, volume, candidates):
        return dict.fromkeys(candidates, self.verdict)


@pytest.fixture(scope="module")
def anatomy_judge():
    vectors, places = {}, []
    for seed in range(10, 18):
        volume, masks = phantom(seed)
        frame = body_frame(volume.array, AFFINE)
        found = {c: Structure.of(c, m, AFFINE) for c, m in masks.items()}
        for c, s in found.items():
            vectors.setdefault(c, []).append(features(s, volume.array, frame))
        places.append({c: s.centroid for c, s in found.items()})
    usual = Usual({c: learn_profile(c, v) for c, v in vectors.items()}, learn_layout(places))
    return AnatomyJudge(usual, ANATOMY)


def test_it_is_a_label_judge_in_the_registry(anatomy_judge):
    assert load(LABEL_JUDGES, "committee") is CommitteeJudge
    assert set(LABEL_JUDGES) >= {"anatomy", "vision", "committee"}
    assert isinstance(CommitteeJudge(anatomy_judge), LabelJudge)
    assert JudgeConfig().name == "anatomy"


def test_as_written_and_alone_it_says_what_the_anatomy_says(anatomy_judge):
    volume, masks = phantom(0)
    true = masks["liver"]
    half = true & (np.indices(true.shape)[2] > np.argwhere(true)[:, 2].mean())
    for pair in ([half, true], [true, half], [masks["spleen"], half, true], [true, true.copy()]):
        alone = anatomy_judge.judge(volume, "liver", pair)
        joined = CommitteeJudge(anatomy_judge).judge(volume, "liver", pair)
        assert (joined.choice, joined.confidence) == (alone.choice, alone.confidence)


def test_the_vision_judge_decides_where_the_anatomy_cannot_and_weighs_little_where_it_can(
    anatomy_judge,
):
    volume, masks = phantom(0)
    one, two = (np.roll(masks["liver"], n, axis=2) for n in (1, -1))
    marks = anatomy_judge.judge(volume, "liver", [one, two]).evidence["marks"]
    lead = marks[1]["score"] - marks[0]["score"]
    for choice, sign in ((1, 1), (0, -1)):
        joined = CommitteeJudge(anatomy_judge, vision=Saying(choice)).judge(
            volume, "liver", [one, two]
        )
        scores = joined.evidence["scores"]
        assert scores[1] - scores[0] == pytest.approx(lead + sign * np.log(0.95 / 0.05), abs=0.01)
        assert joined.evidence["vision"]["choice"] == choice
    wrong = CommitteeJudge(anatomy_judge, vision=Saying(0)).judge(
        volume, "liver", [masks["spleen"], masks["liver"]]
    )
    assert wrong.choice == 1
    ignored = {"better": Weights({**AS_WRITTEN["better"].values, "vision": 0.0}, 50)}
    deaf = CommitteeJudge(anatomy_judge, vision=Saying(0), weights=ignored)
    assert deaf.judge(volume, "liver", [one, two]).evidence["scores"][1] == pytest.approx(
        lead, abs=0.01
    )


def test_without_a_vision_judge_the_chance_of_an_error_is_detections(anatomy_judge):
    parts = {"tot_low": 0.7, "rules": 0.4}
    marks = [{"score": s, "weight": 0.0, "step": None} for s in (0.0, 3.0)]
    liver = Structure.of("liver", phantom(0)[1]["liver"], AFFINE)
    votes = better_votes(marks, [liver, liver], 1, support=None, seen=None, parts=parts)
    told = statement(AS_WRITTEN, votes, wrong_votes(votes, seen=None, parts=parts))
    assert told["wrong"] == pytest.approx(combine(parts), abs=1e-4)
    assert told["better"] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-4)
    seen = Saying(1).verdict
    assert wrong_votes(votes, seen=seen, parts=parts)["vision"] > 0
    assert wrong_votes(votes, seen=Saying(0).verdict, parts=parts)["vision"] < 0


@pytest.fixture
def answered(world_with_errors):
    """A round whose four errors people have answered in four ways."""
    world, config = world_with_errors, LabelingConfig()
    for stage in (fuse, detect, judge):
        stage.run(world.ctx, config)
    export_review(world.ctx, config)
    folders = answer(
        review_folder(world.ctx), dict(zip(KEYS[:3], ("accept", "confirm", "retire"), strict=True))
    )
    truth = world.truth["src_case05"]["liver"].astype(np.uint8)
    write_nifti(folders[KEYS[3]] / "revised.nii.gz", Volume(truth, AFFINE))
    assert not import_review(world.ctx).failed
    return world


def test_peoples_answers_are_what_is_learned_from(answered):
    later = replace(answered.ctx, round=2)
    found = decided_cases(later)
    assert sorted(c.answer for c in found["better"]) == [False, True, True]  # retire: nobody knows
    assert sorted(c.answer for c in found["wrong"]) == [False, True, True, True]
    assert all(c.said is not None and c.votes["anatomy"] for c in found["better"])
    assert decided_cases(answered.ctx) == {"better": [], "wrong": []}  # not of this very round


def test_what_was_taken_back_does_not_count(answered):
    config = LabelingConfig()
    assemble.run(answered.ctx, config)
    undo(answered.ctx, config.assemble, *KEYS[0], actor="human:AB", reason="no")
    found = decided_cases(replace(answered.ctx, round=2))
    assert len(found["wrong"]) == 3
    assert sum(c.answer for c in found["better"]) == 1


def test_weights_are_learned_once_a_round_and_kept(answered):
    eager = CommitteeConfig(minimum=3, minimum_each=1)
    config = JudgeConfig(name="committee", committee=eager)
    later = replace(answered.ctx, round=2)
    first = learn_weights(later, config)
    assert first["better"]["n"] == 3
    assert {"written", "said"} <= set(first["better"])
    names = {m.name for m in later.catalog.rows(Measure, round=2, stage="judge")}
    assert names == {"committee_better", "committee_wrong"}
    answer(review_folder(answered.ctx), {KEYS[0]: "confirm"})
    import_review(answered.ctx)
    assert learn_weights(later, config) == first
    assert learn_weights(replace(later, round=3), config) != first
    off = config.model_copy(update={"committee": CommitteeConfig(learn=False)})
    assert learn_weights(later, off)["better"]["weights"] == AS_WRITTEN["better"].plain()
    assert learn_weights(later, JudgeConfig()) == {}


def test_a_round_with_the_committee_ends_like_one_with_the_anatomy(world_with_errors):
    world = world_with_errors
    config = LabelingConfig(judge=JudgeConfig(name="committee"))
    for stage in (fuse, detect):
        stage.run(world.ctx, config)
    counts = judge.run(world.ctx, config).counts
    assert counts["to_review"] == 4
    assert set(counts["committee"]) == {"better", "wrong"}
    again = judge.run(world.ctx, config).counts
    assert again == counts


def test_two_answers_within_a_second_have_an_order(answered):
    later = replace(answered.ctx, round=2)
    wanted = {"confirm": [False, False, True], "skip": [False, True], "accept": [False, True, True]}
    for verdict, better in wanted.items():
        answer(review_folder(answered.ctx), {KEYS[0]: verdict})
        assert not import_review(answered.ctx).failed
        assert sorted(c.answer for c in decided_cases(later)["better"]) == better, verdict


def test_a_label_that_is_judged_twice_in_a_round_is_answered_once(answered):
    before = decided_cases(replace(answered.ctx, round=2))
    other = LabelingConfig(judge=JudgeConfig(violation_cost=2.0))
    judge.run(answered.ctx, other)
    found = decided_cases(replace(answered.ctx, round=2))
    assert {h: len(c) for h, c in found.items()} == {h: len(c) for h, c in before.items()}


def test_groups_are_joined_by_patients_and_their_copies():
    scans = [
        ("a", "p1", "d1"),
        ("b", "p1", "d2"),
        ("c", "p2", "d2"),
        ("d", "p3", ""),
        ("e", "", ""),
    ]
    found = _groups(scans)
    assert len({found[c] for c in "abc"}) == 1
    assert len(set(found.values())) == 3
