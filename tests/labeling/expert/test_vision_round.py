"""Stage judge with a vision model: every request is sent once and all answers are on record."""

import json
import shutil
from dataclasses import replace

import pytest

from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert import detect, judge
from labeling.expert.consult import consult
from labeling.fusion import fuse
from labeling.vision import engine as engines
from labeling.vision.answers import FieldOfView
from labeling.vision.tournament import contest
from tests.labeling.conftest import PLANTED, World, build
from tests.labeling.vision.engines import Engine
from voxcurate.catalog import Catalog, Decision, WorkItem
from voxcurate.chat import EngineConfig
from voxcurate.errors import ConfigError, GeometryError
from voxcurate.protocols import Reply
from voxcurate.workspace import Workspace

MENDING = ("original", "pseudo", "judged")


def config(name="vision", price_out=0.0, **more):
    asked = EngineConfig(
        engine="openai", model="m", base_url="http://nobody.invalid", price_out=price_out
    )
    return LabelingConfig(judge=JudgeConfig(name=name, engine=asked, **more))


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """Cases with wrong labels, fused and looked at."""
    made = build(tmp_path_factory.mktemp("vision") / "ws", planted=PLANTED)
    for stage in (fuse, detect):
        stage.run(made.ctx, LabelingConfig())
    return made


@pytest.fixture
def world(looked_at, tmp_path):
    """A copy of them."""
    root = looked_at.ctx.workspace.root
    shutil.copytree(root.parent, tmp_path / "copy")
    workspace = Workspace(tmp_path / "copy" / root.name)
    ctx = replace(looked_at.ctx, workspace=workspace, catalog=Catalog(workspace.catalog_url))
    return World(ctx, looked_at.truth, looked_at.current)


@pytest.fixture
def run(world, monkeypatch):
    """Judge with a scripted engine in the place of the configured one."""

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


def at_once(n, name="vision"):
    return config(name, vision={"cases_at_once": n})


def plain(decisions):
    return {k: (d.verdict, d.reason, d.evidence, d.cost) for k, d in decisions.items()}


@pytest.mark.parametrize("name", ["vision", "committee"])
def test_cases_are_asked_about_together(run, world, name):
    def answer(a, b):
        return "1" if a > b else "2"

    alone, together = Engine(answer), Engine(answer)
    first, found = run(alone, at_once(1, name))
    root = world.ctx.workspace.root
    (root / "vision.sqlite").unlink()
    with world.ctx.catalog.write() as writer:
        for line in writer.rows(WorkItem, stage="judge"):
            writer.put(replace(line, status="failed"))
    second, same = run(together, at_once(8, name))
    assert plain(same) == plain(found)
    assert second.counts == first.counts
    assert len({case for case, _ in found}) > 2
    assert sorted(map(str, together.asked)) == sorted(map(str, alone.asked))
    assert sum(together.batches) == sum(alone.batches)
    assert 3 * len(together.batches) <= 2 * len(alone.batches)
    assert max(together.batches) >= 2 * max(alone.batches)


def test_no_more_cases_than_wanted_are_in_memory(run, monkeypatch):
    there, most = set(), []

    def spied(payload):
        there.add(payload["case_id"])
        most.append(len(there))
        found = yield from consult(payload)
        there.discard(payload["case_id"])
        return found

    monkeypatch.setattr("labeling.expert.side_by_side.consult", spied)
    run(Engine(lambda a, b: "same"), at_once(2))
    assert max(most) == 2
    assert len(most) > 2


def test_a_run_that_is_killed_between_batches_asks_nothing_twice(run):
    class Killed(Engine):
        left = 3

        def chat(self, conversations, schema):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            return super().chat(conversations, schema)

    whole = Engine(lambda a, b: "same")
    killed = Killed(lambda a, b: "same")
    with pytest.raises(KeyboardInterrupt):
        run(killed, at_once(8))
    assert killed.asked
    _, found = run(whole, at_once(8))
    assert found
    assert not {str(a) for a in killed.asked} & {str(a) for a in whole.asked}


def test_one_case_that_fails_leaves_the_others_of_its_batch(run, monkeypatch):
    def broken(payload):
        if payload["case_id"] == "src_case03":
            raise GeometryError("a mask of another shape")
        return (yield from consult(payload))

    monkeypatch.setattr("labeling.expert.side_by_side.consult", broken)
    result, found = run(Engine(lambda a, b: "same"), at_once(8))
    assert list(result.failed) == ["src_case03"]
    assert "another shape" in result.failed["src_case03"]
    assert len({case for case, _ in found}) >= 2


def test_an_engine_that_cannot_be_used_fails_its_cases_with_the_reason(run):
    class Broken(Engine):
        def chat(self, conversations, schema):
            raise ConfigError("the key is wrong")

    result, found = run(Broken(), at_once(8))
    assert result.failed
    assert set(result.failed.values()) == {"the key is wrong"}
    assert not found
