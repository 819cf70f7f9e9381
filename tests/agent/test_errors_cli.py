"""``voxcurate errors`` on a small workspace."""

import csv
import json

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from labeling.assembly import assemble
from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert import detect, judge
from labeling.fusion import fuse
from tests.labeling.conftest import PLANTED, build
from voxcurate.catalog import Round

CONFIG = LabelingConfig(judge=JudgeConfig(auto_mend=("pseudo", "judged", "original")))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    root = tmp_path_factory.mktemp("errors") / "ws"
    world = build(root, planted=PLANTED)
    for stage in (fuse, detect, judge, assemble):
        stage.run(world.ctx, CONFIG)
    with world.ctx.catalog.write() as writer:
        writer.put(Round(1, "done", {}, {}, 0, "2026-01-01T00:00:00+00:00"))
    world.ctx.catalog.close()
    return root


def call(*words, status=0):
    result = CliRunner().invoke(app, [str(word) for word in ("errors", *words)])
    assert result.exit_code == status, result.output
    return result


def told(*words):
    return json.loads(call(*words, "--json").stdout)


def test_errors_are_listed_and_written(workspace, tmp_path):
    where = ("-w", workspace)
    found = told("list", *where)
    assert ("src_case03", "spleen", "missing") in {
        (e["case_id"], e["class_id"], e["kind"]) for e in found
    }
    file = tmp_path / "errors.csv"
    text = call("list", *where, "--csv", file, "--limit", 1).stdout
    assert f"the worst 1 of {len(found)} errors" in text
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(r["case_id"], r["class_id"]) for r in rows} == {
        (e["case_id"], e["class_id"]) for e in found
    }
    assert told("list", *where, "--class", "spleen", "--kind", "missing")
    assert told("list", *where, "--round", 2) == []
    assert told("list", *where, "--source", "src") == found


def test_one_structure_is_told_with_the_way_back(workspace):
    text = call("show", "src_case03", "spleen", "-w", workspace).stdout
    assert "round 1: missing" in text
    assert "voxcurate labels undo src_case03 spleen --to" in text
    text = call("show", "src_case00", "spleen", "-w", workspace).stdout
    assert "nothing has ever been said" in text


def test_the_way_back_works(workspace):
    (error,) = [e for e in told("show", "src_case03", "spleen", "-w", workspace)
                if e["scope"] == "label"]  # fmt: skip
    words = error["undo"].split(" --reason")[0].split()[1:]
    result = CliRunner().invoke(app, [*words, "--reason", "it is absent", "-w", str(workspace)])
    assert result.exit_code == 0, result.output
    (after,) = [e for e in told("show", "src_case03", "spleen", "-w", workspace)
                if e["scope"] == "label"]  # fmt: skip
    assert after["standing"] == "refuted"


def test_the_summary_counts_and_compares(workspace, tmp_path):
    known = tmp_path / "known.csv"
    known.write_text(
        "case_id,class_id,kind\nsrc_case01,kidney_left,left_right_swap\n"
        "src_case05,liver,misplaced\nsrc_case00,liver,\n"
    )
    found = told("summary", "-w", workspace, "--known", known)
    assert found["rounds"]["1"]["labels"]["labels"] == 44
    assert (found["known"]["wrong"], found["known"]["found"]) == (2, 2)
    assert found["known"]["right_accused"] == 0
    text = call("summary", "-w", workspace, "--known", known).stdout
    assert "wrong per 1,000 labels" in text
    assert "2 of 2 wrong labels found" in text


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--class", "no such organ"), ("list", "--kind", "nonsense"),
        ("list", "--standing", "nonsense"), ("list", "--source", "elsewhere"),
        ("list", "--case", "nobody"), ("show", "nobody", "liver"),
        ("summary", "--known", "nowhere.csv"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_one_clear_error(workspace, words):
    result = call(*words, "-w", workspace, status=2)
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.strip().splitlines()) == 1
