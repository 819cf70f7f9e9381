"""``voxcurate assemble`` and ``labels`` on a small workspace."""

import json

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert import detect, judge
from labeling.fusion import fuse
from tests.labeling.conftest import PLANTED, build
from voxcurate.catalog import Round

CONFIG = LabelingConfig(judge=JudgeConfig(auto_mend=("pseudo", "judged", "original")))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace in its first round, before its labels are assembled."""
    root = tmp_path_factory.mktemp("labels") / "ws"
    world = build(root, planted=PLANTED)
    for stage in (fuse, detect, judge):
        stage.run(world.ctx, CONFIG)
    with world.ctx.catalog.write() as writer:
        facts = {"classes": list(world.ctx.classes)}
        writer.put(Round(1, "running", {}, {}, 0, "2026-01-01T00:00:00+00:00", facts=facts))
    world.ctx.catalog.close()
    return root


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def told(*words, status=0):
    result = call(*words, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def test_labels_are_assembled_told_and_taken_back(workspace):
    where = ("-w", workspace)
    first = told("assemble", *where)["counts"]
    assert first["changed"] > 0
    assert told("assemble", *where)["counts"]["changed"] == 0
    listed = told("labels", "list", *where)
    assert {row["trust"] for row in listed} >= {"original", "judged"}
    bad = next(row for row in listed if row["trust"] == "judged")
    place = (bad["case_id"], bad["class_id"])

    story = told("labels", "history", *place, *where)
    assert story["current"]["label_id"] == bad["label_id"]
    plain = call("labels", "history", *place, *where).stdout
    assert bad["label_id"] in plain
    assert "source" in plain

    undone = told("labels", "undo", *place, "--reason", "the judge was wrong", *where)
    assert undone["instead_of"] == bad["label_id"]
    only = told("labels", "list", "--case", place[0], "--class", place[1], *where)
    assert [row["label_id"] for row in only] == [undone["label_id"]]
    last = told("assemble", *where)["counts"]
    assert last["changed"] == 0
    versions = told("labels", "versions", *where)
    assert [v["version"] for v in versions["versions"]] == [
        first["dataset_version"], last["dataset_version"],
    ]  # fmt: skip
    (change,) = told("labels", "diff", first["dataset_version"], *where)
    assert (change["case_id"], change["class_id"]) == place
    (conflict,) = told("labels", "conflicts", *where)  # a swapped kidney lies on the other again
    assert conflict["case_id"] == place[0]
    assert place[1] in (conflict["class_id"], conflict["other"])
    assert "kidney_right" in call("labels", "conflicts", *where).stdout


def test_what_is_not_there_is_an_error_with_status_2(workspace):
    where = ("-w", workspace)
    for words in (["history"], ["undo", "--reason", "x"]):
        found = call("labels", *words, "nobody", "liver", *where)
        assert found.exit_code == 2
        assert "no scan nobody in this workspace" in found.stderr
    case = told("labels", "list", *where)[0]["case_id"]
    found = call("labels", "history", case, "livr", *where)
    assert found.exit_code == 2
    assert "no class 'livr' in the vocabulary; near it: liver" in found.stderr
    found = call("labels", "history", case, "aorta", *where)
    assert "nobody has labelled aorta on this scan yet" in found.stderr
    assert call("labels", "list", "--class", "livr", *where).exit_code == 2
    spoken = told("labels", "list", "--class", "Liver", *where)
    assert {row["class_id"] for row in spoken} == {"liver"}
    found = call("labels", "diff", "v0", *where)
    assert found.exit_code == 2
    assert "no dataset version v0" in found.output


def test_long_lists_are_cut_on_a_terminal_and_whole_as_json(workspace, monkeypatch):
    where = ("-w", workspace)
    rows = told("labels", "list", *where)
    monkeypatch.setattr("agent.cli.labels_view.MOST", 3)
    assert "the first 3 labels" in call("labels", "list", *where).stdout
    one = ("--case", rows[0]["case_id"], "--class", rows[0]["class_id"])
    assert call("labels", "list", *one, *where).stdout.endswith("1 labels\n")
    trusts = {row["trust"] for row in rows}
    parts = [told("labels", "list", "--trust", trust, *where) for trust in sorted(trusts)]
    assert sorted(str(row) for part in parts for row in part) == sorted(map(str, rows))
    assert told("labels", "list", "--trust", "gold", *where) == []


def test_an_assembly_is_told_in_words(capsys):
    from agent.cli.labels_view import show_assembled
    from labeling.config import AssembleConfig
    from voxcurate.stage import StageResult

    counts = {
        "cases": 7, "changed": 2, "original": 9, "pseudo": 3, "conflicts": 0,
        "pseudo_labels_withheld": {"aorta": 0.0, "liver": 0.4241}, "left_unknown": {"spleen": 3},
        "dataset_version": "v1",
    }  # fmt: skip
    assert show_assembled(StageResult(counts, {"a": "broken"}), AssembleConfig()) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "7 scans, 12 labels: 9 original, 3 pseudo"
    assert lines[2].endswith("reaches 0.50: aorta (0.00), liver (0.42)")
    assert lines[3].startswith("unknown, not absent: spleen (3 scans): the models found nothing")
    assert lines[-1] == "failed: a: broken"
