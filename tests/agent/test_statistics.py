"""``voxcurate statistics`` on folders and in a workspace, and its sections of the report."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.prediction_folders import name_folders
from agent.report.agreement import agreement as agreement_section
from agent.report.agreement import bias_words, interval
from agent.report.build import build_sections
from agent.report.effort import effort
from agent.report.heat_map import triangles
from agent.report.view import load_view
from agent.report.volumes import quartile_tables
from labeling.assembly import assemble
from labeling.config import LabelingConfig
from labeling.fusion import fuse
from labeling.statistics import agreement
from labeling.statistics.agreement import Agreement
from labeling.statistics.figures import EVERY, Cell
from tests.agent.agreed import NETS, put
from tests.agent.agreed import agreement as agreed
from tests.agent.curated import fill, phantoms
from tests.conftest import ellipsoid, oblique_affine
from tests.labeling.conftest import build
from voxcurate.catalog import Catalog, Measure, Round
from voxcurate.errors import ConfigError
from voxcurate.intervals import Estimate
from voxcurate.metrics import dsc
from voxcurate.nifti import write_nifti
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

SHAPE, AFFINE = (23, 19, 14), oblique_affine()
CLASSES = ("liver", "spleen")


def call(*words):
    return CliRunner().invoke(app, ["statistics", *map(str, words)])


def told(*words):
    result = call(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def organ(class_id, grow):
    centre = {"liver": (15, 9, 7), "spleen": (5, 8, 8)}[class_id]
    return ellipsoid(SHAPE, centre, (4 * grow, 4, 3 * grow))


def write(folder, case, masks, affine=AFFINE):
    for class_id, mask in masks.items():
        path = folder / case / "segmentations" / f"{class_id}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_nifti(path, Volume(mask.astype(np.uint8), affine))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two nets and people on ten cases; folder -> case -> class -> mask."""
    root = tmp_path_factory.mktemp("folders")
    truth = {}
    for n, name in enumerate(("unet", "swin", "people")):
        for i in range(10):
            grow = 0.8 + 0.05 * i + (0.0, 0.1, 0.02)[n]
            masks = {c: organ(c, grow) for c in CLASSES}
            if name == "people" and i == 0:
                masks.pop("spleen")
            if name == "people" and i == 1:
                masks["spleen"] = np.zeros(SHAPE, bool)
            write(root / name, f"case{i}", masks)
            truth.setdefault(name, {})[f"case{i}"] = masks
    return root, truth


def test_volumes_are_median_and_quartiles_of_each_folder(folders):
    root, truth = folders
    rows = {
        (v["class"], v["source"]): v for v in told(root / "unet", root / "people")["volumes_ml"]
    }
    voxel = abs(np.linalg.det(AFFINE[:3, :3])) / 1000
    ml = [case["liver"].sum() * voxel for case in truth["unet"].values()]
    found = rows["liver", "unet"]
    assert [found["low"], found["median"], found["high"]] == pytest.approx(
        np.percentile(ml, [25, 50, 75])
    )
    assert (rows["spleen", "people"]["n"], rows["spleen", "people"]["absent"]) == (8, 1)


def test_the_matrix_is_the_mean_dsc_on_the_cases_of_both(folders):
    root, truth = folders
    rows = told(*(root / name for name in truth))["agreement"]["matrix"]
    found = {(r["class"], r["one"], r["two"]): r for r in rows}
    for class_id, n in (("liver", 10), ("spleen", 9)):
        values = [
            dsc(own[class_id], truth["people"][case][class_id])
            for case, own in truth["swin"].items()
            if class_id in truth["people"][case]
        ]
        row = found[class_id, "swin", "people"]
        assert row["mean"] == pytest.approx(np.mean(values))
        assert row["n"] == n
    means = [found[c, "unet", "swin"]["mean"] for c in CLASSES]
    assert found["", "unet", "swin"]["mean"] == pytest.approx(np.mean(means))


