"""Folds by patient, and what "out of fold" means."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from training.rounds.models import folds, groups, taught_groups
from voxcurate.catalog import Scan


def scan(case_id, patient, duplicates):
    return Scan(case_id, "s", patient, duplicates, "train", "CT", "", "", [], [], [])


def test_patients_and_duplicates_make_one_group():
    scans = [scan("a", "p1", "d1"), scan("b", "p1", "d2"), scan("c", "p2", "d2"),
             scan("d", "p3", "d3")]  # fmt: skip
    found = groups(scans)
    assert found == {"a": "p1", "b": "p1", "c": "p1", "d": "p3"}
    assert groups(reversed(scans)) == found


def test_no_duplicate_group_joins_nobody():
    scans = [replace(scan(c, p, ""), duplicate_group="") for c, p in (("a", "x"), ("b", "y"))]
    assert groups(scans) == {"a": "x", "b": "y"}


@given(st.lists(st.integers(0, 12), min_size=1, max_size=40), st.integers(0, 5))
def test_folds_are_even_and_never_split_a_patient(people, seed):
    group_of = {f"c{n}": f"p{p}" for n, p in enumerate(people)}
    found = folds(group_of, 3, seed)
    by_person = {}
    for case_id, fold in found.items():
        assert by_person.setdefault(group_of[case_id], fold) == fold
    sizes = [list(by_person.values()).count(n) for n in range(3)]
    assert max(sizes) - min(sizes) <= 1


def test_a_patients_other_scan_is_not_out_of_fold():
    group_of = {"a": "p1", "b": "p1", "c": "p2"}
    taught = taught_groups(["a", "gone"], group_of)
    assert [group_of[case] in taught for case in "abc"] == [True, True, False]
