"""The stop rules' facts, from a round's files and catalog."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from agent.report.summary import stop_rules_in_words
from agent.stopping import gather, run, spent
from tests.training.conftest import build
from training.config import BudgetConfig, StopConfig
from voxcurate.catalog import Decision, Measure, Model
from voxcurate.chat.log import CallLog
from voxcurate.classes import load_vocabulary


@pytest.fixture
def ctx(tmp_path):
    world = build(tmp_path, ("train", "test"))
    yield replace(world.ctx, round=3)
    world.ctx.catalog.close()


def evaluated(ctx, number, gain, interval, dsc=0.7):
    change = {"mean": gain, "interval": interval}
    entry = {
        "role": "flagship",
        "against": {"dsc": change},
        "classes": {"mandible": {"dsc": {"mean": dsc}}, "nowhere": {"dsc": {"mean": 0.5}}},
    }
    path = ctx.workspace.round_path(number, "evaluation.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"models": [{"role": "zoo"}, entry]}))


def answer(ctx, case_id, verdict, number=3, stage="review", **cost):
    decision = Decision("", number, stage, case_id, "spleen", "", verdict, "", "t", cost=cost)
    with ctx.catalog.write() as writer:
        writer.decide(decision)


def test_gain_of_two_rounds_stops(ctx):
    evaluated(ctx, 2, 0.001, [-0.01, 0.012])
    evaluated(ctx, 3, -0.002, [-0.012, 0.008])
    counts = run(ctx, StopConfig()).counts
    assert counts["stop"]
    assert counts["reason"] == counts["rules"]["gain"]
    assert "in 2 rounds" in counts["reason"]
    assert (counts["gain"], counts["noise"]) == (-0.002, 0.01)
    assert json.dumps(dict(counts))


def test_one_test_patient_has_no_noise_to_be_within(ctx):
    evaluated(ctx, 2, 0.001, [None, None])
    evaluated(ctx, 3, 0.001, [None, None])
    counts = run(ctx, StopConfig()).counts
    assert not counts["stop"]
    assert counts["noise"] is None


def test_nothing_known_goes_on(ctx):
    counts = run(ctx, StopConfig()).counts
    assert not counts["stop"]
    assert counts["reason"] == "another round may still help"
    assert set(counts["rules"]) == {"budget", "rounds", "top", "agreement", "gain"}


def test_agreement_with_the_vocabularys_figures(ctx, tmp_path):
    own = tmp_path / "classes.yaml"
    own.write_text("mandible: {name: mandible, inter_annotator_dsc: 0.8}\n")
    ctx = replace(ctx, vocabulary=load_vocabulary(own))
    evaluated(ctx, 3, 0.5, [0.4, 0.6], dsc=0.81)
    assert gather(ctx, StopConfig()).inter_annotator == {"mandible": 0.8}
    assert "two people" in run(ctx, StopConfig()).counts["reason"]
    stricter = StopConfig(inter_annotator={"mandible": 0.9})
    assert not run(ctx, stricter).counts["stop"]


def test_top_of_the_list(ctx):
    path = ctx.workspace.round_path(3, "priority.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("case_id,class_id\nphantom_0,a\nphantom_0,b\nphantom_1,a\n")
    answer(ctx, "phantom_0", "keep", stage="judge")
    assert gather(ctx, StopConfig(top=2)).top_verdicts == ["keep", "unseen"]
    answer(ctx, "phantom_1", "to_review", stage="judge")
    answer(ctx, "phantom_1", "confirm")  # people have the last word
    counts = run(ctx, StopConfig(top=2)).counts
    assert counts["reason"] == "the 2 most urgent cases need no revision"


def test_what_was_spent(ctx):
    answer(ctx, "phantom_0", "confirm", seconds=90)
    answer(ctx, "phantom_0", "retire", minutes=2)
    answer(ctx, "phantom_1", "revised")  # a spleen by hand: 29 minutes
    answer(ctx, "phantom_1", "revised", number=4)
    model = Model("m", 1, "zoo", "unet", "", "", [], [], facts={"steps": 40})
    later = Model("n", 4, "zoo", "unet", "", "", [], [], facts={"steps": 40})
    with ctx.catalog.write() as writer:
        for one in (model, later):
            writer.add(one)
        for number, stage in ((1, "a"), (2, "a"), (4, "a")):
            writer.put(Measure(number, stage, "", "", "", "wall_s", 1800.0))
    log = CallLog(ctx.workspace.root / "chat.sqlite")
    log._connection.execute(
        "INSERT INTO call (at, engine, model, request, settings, schema_name, messages, reply, "
        "error, tokens_in, tokens_out, seconds, cost) "
        "VALUES ('', '', '', '', '', '', '', '', '', 0, 0, 0, 1.25)"
    )
    found = spent(ctx)
    assert found["review_minutes"] == pytest.approx(1.5 + 2 + 29)
    assert found["hours"] == pytest.approx(1.0)
    assert found["steps"] == 40
    assert found["money"] == 1.25
    config = StopConfig(budget=BudgetConfig(review_minutes=30))
    assert run(ctx, config).counts["reason"].startswith("the budget is spent: 32.5 of 30 min")


def test_the_page_of_a_round_says_how_each_rule_stands(ctx):
    counts = dict(run(ctx, StopConfig()).counts)
    view = SimpleNamespace(round=SimpleNamespace(facts={"counts": {"stop": counts}}))
    told = stop_rules_in_words(view)
    assert told[0] == "Go on: another round may still help."
    assert told[2] == "Rounds: round 3 of at most 5."
    assert len(told) == 6
    assert stop_rules_in_words(SimpleNamespace(round=None)) == []
