"""Stage judge with a vision model: every request is sent once and all answers are on record."""

import json

import pytest

from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert import detect, judge
from labeling.fusion import fuse
from labeling.vision import engine as engines
from labeling.vision.answers import FieldOfView
from labeling.vision.tournament import contest
from tests.labeling.vision.engines import Engine
from voxcurate.catalog import Decision
from voxcurate.chat import EngineConfig
from voxcurate.errors import ConfigError
from voxcurate.protocols import Reply

MENDING = ("original", "pseudo", "judged")


def config(name="vision", price_out=0.0, **more):
    asked = EngineConfig(
        engine="openai", model="m", base_url="http://nobody.invalid", price_out=price_out
    )
    return LabelingConfig(judge=JudgeConfig(name=name, engine=asked, **more))


@pytest.fixture
def run(world_with_errors, monkeypatch):
    """Judge with a scripted engine in the place of the configured one."""
    world = world_with_errors
    for stage in (fuse, detect):
        stage.run(world.ctx, LabelingConfig())

    def once(engine, settings):
        monkeypatch.setattr(engines, "make_engine", lambda *_, **__: engine)
        engines.engine_of.cache_clear()
        result = judge.run(world.ctx, settings)
        rows = world.ctx.catalog.rows(Decision, stage="judge")
        return result, {(d.case_id, d.class_id): d for d in rows}

    return once


def planned(decisions):
    """Requests by the record: both orders of each comparison, confirmations, a look at a scan."""
    seen = [d.evidence.get("vision", d.evidence) for d in decisions.values()]
    orders = sum("orders" in row for e in seen for row in e["comparisons"])
    scans = {d.case_id for d in decisions.values()}
    return 2 * orders + sum("confirmed" in e and e["confirmed"] != "" for e in seen), len(scans)


def test_a_model_that_contradicts_itself_leaves_all_to_people(run):
    engine = Engine(lambda a, b: "1")  # whatever comes first
    result, found = run(engine, config())
    assert {d.verdict for d in found.values()} == {"to_review"}
    assert all(d.actor.startswith("judge:vision") for d in found.values())
    comparisons, scans = planned(found)
    assert comparisons > 0
    assert result.counts["requests"] == comparisons + scans
    assert (
        len(engine.asked) == len({json.dumps(str(a)) for a in engine.asked}) <= scans + comparisons
    )
    assert engine.count(FieldOfView) <= scans
    again, same = run(Engine(lambda a, b: pytest.fail("asked again")), config())
    assert (again.counts, same) == (result.counts, found)


def test_a_model_that_prefers_one_twice_may_mend(run):
    engine = Engine(lambda a, b: "1" if a > b else "2")
    _, found = run(engine, config(auto_mend=MENDING, mend_probability=0.5, usual_oddity=6.0))
    chosen = [d for d in found.values() if d.evidence["choice"]]
    assert chosen
    for d in chosen:
        assert "preferred in both orders" in d.reason
        assert d.evidence["marks"]
        assert d.evidence["committee"]["votes"]["better"]["vision"] > 0
    assert {d.verdict for d in chosen} & {"replace", "to_review", "keep"}


def test_nonsense_is_a_tie_on_record(run):
    result, found = run(Engine(lambda a, b: "red is a nice colour", seen=None), config())
    assert {d.verdict for d in found.values()} == {"to_review"}
    assert result.counts["malformed"] == result.counts["requests"] > 0
    assert all(d.evidence["failed"] for d in found.values())


def test_a_dead_server_leaves_its_cases_to_the_next_run(run):
    class Dead(Engine):
        def chat(self, conversations, schema):
            return [Reply(None, "", "m", error="nobody listens")] * len(conversations)

    result, found = run(Dead(), config())
    assert result.failed
    assert not found
    assert "no reply" in next(iter(result.failed.values()))
    alive, found = run(Engine(lambda a, b: "same"), config())
    assert not alive.failed
    assert found


def test_the_committee_hears_the_model(run):
    _, found = run(Engine(lambda a, b: "1" if a > b else "2"), config("committee"))
    assert all("vision" in d.evidence for d in found.values())
    assert any(d.evidence["committee"]["votes"]["better"]["vision"] for d in found.values())
    assert {d.verdict for d in found.values()} == {"to_review"}  # originals are not mended


def test_the_vision_judge_wants_an_engine(run):
    with pytest.raises(ConfigError, match="wants an engine"):
        run(Engine(), LabelingConfig(judge=JudgeConfig(name="vision")))


def test_other_words_are_asked_anew(run, tmp_path):
    words = {"shape": "s", "unity": "u", "location": "l", "completeness": "c", "projection": "p"}
    own = tmp_path / "own.yaml"

    def asked(shape):
        own.write_text(
            json.dumps({"region": "abdomen", "prompts": {"liver": {**words, "shape": shape}}})
        )
        engine = Engine(lambda a, b: "same")
        run(engine, config(vision={"anatomy": ["abdomen", str(own)]}))
        return engine.asked

    first = asked("a wedge")
    assert first
    assert asked("a wedge") == []
    again = [str(talk) for _, talk in asked("a cone")]
    assert again  # not the old verdict
    assert all("a wedge" not in talk for talk in again)


def test_what_a_decision_cost_is_told_with_it(run):
    _, found = run(Engine(lambda a, b: "1"), config(price_out=1e6))
    asked = [d for d in found.values() if d.evidence["comparisons"]]
    assert asked
    for d in asked:
        orders = sum("orders" in row for row in d.evidence["comparisons"])
        assert d.cost["requests"] == 1 + 2 * orders  # the look at the skeleton
        assert d.cost["price"] == d.cost["tokens_out"] > 0


def test_repairs_do_not_outvote_other_candidates_in_a_round(run, monkeypatch):
    given = []

    def spied(one, settings):
        given.append(one.is_crowd)
        return contest(one, settings)

    monkeypatch.setattr("labeling.vision.judge.contest", spied)
    run(Engine(lambda a, b: "same"), config())
    assert given
    assert not any(given)
