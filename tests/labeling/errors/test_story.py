"""Decisions told as label errors: what is found, what became of it, what comes back."""

from dataclasses import replace

import pytest

from labeling.errors.record import Past, Prices
from labeling.errors.story import drawn_by, errors_of, in_order
from labeling.errors.words import became, repeated, undoing
from labeling.expert.calibration import calibrated
from voxcurate.catalog import Decision, Label

PRICES = Prices(look=0.1, draw={"liver": 40.0})


def label(label_id, *, origin="original", round_number=0, ml=100.0, parent="", model_id=""):
    return Label(
        label_id, "c1", "liver", origin, parent, model_id, round_number, "p", "", "s", ml, 10
    )


def said(stage, verdict, label_id="L0", number=1, *, other="", actor="", evidence=None, **more):
    return Decision(
        f"{number}{stage}{verdict}{label_id}", number, stage, "c1", "liver", label_id, verdict,
        more.get("reason", ""), actor or stage, other, evidence or {}, more.get("cost", {}),
        f"2026-01-0{number}",
    )  # fmt: skip


def suspect(label_id="L0", number=1, chance=0.9, **comparison):
    known = {"label_ml": 100.0, "predicted_ml": 100.0, "dsc": 0.1, "best_class": "", **comparison}
    evidence = {
        "error_probability": chance, "kind": "tot_outlier", "parts": {"tot_outlier": chance},
        "comparison": known, "violations": [], "oddities": {},
    }  # fmt: skip
    return said("detect", "suspect_label", label_id, number, evidence=evidence)


def judged(verdict, label_id="L0", number=1, other="", name="ensemble", dsc=0.1):
    evidence = {
        "candidates": ["current", name], "choice": int(verdict in ("replace", "to_review")),
        "dsc_with_first": [1.0, dsc],
    }  # fmt: skip
    return said(
        "judge", verdict, label_id, number, other=other, evidence=evidence, actor="judge:shape"
    )


def told(*decisions, labels=(), pairs=None, seconds=None):
    known = {x.label_id: x for x in labels or (label("L0"),)}
    past = Past("c1", "set", "p1", decisions, known, {}, seconds or {})
    return errors_of(past, pairs or {}, PRICES)


JUDGED = label("J1", origin="judged", round_number=1, ml=90.0, parent="L0", model_id="ensemble")


def test_a_suspect_waits_until_somebody_decides():
    (error,) = told(suspect())
    assert (error.standing, error.mended, error.kind) == ("open", "", "misplaced")
    assert (error.scope, error.drawn_by, error.source) == ("label", "source", "set")
    assert error.found_by == ("models",)
    assert error.probability == round(calibrated(0.9), 4)  # written before it was calibrated
    assert "predictions agree far less" in error.witnesses[0]


def test_the_judge_mends_and_the_command_that_takes_it_back_is_told():
    (error,) = told(suspect(), judged("replace", other="J1"), labels=(label("L0"), JUDGED))
    assert (error.standing, error.mended, error.mended_round) == ("mended", "prediction", 1)
    assert (error.instead, error.chosen, error.by) == ("J1", "ensemble", "judge:shape")
    assert undoing(error).startswith("voxcurate labels undo c1 liver --to L0")
    assert became(error) == "replaced by a prediction (ensemble) in round 1, by judge:shape"


@pytest.mark.parametrize("name", ["filled", "largest_piece", "exchanged", "near_prediction_filled"])
def test_a_repair_is_told_from_a_replacement(name):
    found = told(suspect(), judged("replace", other="J1", name=name), labels=(label("L0"), JUDGED))
    assert found[0].mended == "repair"


def test_what_the_judge_keeps_is_no_error_but_is_remembered():
    (error,) = told(suspect(), judged("keep"))
    assert error.standing == "kept"
    assert not error.is_error


def test_a_person_settles_it():
    for verdict, standing, mended in (
        ("confirm", "refuted", ""), ("retire", "verified", "retired"),
        ("revised", "verified", "redrawn"), ("accept", "verified", "accepted"),
    ):  # fmt: skip
        answer = said("review", verdict, other="J1", actor="human:AB")
        found = told(suspect(), judged("to_review"), answer, labels=(label("L0"), JUDGED))
        assert (found[0].standing, found[0].mended, found[0].by) == (standing, mended, "human:AB")
        assert found[0].minutes == (40.0 if verdict == "revised" else 0.1)


def test_time_that_was_written_down_is_not_reckoned():
    answer = said("review", "revised", other="J1", cost={"seconds": 90})
    (error,) = told(suspect(), answer, labels=(label("L0"), JUDGED))
    assert error.minutes == 1.5


def test_a_person_who_takes_the_mending_back_clears_the_label():
    mend = judged("replace", other="J1")
    back = said("labels", "undo", "L0", 2, other="J1", actor="human:AB")
    (error,) = told(suspect(), mend, back, labels=(label("L0"), JUDGED))
    assert error.standing == "refuted"
    again = said("labels", "undo", "J1", 3, other="L0", actor="human:AB")
    (error,) = told(suspect(), mend, back, again, labels=(label("L0"), JUDGED))
    assert (error.standing, error.mended) == ("verified", "taken_back")


def test_a_person_finds_what_nobody_suspected():
    back = said("labels", "undo", "L0", other="J1", reason="cut off")
    (error,) = told(back, labels=(label("L0"), JUDGED))
    assert (error.label_id, error.found_by, error.standing) == ("J1", ("person",), "verified")


