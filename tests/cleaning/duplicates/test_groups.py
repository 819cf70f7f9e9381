"""Families, who stays, what becomes of labels, what leaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaning.duplicates.groups import (
    Standing,
    clusters,
    families,
    keep_one,
    leakage,
    settle,
)
from cleaning.duplicates.pairs import DuplicatePair


def shift(x):
    matrix = np.eye(4)
    matrix[0, 3] = x
    return matrix


def copy(one, other, kind="transformed", x=1.0):
    return DuplicatePair(*sorted((one, other)), kind, transform=shift(x))


def test_clusters_and_the_rule_that_keeps_one():
    assert clusters([("b", "c"), ("e", "f"), ("a", "c")]) == [("a", "b", "c"), ("e", "f")]
    assert clusters([]) == []
    ml = {"a": 2.0, "b": 1.0, "c": 1.0}
    assert keep_one("abc", n_labels={"a": 3, "b": 2}, voxel_ml=ml) == "a"
    assert keep_one("abc", n_labels={}, voxel_ml=ml) == "b"
    assert keep_one("abc", n_labels={}, voxel_ml=ml, source_rank={"b": 1}) == "c"
    assert keep_one("ac", n_labels={}, voxel_ml={}) == "a"


def test_in_a_chain_only_what_was_compared_with_the_keeper_leaves():
    chain = [copy("a", "b"), copy("b", "c")]
    assert families(chain) == [("a", "b", "c")]
    gone = settle(chain, {"b": Standing(n_labels=2)})
    assert [(d.scan, d.keeper) for d in gone] == [("a", "b"), ("c", "b")]
    gone = settle(chain, {"a": Standing(n_labels=2)})
    assert [(d.scan, d.keeper) for d in gone] == [("b", "a")]  # c shows what a does not
    asked = []
    gone = settle(
        chain,
        {"a": Standing(n_labels=2)},
        compare=lambda x, y: asked.append((x, y)) or copy(x, y),
    )
    assert asked == [("a", "c")]
    assert [(d.scan, d.keeper) for d in gone] == [("b", "a"), ("c", "a")]


def test_twins_stand_for_each_other():
    pairs = [copy("a", "b", "identical_pixels"), copy("a", "c", "identical_pixels"), copy("a", "d")]
    gone = settle(pairs, {"b": Standing(n_labels=1)})
    assert sorted((d.scan, d.keeper) for d in gone) == [("a", "b"), ("c", "b"), ("d", "b")]


def test_linked_scans_stay():
    pairs = [copy("a", "b", "same_patient"), copy("a", "c", "mirrored")]
    assert settle(pairs, {}) == []
    assert families(pairs) == []


def test_the_way_to_the_keeper_is_the_pairs_own_or_its_inverse():
    pairs = [copy("a", "b", x=5.0)]
    for keeper, gone, x in (("a", "b", 5.0), ("b", "a", -5.0)):
        (each,) = settle(pairs, {keeper: Standing(n_labels=9)})
        assert (each.scan, each.keeper) == (gone, keeper)
        assert each.to_keeper[0, 3] == pytest.approx(x)


def test_who_may_not_stay_leaves_first():
    gone = settle([copy("a", "b")], {"a": Standing(n_labels=9)}, may_stay=lambda scan: scan != "a")
    assert [(d.scan, d.keeper) for d in gone] == [("a", "b")]


def test_leaks_between_splits_are_reported():
    pairs = [copy("a", "b"), copy("c", "d", "same_patient"), copy("e", "f")]
    splits = {"a": "train", "b": "test", "c": "train", "d": "test", "e": "train", "f": "train"}
    (leak,) = leakage(pairs, splits, {"a": "one", "b": "two"})
    assert leak.as_dict() == {
        "members": ["a", "b"],
        "splits": ["test", "train"],
        "sources": ["one", "two"],
        "kinds": ["transformed"],
        "models": [],
    }
    models = {"m1": ["a", "x"], "m2": ["b"], "m3": ["c", "e"]}
    (leak,) = leakage(pairs, splits, trained=models)
    assert leak.models == ("m1", "m2")
    assert [x.members for x in leakage(pairs, splits, with_patients=True)] == [
        ("a", "b"),
        ("c", "d"),
    ]
    assert leakage(pairs, {}) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] != p[1]), max_size=25
    ),
    st.lists(st.integers(0, 4), min_size=10, max_size=10),
)
def test_whatever_leaves_is_a_copy_of_one_that_stays(edges, labels):
    pairs = [copy(f"s{a}", f"s{b}") for a, b in sorted({tuple(sorted(e)) for e in edges})]
    known = {(p.first, p.second) for p in pairs}
    gone = settle(pairs, {f"s{n}": Standing(n_labels=k) for n, k in enumerate(labels)})
    left = {d.scan for d in gone}
    assert len(left) == len(gone)
    for each in gone:
        assert each.keeper not in left
        assert tuple(sorted((each.scan, each.keeper))) in known
    assert all(set(members) - left for members in families(pairs))
