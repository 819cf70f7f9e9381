"""The anatomy judge: what it learns, what it prefers, and when it says nothing."""

from itertools import permutations

import numpy as np
import pytest
from scipy import ndimage

from labeling.body import body_frame
from labeling.config import JudgeConfig
from labeling.expert.features import FEATURES, features
from labeling.expert.judge import AnatomyJudge
from labeling.expert.layout import Layout, learn_layout
from labeling.expert.shape import ShapeProfile, learn_profile, oddity
from labeling.expert.support import Support
from labeling.expert.suspicion import Usual
from labeling.rules import load_anatomy
from labeling.structures import Structure
from tests.labeling.conftest import AFFINE, SHAPE, phantom, soft
from voxcurate.classes import load_vocabulary
from voxcurate.predictions import probability_box
from voxcurate.protocols import LabelJudge
from voxcurate.volume import Volume

ANATOMY = load_anatomy(load_vocabulary(), ("abdomen",))
CLASSES = ("liver", "spleen", "kidney_left", "kidney_right")


@pytest.fixture(scope="module")
def usual():
    """What is usual in ten phantoms."""
    vectors = {c: [] for c in CLASSES}
    places = []
    for seed in range(10, 20):
        volume, masks = phantom(seed)
        frame = body_frame(volume.array, AFFINE)
        found = {c: Structure.of(c, m, AFFINE) for c, m in masks.items()}
        for c, s in found.items():
            vectors[c].append(features(s, volume.array, frame))
        places.append({c: s.centroid for c, s in found.items()})
    profiles = {c: learn_profile(c, rows) for c, rows in vectors.items()}
    return Usual(profiles, learn_layout(places))


def judge_of(usual, masks=None, without=""):
    context = {c: Structure.of(c, m, AFFINE) for c, m in (masks or {}).items() if c != without}
    return AnatomyJudge(usual, ANATOMY, JudgeConfig(), context=context)


def test_it_is_a_label_judge(usual):
    assert isinstance(judge_of(usual), LabelJudge)


@pytest.mark.parametrize("class_id", CLASSES)
def test_the_true_mask_beats_wrong_ones(usual, class_id):
    volume, masks = phantom(0)
    true = masks[class_id]
    half = true & (np.indices(SHAPE)[2] > np.argwhere(true)[:, 2].mean())
    other = masks["spleen" if class_id != "spleen" else "liver"]
    judge = judge_of(usual, masks, class_id)
    for wrong in (half, other, true | other, np.zeros(SHAPE, bool)):
        assert judge.judge(volume, class_id, [wrong, true]).choice == 1
        verdict = judge.judge(volume, class_id, [true, wrong])
        assert verdict.choice == 0
        assert verdict.confidence > 0.6


def test_alike_candidates_cannot_be_told_apart(usual):
    volume, masks = phantom(0)
    near = masks["liver"].copy()
    near[tuple(np.argwhere(near)[0])] = False
    verdict = judge_of(usual, masks).judge(volume, "liver", [masks["liver"], near])
    assert verdict.choice is None
    assert verdict.evidence["alike"]
    assert judge_of(usual).judge(volume, "liver", []).choice is None


def test_among_alike_winners_the_first_is_taken(usual):
    volume, masks = phantom(0)
    near = masks["spleen"].copy()
    near[tuple(np.argwhere(near)[0])] = False
    wrong = np.roll(masks["spleen"], 9, axis=0)
    judge = judge_of(usual, masks, "spleen")
    assert judge.judge(volume, "spleen", [wrong, near, masks["spleen"]]).choice == 1


def test_between_two_bad_ones_it_is_not_sure(usual):
    volume, masks = phantom(0)
    one, two = (np.roll(masks["kidney_left"], n, axis=2) for n in (1, -1))
    judge = judge_of(usual, masks, "kidney_left")
    verdict = judge.judge(volume, "kidney_left", [one, two])
    assert verdict.confidence < judge.config.mend_confidence
    blind = AnatomyJudge(Usual({}, Layout({})), ANATOMY)
    verdict = blind.judge(volume, "kidney_left", [masks["kidney_left"], one])
    assert verdict.choice is None


def test_probabilities_tell_borders_apart(usual):
    """Shape and place do not: half a voxel is within what is usual."""
    volume, masks = phantom(0)
    true = masks["liver"]
    wide = ndimage.binary_dilation(true)
    array = probability_box(soft(true, 5))
    supports = {"liver": Support(array.box, array.array)}
    known = Usual(usual.profiles, usual.layout, {"liver": 0.6})
    without, with_them = (
        AnatomyJudge(known, ANATOMY, supports=s).judge(volume, "liver", [wide, true])
        for s in ({}, supports)
    )
    assert with_them.choice == 1
    gain = [m["score"] for m in with_them.evidence["marks"]]
    base = [m["score"] for m in without.evidence["marks"]]
    assert gain[1] - gain[0] > base[1] - base[0] + 0.5


def test_no_more_credit_than_trusted_labels_get(usual):
    volume, masks = phantom(0)
    hard = probability_box(masks["liver"].astype(np.float32))
    supports = {"liver": Support(hard.box, hard.array)}
    s = Structure.of("liver", masks["liver"], AFFINE)
    scores = [
        AnatomyJudge(Usual(usual.profiles, usual.layout, {"liver": step}), ANATOMY, supports=found)
        .mark(volume, "liver", s)
        .score
        for step, found in ((0.5, supports), (0.5, {}))
    ]
    assert scores[0] - scores[1] == pytest.approx(JudgeConfig().step_weight * 0.5 * 1.3)


