"""What becomes of a label: who is believed, and how sure one has to be."""

from types import SimpleNamespace

import numpy as np
import pytest

from labeling.config import JudgeConfig
from labeling.expert.conclusions import Answer, drawn_first, exchanged_together, verdict_of
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
    assert exchanged_together({"liver": left}, {"liver": ""}, ORIGINALS) == {"liver": left}


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
