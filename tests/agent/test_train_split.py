"""Which cases ``voxcurate train`` holds out, and what its plan tells of a person's settings."""

from dataclasses import replace
from pathlib import Path

from agent.training_cases import ReadCase
from agent.training_job import How, _with_own
from agent.training_split import held_out, linked, unseen_only
from training.config import TrainingConfig
from voxcurate.config import build


def people(n):
    """Cases of so many patients, two each."""
    return [
        ReadCase(f"c{k}_{m}", f"person_{k}", "CT", "CC0", "", "", (4, 4, 4), ())
        for k in range(n)
        for m in range(2)
    ]


def test_patients_that_trained_the_ancestor_are_not_held_out_while_there_are_others():
    cases, how = people(10), How(Path("bundle"), hold_out=0.3)
    (plain,) = held_out(cases, how)
    assert len(plain) == 6
    seen = {case.patient for case in cases if case.case_id in plain}
    (found,) = held_out(cases, how, seen)
    assert len(found) == 6
    assert not found & plain
    all_but_one = {f"person_{k}" for k in range(9)}
    assert held_out(cases, how, all_but_one) == [{"c9_0", "c9_1"}]  # rather fewer than known ones
    everybody = {case.patient for case in cases}
    assert held_out(cases, how, everybody) == [plain]  # and that is said (`_told_by`)
    own_holdouts = everybody - seen  # what a bundle held out stays held out when it goes on
    assert held_out(cases, how, own_holdouts) == [plain]


def test_scans_without_labels_of_held_out_patients_teach_nothing():
    cases = people(3)
    (held,) = held_out(cases, How(Path("bundle"), hold_out=0.3))
    raw = [replace(case, case_id=f"raw_{case.case_id}") for case in cases]
    left = unseen_only(raw, cases, held)
    assert len(left) == 4
    assert not {case.case_id.removeprefix("raw_") for case in left} & held
    assert unseen_only(raw, cases, frozenset()) == raw


def test_patients_who_share_a_scan_are_one_patient():
    scans = ["a", "b", "b", "c", "d", "c"]
    cases = [replace(case, sha256=scan) for case, scan in zip(people(3), scans, strict=True)]
    assert [case.patient for case in cases] == [f"person_{n}" for n in (0, 0, 1, 1, 2, 2)]
    found = linked(cases)
    assert len({case.owner for case in found}) == 1
    for share in (0.2, 0.5, 0.8):
        (held,) = held_out(found, How(Path("bundle"), hold_out=share))
        assert held == frozenset()  # never parts of one patient on both sides
    raw = [replace(case, case_id=f"raw_{n}", patient=f"x{n}", sha256=s)
           for n, (case, s) in enumerate(zip(cases, "aefghi", strict=True))]  # fmt: skip
    several = [replace(case, sha256=str(n)) for n, case in enumerate(people(3))]
    several[0] = replace(several[0], sha256="a")
    both = linked([*several, *raw])
    left = unseen_only(both[6:], both[:6], frozenset({"c0_1"}))
    assert [case.case_id for case in left] == [f"raw_{n}" for n in range(1, 6)]
    taught = {"person_0"}  # known to the model under one of two names
    two = linked([replace(case, sha256="a") for case in people(2)] + people(4)[4:])
    (held,) = held_out(two, How(Path("bundle"), hold_out=0.5), taught)
    assert not held & {"c0_0", "c0_1", "c1_0", "c1_1"}


def test_what_is_set_by_hand_stands_in_the_place_of_what_was_planned():
    own = {"batch": 1, "grid": {"spacing_mm": [8, 8, 8]}, "learning_rate": 0.1}
    training = build(TrainingConfig, own)
    planned = ("spacing 7 x 8 x 9 mm: the scans' own", "batch 2: many voxels", "4 steps: asked for")
    told = ("spacing 8 x 8 x 8 mm: set by hand", "batch 1: set by hand", "4 steps: asked for",
            "set by hand: learning_rate")  # fmt: skip
    assert _with_own(planned, own, training) == told
    assert _with_own(told, own, training) == told  # a call that goes on
    assert _with_own(planned, {}, training) == planned