def test_a_machines_folder_that_copies_one_net_leans_towards_it(folders, tmp_path):
    root, truth = folders
    for case, masks in truth["swin"].items():
        write(tmp_path / "ours", case, masks)
    places = [root / "unet", root / "swin", root / "people", tmp_path / "ours"]
    words = ("--people", "people", "--machine", "ours")
    bias = {b["architecture"]: b for b in told(*places, *words)["agreement"]["bias"]}
    assert bias["swin"]["paired"]["low"] > 0 > bias["unet"]["paired"]["high"]
    assert bias["swin"]["patients"] == 10
    text = call(*places, *words).output
    assert "lean towards swin" in text
    assert told(*places)["agreement"]["bias"] == []


def test_a_class_may_be_asked_for_by_any_of_its_names(folders):
    root, _ = folders
    rows = told(root / "unet", root / "swin", "--class", "Liver")["agreement"]["matrix"]
    assert {r["class"] for r in rows} == {"", "liver"}


def test_label_maps_and_masks_can_be_compared(folders, tmp_path):
    root, truth = folders
    (tmp_path / "maps").mkdir()
    for case, masks in truth["unet"].items():
        labels = np.where(masks["liver"], 1, np.where(masks["spleen"], 2, 0)).astype(np.int16)
        write_nifti(tmp_path / "maps" / f"{case}.nii.gz", Volume(labels, AFFINE))
    (tmp_path / "names.json").write_text('{"labels": {"liver": 1, "spleen": 2, "colon": 3}}')
    found = told(root / "unet", tmp_path / "maps", "--labels", tmp_path / "names.json")
    rows = {r["class"]: r for r in found["agreement"]["matrix"]}
    assert (rows["liver"]["mean"], rows["spleen"]["mean"]) == (1, 1)
    colon = next(v for v in found["volumes_ml"] if v["class"] == "colon")
    assert (colon["n"], colon["absent"], colon["median"]) == (0, 10, None)


def test_maps_without_names_are_told_by_number(tmp_path):
    for name, values in (("a", (1, 2)), ("b", (1, 1))):
        labels = np.zeros(SHAPE, np.uint8)
        labels[2:5, 3, 4], labels[8:9, 3, 4] = values
        (tmp_path / name).mkdir()
        write_nifti(tmp_path / name / "x.nii.gz", Volume(labels, AFFINE))
        write_nifti(tmp_path / name / "z.nii.gz", Volume(np.zeros(SHAPE, np.uint8), AFFINE))
    found = told(tmp_path / "a", tmp_path / "b")
    rows = {r["class"]: r["mean"] for r in found["agreement"]["matrix"]}
    assert rows["1"] == pytest.approx(6 / 7)
    assert rows["2"] == 0  # the other map does not have it


def test_a_case_on_two_grids_fails_alone(folders, tmp_path):
    root, truth = folders
    moved = AFFINE.copy()
    moved[0, 3] += 5
    for case, masks in truth["unet"].items():
        write(tmp_path / "other", case, masks, moved if case == "case3" else AFFINE)
    result = call(root / "unet", tmp_path / "other")
    assert result.exit_code == 1
    assert "failed: case3: the affines" in result.stderr
    assert str(tmp_path) not in result.output
    assert "9 cases" in result.stdout


