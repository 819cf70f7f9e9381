"""Which lesions people get in one round, and that the others are not lost."""

from hypothesis import given
from hypothesis import strategies as st

from labeling.roc.budget import KINDS, within_budget
from labeling.roc.config import RocConfig
from voxcurate.catalog import Decision


def row(kind, case, number=0, **evidence):
    return Decision(
        f"{kind}{case}{number}", 1, "roc", f"case{case:05d}", "liver_tumor", "", kind, "", "roc",
        evidence={"number": number, **evidence},
    )  # fmt: skip


def missed(case, confidence, best=0.0):
    return row("missed", case, finding={"confidence": confidence}, best=best)


def contradicts(case, confidence, ml=1.0):
    return row("contradicts", case, finding={"confidence": confidence}, label_ml=ml)


def candidates(case, *scores):
    return [row("candidate", case, n, score=s) for n, s in enumerate(scores, 1)]


def numbers(rows):
    return [int(d.case_id[4:]) for d in rows]


def test_thousands_of_missed_tumours_do_not_hold_up_a_round():
    made = [missed(n, 0.5 + 0.4 * (n % 7 == 0)) for n in range(3000)]
    made += [contradicts(n, 0.9) for n in range(3000, 4000)]
    made += [d for n in range(4000, 5000) for d in candidates(n, 0.6)]
    chosen, waiting = within_budget(made, RocConfig(budget=200))
    kinds = [d.verdict for d in chosen]
    assert {k: kinds.count(k) for k in KINDS} == {
        "missed": 60, "contradicts": 40, "candidate": 100,
    }  # fmt: skip
    assert kinds == sorted(kinds, key=KINDS.index)
    assert len(waiting) == 4800
    assert {d.evidence["finding"]["confidence"] for d in chosen[:60]} == {0.9}
    wide = RocConfig(budget=200, missed_share=0.75, contradicts_share=0.25)
    assert [d.verdict for d in within_budget(made, wide)[0]].count("missed") == 150


def test_the_most_certain_come_first():
    made = [missed(1, 0.7, 0.1), missed(2, 0.9), missed(3, 0.7, 0.4)]
    made += [contradicts(4, 0.9, 1.0), contradicts(5, 0.9, 30.0), contradicts(6, 0.6, 99.0)]
    made += [*candidates(7, 0.5, 0.6), *candidates(8, 0.2, 0.9)]
    chosen, waiting = within_budget(made, RocConfig())
    assert numbers(chosen) == [2, 3, 1, 5, 4, 6, 8, 8, 7, 7]
    assert waiting == []


def test_room_that_one_kind_leaves_goes_to_the_others():
    made = [missed(n, 0.9) for n in range(30)]
    assert len(within_budget(made, RocConfig(budget=20))[0]) == 20
    made = [missed(0, 0.9), *(d for n in range(1, 30) for d in candidates(n, 0.9))]
    assert len(within_budget(made, RocConfig(budget=20))[0]) == 20


def test_a_scans_candidates_stay_together_though_they_are_many():
    made = [*candidates(1, *[0.9] * 50), *candidates(2, *[0.8] * 3), *candidates(3, 0.7)]
    chosen, waiting = within_budget(made, RocConfig(budget=10))
    assert numbers(chosen) == [1] * 50
    assert numbers(waiting) == [2, 2, 2, 3]
    chosen, _ = within_budget(made[50:], RocConfig(budget=3))
    assert numbers(chosen) == [2, 2, 2]


def test_many_candidates_of_one_scan_come_at_last_whatever_the_budget():
    for budget in (1, 2, 3):
        chosen, _ = within_budget(candidates(1, *[0.9] * 5), RocConfig(budget=budget))
        assert len(chosen) == 5


def test_no_budget_is_no_list_and_one_row_is_a_missed_one():
    made = [missed(1, 0.9), contradicts(2, 0.9), *candidates(3, 0.9)]
    assert numbers(within_budget(made, RocConfig(budget=0))[0]) == []
    assert numbers(within_budget(made, RocConfig(budget=1))[0]) == [1]


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 6), st.floats(0, 1)), max_size=30),
    st.integers(0, 25),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
)
def test_nothing_is_lost_and_little_more_than_the_budget_goes_out(plans, budget, one, two):
    made = []
    for case, (kind, n, value) in enumerate(plans):
        if kind == "candidate":
            made += candidates(case, *[value] * n)
        else:
            made.append((missed if kind == "missed" else contradicts)(case, value))
    config = RocConfig(budget=budget, missed_share=one, contradicts_share=two)
    chosen, waiting = within_budget(made, config)
    ids = sorted(d.decision_id for d in made)
    assert sorted(d.decision_id for d in (*chosen, *waiting)) == ids
    assert len({d.case_id for d in chosen} & {d.case_id for d in waiting}) == 0
    assert len(chosen) <= budget + max((n for k, n, _ in plans if k == "candidate"), default=0)
    if not any(k == "candidate" and n > 1 for k, n, _ in plans):
        assert len(chosen) == min(budget, len(made))
    again = within_budget(made[::-1], config)
    assert [d.decision_id for d in again[0]] == [d.decision_id for d in chosen]
