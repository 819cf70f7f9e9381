"""Every branch of the protocol, on pictures that are single bytes."""

import math

import pytest

from labeling.vision.answers import Comparison, FieldOfView, Opinion
from labeling.vision.answers import weighed as weight_of
from labeling.vision.config import VisionConfig
from labeling.vision.play import play
from labeling.vision.prompts import Example
from labeling.vision.tournament import Contest, contest
from labeling.vision.wording import Wordings
from tests.labeling.vision.engines import ALL, Engine, better, prefer, weighed
from voxcurate.classes import load_vocabulary
from voxcurate.protocols import Reply, Token

CONFIG = VisionConfig()
WORDINGS = Wordings(load_vocabulary(), {})


def picture(n):
    return bytes([n])


def run(engine, n, *, empty=(), alike=(), class_id="liver", config=CONFIG, **fields):
    """A contest of n candidates; `alike` are pairs."""
    pairs = {frozenset(pair) for pair in alike}
    given = Contest(
        WORDINGS[class_id],
        [k in empty for k in range(n)],
        lambda a, b: frozenset((a, b)) in pairs or (a in empty and b in empty),
        picture,
        lambda: b"skeleton",
        **fields,
    )
    (verdict,) = play(engine, [contest(given, config)])
    return verdict


def test_better_challenger_wins_in_both_orders_and_is_confirmed():
    engine = Engine(prefer([picture(1), picture(0)]))
    verdict = run(engine, 2)
    assert verdict.choice == 1
    assert verdict.confidence == CONFIG.agreed_confidence
    assert [engine.count(s) for s in (FieldOfView, Comparison, Opinion)] == [1, 2, 1]
    shown = [c[-1].images for schema, c in engine.asked if schema is Comparison]
    assert shown == [(picture(0), picture(1)), (picture(1), picture(0))]
    (row,) = verdict.evidence["comparisons"]
    assert [o["choice"] for o in row["orders"]] == ["second", "second"]


def test_better_defender_stays_without_confirmation():
    engine = Engine(prefer([picture(0), picture(1)]))
    verdict = run(engine, 2)
    assert (verdict.choice, engine.count(Opinion)) == (0, 0)


@pytest.mark.parametrize("always", ["1", "2"])
def test_liking_for_a_place_is_a_tie(always):
    verdict = run(Engine(lambda a, b: always), 2)
    assert (verdict.choice, verdict.confidence) == (None, 0.5)
    assert verdict.reason == "the model cannot tell"
    (row,) = verdict.evidence["comparisons"]
    assert row["outcome"] == "tie"
    assert {o["choice"] for o in row["orders"]} == {"first", "second"}


def test_same_is_a_tie():
    assert run(Engine(lambda a, b: "same"), 2).choice is None


def test_malformed_reply_is_a_tie_on_record():
    answers = iter([better("1"), "I see two livers"])
    verdict = run(Engine(lambda a, b: next(answers)), 2)
    assert verdict.choice is None
    assert verdict.evidence["failed"] == 1
    (row,) = verdict.evidence["comparisons"]
    assert "JSON" in row["orders"][1]["error"]


def test_both_bad_is_a_case_for_people():
    verdict = run(Engine(lambda a, b: "both_bad"), 2)
    assert verdict.choice is None
    assert verdict.evidence["both_bad"]


def test_challenger_that_is_better_than_two_bad_ones_wins():
    def compare(a, b):
        if picture(2) in (a, b):
            return "1" if a == picture(2) else "2"
        return "both_bad"

    verdict = run(Engine(compare), 3)
    assert verdict.choice == 2
    assert not verdict.evidence["both_bad"]


def test_champion_that_the_model_calls_wrong_is_none():
    verdict = run(Engine(prefer([picture(1), picture(0)]), opinion=lambda _: "no"), 2)
    assert verdict.choice is None
    assert verdict.evidence["both_bad"]
    assert verdict.evidence["champion"] == 1


def test_champion_that_is_not_confirmed_is_less_sure():
    verdict = run(Engine(prefer([picture(1), picture(0)]), opinion=lambda _: "unsure"), 2)
    assert (verdict.choice, verdict.confidence) == (1, CONFIG.unconfirmed_confidence)
    assert "not confirmed" in verdict.reason


@pytest.mark.parametrize("n", [2, 3, 7, 20])
def test_knock_out_asks_each_challenger_once(n):
    engine = Engine(prefer([picture(k) for k in reversed(range(n))]))
    verdict = run(engine, n)
    assert verdict.choice == n - 1
    assert engine.count(Comparison) == 2 * (n - 1)
    conversations = [c for _, c in engine.asked]
    assert len(set(conversations)) == len(conversations)


def test_alike_candidates_are_not_asked():
    engine = Engine()
    verdict = run(engine, 3, alike=[(0, 1), (0, 2)])
    assert verdict.choice is None
    assert verdict.evidence["alike"]
    assert engine.asked == []


