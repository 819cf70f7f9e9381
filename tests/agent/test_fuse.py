"""``voxcurate fuse``: on folders that other tools wrote, and in a workspace."""

import csv
import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from tests.conftest import ellipsoid
from tests.labeling.conftest import CLASSES, build
from voxcurate.catalog import Label, WorkItem

AFFINE = np.array([[0, -2.0, 0.0, 5], [1.5, 0, 0, -3], [0, 0, 4.0, 9], [0, 0, 0, 1]])
SHAPE = (20, 24, 14)
LIVER = ellipsoid(SHAPE, (8, 9, 7), (5, 6, 4))
SPLEEN = ellipsoid(SHAPE, (15, 18, 7), (3, 3, 3))
FAR = np.zeros(SHAPE, bool)
FAR[18, 1, 1] = True


def save(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.asarray(array), affine), path)


def run(*arguments):
    result = CliRunner().invoke(app, ["fuse", *map(str, arguments), "--json"])
    return result, json.loads(result.stdout) if result.stdout.startswith("{") else None


def mask(folder, case, class_id, place="segmentations"):
    return nibabel.load(folder / case / place / f"{class_id}.nii.gz").get_fdata() > 0


@pytest.fixture
def folders(tmp_path):
    """Three models in three ways: masks with a false piece, a map, soft files stored turned."""
    for case in ("s1", "s2"):
        save(tmp_path / "m1" / case / "liver.nii.gz", (LIVER | FAR).astype(np.uint8))
        save(tmp_path / "m1" / case / "Spleen.nii.gz", SPLEEN.astype(np.uint8))
        save(
            tmp_path / "m2" / f"{case}.nii.gz",
            ((LIVER | FAR) + 2 * np.roll(SPLEEN, 1, 0)).astype(np.uint8),
        )
        soft = (LIVER * 0.8).astype(np.float32)
        flip = np.diag([-1.0, 1, 1, 1])
        flip[0, 3] = SHAPE[0] - 1
        save(tmp_path / "m3" / case / "predictions/liver.nii.gz", soft[::-1], AFFINE @ flip)
    (tmp_path / "m2" / "dataset.json").write_text('{"labels": {"liver": 1, "spleen": 2}}')
    return tmp_path


def given(folder, *models):
    return ["--predictions", *(folder / m for m in models)]


def test_masks_rules_and_what_was_removed(folders, tmp_path):
    out = tmp_path / "out"
    result, found = run(*given(folders, "m1", "m2", "m3"), "--out", out)
    assert result.exit_code == 0, result.output
    assert found["models"] == ["m1", "m2", "m3"]
    assert (found["method"], found["reused"]) == ("mean", 0)
    for case in ("s1", "s2"):
        np.testing.assert_array_equal(mask(out, case, "liver"), LIVER)
        np.testing.assert_array_equal(mask(out, case, "liver", "removed"), FAR)
        np.testing.assert_array_equal(mask(out, case, "spleen"), SPLEEN & np.roll(SPLEEN, 1, 0))
        image = nibabel.load(out / case / "segmentations/liver.nii.gz")
        np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
        told = found["cases"][case]
        assert told["classes"]["spleen"]["models"] == ["m1", "m2"]
        assert told["classes"]["liver"]["ml"] == pytest.approx(LIVER.sum() * 12 / 1000)
        (effect,) = told["rules"]
        assert (effect["rule"], effect["voxels"]) == ("single", 1)
        assert effect["box"] == [[18, 19], [1, 2], [1, 2]]
        assert told["sides"].startswith("not checked")
    assert "left and right were not checked" in result.stderr
    with (out / "rules.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["case"], r["class"], r["rule"], r["i_start"]) for r in rows] == [
        ("s1", "liver", "single", "18"),
        ("s2", "liver", "single", "18"),
    ]
    again = run(*given(folders, "m1", "m2", "m3"), "--out", out)[1]
    assert again["reused"] == 2
    assert again["cases"] == found["cases"]
    save(folders / "m1/s1/liver.nii.gz", LIVER.astype(np.uint8))
    again = run(*given(folders, "m1", "m2", "m3"), "--out", out)[1]
    assert again["reused"] == 1
    plain = run(*given(folders, "m1", "m2", "m3"), "--out", out, "--no-rules")[1]
    assert plain["cases"]["s2"]["rules"] == []
    assert not list((out / "s2" / "removed").glob("*"))  # nothing of another run is left
    np.testing.assert_array_equal(mask(out, "s2", "liver"), LIVER | FAR)


