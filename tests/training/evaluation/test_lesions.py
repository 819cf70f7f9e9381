"""Lesions found, missed, split and merged; sizes; figures over patients; the curve by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import oblique_affine
from tests.training.evaluation.worlds import SHAPE, SPACING, ball, row, score
from training.evaluation.config import EvaluateConfig, MatchConfig
from training.evaluation.detection import detection
from training.evaluation.lesion_tables import shown_lesion_groups
from training.evaluation.lesions import detect, size_class
from training.evaluation.summary import summarise
from voxcurate.classes import load_vocabulary

AFFINE = oblique_affine(SPACING)
RULES = MatchConfig(minimum_ml=0.0)
ONE, TWO = ball((12, 15, 16), 7), ball((35, 44, 50), 8)
NOTHING = np.zeros(SHAPE, bool)


def states(truth, predicted, config=RULES, **more):
    found = detect(truth, predicted, AFFINE, config, **more)
    return [x["state"] for x in found["truth"]], [x["state"] for x in found["predicted"]]


def test_found_missed_and_false():
    assert states(ONE | TWO, TWO) == (["found", "missed"], ["hit"])
    assert states(ONE, ONE | TWO) == (["found"], ["false", "hit"])
    assert states(NOTHING, ONE) == ([], ["false"])
    assert states(ONE, NOTHING) == (["missed"], [])
    assert states(NOTHING, NOTHING) == ([], [])


def test_a_split_lesion_is_found_once_and_its_pieces_are_not_false():
    cut = TWO.copy()
    cut[35] = False
    assert states(TWO, cut) == (["found"], ["hit", "split"])
    scrap = TWO.copy()
    scrap[30:37] = False
    assert states(TWO, scrap) == (["found"], ["hit", "split"])


def test_merged_lesions_are_one_found_and_one_merged():
    pair = ball((14, 28, 30), 7) | ball((32, 28, 30), 9)
    bridge = pair.copy()
    bridge[14:33, 18:20, 14:16] = True
    assert states(pair, bridge) == (["found", "merged"], ["hit"])


@pytest.mark.parametrize(("hit", "found"), [("iou", False), ("voxel", True), ("centre", False)])
def test_the_rule_decides(hit, found):
    beside = ball((35, 44, 37), 8)  # shares a rim with the second ball
    assert (beside & TWO).any()
    rules = MatchConfig(minimum_ml=0.0, hit=hit)
    assert states(TWO, beside, rules)[0] == ["found" if found else "missed"]


def test_as_many_pairs_as_possible():
    """The large prediction overlaps both lesions, the small one only the larger of them: greedy by
    overlap would give it away."""
    truth, mine = np.zeros((40, 5, 5), bool), np.zeros((40, 5, 5), bool)
    truth[2:10, 1:4, 1:4] = True
    truth[12:30, 1:4, 1:4] = True
    mine[6:26, 1:4, 1:4] = True
    mine[28:30, 1:4, 1:4] = True
    rules = MatchConfig(minimum_ml=0.0, hit="voxel")
    found = detect(truth, mine, np.eye(4), rules)
    assert [x["state"] for x in found["truth"]] == ["found", "found"]
    assert [x["iou"] for x in found["truth"]] == [pytest.approx(2 / 18, abs=1e-4),
                                                  pytest.approx(4 / 24, abs=1e-4)]  # fmt: skip


def test_specks_count_neither_way():
    rules = MatchConfig(minimum_ml=0.5)
    speck = ball((35, 10, 10), 3)  # 0.1 mL
    assert states(ONE | speck, ONE, rules) == (["found"], ["hit"])
    large = ball((35, 10, 10), 6)  # its centre lies in a speck of the truth
    assert states(ONE | speck, ONE | large, rules)[1] == ["hit", "ignored"]
    known = np.ones(SHAPE, bool)
    known[25:] = False
    assert states(ONE, ONE | large, rules, known=known)[1] == ["hit", "ignored"]


def test_sizes():
    found = detect(ONE | TWO, NOTHING, AFFINE, RULES)["truth"]
    assert found[0]["diameter_mm"] == pytest.approx(16, abs=2)
    assert found[1]["diameter_mm"] == pytest.approx(14, abs=2)
    by_volume = MatchConfig(minimum_ml=0.0, diameter="sphere")
    exact = detect(TWO, NOTHING, AFFINE, by_volume)["truth"][0]
    assert exact["diameter_mm"] == pytest.approx(16, abs=0.4)
    assert [size_class(d, RULES) for d in (19.9, 20, 40, 40.1)] == [
        "small", "medium", "medium", "large",
    ]  # fmt: skip


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_pairs_are_one_to_one(seed):
    rng = np.random.default_rng(seed)
    truth, mine = (rng.random((9, 7, 8)) < 0.12 for _ in range(2))
    for hit in ("iou", "voxel", "centre"):
        a, b = states(truth, mine, MatchConfig(minimum_ml=0.0, hit=hit))
        assert a.count("found") == b.count("hit")
        flipped = states(truth[::-1], mine[::-1], MatchConfig(minimum_ml=0.0, hit="iou"))
        if hit == "iou":
            assert sorted(flipped[0]) == sorted(a)


def lesion(size, state, diameter=10.0):
    return {"ml": 1.0, "diameter_mm": diameter, "size": size, "state": state, "iou": 0.5}


def case(truth=(), predicted=(), scores=(), hits=(), soft=True):
    lesions = {
        "truth": list(truth), "predicted": list(predicted), "scores": list(scores),
        "hits": [list(h) for h in hits], "ignored": [False] * len(scores),
        "lesions_ml": [1.0] * len(truth),
    }  # fmt: skip
    return {**row(0.5), "voxels": 100 * len(truth), "lesions": lesions, "is_soft": soft}


CONFIG = EvaluateConfig(bootstrap=200)


def test_an_empty_part_of_a_scan_makes_no_negative_patient():
    """What lies outside of it is unknown; a lesion inside is a lesion, and false ones count."""
    part = {"is_partial": True}
    scores = {
        "a": {**case([], [lesion("small", "false")]), **part},
        "b": {**case([lesion("small", "found")], [lesion("small", "hit")]), **part},
        "c1": case(),
        "c2": {**case(), **part},
        "d": case(),
    }
    told = detection(scores, {"c1": "c", "c2": "c"}, CONFIG, seed=0)
    assert told["patients"] == {"positive": 1, "negative": 1, "neither": 2}
    assert (told["specificity"]["n"], told["specificity"]["share"]) == (1, 1.0)
    assert told["false_per_scan"]["all"]["share"] == pytest.approx(1 / 5)


def test_figures_by_hand():
    """Patient p has two scans; q one lesion, missed; r and s none, r with a false positive."""
    scores = {
        "p1": case(
            [lesion("small", "found"), lesion("large", "missed", 50)], [lesion("small", "hit")]
        ),
        "p2": case([lesion("small", "missed")], [lesion("small", "false")]),
        "q": case([lesion("medium", "merged", 25)], [lesion("small", "split")]),
        "r": case([], [lesion("large", "false", 60), lesion("small", "false")]),
        "s": case(),
    }
    patients = {"p1": "p", "p2": "p"}
    told = detection(scores, patients, CONFIG, seed=0)
    assert told["patients"] == {"positive": 2, "negative": 2, "neither": 0}
    assert (told["sensitivity"]["all"]["n"], told["sensitivity"]["all"]["share"]) == (4, 0.25)
    assert told["sensitivity"]["small"]["share"] == 0.5
    assert told["sensitivity"]["large"]["share"] == 0
    assert told["patient_sensitivity"]["all"]["share"] == 0.5
    assert told["patient_sensitivity"]["large"]["share"] == 1  # p's largest lesion is large
    assert told["patient_sensitivity"]["small"]["n"] == 0
    assert told["specificity"]["share"] == 0.5
    assert told["false_per_scan"]["all"]["share"] == pytest.approx(3 / 5)
    assert told["false_per_scan"]["large"]["share"] == pytest.approx(1 / 5)
    assert told["precision"]["share"] == pytest.approx(1 / 4)
    kind = MatchConfig(merged_is_found=True, split_is_false=True)
    other = detection(scores, patients, CONFIG.model_copy(update={"match": kind}), seed=0)
    assert other["sensitivity"]["all"]["share"] == 0.5
    assert other["precision"]["share"] == pytest.approx(1 / 5)


def test_subgroups_of_lesions():
    """Women: two of three lesions in one of two patients; men: no lesion, one is false."""
    found, missed = lesion("small", "found"), lesion("small", "missed")
    false = lesion("small", "false")
    scores = {
        "a": {"liver_tumor": case([found, found])}, "b": {"liver_tumor": case([missed])},
        "c": {"liver_tumor": case([], [false])}, "d": {"liver_tumor": case()},
    }  # fmt: skip
    groups = {"sex": {"a": "f", "b": "f", "c": "m", "d": "m"}}
    told = summarise(scores, CONFIG, load_vocabulary(), patients={}, groups=groups, seed=0)
    rows = {(r["value"], r["metric"]): r for r in told["subgroups"] if "_se" in r["metric"]}
    assert set(rows) == {("f", "lesion_sensitivity"), ("f", "patient_sensitivity")}
    women = rows["f", "lesion_sensitivity"]
    assert (women["n"], women["mean"], women["patients"]) == (3, pytest.approx(2 / 3, abs=1e-6), 2)
    assert rows["f", "patient_sensitivity"]["mean"] == 0.5
    (men,) = [r for r in told["subgroups"] if r["metric"] == "specificity"]
    assert (men["value"], men["n"], men["mean"], men["is_few"]) == ("m", 2, 0.5, True)
    shown = shown_lesion_groups({"name": "net", **told}, "liver_tumor").shown
    assert [row[:4] for row in shown] == [["sex", "f", "2 (few)", "3"], ["", "m", "2 (few)", "0"]]
    assert shown[0][4].startswith("67 %")


def test_specks_alone_make_a_patient_neither():
    scores = {"a": {**case(), "voxels": 3}, "b": case()}
    told = detection(scores, {}, CONFIG, seed=0)
    assert told["patients"] == {"positive": 0, "negative": 1, "neither": 1}


def test_the_curve_by_hand():
    """Two scans, three lesions: hits at .9 and .4, false positives at .8 and .3."""
    scores = {
        "a": case([lesion("small", "found"), lesion("small", "missed")], scores=(0.9, 0.8, 0.4),
                  hits=((0,), (), (1,))),
        "b": case([lesion("small", "missed")], scores=(0.3,), hits=((),)),
    }  # fmt: skip
    froc = detection(scores, {}, CONFIG, seed=0)["froc"]
    assert froc["curve"]["thresholds"] == [None, 0.9, 0.8, 0.4, 0.3]
    assert froc["curve"]["false_per_scan"] == [0, 0, 0.5, 0.5, 1.0]
    assert froc["curve"]["sensitivity"] == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3], abs=1e-6)
    wanted = {"0.125": 1 / 3, "0.25": 1 / 3, "0.5": 2 / 3, "1": 2 / 3, "8": 2 / 3}
    assert {k: froc["sensitivity"][k] for k in wanted} == pytest.approx(wanted, abs=1e-6)
    assert froc["mean"] == pytest.approx((2 / 3 + 5 * 2 / 3) / 7, abs=1e-6)


def test_no_lesion_has_no_curve():
    assert detection({"a": case()}, {}, CONFIG, seed=0)["froc"] is None


def test_soft_predictions_give_candidates():
    probability = np.where(ONE, 0.9, 0.0) + np.where(TWO, 0.3, 0.0)
    config = CONFIG.model_copy(update={"match": RULES})
    found = score(ONE | TWO, probability, config=config, is_lesion=True)["lesions"]
    assert [x["state"] for x in found["truth"]] == ["missed", "found"]
    assert found["scores"] == pytest.approx([0.9, 0.3], abs=0.01)
    assert found["hits"] == [[1], [0]]  # lesions by falling volume
    told = detection({"a": {**row(0.5), "lesions": found, "is_soft": True}}, {}, CONFIG, seed=0)
    assert told["froc"]["curve"]["sensitivity"][-1] == 1