def test_candidate_like_the_champion_or_a_loser_is_skipped():
    engine = Engine(prefer([picture(2), picture(0), picture(1), picture(3), picture(4)]))
    verdict = run(engine, 5, alike=[(0, 1), (0, 3), (2, 4)])
    assert verdict.choice == 2
    assert engine.count(Comparison) == 2
    tied = Engine(lambda a, b: "same")
    run(tied, 3, alike=[(1, 2)])
    assert tied.count(Comparison) == 2
    outcomes = [row["outcome"] for row in verdict.evidence["comparisons"]]
    assert outcomes == ["alike", "second", "alike one that did not win", "alike"]


def test_in_a_crowd_the_one_that_stands_alone_is_not_asked():
    engine = Engine(prefer([picture(k) for k in range(6)]))
    most = [(0, 1), (0, 2), (0, 3)]
    verdict = run(engine, 6, alike=most)
    assert (verdict.choice, engine.count(Comparison)) == (0, 0)
    assert verdict.confidence == CONFIG.unconfirmed_confidence
    outcomes = [row["outcome"] for row in verdict.evidence["comparisons"]]
    assert outcomes == ["alike"] * 3 + ["like no other, the champion like most"] * 2
    run(engine, 6, alike=[*most, (4, 5)])  # two that back each other are asked once
    assert engine.count(Comparison) == 2
    few = Engine(prefer([picture(k) for k in range(6)]))
    run(few, 6, alike=[(0, 1)])  # most are not like the champion
    assert few.count(Comparison) == 2 * 4
    small = Engine(prefer([picture(k) for k in range(4)]))
    run(small, 4, alike=[(0, 1), (0, 2)])  # no crowd
    assert small.count(Comparison) == 2


def test_outside_the_scan_the_empty_label_wins_by_rule():
    engine = Engine(seen=("skull",))
    verdict = run(engine, 3, empty=(2,))
    assert verdict.choice == 2
    assert "outside" in verdict.reason
    assert len(engine.asked) == 1
    assert run(Engine(seen=("skull",)), 2, empty=(0,)).choice == 0


def test_outside_the_scan_without_an_empty_label_all_are_bad():
    verdict = run(Engine(seen=("skull",)), 2)
    assert verdict.choice is None
    assert verdict.evidence["both_bad"]


def test_inside_the_scan_the_empty_label_loses_by_rule():
    engine = Engine(prefer([picture(0), picture(1)]))
    current = run(engine, 2, empty=(1,))
    assert (current.choice, engine.count(Comparison)) == (0, 0)
    mended = run(engine, 2, empty=(0,))
    assert (mended.choice, engine.count(Comparison), engine.count(Opinion)) == (1, 0, 1)


def test_empty_current_label_leaves_the_others_to_the_knock_out():
    engine = Engine(prefer([picture(2), picture(1), picture(0)]))
    verdict = run(engine, 3, empty=(0,))
    assert verdict.choice == 2
    assert engine.count(Comparison) == 2


def test_lesion_may_be_absent_where_its_organ_is_in_view():
    engine = Engine(prefer([picture(0), picture(1)]))
    assert run(engine, 2, empty=(0,), class_id="liver_tumor").choice == 0
    assert engine.count(Comparison) == 2


@pytest.mark.parametrize("seen", [("lower_ribs",), (), None])
def test_where_the_view_is_unknown_the_pictures_decide(seen):
    engine = Engine(prefer([picture(1), picture(0)]), seen=seen)
    verdict = run(engine, 2, empty=(0,))
    assert verdict.choice == 1
    assert verdict.evidence["in_view"] is None
    assert engine.count(Comparison) == 2
    assert ("presence_error" in verdict.evidence) is (seen is None)


def test_known_view_is_not_asked():
    engine = Engine()
    assert run(engine, 2, empty=(1,), in_view=False).choice == 1
    assert engine.asked == []
    off = VisionConfig(ask_presence=False)
    engine = Engine(prefer([picture(0), picture(1)]))
    run(engine, 2, config=off)
    assert engine.count(FieldOfView) == 0


def test_no_candidate():
    assert run(Engine(), 0).choice is None


@pytest.mark.parametrize(
    ("opinion", "choice", "bad"), [("yes", 0, False), ("no", None, True), ("unsure", None, False)]
)
def test_single_candidate_is_called_right_or_wrong(opinion, choice, bad):
    engine = Engine(opinion=lambda _: opinion)
    verdict = run(engine, 1)
    assert (verdict.choice, verdict.evidence["both_bad"]) == (choice, bad)
    assert [engine.count(s) for s in (FieldOfView, Comparison, Opinion)] == [1, 0, 1]


def test_single_candidate_outside_or_missing_inside_the_scan_needs_no_opinion():
    engine = Engine(seen=("skull",))
    assert run(engine, 1).evidence["both_bad"]
    assert run(engine, 1, empty=(0,)).choice == 0
    inside = Engine()
    assert run(inside, 1, empty=(0,)).evidence["both_bad"]
    assert engine.count(Opinion) == inside.count(Opinion) == 0


