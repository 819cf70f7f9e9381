"""``voxcurate audit`` on files, and in a workspace."""

import csv
import json
import shutil
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.audit import confusion
from agent.cli.main import app
from labeling.audit.findings import Finding
from labeling.config import LabelingConfig
from labeling.expert import detect
from labeling.expert.layout import learn_layout
from labeling.fusion import fuse
from tests.labeling.conftest import AFFINE, PLANTED, SHAPE, build, phantom, soft
from voxcurate.catalog import Round
from voxcurate.classes import load_vocabulary
from voxcurate.nifti import write_nifti
from voxcurate.volume import Volume

N = 8
SWAPPED, LOST = "case3", "case5"


def run(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def audited(*arguments, code=0):
    result = run("folder", *arguments, "--json", "--workers", 1)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def row_of(data, case, class_id):
    return next(r for r in data["labels"] if (r["case"], r["class"]) == (case, class_id))


def write(path, array, affine):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, Volume(array, affine))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eight cases with scans and two soft models; one has swapped kidneys, one an empty spleen."""
    root = tmp_path_factory.mktemp("data")
    for n in range(N):
        scan, masks = phantom(n)
        case = f"case{n}"
        write(root / "scans" / f"{case}.nii.gz", scan.array, scan.affine)
        for m, model in enumerate(("one", "two")):
            for c, mask in masks.items():
                path = root / model / case / f"{c}.nii.gz"
                write(path, np.rint(255 * soft(mask, 10 * n + m)).astype(np.uint8), scan.affine)
        labels = dict(masks)
        if case == SWAPPED:
            labels["kidney_left"], labels["kidney_right"] = (
                masks["kidney_right"],
                masks["kidney_left"],
            )
        if case == LOST:
            labels["spleen"] = np.zeros(SHAPE, bool)
        for c, mask in labels.items():
            path = root / "labels" / case / "segmentations" / f"{c}.nii.gz"
            write(path, mask.astype(np.uint8), scan.affine)
    return root


@pytest.fixture(scope="module")
def full(data, tmp_path_factory):
    """The audit with everything, and its folder."""
    out = tmp_path_factory.mktemp("out") / "audit"
    return audited(*everything(data), "--out", out), out


def everything(data):
    models = ("--predictions", data / "one", "--predictions", data / "two")
    return data / "labels", "--scans", data / "scans", *models


def test_wrong_labels_come_first_with_their_kind_and_what_is_better(full):
    data, _ = full
    first = {(r["case"], r["class"]): r["kind"] for r in data["labels"][:3]}
    assert first == {
        (SWAPPED, "kidney_left"): "left_right_swap",
        (SWAPPED, "kidney_right"): "left_right_swap",
        (LOST, "spleen"): "missing",
    }
    assert all(r["status"] == "suspect" and r["probability"] > 0.9 for r in data["labels"][:3])
    assert {r["status"] for r in data["labels"][3:]} == {"no doubt"}
    assert len(data["labels"]) == 4 * N
    swapped = row_of(data, SWAPPED, "kidney_left")
    assert swapped["better"] == "ensemble"
    assert swapped["better_dsc"] == 0
    assert "fits the predicted right kidney" in swapped["witnesses"]["models"]
    assert "side:" in swapped["witnesses"]["rules"]


def test_the_output_states_what_was_compared_and_the_settings_of_classes(full):
    data, _ = full
    told = data["settings"]["classes"]["spleen"]
    assert told["labels_compared"] == N - 1
    assert told["shapes_learned"] == N - 1
    assert told["smallest_missing_ml"] == LabelingConfig().detect.missing_ml
    assert told["nsd_tolerance_mm"] > 0
    assert told["pieces_ml"] is not None


def test_the_folder_has_a_table_and_pictures_of_the_worst(full):
    data, out = full
    rows = list(csv.DictReader((out / "audit.csv").open()))
    assert [r["case"] for r in rows] == [r["case"] for r in data["labels"]]
    assert json.loads((out / "audit.json").read_text())["labels"] == data["labels"]
    page = (out / "audit.html").read_text()
    assert "left and right swapped" in page
    shown = sorted((out / "pictures").glob("*.png"))
    assert len(shown) == 80  # label and prediction of 20, from the front and from the side
    views = [f"01_{what}_{s}.png" for s in ("front", "side") for what in ("label", "prediction")]
    assert len({(out / "pictures" / name).read_bytes() for name in views}) == 4
    assert all(f'src="pictures/{name}"' in page for name in views)
    assert f"3 of {4 * N} labels are suspect, 0 unknown" in page
    assert page.index("left and right swapped") < page.index("Not suspect, but next to it")


def test_what_is_done_is_not_done_again_until_a_file_changes(data, tmp_path):
    copied = tmp_path / "data"
    shutil.copytree(data, copied)
    out = tmp_path / "out"
    first = audited(*everything(copied), "--out", out)
    kept = {p.name: p.stat().st_mtime_ns for p in (out / "examined").iterdir()}
    again = audited(*everything(copied), "--out", out)
    assert (first["reused"], again["reused"]) == (0, N)
    assert again["labels"] == first["labels"]
    mask = copied / "labels" / "case0" / "segmentations" / "liver.nii.gz"
    shutil.copy(copied / "labels" / "case1" / "segmentations" / "liver.nii.gz", mask)
    time.sleep(0.01)
    mask.touch()
    third = audited(*everything(copied), "--out", out)
    assert third["reused"] == N - 1
    now = {p.name: p.stat().st_mtime_ns for p in (out / "examined").iterdir()}
    assert {name for name in now if now[name] != kept[name]} == {"case0.json"}


def test_without_predictions_rules_and_shape_look_and_say_so(data):
    found = audited(data / "labels", "--scans", data / "scans")
    assert "no predictions" in found["notes"][0]
    assert {r["class"] for r in found["labels"][:2]} == {"kidney_left", "kidney_right"}
    assert {r["case"] for r in found["labels"][:2]} == {SWAPPED}
    assert found["labels"][0]["witnesses"]["models"] == "models: no predictions"
    assert found["labels"][0]["better"] == ""


def test_without_scans_nothing_is_said_of_density(data):
    found = audited(*everything(data)[:1], *everything(data)[3:])
    assert any("no scan" in note for note in found["notes"])
    row = row_of(found, SWAPPED, "kidney_left")
    assert row["status"] == "suspect"
    assert "no scan" in row["witnesses"]["scan"]
    fine = row_of(found, "case0", "liver")
    assert fine["status"] == "no doubt"
    assert "hu_" not in fine["witnesses"]["shape"]


def test_one_case_is_unknown_never_fine(data, tmp_path):
    shutil.copytree(data / "labels" / "case0", tmp_path / "labels" / "case0")
    given = (tmp_path / "labels", *everything(data)[1:])
    found = audited(*given)
    assert {r["status"] for r in found["labels"]} == {"unknown"}
    assert {r["probability"] for r in found["labels"]} == {None}
    assert any("too few" in note for note in found["notes"])
    trusted = audited(*given, "--reference", data / "labels", "--reference-scans", data / "scans")
    assert {r["status"] for r in trusted["labels"]} == {"no doubt"}
    assert {r["case"] for r in trusted["labels"]} == {"case0"}


def test_models_that_learned_these_labels_clear_none(data, tmp_path):
    some = tmp_path / "labels"
    for n in range(N):
        place = some / f"case{n}"
        place.mkdir(parents=True)
        shutil.copy(data / "labels" / f"case{n}" / "segmentations" / "liver.nii.gz", place)
    given = (some, "--predictions", data / "one", "--set", "labeling.judge.minimum_n=20")
    known = audited(*given)
    assert {r["status"] for r in known["labels"]} == {"no doubt"}
    learned = audited(*given, "--in-fold")
    assert {r["status"] for r in learned["labels"]} == {"unknown"}
    assert any("trained on these very labels" in note for note in learned["notes"])


def test_a_label_map_is_no_scan_and_what_a_map_lacks_is_unknown(data, tmp_path):
    names = {"background": 0, "liver": 1, "spleen": 2}
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "dataset.json").write_text(json.dumps({"labels": names}))
    for n in range(N):
        scan, masks = phantom(n)
        whole = masks["liver"].astype(np.uint8)
        if n:
            whole[masks["spleen"]] = 2
        write(tmp_path / "maps" / f"case{n}.nii.gz", whole, scan.affine)
    found = audited(tmp_path / "maps", "--predictions", data / "one")
    assert any("no scan" in note for note in found["notes"])
    assert not [r for r in found["labels"] if (r["case"], r["class"]) == ("case0", "spleen")]
    asked = audited(tmp_path / "maps", "--predictions", data / "one", "--missing-is-empty")
    assert row_of(asked, "case0", "spleen")["kind"] == "missing"


def test_a_broken_case_fails_alone(data, tmp_path):
    copied = tmp_path / "labels"
    shutil.copytree(data / "labels", copied)
    (copied / "case1" / "segmentations" / "liver.nii.gz").write_bytes(b"rubbish")
    scan, masks = phantom(2)
    write(copied / "case2" / "segmentations" / "liver.nii.gz",
          masks["liver"][:-1].astype(np.uint8), scan.affine)  # fmt: skip
    several = masks["liver"] + 2 * masks["spleen"].astype(np.uint8)
    write(copied / "case4" / "segmentations" / "organs.nii.gz", several, scan.affine)
    found = audited(copied, *everything(data)[1:], code=1)
    assert set(found["failed"]) == {"case1", "case2", "case4"}
    assert "liver" in found["failed"]["case1"]
    assert "label map" in found["failed"]["case4"]
    assert {r["case"] for r in found["labels"]} == {f"case{n}" for n in range(N)} - {
        "case1", "case2", "case4"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--class", "livre"), "no class 'livre'"),
        (("--set", "labeling.detect.treshold=1"), "treshold"),
        (("--reference-scans", "."), "--reference-scans goes with"),
    ],
)
def test_wrong_calls_are_told(data, more, why):
    result = run("folder", data / "labels", *more)
    assert result.exit_code == 2
    assert why in result.output


def test_results_do_not_lie_among_what_is_read(data):
    result = run("folder", data / "labels", "--out", data / "labels" / "audit")
    assert result.exit_code == 2
    assert "--out" in result.output


@pytest.mark.slow
def test_processes_find_the_same(data, full):
    result = run("folder", *everything(data), "--workers", 2, "--json")
    rows = json.loads(result.stdout)["labels"]
    assert rows == full[0]["labels"]


def test_a_hard_rule_is_enough_where_nothing_else_can_tell():
    from labeling.audit.findings import findings_of
    from labeling.expert.suspicion import Suspicion, Usual
    from labeling.expert.tot import Comparison
    from labeling.rules import Violation

    def label(class_id, rule, chance, other="", hard=True):
        broken = Violation(class_id, rule, 1.0, 0.5, chance, other, "told", hard=hard).plain()
        comparison = Comparison(None, None, 9.0, 0.0, 0.0, "", 0.0, 0, True).plain()
        row = {"class_id": class_id, "comparison": comparison, "difference": None, "doubt": None,
               "features": None, "centroid": None, "violations": [broken]}  # fmt: skip
        return Suspicion("c", row, {"rules": chance})

    def told(*labels):
        usual = Usual({}, learn_layout([], minimum_n=5))
        found = findings_of(labels, usual, LabelingConfig().detect, load_vocabulary())
        return {f.class_id: f for f in found}

    alone = told(label("liver", "side", 0.4))["liver"]
    assert (alone.status, alone.probability) == ("suspect", 0.1)
    assert alone.kind
    soft = told(label("liver", "volume", 0.4, hard=False))["liver"]
    assert (soft.status, soft.probability, soft.kind) == ("unknown", None, "")
    both = told(label("liver", "overlap", 0.3, "spleen"), label("spleen", "overlap", 0.9, "liver"))
    assert (both["liver"].status, both["spleen"].status) == ("unknown", "suspect")
    neither = told(
        label("liver", "overlap", 0.3, "spleen"), label("spleen", "overlap", 0.3, "liver")
    )
    assert {f.status for f in neither.values()} == {"suspect"}


def test_what_names_the_error_is_told_before_what_is_merely_odd():
    said = {"models": "fits the other", "rules": "side", "shape": "odd"}
    swapped = {"tot_swapped": 0.6, "rules": 0.9, "shape": 0.99}

    def told(**parts):
        return Finding("c", "liver", 0.9, 0.9, "suspect", "", said, parts).strongest

    assert told(**swapped) == "fits the other"
    assert told(rules=0.5, shape=0.99) == "side"
    assert told(rules=0.2, shape=0.99) == "odd"


def test_one_case_without_anything_still_shows_broken_rules_and_what_is_unknown(data, tmp_path):
    shutil.copytree(data / "labels" / SWAPPED, tmp_path / "labels" / SWAPPED)
    found = audited(tmp_path / "labels", "--out", tmp_path / "out")
    told = {r["class"]: r["status"] for r in found["labels"]}
    kidneys = ["kidney_left", "kidney_right"]
    assert {c for c, status in told.items() if status == "suspect"} == set(kidneys)
    assert {told[c] for c in told if c not in kidneys} == {"unknown"}
    assert {r["class"] for r in found["labels"][:2]} == set(kidneys)
    page = (tmp_path / "out" / "audit.html").read_text()
    assert "2 of 4 labels are suspect, 2 unknown" in page
    assert "no prediction" in page


def test_what_could_not_be_read_is_told_on_the_page_and_counts_as_too_few(data, tmp_path):
    copied = tmp_path / "labels"
    for n in range(5):
        shutil.copytree(data / "labels" / f"case{n}", copied / f"case{n}")
    for n in range(3):
        (copied / f"case{n}" / "segmentations" / "liver.nii.gz").write_bytes(b"rubbish")
    found = audited(copied, "--out", tmp_path / "out", code=1)
    assert any("2 cases: too few" in note for note in found["notes"])
    page = (tmp_path / "out" / "audit.html").read_text()
    assert "case0 could not be read" in page


def test_confusion_by_hand():
    def line(case, status, kind=""):
        return Finding(case, "liver", 0.5, 0.5, status, kind)

    rows = [
        line("a", "suspect", "missing"), line("b", "suspect", "cut_off"), line("c", "no doubt"),
        line("d", "suspect", "merged"), line("e", "no doubt"), line("f", "unknown"),
    ]  # fmt: skip
    table = confusion(rows, {("a", "liver"): "missing", ("b", "liver"): "eroded",
                             ("c", "liver"): "eroded", ("f", "liver"): "eroded"})  # fmt: skip
    assert table["missing"] == {"found": 1, "missed": 0, "false_alarm": 0, "named": 1}
    assert table["eroded"] == {"found": 1, "missed": 2, "false_alarm": 0, "named": 0}
    assert table["merged"]["false_alarm"] == 1
    assert table["all"] == {"found": 2, "missed": 2, "false_alarm": 1, "named": 1}


@pytest.mark.slow
def test_a_round_is_listed_with_the_truth_beside_it(tmp_path):
    world = build(tmp_path / "ws", planted=PLANTED)
    config = LabelingConfig()
    with world.ctx.catalog.write() as writer:
        facts = {"classes": list(world.ctx.classes)}
        writer.put(Round(1, "running", {}, {}, 0, "2026-01-01T00:00:00+00:00", facts=facts))
    fuse.run(world.ctx, config)
    detect.run(world.ctx, config)
    root = world.ctx.workspace.root
    result = run("-w", root, "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["labels"]
    told = CliRunner().invoke(app, ["errors", "list", "-w", str(root), "--json"])
    assert told.exit_code == 0, told.output
    for error in json.loads(told.stdout):
        row = row_of({"labels": rows}, error["case_id"], error["class_id"])
        assert (row["kind"], row["probability"]) == (error["kind"], error["probability"])
    wrong = {(r["case"], r["class"]) for r in rows if r["status"] == "suspect"}
    cases = sorted(world.truth)
    planted = {(cases[1], "kidney_left"), (cases[1], "kidney_right"), (cases[3], "spleen"),
               (cases[5], "liver")}  # fmt: skip
    assert wrong == planted
    listed = [{"case_id": c, "class_id": k, "kind": "misplaced"} for c, k in planted]
    (tmp_path / "planted.json").write_text(json.dumps(listed))
    told = run("-w", root, "--truth", tmp_path / "planted.json", "--json")
    assert json.loads(told.stdout)["truth"]["all"]["found"] == 4
    shown = run("-w", root, "--class", "liver")
    assert "misplaced" in shown.stdout
    assert run("-w", root, "--round", "7").exit_code == 2
    for case in cases[:6]:
        for c, mask in world.truth[case].items():
            write(tmp_path / "truth" / case / f"{c}.nii.gz", mask.astype(np.uint8), AFFINE)
    masks = json.loads(run("-w", root, "--truth", tmp_path / "truth", "--json").stdout)["truth"]
    assert masks["left_right_swap"]["named"] == 2
    assert (masks["missing"]["found"], masks["all"]["missed"]) == (1, 0)