def test_staple_weights_threshold_and_classes(folders, tmp_path):
    result, found = run(*given(folders, "m1", "m2", "m3"), "--out", tmp_path / "a",
                        "--method", "staple")  # fmt: skip
    assert result.exit_code == 0
    assert set(found["cases"]["s1"]["classes"]["liver"]["sensitivity"]) == {"m1", "m2", "m3"}
    (tmp_path / "w.yaml").write_text("m1: {spleen: 3}\nm2: 0.5\n")
    result, found = run(*given(folders, "m1", "m2", "m3"), "--out", tmp_path / "b",
                        "--weights", tmp_path / "w.yaml", "--class", "Spleen")  # fmt: skip
    assert list(found["cases"]["s1"]["classes"]) == ["spleen"]
    assert found["cases"]["s1"]["classes"]["spleen"]["weights"] == {"m1": 3.0, "m2": 0.5}
    np.testing.assert_array_equal(mask(tmp_path / "b", "s1", "spleen"), SPLEEN)
    run(*given(folders, "m1", "m2"), "--out", tmp_path / "c", "--threshold", 0.4)
    np.testing.assert_array_equal(
        mask(tmp_path / "c", "s1", "spleen"), SPLEEN | np.roll(SPLEEN, 1, 0)
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [("m9: 1\n", "no model 'm9'"), ("m1: -1\n", "0 or more"), ("m1: {liver: much}\n", "much")],
)
def test_wrong_weights_are_said(folders, tmp_path, text, why):
    (tmp_path / "w.yaml").write_text(text)
    result, _ = run(*given(folders, "m1", "m2"), "--out", tmp_path / "o", "--weights",
                    tmp_path / "w.yaml")  # fmt: skip
    assert result.exit_code == 2
    assert why in result.stderr


def test_a_model_on_another_grid_or_broken_fails_its_case_and_the_rest_goes_on(folders, tmp_path):
    save(folders / "m2/s1.nii.gz", LIVER[1:].astype(np.uint8))
    (folders / "m1/s2/Spleen.nii.gz").unlink()
    (folders / "m3/s2/predictions/liver.nii.gz").unlink()
    result, found = run(*given(folders, "m1", "m2", "m3"), "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "model m2: label map: want model m1's shape" in found["failed"]["s1"]
    assert found["missing"] == {"s2": ["m3"]}
    assert found["cases"]["s2"]["classes"]["spleen"]["models"] == ["m2"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--predictions", "m1"], "wants --out"),
        (["--out", "x"], "only with --predictions"),
        (["--predictions", "m1", "--out", "x", "--method", "vote"], "mean or staple"),
        (
            ["--predictions", "m1", "--out", "x", "--method", "staple", "--weights", "w"],
            "estimates",
        ),
        (["--predictions", "nowhere", "--out", "x"], "there is none"),
        (["--predictions", "m1", "--out", "x", "--set", "predict.overlap=0.5"], "labeling"),
    ],
)
def test_wrong_calls_are_said(folders, monkeypatch, arguments, why):
    monkeypatch.chdir(folders)
    result, _ = run(*arguments)
    assert result.exit_code == 2
    assert why in result.stderr


def test_a_label_table_in_the_header_names_the_classes(tmp_path):
    image = nibabel.Nifti1Image((LIVER + 2 * SPLEEN).astype(np.uint8), AFFINE)
    table = (
        '<?xml version="1.0"?><CaretExtension><VolumeInformation Index="0"><LabelTable>'
        '<Label Key="1" Red="0.0"><![CDATA[liver]]></Label>'
        '<Label Key="2" Red="0.0"><![CDATA[Spleen]]></Label>'
        '<Label Key="3" Red="0.0"><![CDATA[gallbladder]]></Label></LabelTable>'
        "</VolumeInformation></CaretExtension>"
    )
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, table.encode()))
    (tmp_path / "m").mkdir()
    nibabel.save(image, tmp_path / "m" / "s1.nii.gz")
    result, found = run(*given(tmp_path, "m"), "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert list(found["cases"]["s1"]["classes"]) == ["liver", "spleen", "gall_bladder"]
    assert found["cases"]["s1"]["classes"]["gall_bladder"]["voxels"] == 0
    assert "one model" in result.stderr


def test_in_a_workspace_it_is_the_stage_of_the_round(tmp_path):
    world = build(tmp_path / "ws", planted={}, n_train=2, n_validation=1, n_test=1)
    root, catalog = world.ctx.workspace.root, world.ctx.catalog
    assert "predict" in run("-w", root)[0].stderr  # round 0 has no predictions
    with catalog.write() as writer:
        for line in writer.rows(WorkItem, stage="predict"):
            writer.put(replace(line, round=0))
    result, found = run("-w", root)
    assert result.exit_code == 0, result.output
    assert found["counts"]["computed"] == 3
    assert found["counts"]["labels"] == 3 * len(CLASSES)
    assert run("-w", root)[1]["counts"]["computed"] == 0
    from labeling.config import LabelingConfig
    from labeling.fusion import fuse

    first = replace(world.ctx, classes=tuple(sorted(CLASSES)))  # as a round begins
    counts = fuse.run(first, LabelingConfig()).counts
    assert (counts["computed"], counts["reused"]) == (0, 3)
    assert {x.class_id for x in catalog.rows(Label, origin="pseudo")} == set(CLASSES)
    assert run("-w", root, "--method", "staple")[1]["counts"]["computed"] == 3
