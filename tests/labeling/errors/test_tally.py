"""Counts of errors, against counts on paper."""

from dataclasses import replace

import pytest

from labeling.errors.known import (
    KEPT,
    RIGHT,
    UNSEEN,
    confusion,
    read_known,
    write_known,
)
from labeling.errors.record import LabelError
from labeling.errors.tally import Looked, tallied
from voxcurate.errors import ConfigError

ERROR = LabelError(
    "c1", "liver", "a", 1, "label", "L1", "source", "merged", found_by=("models",), seen=(1,)
)


def made(**changes):
    return replace(ERROR, **changes)


def looked(n=100, *, rounds=(1, 2), scope="label", patients=50, **groups):
    labels = {(r, scope, "", ""): n for r in rounds}
    labels |= {(r, scope, d, v): m for r in rounds for d, own in groups.items()
               for v, m in own.items()}  # fmt: skip
    return Looked(labels, dict.fromkeys(labels, patients))


def test_an_error_counts_in_every_round_in_which_it_was_seen_and_is_new_in_one():
    tally = tallied([(made(seen=(1, 2)), "p1"), (made(case_id="c2", kind="missing"), "p2")])
    assert tally.count("kind", round=1) == {"merged": 1, "missing": 1}
    assert tally.count("kind", round=2) == {"merged": 1}
    assert tally.count("kind", new=True) == {"merged": 1, "missing": 1}
    assert tally.rate(looked(), 1).errors == 2
    assert tally.rate(looked(), 2).value == 10.0


def test_a_label_with_two_errors_is_one_wrong_label():
    drawing = made(scope="drawing", label_id="F1")
    tally = tallied([(drawing, "p1"), (replace(drawing, kind="misplaced"), "p1")])
    where = looked(10, scope="drawing")
    assert sum(tally.count(scope="drawing").values()) == 2
    assert tally.rate(where, 1, scope="drawing").errors == 1
    assert tally.rate(where, 1, "kind", "misplaced", "drawing").errors == 1


def test_what_is_kept_or_cleared_is_no_error():
    tally = tallied([(made(standing="kept"), "p1"), (made(standing="refuted"), "p1")])
    assert tally.rate(looked(), 1).errors == 0
    assert tally.count("standing", errors=False) == {"kept": 1, "refuted": 1}


def test_rates_are_of_the_labels_of_the_group():
    groups = looked(100, **{"class": {"liver": 20}, "source": {"a": 40}})
    tally = tallied([(ERROR, "p1")])
    assert tally.rate(groups, 1, "class", "liver").value == 50.0
    assert tally.rate(groups, 1, "source", "a").value == 25.0
    assert tally.rate(groups, 1, "kind", "merged").value == 10.0


def test_the_same_kind_class_and_source_again_after_it_was_mended():
    first = made(standing="mended", mended="repair", mended_round=1)
    second = made(case_id="c2", round=2, seen=(2,))
    elsewhere = made(case_id="c3", round=2, seen=(2,), source="b")
    (found,) = tallied([(first, "p1"), (second, "p2"), (elsewhere, "p3")]).recurrences()
    assert (found.kind, found.class_id, found.source) == ("merged", "liver", "a")
    assert found.by_round == {1: 1, 2: 1}
    assert found.relapses == 0
    unmended = tallied([(ERROR, "p1"), (second, "p2")])
    assert unmended.recurrences() == []


def test_what_came_back_is_kept_worst_first():
    back = made(round=2, seen=(2,), again="merged", again_round=1, probability=0.6)
    worse = replace(back, case_id="c2", probability=0.99)
    tally = tallied([(back, "p1"), (worse, "p2"), (made(case_id="c3"), "p3")])
    assert [e.case_id for e in tally.back] == ["c2", "c1"]
    assert (tally.n_again, tally.again_in[2, "label"]) == (2, 2)


def test_classes_whose_rate_does_not_fall_come_first():
    errors = [(made(case_id=f"c{n}", class_id="liver"), f"p{n}") for n in range(40)]
    errors += [
        (made(case_id=f"c{n}", class_id="spleen", round=2, seen=(2,)), f"p{n}") for n in range(40)
    ]
    counts = {"class": {"liver": 100, "spleen": 100}}
    trends = tallied(errors).trends(looked(200, patients=100, **counts))
    assert [(t.class_id, t.trend) for t in trends] == [("spleen", "rises"), ("liver", "falls")]


def test_costs_are_counted_once():
    tally = tallied([(made(seen=(1, 2), seconds=3.0, minutes=2.0, mended="repair"), "p1")])
    assert vars(tally.costs("mended")["repair"]) == {"n": 1, "seconds": 3.0, "minutes": 2.0}


def test_what_labels_were_taken_for():
    known = {
        ("c1", "liver"): "merged", ("c2", "liver"): "other_patient", ("c3", "liver"): "eroded",
        ("c4", "liver"): RIGHT, ("c5", "liver"): RIGHT, ("c6", "liver"): "missing",
    }  # fmt: skip
    errors = [
        ERROR, made(case_id="c2", kind="misplaced"), made(case_id="c4", standing="kept"),
        made(case_id="c5"), made(case_id="c5", round=2, kind="missing"),
        made(case_id="c3", drawn_by="ensemble"),
    ]  # fmt: skip
    found = confusion(known, [k for k in known if k[0] != "c6"], errors)
    assert found.counts == {
        ("merged", "merged"): 1, ("other_patient", "misplaced"): 1, ("eroded", UNSEEN): 1,
        (RIGHT, KEPT): 1, (RIGHT, "merged"): 1,
    }  # fmt: skip
    assert (found.wrong, found.found, found.named, found.accused) == (3, 2, 2, 1)
    assert found.truths == ["merged", "eroded", "other_patient", RIGHT]
    assert found.answers == ["misplaced", "merged", KEPT, UNSEEN]


def test_known_errors_are_written_and_read(tmp_path):
    known = {("c1", "liver"): "merged", ("c2", "spleen"): RIGHT}
    write_known(tmp_path / "known.csv", known)
    assert read_known(tmp_path / "known.csv") == known
    (tmp_path / "bad.csv").write_text("case_id,kind\nc1,merged\n")
    with pytest.raises(ConfigError, match="class_id"):
        read_known(tmp_path / "bad.csv")
    (tmp_path / "twice.csv").write_text("case_id,class_id,kind\nc1,liver,\nc1,liver,missing\n")
    with pytest.raises(ConfigError, match="twice"):
        read_known(tmp_path / "twice.csv")
