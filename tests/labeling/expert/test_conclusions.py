"""What becomes of a label: who is believed, and how sure one has to be."""

from types import SimpleNamespace

import numpy as np
import pytest

from labeling.config import JudgeConfig
from labeling.expert.conclusions import (
    Answer,
    drawn_first,
    exchanged_together,
    together,
    verdict_of,
)
from labeling.expert.suspicion import Suspicion, sound_places, telling_numbers
from labeling.structures import Structure
from voxcurate.protocols import Verdict

ORIGINALS = JudgeConfig(auto_mend=("original", "pseudo", "judged"))
MASK = np.ones((2, 2, 2), bool)
SURE = {"tot_no_overlap": 0.9, "doubt": 0.9, "rules": 0.95}


def mark(score, oddity=1.0, weight=0.0):
    return {"score": score, "oddity": oddity, "weight": weight, "in_view": True}


def answer(class_id, **scores):
    """The candidates with their scores; the best is chosen."""
    marks = [mark(s) for s in scores.values()]
    values = [m["score"] for m in marks]
    entries = [(name, Structure.of(class_id, MASK, np.eye(4))) for name in scores]
    best = int(np.argmax(values))
    return Answer(
        class_id, entries, Verdict(best, 0.99, "the best", {"marks": marks, "scores": values})
    )


def choice_of(found):
    return found.entries[found.verdict.choice][0]


def test_a_repaired_drawing_comes_before_a_model_that_is_hardly_better():
    hardly = drawn_first(answer("liver", current=-30, ensemble=1, largest_piece=0), ORIGINALS)
    assert choice_of(hardly) == "largest_piece"
    assert hardly.verdict.confidence > 0.99
    clearly = drawn_first(answer("liver", current=-30, ensemble=5, largest_piece=0), ORIGINALS)
    assert choice_of(clearly) == "ensemble"
    filled = drawn_first(answer("liver", current=-30, ensemble=1, filled=0), ORIGINALS)
    assert choice_of(filled) == "ensemble"
    kept = drawn_first(answer("liver", current=3, ensemble=1, largest_piece=2), ORIGINALS)
    assert choice_of(kept) == "current"


def test_sides_are_exchanged_together_or_not_at_all():
    pairs = {"kidney_left": "kidney_right", "kidney_right": "kidney_left"}
    left = answer("kidney_left", current=-30, ensemble=1, exchanged=1.5)
    right = answer("kidney_right", current=-30, ensemble=1, exchanged=-2.0)
    both = {"kidney_left": left, "kidney_right": right}
    found = exchanged_together(both, pairs, ORIGINALS)
    assert {choice_of(a) for a in found.values()} == {"exchanged"}
    worse = answer("kidney_right", current=-30, ensemble=6, exchanged=-2.0)
    found = exchanged_together({**both, "kidney_right": worse}, pairs, ORIGINALS)
    assert choice_of(found["kidney_right"]) == "ensemble"
    good = answer("kidney_right", current=1, ensemble=0, exchanged=-30)
    found = exchanged_together({**both, "kidney_right": good}, pairs, ORIGINALS)
    assert choice_of(found["kidney_right"]) == "current"
    alone = answer("liver", current=-30, ensemble=1, largest_piece=1.5)
    assert exchanged_together({"liver": alone}, {"liver": ""}, ORIGINALS) == {"liver": alone}


def verdict(parts, *, winner=None, dsc=0.0, confidence=0.99, origin="original", config=ORIGINALS):
    label = SimpleNamespace(origin=origin, gold=False, confirmed=False, voxels=100)
    suspicion = Suspicion("a", {}, parts)
    row = {
        "choice": 1,
        "confidence": confidence,
        "evidence": {"marks": [mark(-30), winner or mark(1)]},
        "names": ["current", "ensemble"],
        "dsc_with_first": [1.0, dsc],
        "file": SimpleNamespace(voxels=100),
    }
    return verdict_of(config, row, label, suspicion)


def test_a_usual_winner_replaces_what_is_surely_wrong():
    assert verdict(SURE) == ("replace", False)
    assert verdict({"rules": 0.7}) == ("to_review", False)
    assert verdict(SURE, confidence=0.7) != ("replace", False)
    assert verdict(SURE, confidence=0.7, dsc=0.9) == ("keep", False)
    assert verdict(SURE, config=JudgeConfig()) == ("to_review", False)


@pytest.mark.parametrize("winner", [mark(1, oddity=4.0), mark(1, weight=0.9)])
def test_only_models_and_another_witness_remove_a_drawing(winner):
    assert verdict(SURE, winner=winner) == ("remove", True)
    assert verdict(SURE, winner=winner, dsc=0.4) == ("to_review", False)
    blind = {"rules": 0.95, "shape": 0.99}
    assert verdict(blind, winner=winner) == ("to_review", False)
    assert verdict({"tot_no_overlap": 0.99}, winner=winner) == ("to_review", False)


def test_a_doubtful_or_mended_neighbour_does_not_speak_against_a_drawing():
    def row(class_id, origin, centroid=(0, 0, 0)):
        return {
            "class_id": class_id,
            "origin": origin,
            "gold": False,
            "confirmed": False,
            "centroid": centroid,
        }

    rows = [row("liver", "original"), row("spleen", "judged"), row("aorta", "original"),
            row("stomach", "original", None)]  # fmt: skip
    quiet = {"liver": {}, "spleen": {"doubt": 0.1}, "aorta": {"rules": 0.1}, "stomach": {}}
    found = sound_places(rows, quiet, 0.5)
    assert set(found[True]) == {"liver", "aorta"}
    assert set(found[False]) == {"liver", "aorta", "spleen"}
    found = sound_places(rows, {**quiet, "aorta": {"rules": 0.9}}, 0.5)
    assert set(found[True]) == {"liver"}