def test_a_broken_file_leaves_the_other_folders_alone(tmp_path):
    for name, grow in (("a", 1.0), ("b", 1.1), ("c", 1.2)):
        write(tmp_path / name, "case1", {c: organ(c, grow) for c in CLASSES})
    broken = tmp_path / "c" / "case1" / "segmentations" / "liver.nii.gz"
    broken.write_text("no scan")
    result = call(tmp_path / "a", tmp_path / "b", tmp_path / "c", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert list(found["failed"]) == ["case1 in c"]
    assert {row["source"] for row in found["volumes_ml"]} >= {"a", "b"}


def test_one_folder_has_volumes_and_nothing_to_compare(folders):
    result = call(folders[0] / "unet")
    assert result.exit_code == 0
    assert "nothing to compare" in result.stdout
    assert "3rd quartile" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("unet", "unet"), "given twice"),
        (("unet", "--people", "nobody"), "want one of the folders unet"),
        (("unet", "--people", "unet", "--machine", "unet"), "either people"),
        (("unet", "--layout", "tree"), "--layout"),
        (("unet", "--measure"), "want folders, or a workspace"),
        (("--people", "unet"), "are about folders"),
    ],
)
def test_bad_calls_say_what_is_wanted(folders, monkeypatch, words, said):
    monkeypatch.chdir(folders[0])
    result = call(*words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_folders_are_called_by_what_tells_them_apart(tmp_path):
    paths = [tmp_path / "a" / "labels", tmp_path / "b" / "labels"]
    assert name_folders(paths) == ["a/labels", "b/labels"]
    assert name_folders(paths[:1]) == ["labels"]
    with pytest.raises(ConfigError):
        name_folders([paths[0], paths[0]])


# --- in a workspace


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A workspace in its first round, fused and assembled, not measured."""
    built = build(
        tmp_path_factory.mktemp("statistics") / "ws",
        planted={}, unlabelled=("spleen",), n_train=4, n_validation=1, n_test=1,
    )  # fmt: skip
    with built.ctx.catalog.write() as writer:
        facts = {"classes": list(built.ctx.classes)}
        writer.put(Round(1, "running", {}, {}, 0, "2026-01-01T00:00:00+00:00", facts=facts))
    assert not fuse.run(built.ctx, LabelingConfig()).failed
    assert not assemble.run(built.ctx, LabelingConfig()).failed
    return built


def test_a_workspace_is_read_until_it_shall_be_measured(world):
    root = world.ctx.workspace.root
    before = world.ctx.catalog.count(Measure)
    found = told("-w", root)
    assert found["agreement"] is None
    assert world.ctx.catalog.count(Measure) == before
    assert "--measure" in call("-w", root).stdout
    trusts = {(v["class"], v["label"]) for v in found["volumes_ml"]}
    assert {("spleen", "pseudo"), ("liver", "original")} <= trusts
    assert found["time"]["by_hand"][0]["minutes"] == 60 * 4 * 6
    assert found["time"]["with_machine"][0]["minutes"] == 15
    assert found["time"]["settings"]["minutes_per_structure"] == 60
    measured = told("-w", root, "--measure")
    assert measured["agreement"]["cases"] == 6
    assert told("-w", root)["agreement"] == measured["agreement"]
    again = agreement.run(world.ctx, LabelingConfig())
    assert again.counts["computed"] == 0  # the round does not do the work again


def test_a_new_workspace_has_nothing_to_tell_and_says_so(tmp_path):
    Workspace.create(tmp_path / "new", key_file="key")
    result = call("-w", tmp_path / "new")
    assert result.exit_code == 0
    for words in ("no label counts yet", "not compared", "nothing to annotate"):
        assert words in result.stdout
    assert told("-w", tmp_path / "new")["time"] is None


def test_settings_and_classes_narrow_what_is_told(world):
    root = world.ctx.workspace.root
    setting = "labeling.statistics.time.minutes_per_structure=10"
    found = told("-w", root, "--set", setting, "--class", "liver")
    assert found["time"]["by_hand"][0]["minutes"] == 10 * 1 * 6
    assert {v["class"] for v in found["volumes_ml"]} == {"liver"}


def test_models_of_one_architecture_are_warned_about(world):
    agreement.run(world.ctx, LabelingConfig())
    text = call("-w", world.ctx.workspace.root).stdout
    assert "All models share one architecture (unet)" in text


# --- in the report


@pytest.fixture(scope="module")
def curated(tmp_path_factory):
    context = fill(tmp_path_factory.mktemp("sections") / "w", phantoms(10))
    put(context, agreed(context.classes))
    return context


def test_the_report_draws_the_matrix_and_names_the_bias(curated):
    made = agreement_section(load_view(curated, 2))
    kinds = [block.kind for block in made.blocks]
    assert kinds == ["chart", "table", "text", "text", "chart", "table"]
    assert "lean towards SwinUNETR" in made.blocks[3].text
    assert made.blocks[3].mood == "warn"
    assert "30 of 150 scans" in made.about
    lines = {row[0]: row for row in made.blocks[5].rows}
    assert lines["SwinUNETR"][3].startswith("+0.04")
    assert lines["SwinUNETR"][-1] == "lean towards it"
    assert "segresnet_fold0 and swinunetr_fold1" in made.blocks[0].alt


def test_what_is_missing_is_said_in_words(curated):
    assert "not compared" in agreement_section(load_view(curated, 1)).empty
    whole = agreed(curated.classes)
    for changes, words in (
        ({"n_cases": 0, "n_eligible": 0}, "No scan of the round has predictions"),
        ({"n_cases": 0}, "statistics.cases is 0"),
        ({}, "no two raters"),
    ):
        put(curated, replace(whole, matrix={EVERY: {}}, **changes))
        assert words in agreement_section(load_view(curated, 2)).empty
    put(curated, whole)


def test_the_bias_in_words(curated):
    no_people = replace(agreed(("liver",)), bias=())
    assert "Not measured" in bias_words(no_people)[0][1]
    assert bias_words(agreed(("liver",), bias=0.0, seed=3))[0][0] == "good"
    assert "too few to tell" in bias_words(agreed(("liver",), n=6))[0][1]
    assert "one architecture" in bias_words(agreed(("liver",), nets=1))[0][1]
    assert interval(Estimate(0.1234, None, None, 1)) == "+0.123"
    assert interval(None) == "–"


def test_many_raters_get_one_triangle_and_cells_that_nobody_filled_stay_empty():
    raters = [f"net{i}" for i in range(19)]
    values = {(r, c): 0.9 for r in range(19) for c in range(r) if (r, c) != (4, 2)}
    svg = triangles("many", {"mean": values}, raters)
    assert svg.count(">.90<") == 19 * 18 / 2 - 1
    few = triangles("few", {"mean": {(1, 0): 1.0}}, raters[:2])
    assert "max-width" in few


def test_seen_cells_are_marked(curated):
    whole = agreed(curated.classes)
    cells = {**whole.matrix[EVERY], (NETS[0], NETS[1]): Cell(0.8, 3, seen=True)}
    put(curated, replace(whole, matrix={**whole.matrix, EVERY: cells}))
    table = agreement_section(load_view(curated, 2)).blocks[1]
    assert table.rows[0][2] == "0.800*"
    assert "trained on" in table.note
    put(curated, whole)


def test_quartiles_stand_beside_each_other_or_below_with_many_sources(curated):
    view = load_view(curated, 2)
    beside, folded = quartile_tables(view)
    assert list(beside.head) == ["class", "alpha", "beta", "all sources"]
    liver = [view.current(s.case_id, "liver") for s in view.used]
    middle = np.median([x.ml for x in liver if x is not None and x.ml > 0])
    assert beside.rows[0][-1].startswith(f"{middle:.3g} (")
    assert folded.is_folded
    assert {row[2] for row in folded.rows} <= {"original", "human", "judged", "pseudo"}


def test_the_time_is_told_with_its_assumptions(curated):
    made = effort(load_view(curated, 2))
    table = made.blocks[1]
    assert table.rows[0][1] == "60 min x 3 classes x 8 scans"
    assert any("15 min" in line for line in made.blocks[4].items)
    empty = replace(curated, cohort=frozenset({"nobody"}))
    assert "nothing to annotate" in effort(load_view(empty, 2)).empty


def test_a_whole_round_has_all_three_sections(finished):
    from agent.rounds import context_of

    workspace = Workspace.find(finished)
    context = context_of(workspace, Catalog(workspace.catalog_url), 1, quiet=True)
    sections = {s.id: s for s in build_sections(load_view(context, 1))}
    for name in ("agreement", "volumes", "effort"):
        assert sections[name].blocks, sections[name].empty
    found = agreement.stored(context)
    assert isinstance(found, Agreement)
    assert found.n_cases == found.n_eligible > 0
