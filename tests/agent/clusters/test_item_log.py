"""The story of an item, from the ledger, the jobs' logs and what was kept of a quarantined one."""

import json

import pytest

from agent.clusters.item_log import story
from tests.agent.clusters.test_live import a_job, a_shard
from voxcurate.catalog import WorkItem
from voxcurate.errors import ConfigError


def event(message, **more):
    return json.dumps(
        {"time": "2026-01-01T10:00:00+00:00", "level": "info", "message": message, **more}
    )


@pytest.fixture
def known(workspace, catalog):
    with catalog.write() as writer:
        for number, error in ((1, ""), (2, "took jobs down, 3 of them")):
            status = "failed" if error else "done"
            writer.put(
                WorkItem(number, "predict", "s_001", "m1", "f", status, number, error, 12.0, 900.0)
            )
        writer.put(WorkItem(1, "predict", "s_002", "m1", "f", "done"))
    folder = a_shard(workspace.root, "predict", "000001-aaa", ["s_000/m1", "s_001/m1"])
    a_job(folder, 1, "11")
    folder.log(1).write_text(
        "\n".join(
            [
                event("item begun", item="s_000/m1"), "of the first",
                event("item begun", item="s_001/m1"), "Traceback ...", event("tried again"),
                event("item begun", item="s_000/m1"), "of the first again",
            ]
        )
        + "\n"
    )  # fmt: skip
    kept = workspace.root / "cluster" / "predict" / "quarantined" / "s_001_m1.log"
    kept.parent.mkdir()
    kept.write_text(event("item begun", item="s_001/m1") + "\nKilled\n")
    (workspace.root / "logs").mkdir(exist_ok=True)
    log = workspace.root / "logs" / "voxcurate.jsonl"
    log.write_text(
        event("item failed", item="s_001/m1") + "\n" + event("item failed", item="s_0012/m1") + "\n"
    )


def test_everything_of_an_item_is_found(workspace, catalog, known):
    told = story(workspace, catalog, "s_001/m1")
    assert [(line["round"], line["status"]) for line in told.ledger] == [(1, "done"), (2, "failed")]
    kept, part = told.words
    assert kept.path == "cluster/predict/quarantined/s_001_m1.log"
    assert kept.lines[-1] == "Killed"
    assert [line.partition(": ")[2] or line for line in part.lines] == [
        "item begun (item s_001/m1)", "Traceback ...", "tried again",
    ]  # fmt: skip
    assert len(told.events) == 1


def test_a_case_stands_for_all_its_items(workspace, catalog, known):
    told = story(workspace, catalog, "s_001")
    assert len(told.ledger) == 2
    assert len(told.words) == 2
    assert [line["item"] for line in story(workspace, catalog, "s_002").ledger] == ["s_002/m1"]


def test_an_unknown_item_is_an_error(workspace, catalog, known):
    with pytest.raises(ConfigError, match="nothing is known"):
        story(workspace, catalog, "s_01")