def test_weights_of_the_choices_decide_and_cancel_a_liking_for_a_place():
    # overlay 1 is liked by 0.3, the better one by more
    def compare(a, b):
        return weighed("1", 0.95 if a == picture(1) else 0.3)

    verdict = run(Engine(compare), 2)
    assert verdict.choice == 1
    assert verdict.confidence == pytest.approx((0.95 + 0.7) / 2)
    near = run(Engine(lambda a, b: weighed("1", 0.55)), 2)
    assert near.choice is None
    even = run(Engine(lambda a, b: weighed("same", 0.9 if a == picture(1) else 0.1)), 2)
    assert even.choice is None


@pytest.mark.parametrize(
    ("texts", "choices", "wanted"),
    [
        (['{"better": "', "1", '"}'], {"1": -0.1, "2": -2.4}, 0.909),
        (['{"better":', ' "1', '"}'], {' "1': -0.1, ' "2': -2.4}, 0.909),
        (['{"overlay_1": "1", "better', '": "', "2", '"}'], {"1": -3.0, "2": -0.05}, 0.0498),
        (['{"better": "', "same", '"}'], {"same": -0.1, "1": -3.0, "2": -3.0}, 0.5),
        (['{"better": "', "same", '"}'], {"same": -0.1}, None),
        (["no choice"], {"1": -0.1}, None),
    ],
)
def test_weight_is_read_where_the_choice_is_written(texts, choices, wanted):
    at = next((n for n, t in enumerate(texts) if t.strip(' "') in ("1", "2", "same")), 0)
    tokens = [Token(t, choices if n == at else {t: 0.0}) for n, t in enumerate(texts)]
    found = weight_of(tokens)
    assert found is None if wanted is None else math.isclose(found, wanted, abs_tol=2e-3)


def test_no_tokens_no_weight():
    assert weight_of(()) is None


def test_examples_come_first_and_are_told():
    engine = Engine(prefer([picture(0), picture(1)]))
    examples = (Example(b"good"), Example(b"bad", is_right=False))
    run(engine, 2, examples=examples)
    talk = next(c for schema, c in engine.asked if schema is Comparison)
    assert talk[-1].images == (b"good", b"bad", picture(0), picture(1))
    assert "picture 1 right, picture 2 wrong" in talk[-1].text


def test_contests_move_side_by_side_and_share_the_look_at_a_scan():
    engine = Engine(prefer([picture(1), picture(0)]))
    given = [
        Contest(WORDINGS[c], [False, False], lambda a, b: False, picture, lambda: b"skeleton")
        for c in ("liver", "spleen", "kidney_left")
    ]
    found = play(engine, [contest(g, CONFIG) for g in given])
    assert [v.choice for v in found] == [1, 1, 1]
    assert engine.batches == [1, 6, 3]  # one look, three pairs in both orders, three confirmed


def test_engine_that_never_replies_leaves_ties():
    lost = Reply(None, "", "m", error="no reply from the server (3 tries): 500")
    verdict = run(Engine(lambda a, b: lost), 2)
    assert verdict.choice is None
    assert verdict.evidence["failed"] == 2
    assert set(ALL) >= {"lower_ribs"}


def test_a_label_that_ties_with_one_is_not_the_best_because_it_beats_another():
    def compare(a, b):
        if picture(1) in (a, b):
            return "1" if a == picture(0) else "2"
        return "same"

    verdict = run(Engine(compare), 3)  # beats 1, ties with 2
    assert (verdict.choice, verdict.reason) == (None, "the model cannot tell")
    verdict = run(Engine(lambda a, b: "same" if picture(1) in (a, b) else "12"[b > a]), 3)
    assert verdict.choice == 2  # ties with 1, loses to 2, which is the best all the same


def test_the_same_picture_is_a_tie_that_nobody_is_asked_about():
    engine = Engine(lambda a, b: pytest.fail("asked"))
    given = Contest(
        WORDINGS["liver"], [False, False], lambda a, b: False, lambda n: b"one", lambda: b"bones"
    )
    (verdict,) = play(engine, [contest(given, CONFIG)])
    assert verdict.choice is None
    assert [row["outcome"] for row in verdict.evidence["comparisons"]] == ["the same picture"]
    assert engine.count(FieldOfView) == len(engine.asked) == 1


def test_repairs_of_the_label_are_no_crowd_that_speaks_for_it():
    most = [(0, 2), (0, 3), (0, 4), (0, 5)]
    engine = Engine(prefer([picture(1), picture(0)]))
    verdict = run(engine, 6, alike=most, is_crowd=False)
    assert (verdict.choice, engine.count(Comparison)) == (1, 2)
    assert run(Engine(), 6, alike=most).choice == 0  # were they of different hands