def test_outside_the_field_of_view_empty_wins(usual):
    """Only the dome of the liver is in the scan; the kidneys lie far below."""
    volume, masks = phantom(0)
    first = 17
    affine = AFFINE.copy()
    affine[:3, 3] = AFFINE[:3, :3] @ [0, 0, first] + AFFINE[:3, 3]
    cut = Volume(volume.array[..., first:], affine)
    dome = masks["liver"][..., first:]
    assert dome.any()
    context = {"liver": Structure.of("liver", dome, affine)}
    judge = AnatomyJudge(usual, ANATOMY, JudgeConfig(), context=context)
    blob, empty = np.zeros(cut.shape, bool), np.zeros(cut.shape, bool)
    blob[20:23, 8:11, 2:4] = True
    verdict = judge.judge(cut, "kidney_right", [blob, empty])
    assert verdict.choice == 1
    assert verdict.reason == "the class lies outside the scan"
    whole = judge_of(usual, masks, "kidney_right")
    assert (
        whole.judge(volume, "kidney_right", [masks["kidney_right"], masks["liver"] & False]).choice
        == 0
    )


def test_without_trusted_labels_the_rules_still_decide():
    volume, masks = phantom(0)
    judge = AnatomyJudge(
        Usual({}, Layout({})), ANATOMY,
        context={c: Structure.of(c, masks[c], AFFINE) for c in ("liver", "spleen")},
    )  # fmt: skip
    wrong = masks["kidney_left"] | masks["spleen"]
    assert judge.judge(volume, "kidney_left", [wrong, masks["kidney_left"]]).choice == 1


def test_profiles_survive_the_trip_and_stand_wrong_labels(usual):
    profile = usual.profiles["liver"]
    again = ShapeProfile.of_plain(profile.plain())
    vector = profile.centre + 3 * profile.scale
    assert again.distance(vector) == profile.distance(vector) > 2
    assert profile.distance(profile.centre) == 0
    rng = np.random.default_rng(0)
    good = [rng.normal(size=len(FEATURES)) for _ in range(60)]
    bad = [np.full(len(FEATURES), 50.0)] * 15
    clean, dirty = learn_profile("a", good), learn_profile("a", good + bad)
    assert np.abs(clean.centre - dirty.centre).max() < 0.8
    assert learn_profile("a", good[:4]) is None
    assert learn_profile("a", [*good, np.full(len(FEATURES), np.nan)]).n == 60
    assert profile.distance(np.full(len(FEATURES), np.nan)) == np.inf


def test_a_layout_is_that_of_a_plain_loop():
    rng = np.random.default_rng(1)
    cases = [
        {c: rng.normal(20 * k, 9, 3) for k, c in enumerate("abcd") if rng.random() < 0.9 - 0.2 * k}
        for _ in range(30)
    ]
    cases[3]["a"] = np.full(3, np.nan)
    found = learn_layout(iter(cases), minimum_n=15).offsets
    for a, b in permutations("abcd", 2):
        apart = [case[b] - case[a] for case in cases if a in case and b in case]
        apart = [x for x in apart if np.isfinite(x).all()]
        assert ((a, b) in found) is (len(apart) >= 15)
        if (a, b) in found:
            np.testing.assert_array_equal(found[a, b][0], np.median(apart, axis=0))
    assert 0 < len(found) < 12


def test_layout_expects_where_the_others_say():
    cases = [{"a": np.array([n, 0.0, 0.0]), "b": np.array([n + 10.0, 5.0, 0.0])} for n in range(6)]
    layout = Layout.of_plain(learn_layout(cases).plain())
    place, scatter = layout.expected("b", {"a": np.array([100.0, 0.0, 0.0])})
    assert place.tolist() == [110.0, 5.0, 0.0]
    assert (scatter >= 4.0).all()
    assert layout.expected("b", {}) is None
    assert layout.distance("b", np.array([110.0, 5.0, 0.0]), {"a": np.array([100.0, 0, 0])}) == 0
    assert learn_layout(cases[:3]).offsets == {}
    assert oddity(None, None) is None
    assert oddity(1.0, 1.0) == pytest.approx(1.0)


def test_features_do_not_depend_on_storage_or_origin():
    volume, masks = phantom(0)
    s = Structure.of("liver", masks["liver"], AFFINE)
    one = features(s, volume.array, body_frame(volume.array, AFFINE))
    flip = np.diag([1.0, -1, 1, 1])
    flip[1, 3] = SHAPE[1] - 1
    moved = AFFINE @ flip
    moved[:3, 3] += (100, -50, 30)
    array = np.flip(volume.array, 1)
    t = Structure.of("liver", np.flip(masks["liver"], 1), moved)
    two = features(t, array, body_frame(array, moved))
    names = list(FEATURES)
    for n, name in enumerate(names):
        assert two[n] == pytest.approx(one[n], abs=0.25 * list(FEATURES.values())[n]), name
    assert one[names.index("log_ml")] == pytest.approx(np.log(s.ml))
    assert one[names.index("hu_median")] == pytest.approx(110, abs=3)
    assert np.isnan(
        features(
            Structure.of("liver", np.zeros(SHAPE, bool), AFFINE), array, body_frame(array, moved)
        )
    ).all()


def test_a_ball_is_round_and_smooth():
    grid = np.indices((31, 31, 31)) - 15
    ball = (grid**2).sum(0) <= 13**2
    s = Structure.of("liver", ball, np.eye(4))
    vector = features(s, np.zeros(ball.shape), body_frame(np.zeros(ball.shape), np.eye(4)))
    found = dict(zip(FEATURES, vector, strict=True))
    assert found["long"] == pytest.approx(0, abs=0.01)
    assert found["flat"] == pytest.approx(0, abs=0.01)
    assert found["rough"] == pytest.approx(np.log(1.5), abs=0.05)  # voxel faces of a ball
    assert found["loose_share"] == 0
