"""``voxcurate rules`` on files, and in a workspace."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from labeling.config import LabelingConfig
from labeling.expert import detect
from labeling.fusion import fuse
from tests.labeling.conftest import PLANTED, build
from tests.labeling.rules.bodies import ORGANS, STRAIGHT, masks_of
from voxcurate.catalog import Round
from voxcurate.nifti import write_nifti
from voxcurate.volume import Volume

GUIDE = Path(__file__).parents[2] / "docs" / "rules.md"


def run(*arguments):
    return CliRunner().invoke(app, ["rules", *map(str, arguments)])


def write(folder, masks):
    folder.mkdir(parents=True)
    for class_id, mask in masks.items():
        write_nifti(folder / f"{class_id}.nii.gz", Volume(mask.astype(np.uint8), STRAIGHT))


@pytest.fixture
def cases(tmp_path):
    """A right case, and one with swapped kidneys and an empty spleen."""
    write(tmp_path / "labels" / "good" / "segmentations", masks_of())
    swapped = {"kidney_left": ORGANS["kidney_right"], "kidney_right": ORGANS["kidney_left"]}
    write(tmp_path / "labels" / "swapped" / "segmentations", masks_of(**swapped, spleen=()))
    return tmp_path


def broken(result, case):
    found = json.loads(result.stdout)["cases"][case]["outcomes"]
    return {(v["class_id"], v["rule"]) for v in found if v["state"] == "broken"}


def test_right_labels_pass_and_swapped_ones_are_told(cases):
    result = run("check", cases / "labels", "--json")
    assert result.exit_code == 1
    swapped = broken(result, "swapped")
    assert {("kidney_left", "side"), ("kidney_right", "anchor"), ("spleen", "presence")} <= swapped
    data = json.loads(result.stdout)["cases"]
    assert data["good"]["hard"] == 0
    assert data["good"]["structures"] == 12
    assert data["swapped"]["structures"] == 11
    assert data["good"]["unknown"] > 0
    assert {v["state"] for v in data["swapped"]["outcomes"]} == {"broken"}  # --all keeps the rest
    only = run("check", cases / "labels", "--rule", "side", "--class", "kidney_left", "--json")
    assert broken(only, "swapped") == {("kidney_left", "side")}
    alone = run("check", cases / "labels" / "good" / "segmentations")
    assert alone.exit_code == 0
    assert "0 hard" in alone.stdout


def test_what_was_checked_is_kept_as_long_as_it_fits(cases, monkeypatch):
    from labeling.rules import batch

    asked, work = [], batch.work

    def counted(payload):
        asked.append(payload["files"].case)
        return work(payload)

    monkeypatch.setattr(batch, "work", counted)
    keep = cases / "kept"

    def check(*more):
        asked.clear()
        result = run("check", cases / "labels", "--keep", keep, "--all", "--json", *more)
        return result.exit_code, json.loads(result.stdout), sorted(asked)

    code, first, done = check()
    assert (code, done) == (1, ["good", "swapped"])
    plain = run("check", cases / "labels", "--all", "--json")
    assert json.loads(plain.stdout) == first
    assert check() == (1, first, [])
    assert check("--sex", "male")[2] == ["good", "swapped"]
    assert check()[2] == ["good", "swapped"]  # of the other sex
    (keep / "checked" / "good.json").write_text("{")  # cut off
    assert check() == (1, first, ["good"])
    mask = masks_of()["liver"].astype(np.uint8)
    mask[:3] = 1
    target = cases / "labels" / "good" / "segmentations" / "liver.nii.gz"
    write_nifti(target, Volume(mask, STRAIGHT))
    assert check()[2] == ["good"]


def test_what_is_kept_lies_apart_from_what_is_read(cases):
    for place in (cases / "labels", cases / "labels" / "good", cases):
        result = run("check", cases / "labels", "--keep", place)
        assert result.exit_code == 2
        assert "--keep" in result.stderr
    assert not list(cases.rglob("*.json"))


def test_the_table_says_it_in_words(cases):
    result = run("check", cases / "labels")
    words = re.sub(r"[\s│]+", " ", result.stdout)
    assert "left kidney should lie to the left" in words
    assert run("check", cases / "labels", "--all").stdout.count("\n") > result.stdout.count("\n")


def test_a_scan_gives_density_and_the_bodys_place(cases):
    (cases / "scans").mkdir()
    hu = np.full((44, 31, 54), -1000, np.int16)
    hu[4:40, 4:27] = 40
    hu[masks_of()["liver"]] = 900
    write_nifti(cases / "scans" / "good_0000.nii.gz", Volume(hu, STRAIGHT))
    result = run("check", cases / "labels", "--scans", cases / "scans", "--json")
    assert ("liver", "hu") in broken(result, "good")
    assert ("liver", "hu") not in broken(result, "swapped")  # it has no scan
    assert "no scan of 1 cases" in result.stderr
    (cases / "other").mkdir()
    assert run("check", cases / "labels", "--scans", cases / "other").exit_code == 2


def test_sex_is_given_for_all_or_by_case(cases):
    result = run("check", cases / "labels", "--sex", "female", "--json")
    assert ("prostate", "sex") in broken(result, "good")
    with (cases / "sex.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("case", "sex"), ("good", "M"), ("swapped", "F")])
    result = run("check", cases / "labels", "--sex", cases / "sex.csv", "--json")
    assert ("prostate", "sex") not in broken(result, "good")
    assert ("prostate", "sex") in broken(result, "swapped")
    assert run("check", cases / "labels", "--sex", "x").exit_code == 2


def test_a_table_of_sexes_that_says_nothing_of_these_cases_is_refused(cases):
    table = cases / "sex.csv"
    for content in (b"case,sex\nnobody,F\n", b"\xff\xfe\x00", b"name;sex\ngood;F\n"):
        table.write_bytes(content)
        result = run("check", cases / "labels", "--sex", table)
        assert result.exit_code == 2, content
        assert "--sex" in result.stderr
    table.write_bytes(b"\xef\xbb\xbfcase,sex\ngood, F \n")  # a spreadsheet's mark of UTF-8
    found = run("check", cases / "labels", "--sex", table, "--json")
    assert ("prostate", "sex") in broken(found, "good")


def test_a_misspelt_class_does_not_pass_for_right_labels(cases):
    result = run("check", cases / "labels" / "good" / "segmentations", "--class", "kidny")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no class 'kidny'" in result.stderr
    mine = cases / "mine.yaml"
    mine.write_text("region: r\nrelations: [{a: kidny, is: above, b: bladder}]\n")
    result = run("check", cases / "labels", "--anatomy", mine)
    assert "classes that nobody knows: kidny\n" in result.stderr
    assert "nobody knows" not in run("check", cases / "labels").stderr


def test_what_is_not_labelled_is_unknown_unless_said_otherwise(cases):
    (cases / "labels" / "good" / "segmentations" / "kidney_right.nii.gz").unlink()
    result = run("check", cases / "labels", "--json")
    assert ("kidney_right", "pair") not in broken(result, "good")
    result = run("check", cases / "labels", "--missing-is-empty", "--json")
    assert ("kidney_right", "pair") in broken(result, "good")


def test_a_label_map_is_read_by_its_names(tmp_path):
    labels = np.zeros((44, 31, 54), np.uint8)
    for n, mask in enumerate(masks_of(aorta=((-25, -45, -120), (0, -20, 0))).values(), 1):
        labels[mask] = n
    (tmp_path / "maps").mkdir()
    write_nifti(tmp_path / "maps" / "one.nii.gz", Volume(labels, STRAIGHT))
    names = {c: n for n, c in enumerate(masks_of(), 1)} | {"pancreas": 99}
    (tmp_path / "names.json").write_text(json.dumps(names))
    result = run("check", tmp_path / "maps", "--labels", tmp_path / "names.json", "--json")
    assert ("aorta", "gap") in broken(result, "one")
    assert not [c for c, _ in broken(result, "one") if c == "pancreas"]


def test_a_broken_file_is_named_and_the_others_go_on(cases):
    bad = cases / "labels" / "good" / "segmentations" / "liver.nii.gz"
    bad.write_bytes(b"no mask")
    result = run("check", cases / "labels", "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert "mask liver" in data["failed"]["good"]
    assert str(cases) not in data["failed"]["good"]
    assert "swapped" in data["cases"]
    small = Volume(np.ones((4, 5, 6), np.uint8), STRAIGHT)
    write_nifti(bad, small)
    assert "grid" in json.loads(run("check", cases / "labels", "--json").stdout)["failed"]["good"]


def test_many_cases_are_checked_in_processes_and_told_in_their_order(cases):
    for n in range(4):
        shutil.copytree(cases / "labels" / "good", cases / "labels" / f"copy{n}")
    (cases / "labels" / "copy1" / "segmentations" / "liver.nii.gz").write_bytes(b"no mask")
    result = run("check", cases / "labels", "--workers", 2, "--missing-is-empty", "--json")
    assert result.exit_code == 1
    assert "check labels: 6/6 in" in result.stderr
    told = json.loads(result.stdout)
    assert list(told["cases"]) == ["copy0", "copy2", "copy3", "good", "swapped"]
    assert list(told["failed"]) == ["copy1"]
    assert str(cases) not in result.stdout
    assert told["cases"]["copy2"] == told["cases"]["good"]
    shutil.rmtree(cases / "labels" / "copy1")
    shutil.rmtree(cases / "labels" / "copy2")
    few = json.loads(run("check", cases / "labels", "--missing-is-empty", "--json").stdout)
    assert few["cases"]["swapped"] == told["cases"]["swapped"]  # in this process the same


def labelled(folder, **values):
    """A label map with a liver of 1 and boxes of other values."""
    folder.mkdir(exist_ok=True)
    for name, value in values.items():
        labels = np.zeros((44, 31, 54), np.int8)
        labels[masks_of()["liver"]] = 1
        labels[masks_of()["spleen"]] = value
        write_nifti(folder / f"{name}.nii.gz", Volume(labels, STRAIGHT))


def test_values_without_a_name_are_told(tmp_path):
    labelled(tmp_path / "maps", one=7, two=2, three=7)
    (tmp_path / "names.json").write_text(json.dumps({"liver": 1, "spleen": 2}))
    where = ("check", tmp_path / "maps", "--labels", tmp_path / "names.json")
    result = run(*where, "--json")
    voxels = int(masks_of()["spleen"].sum())
    unnamed = json.loads(result.stdout)["unnamed"]
    assert unnamed == {"one": {"7": voxels}, "three": {"7": voxels}}
    assert "values without a name, not checked: 7 in 2 cases" in result.stderr
    assert "values without a name" in run(*where).stderr
    (tmp_path / "names.json").write_text(json.dumps({"liver": 1, "spleen": 2, "x": 7}))
    assert "without a name" not in run(*where).stderr


def test_negative_labels_are_called_so(tmp_path):
    labelled(tmp_path / "maps", one=-56, two=2)
    (tmp_path / "names.json").write_text(json.dumps({"liver": 1, "spleen": 2}))
    result = run("check", tmp_path / "maps", "--labels", tmp_path / "names.json", "--json")
    told = json.loads(result.stdout)
    assert list(told["cases"]) == ["two"]
    assert "want values of 0 and more in a label map, found -56 in" in told["failed"]["one"]
    assert "int8" in told["failed"]["one"]
    masks = tmp_path / "masks" / "case" / "segmentations"
    masks.mkdir(parents=True)
    mask = np.where(masks_of()["liver"], -1, 0).astype(np.int16)
    write_nifti(masks / "liver.nii.gz", Volume(mask, STRAIGHT))
    failed = json.loads(run("check", tmp_path / "masks", "--json").stdout)["failed"]
    (why,) = failed.values()
    assert "mask liver: want values of 0 and more, found -1" in why
    assert "label map" not in why


def test_what_cannot_run_says_so(cases, tmp_path):
    for wrong in (
        ("check", tmp_path / "nowhere"),
        ("check", cases / "labels", "--rule", "sides"),
        ("check", cases / "labels", "--anatomy", "nowhere"),
    ):
        result = run(*wrong)
        assert result.exit_code == 2, wrong
        assert result.stderr.startswith("error: ") or "error: " in result.stderr


def test_the_guides_own_rules_can_be_used_as_they_are(cases):
    (example,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    own = cases / "mine.yaml"
    own.write_text(example)
    result = run("check", cases / "labels", "--anatomy", own, "--all", "--json")
    outcomes = json.loads(result.stdout)["cases"]["good"]["outcomes"]
    asked = {v["rule"] for v in outcomes}
    assert asked >= {
        "side", "anchor", "volume", "hu", "sex", "relation", "overlap", "gap", "between", "nearer",
        "presence", "pair", "ratio",
    }  # fmt: skip
    liver = next(v for v in outcomes if v["class_id"] == "liver" and v["rule"] == "volume")
    assert liver["limit"] in (500, 4000)
    own.write_text("region: x\nclasses: {liver: {weight: 3}}\n")
    result = run("check", cases / "labels", "--anatomy", own)
    assert result.exit_code == 2
    assert "classes.liver" in result.stderr


def test_every_rule_is_in_the_guide():
    from labeling.rules import HARD, RULE_WEIGHTS

    rows = [line for line in GUIDE.read_text().splitlines() if line.startswith("| `")]
    told = {
        name: "| yes" in row for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert told == {name: name in HARD for name in RULE_WEIGHTS}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace in its first round, with wrong labels."""
    root = tmp_path_factory.mktemp("rules") / "ws"
    world = build(root, planted=PLANTED)
    for stage in (fuse, detect):
        stage.run(world.ctx, LabelingConfig())
    with world.ctx.catalog.write() as writer:
        facts = {"classes": list(world.ctx.classes)}
        writer.put(Round(1, "running", {}, {}, 0, "2026-01-01T00:00:00+00:00", facts=facts))
    world.ctx.catalog.close()
    return root


