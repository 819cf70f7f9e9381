"""``voxcurate priority`` in a small workspace."""

import csv
import json

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from labeling.config import LabelingConfig
from labeling.expert import detect
from labeling.fusion import fuse
from tests.labeling.conftest import CLASSES, build
from voxcurate.catalog import Round


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A workspace in its first round, predicted; the tests below go on in their order."""
    world = build(
        tmp_path_factory.mktemp("priority") / "ws",
        planted={}, unlabelled=("spleen",), n_train=5, n_validation=1, n_test=1,
    )  # fmt: skip
    with world.ctx.catalog.write() as writer:
        facts = {"classes": list(world.ctx.classes)}
        writer.put(Round(1, "running", {}, {}, 0, "2026-01-01T00:00:00+00:00", facts=facts))
    return world


@pytest.fixture(scope="module")
def fused(world):
    assert not fuse.run(world.ctx, LabelingConfig()).failed
    return world


def call(world, *words):
    root = world.ctx.workspace.root
    return CliRunner().invoke(app, ["priority", "-w", str(root), *map(str, words)])


def told(world, *words):
    result = call(world, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def listed(world):
    return world.ctx.workspace.round_path(1, "priority.csv")


def lines_of(world):
    with listed(world).open() as stream:
        return list(csv.DictReader(stream))


def test_before_anything_is_fused_it_says_what_to_do(tmp_path):
    empty = build(tmp_path / "ws", planted={}, n_train=1, n_validation=0, n_test=1, models=1)
    result = call(empty)
    assert result.exit_code == 2
    assert "voxcurate fuse" in result.stderr


def test_the_list_is_written_shown_and_told(fused):
    found = told(fused)
    assert (found["round"], found["score"], found["cut"]) == (1, "share", "the top 5 %")
    assert (found["cases"], found["chosen"]) == (6, 1)
    lines = lines_of(fused)
    assert [row["class_id"] for row in found["rows"]] == [
        line["class_id"] for line in lines if line["chosen"] == "1"
    ]
    first = found["rows"][0]
    assert set(first) > {"case_id", "class_id", "score", "rank", "reason", "region", "per_ml"}
    assert {line["class_id"] for line in lines} == set(CLASSES)
    assert {row["class_id"] for row in found["rows"]} == {"spleen"}  # people drew the others
    shown = call(fused).stdout
    assert "6 cases, 1 to look at (the top 5 %)" in shown
    assert first["case_id"] in shown
    assert "people drew it" not in shown
    assert "people drew it" in call(fused, "--all").stdout


def test_the_round_makes_the_same_list_and_adds_what_it_found(fused):
    told(fused)
    by_hand = lines_of(fused)
    detect.run(fused.ctx, LabelingConfig())
    in_round = lines_of(fused)
    assert {line["error_probability"] for line in by_hand} == {""}
    for line in in_round:  # nothing counts for the spleen yet
        assert (line["error_probability"] == "") == (line["class_id"] == "spleen")
    for line in by_hand + in_round:
        del line["error_probability"], line["suspect"]
    assert in_round == by_hand


def test_other_settings_leave_the_rounds_list_alone(fused, tmp_path):
    told(fused)
    before = listed(fused).read_bytes()
    found = told(fused, "--cut", 2, "--score", "sum")
    assert (found["chosen"], found["score"]) == (2, "sum")
    scores = [row["case_score"] for row in found["rows"]]
    assert scores == sorted(scores, reverse=True)
    everything = told(fused, "--all", "--cut", 2, "--score", "sum")["rows"]
    assert [row for row in everything if row["chosen"]] == found["rows"]
    assert len(everything) > len(found["rows"])
    assert told(fused, "--top-percent", 50)["chosen"] == 3
    assert listed(fused).read_bytes() == before
    told(fused, "--cut", "outliers", "--out", tmp_path / "out")
    assert (tmp_path / "out" / "priority.csv").is_file()
    assert (tmp_path / "out" / "priority.png").is_file()
    assert listed(fused).read_bytes() == before


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--cut", "some"), "found 'some'"),
        (("--cut", "0"), "a number of cases from 1, found '0'"),
        (("--cut", "3", "--top-percent", "9"), "goes with --cut top"),
        (("--score", "best"), "found 'best'"),
        (("--set", "a.b=1"), "a"),
    ],
)
def test_wrong_options_are_refused(fused, wrong, said):
    result = call(fused, *wrong)
    assert result.exit_code == 2
    assert said in result.stderr


def test_reading_the_list_takes_no_lock(fused):
    with fused.ctx.workspace.lock():  # as a round that runs
        assert told(fused, "--cut", 2)["chosen"] == 2
