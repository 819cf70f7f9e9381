"""Each reason to stop, and none; all of them in words."""

import pytest

from training.config import BudgetConfig, StopConfig
from training.rounds.stop import Gain, RoundFacts, stop_reason, stop_rules

CONFIG = StopConfig(max_rounds=5, top=3, budget=BudgetConfig(money=20, review_minutes=90))
SMALL, LARGE = Gain(0.004, 0.01), Gain(0.02, 0.01)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (RoundFacts(1), ""),
        (RoundFacts(1, spent={"money": 20.0}), "the budget is spent: 20 of 20"),
        (RoundFacts(1, spent={"review_minutes": 91}), "91 of 90 min of people's time"),
        (RoundFacts(1, spent={"money": 19.9, "review_minutes": 89, "hours": 999}), ""),
        (RoundFacts(5), "round 5 of at most 5"),
        (RoundFacts(1, top_verdicts=("keep", "confirm", "keep", "replace")), "3 most urgent"),
        (RoundFacts(1, top_verdicts=("keep", "replace", "keep")), ""),
        (RoundFacts(1, top_verdicts=("keep", "unseen", "keep")), ""),
        (RoundFacts(1, top_verdicts=("keep", "keep")), ""),
        (RoundFacts(3, gains=(SMALL, SMALL)), "not above its noise"),
        (RoundFacts(3, gains=(SMALL, Gain(-0.02, 0.01))), "-0.0200 DSC"),
        (RoundFacts(2, gains=(SMALL,)), ""),
        (RoundFacts(3, gains=(LARGE, SMALL)), ""),
        (RoundFacts(3, gains=(SMALL, LARGE)), ""),
        (RoundFacts(4, gains=(LARGE, SMALL, SMALL)), "in 2 rounds one after the other"),
        (RoundFacts(3, gains=(SMALL, Gain(0.0, None))), ""),
        (RoundFacts(1, agreement={"a": 0.9}, inter_annotator={"a": 0.88}), "two people"),
        (RoundFacts(1, agreement={"a": 0.9, "b": 0.5}, inter_annotator={"a": 0.88, "b": 0.9}), ""),
        (RoundFacts(1, agreement={"b": 0.9}, inter_annotator={"a": 0.88}), ""),
    ],
)
def test_reason(facts, words):
    found = stop_reason(facts, CONFIG)
    assert (words in found) if words else not found


def test_a_users_figure_of_two_people_counts():
    facts = RoundFacts(1, agreement={"a": 0.8}, inter_annotator={"a": 0.9})
    assert not stop_reason(facts, StopConfig())
    assert "two people" in stop_reason(facts, StopConfig(inter_annotator={"a": 0.75}))
    more = StopConfig(inter_annotator={"a": 0.75, "b": 0.7})  # nobody has drawn b yet
    assert not stop_reason(facts, more)
    assert any("to compare with: b" in rule.words for rule in stop_rules(facts, more))


def test_classes_are_told_by_their_names():
    facts = RoundFacts(
        1, agreement={"gall_bladder": 0.8}, inter_annotator={"gall_bladder": 0.9},
        names={"gall_bladder": "gall bladder", "liver": "liver (whole)"},
    )  # fmt: skip
    words = {rule.name: rule.words for rule in stop_rules(facts, StopConfig())}
    assert "furthest away: gall bladder (0.800 of 0.900)" in words["agreement"]
    done = StopConfig(inter_annotator={"gall_bladder": 0.7, "liver": 0.9})
    words = {rule.name: rule.words for rule in stop_rules(facts, done)}
    assert words["agreement"].endswith("to compare with: liver (whole)")


def test_a_gain_worth_a_round_can_be_set():
    facts = RoundFacts(3, gains=(LARGE, LARGE))
    assert not stop_reason(facts, StopConfig(max_rounds=9))
    assert "noise" in stop_reason(facts, StopConfig(max_rounds=9, min_gain=0.03))
    assert stop_reason(RoundFacts(2, gains=(SMALL,)), StopConfig(patience=1))


def test_the_budget_decides_first():
    facts = RoundFacts(5, spent={"money": 21.0}, gains=(SMALL, SMALL))
    assert [rule.name for rule in stop_rules(facts, CONFIG) if rule.stops] == [
        "budget", "rounds", "gain",
    ]  # fmt: skip
    assert stop_reason(facts, CONFIG).startswith("the budget")


def test_every_rule_says_how_it_stands():
    facts = RoundFacts(
        2,
        top_verdicts=("keep", "unseen", "replace"),
        agreement={"a": 0.9, "b": 0.5, "c": 0.85},
        inter_annotator={"a": 0.88, "b": 0.7, "c": 0.86},
        gains=(LARGE,),
        spent={"money": 3.5, "review_minutes": 10},
    )
    words = {rule.name: rule.words for rule in stop_rules(facts, CONFIG)}
    assert words["budget"] == "spent: 3.5 of 20 of money, 10 of 90 min of people's time"
    assert words["top"].startswith("of the 3 most urgent cases 2 may need a revision")
    assert "1 of 3 classes" in words["agreement"]
    assert "b (0.500 of 0.700)" in words["agreement"]
    assert "2 rounds without any are needed" in words["gain"]
    nothing = {rule.name: rule.words for rule in stop_rules(RoundFacts(1), StopConfig())}
    assert nothing["budget"] == "no budget was set"
    assert nothing["gain"] == "no earlier round to compare with"
    assert nothing["agreement"] == "for no class the DSC of two people is known"