def test_a_workspaces_violations_are_listed_by_round_case_and_class(workspace):
    where = ("-w", workspace, "--json")
    rows = json.loads(run(*where).stdout)
    swapped = {(r["class_id"], r["rule"]) for r in rows if r["case_id"] == "src_case01"}
    assert {("kidney_left", "side"), ("kidney_right", "anchor")} <= swapped
    assert {r["round"] for r in rows} == {1}
    few = json.loads(
        run("--case", "src_case01", "--class", "left kidney", "--rule", "side", *where).stdout
    )
    assert {(r["case_id"], r["class_id"], r["rule"]) for r in few} == {
        ("src_case01", "kidney_left", "side")
    }  # fmt: skip
    assert json.loads(run("--round", 7, *where).stdout) == []
    plain = run("-w", workspace)
    assert plain.exit_code == 0
    assert "violations" in plain.stdout
    assert run("--case", "nobody", "-w", workspace).exit_code == 2


def test_one_scan_is_told_rule_by_rule(workspace):
    result = run("show", "src_case03", "-w", workspace, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["broken"] == sum(v["state"] == "broken" for v in found["outcomes"])
    assert ("spleen", "presence") in {
        (v["class_id"], v["rule"]) for v in found["outcomes"] if v["state"] == "broken"
    }  # fmt: skip
    plain = run("show", "src_case03", "spleen", "--all", "-w", workspace).stdout
    assert "unknown" in plain
    assert run("show", "nobody", "-w", workspace).exit_code == 2