def test_seen_again_while_it_is_open_is_one_error():
    (error,) = told(
        suspect(), judged("to_review"), suspect(number=2), judged("to_review", number=2)
    )
    assert (error.round, error.seen, error.again) == (1, (1, 2), "")


def test_a_mended_error_that_comes_back_is_told():
    first = (suspect(), judged("replace", other="J1"))
    found = told(*first, suspect("J1", 2), labels=(label("L0"), JUDGED))
    assert [e.label_id for e in found] == ["L0", "J1"]
    assert (found[1].again, found[1].again_round, found[1].is_relapse) == ("misplaced", 1, True)
    told_so = "came back: the same kind was found in round 1 and mended; what mended it is at fault"
    assert repeated(found[1]) == told_so


def test_an_heir_of_what_was_mended_is_a_relapse_and_another_drawing_is_not():
    first = (suspect(), judged("replace", other="J1"))
    heir = label("R2", origin="revised", round_number=1, parent="J1")
    other = label("P2", origin="revised", round_number=1)
    for version, is_relapse in ((heir, True), (other, False)):
        found = told(*first, suspect(version.label_id, 2), labels=(label("L0"), JUDGED, version))
        assert (found[1].again, found[1].is_relapse) == ("misplaced", is_relapse)


def test_what_was_only_kept_or_cleared_does_not_come_back():
    assert not told(suspect(), judged("keep"), suspect(number=2, dsc=0.2))[0].again
    first = (suspect(), judged("replace", other="J1"))
    found = told(*first, suspect("J1", 2), judged("keep", "J1", 2), labels=(label("L0"), JUDGED))
    assert not found[1].again


def test_rules_take_pieces_from_a_drawing_and_specks_do_not_count():
    drawn = label("F1", origin="pseudo", round_number=1, ml=95.0)
    effect = {"rule": "single", "action": "removed", "ml": 20.0, "class_id": "liver"}
    (error,) = told(said("fuse", "rule_removed", "F1", evidence=effect), labels=(drawn,))
    assert (error.scope, error.kind, error.mended) == ("drawing", "disconnected", "rule")
    assert error.drawn_by == "ensemble"
    speck = {**effect, "ml": 2.0}
    assert told(said("fuse", "rule_removed", "F1", evidence=speck), labels=(drawn,)) == []


def test_a_doubtful_drawing_counts_only_if_the_judge_objects():
    drawn = label("F1", origin="pseudo", round_number=1)
    broken = said("fuse", "rule_broken", "F1", evidence={"broken": [
        {"rule": "gap", "detail": "12 mm are missing", "weight": 0.8},
    ]})  # fmt: skip
    assert told(broken, judged("keep", "F1"), labels=(drawn,)) == []
    (error,) = told(broken, judged("replace", "F1", other="J1"), labels=(drawn, JUDGED))
    assert (error.scope, error.found_by) == ("drawing", ("rules", "judge"))
    assert error.witnesses == ("12 mm are missing",)


def test_reports_and_readers_of_candidates_tell_false_positives():
    found = told(said("roc", "remove", other="J1", reason="the report says no"))
    assert (found[0].kind, found[0].mended, found[0].found_by) == (
        "false_positive", "report", ("report",),
    )  # fmt: skip
    erased = said("roc", "erase", evidence={"number": 3, "kind": "candidate"}, actor="human:AB")
    (error,) = told(erased)
    assert (error.kind, error.standing, error.scope) == ("false_positive", "verified", "drawing")
    (missed,) = told(said("roc", "missed", reason="the report says yes"))
    assert (missed.kind, missed.standing) == ("missing", "open")


def test_regions_that_models_contradict_are_ignored():
    region = {"regions": [{"side": "beside", "ml": 4.0}]}
    (error,) = told(
        said("regions", "leave_out", other="J1", evidence=region), labels=(label("L0"), JUDGED)
    )
    assert (error.kind, error.mended, error.instead) == ("cut_off", "ignored", "J1")


def test_the_order_of_the_decisions_does_not_matter():
    found = (
        suspect(), judged("replace", other="J1"), suspect("J1", 2), judged("to_review", "J1", 2),
        said("review", "revised", "J1", 2, other="R2"),
    )  # fmt: skip
    labels = (label("L0"), JUDGED, label("R2", origin="revised", round_number=2))
    assert told(*found, labels=labels) == told(*reversed(found), labels=labels)
    same = [replace(d, created="2026-01-01") for d in found[:2]]
    assert [d.stage for d in in_order(reversed(same))] == ["detect", "judge"]


def test_processor_time_is_shared_by_what_was_judged():
    (error,) = told(suspect(), judged("to_review"), seconds={1: 0.75})
    assert error.seconds == 0.75


def test_who_drew_a_label_is_told_in_one_word():
    models = {"m1": "unet"}
    whole = label("L0")
    for version, name in (
        (whole, "source"), (label("a", origin="revised"), "person"),
        (label("a", origin="pseudo", model_id="ensemble-12ab"), "ensemble"),
        (label("a", origin="judged", model_id="m1"), "unet"),
        (label("a", origin="judged", model_id="filled_without_neighbours"), "repair"),
        (label("a", origin="judged", model_id="refined_points"), "refinement"),
        (label("a", origin="judged", parent="L0"), "source"), (None, "nobody"),
    ):  # fmt: skip
        assert drawn_by(version, models, {"L0": whole}) == name