def test_labels_that_were_mended_still_count_for_what_is_usual():
    plain = {"dsc": 0.8, "label_ml": 90.0}
    rows = [{"class_id": "liver", "origin": "original", "gold": False, "confirmed": False,
             "comparison": plain}]  # fmt: skip
    found = telling_numbers({"a": {"rows": rows}}, {"liver": np.array([[0.2, 80.0]])})
    assert found["liver"].tolist() == [[0.8, 90.0], [0.2, 80.0]]


def row_of(choice, names, *, confidence=0.5, marks=None, dsc=0.0, **evidence):
    marks = marks or [mark(-30, oddity=6.0, weight=2.0), *[mark(1)] * (len(names) - 1)]
    return {
        "choice": choice,
        "confidence": confidence,
        "evidence": {"marks": marks, **evidence},
        "names": names,
        "dsc_with_first": [1.0, *[dsc] * (len(names) - 1)],
        "file": SimpleNamespace(voxels=100),
    }


def original(parts, row, **more):
    label = SimpleNamespace(origin="original", gold=False, confirmed=False, voxels=100)
    suspicion = Suspicion("a", {}, parts) if parts else None
    return verdict_of(ORIGINALS, row, label, suspicion, **more)[0]


def test_a_suspect_label_that_stands_alone_is_not_kept():
    alone = row_of(0, ["current"])
    assert original({"rules": 0.6}, alone) == "to_review"
    assert original(None, alone) == "keep"  # nobody suspects it


def test_what_is_surely_wrong_and_odd_is_not_kept_because_the_rest_is_worse():
    two = ["current", "ensemble"]
    assert original(SURE, row_of(0, two)) == "to_review"
    assert original({"rules": 0.6}, row_of(0, two)) == "keep"
    assert original(SURE, row_of(0, two, marks=[mark(1), mark(0)])) == "keep"  # a usual one


def test_nothing_is_mended_where_the_judge_cannot_tell_or_a_model_calls_all_bad():
    two = ["current", "ensemble"]
    assert original(SURE, row_of(None, two)) == "to_review"
    assert original(SURE, row_of(None, two, both_bad=True)) == "to_review"
    sure = {"confidence": 0.99}
    assert original(SURE, row_of(1, two, **sure)) == "replace"
    bad = {"both_bad": True}
    assert original(SURE, row_of(1, two, **sure, vision=bad)) == "to_review"
    assert original(None, row_of(0, two, vision=bad)) == "to_review"
    assert original(SURE, row_of(None, two, alike=True)) == "keep"


@pytest.mark.parametrize("winner", [mark(1), mark(1, oddity=4.0)])
def test_a_lesion_that_a_person_drew_is_neither_replaced_nor_removed(winner):
    """A large one looks unusual, and models overlook small ones."""
    row = row_of(1, ["current", "ensemble"], confidence=0.99, marks=[mark(-30), winner])
    assert original(SURE, row) in ("replace", "remove")
    assert original(SURE, row, is_lesion=True) == "to_review"


PAIR = {"kidney_left": "kidney_right", "kidney_right": "kidney_left", "liver": ""}


def test_one_side_alone_is_never_exchanged():
    left = answer("kidney_left", current=-30, exchanged=2.0, ensemble=1)
    (found,) = exchanged_together({"kidney_left": left}, PAIR, ORIGINALS).values()
    assert choice_of(found) == "ensemble"
    none = answer("kidney_left", current=-30, exchanged=2.0, ensemble=-31)
    (found,) = exchanged_together({"kidney_left": none}, PAIR, ORIGINALS).values()
    assert found.verdict.choice is None
    assert "other side" in found.verdict.reason


def test_a_judge_without_scores_exchanges_both_sides_or_none():
    def seen(class_id, choice):
        entries = answer(class_id, current=0, exchanged=1).entries
        evidence = {"marks": [mark(0), mark(1)], "comparisons": []}
        return Answer(class_id, entries, Verdict(choice, 0.95, "seen", evidence))

    sides = ("kidney_left", "kidney_right")
    both = exchanged_together({c: seen(c, 1) for c in sides}, PAIR, ORIGINALS)
    assert {a.verdict.choice for a in both.values()} == {1}
    one = {"kidney_left": seen("kidney_left", 1), "kidney_right": seen("kidney_right", 0)}
    found = exchanged_together(one, PAIR, ORIGINALS)
    assert [found[c].verdict.choice for c in sides] == [None, 0]


def test_where_one_side_may_not_be_exchanged_people_exchange_both():
    rows = {c: {"choice": 1, "names": ["current", "exchanged"]} for c in list(PAIR)[:2]}
    rows["liver"] = {"choice": 1, "names": ["current", "ensemble"]}
    may = dict.fromkeys(rows, ("replace", False))
    assert together(rows, may, PAIR) == may
    found = together(rows, {**may, "kidney_right": ("to_review", False)}, PAIR)
    assert {c: v for c, (v, _) in found.items()} == {
        "kidney_left": "to_review", "kidney_right": "to_review", "liver": "replace"
    }  # fmt: skip
