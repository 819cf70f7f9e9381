"""The frozen splits: whole groups, every class where possible, stable for ever."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ingest.config import SplitConfig
from agent.ingest.register import duplicate_groups
from agent.ingest.split import Member, join, share_out
from voxcurate.errors import ConfigError

KEY = b"k" * 32
SHARES = SplitConfig()


def member(name, patient=None, group=None, truth=("liver",), split=None):
    links = (f"patient:{patient or name}", f"group:{group or name}")
    return Member(str(name), links, frozenset(truth), split)


def members_of(draw):
    letters = st.sampled_from("abcdef")
    number = draw(st.integers(0, 25))
    return [
        member(
            f"case{i}",
            patient=draw(letters) + str(i % 9),
            group=draw(letters) + str(i % 7),
            truth=draw(st.sets(st.sampled_from(["liver", "spleen", "report"]))),
        )
        for i in range(number)
    ]


collections = st.composite(members_of)()


@given(collections, st.randoms())
@settings(max_examples=60, deadline=None)
def test_groups_are_never_torn_and_the_order_does_not_matter(members, random):
    splits, bridges = share_out(members, SHARES, KEY)
    assert not bridges
    assert set(splits) == {m.case_id for m in members}
    for group in join(members):
        assert len({splits[m.case_id] for m in group.members}) == 1
    shuffled = list(members)
    random.shuffle(shuffled)
    assert share_out(shuffled, SHARES, KEY)[0] == splits


@given(collections)
@settings(max_examples=60, deadline=None)
def test_joining_is_the_closure_of_sharing_a_link(members):
    # slow reference: grow sets until nothing changes
    sets = [
        {m.case_id} | {o.case_id for o in members if set(o.links) & set(m.links)} for m in members
    ]
    changed = True
    while changed:
        changed = False
        for one in sets:
            for other in sets:
                if one & other and not other <= one:
                    one |= other
                    changed = True
    expected = {frozenset(one) for one in sets}
    assert {frozenset(m.case_id for m in g.members) for g in join(members)} == expected


def test_shares_and_classes_come_out_as_asked():
    members = [
        member(
            i, truth=["liver"] + (["spleen"] if i % 3 == 0 else []) + (["tumor"] if i < 7 else [])
        )
        for i in range(60)
    ]
    splits, _ = share_out(members, SHARES, KEY)
    assert Counter(splits.values()) == {"train": 42, "test": 12, "validation": 6}
    for class_id, total in (("spleen", 20), ("tumor", 7)):
        own = Counter(splits[m.case_id] for m in members if class_id in m.truth)
        assert own["test"] >= 2
        assert abs(own["test"] - 0.2 * total) <= 1
        assert own["train"] > own["test"]


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, (1, 0, 0)),
        (2, (1, 0, 1)),
        (3, (2, 0, 1)),
        (5, (3, 1, 1)),
        (8, (5, 1, 2)),
        (10, (7, 1, 2)),
    ],
)
def test_few_scans_still_give_a_test_set(n, expected):
    splits, _ = share_out([member(i) for i in range(n)], SHARES, KEY)
    counts = Counter(splits.values())
    assert (counts["train"], counts["validation"], counts["test"]) == expected


def test_scans_that_can_test_nothing_train_unless_told_otherwise():
    members = [member(i, truth=()) for i in range(30)]
    assert set(share_out(members, SHARES, KEY)[0].values()) == {"train"}
    dealt = share_out(members, SplitConfig(without_truth="split"), KEY)[0]
    assert Counter(dealt.values()) == {"train": 21, "test": 6, "validation": 3}


def test_an_old_split_is_inherited_and_counts():
    old = [member(i, split="test") for i in range(4)]
    new = [member("again", patient="0"), *(member(f"n{i}") for i in range(16))]
    splits, _ = share_out([*old, *new], SHARES, KEY)
    assert splits["again"] == "test"
    assert not any(m.case_id in splits for m in old)
    # 20 groups: test has its four already, so all others go elsewhere
    assert Counter(splits[f"n{i}"] for i in range(16)) == {"train": 14, "validation": 2}


@pytest.mark.parametrize("other", ["test", "validation"])
def test_a_scan_between_two_splits_neither_trains_nor_tests(other):
    old = [member("a", split="train"), member("b", split=other)]
    splits, bridges = share_out([*old, member("x", patient="a", group="b")], SHARES, KEY)
    assert splits == {"x": "validation"}
    assert bridges == {"x": sorted(["train", other])}


def test_one_by_one_gives_nearly_the_same_shares():
    known = []
    for i in range(40):
        splits, _ = share_out([*known, member(i)], SHARES, KEY)
        known.append(member(i, split=splits[str(i)]))
    counts = Counter(m.split for m in known)
    assert abs(counts["test"] - 8) <= 1
    assert abs(counts["validation"] - 4) <= 1


def test_the_key_decides_who_goes_where():
    members = [member(i) for i in range(20)]
    assert share_out(members, SHARES, KEY)[0] != share_out(members, SHARES, b"other" * 8)[0]


def test_shares_must_add_up():
    from voxcurate.config import build

    with pytest.raises(ConfigError, match="train \\+ validation \\+ test = 1"):
        build(SplitConfig, {"train": 0.5})


class TestDuplicateGroups:
    """Groups of copies, by the fingerprints of small arrays."""

    def prints(self, *seeds):
        from cleaning.duplicates.hashing import fingerprint
        from tests.agent.ingest_fixture import scan_array
        from tests.conftest import oblique_affine
        from voxcurate.volume import Volume

        return [fingerprint(Volume(scan_array(s), oblique_affine())).as_dict() for s in seeds]

    def groups(self, known, fresh):
        marks = {case: scan.fingerprint for case, scan in known.items()} | fresh
        return duplicate_groups(known, set(fresh), lambda cases: ((c, marks[c]) for c in cases))

    def scan(self, case_id, group, mark):
        from voxcurate.catalog import Scan

        return Scan(case_id, "s", "p", group, "train", "CT", "", "", [], [], [], fingerprint=mark)

    def test_copies_share_the_smallest_name(self):
        a, b, c = self.prints(1, 2, 1)
        assert self.groups({}, {"z": a, "y": b, "x": c}) == {
            "z": ("x",),
            "y": ("y",),
            "x": ("x",),
        }

    def test_a_new_copy_joins_the_old_group_and_two_old_groups_stay_apart(self):
        (mark,) = self.prints(1)
        known = {"m": self.scan("m", "m", mark), "n": self.scan("n", "k", mark)}
        assert self.groups(known, {"a": mark}) == {"a": ("k", "m")}
