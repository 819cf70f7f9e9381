"""``voxcurate compare`` on files that other tools wrote."""

import json

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from voxcurate.metrics import nsd

AFFINE = np.array([[0, -0.8, 0.0, 5], [1.1, 0, 0, -3], [0, 0, 2.0, 9], [0, 0, 0, 1]])
SPACING = (1.1, 0.8, 2.0)
VOXEL_ML = 1.1 * 0.8 * 2.0 / 1000
SHAPE = (14, 17, 9)


def save(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.asarray(array), affine), path)


def box(*sides):
    mask = np.zeros(SHAPE, np.uint8)
    mask[tuple(slice(*side) for side in sides)] = 1
    return mask


LIVER = box((2, 9), (3, 12), (1, 6)), box((3, 9), (3, 12), (1, 6))
SPLEEN = box((10, 13), (2, 6), (2, 8)), box((10, 13), (2, 7), (2, 8))


def run(*arguments):
    result = CliRunner().invoke(app, ["compare", *map(str, arguments), "--json"])
    return result, json.loads(result.stdout) if result.stdout.startswith("{") else None


@pytest.fixture
def maps(tmp_path):
    for side, liver, spleen in zip("ab", LIVER, SPLEEN, strict=True):
        save(tmp_path / side / "case1.nii.gz", (liver + 2 * spleen).astype(np.uint8))
        save(tmp_path / side / "case2.nii.gz", (LIVER[0] + 2 * spleen).astype(np.int16))
        (tmp_path / side / "dataset.json").write_text(
            json.dumps({"labels": {"background": 0, "liver": 1, "Spleen": 2, "pancreas": 3}})
        )
    return tmp_path


def test_trees_of_label_maps_by_hand(maps):
    result, found = run(maps / "a", maps / "b")
    assert result.exit_code == 0
    liver = found["cases"]["case1"]["liver"]
    assert liver["dsc"] == pytest.approx(2 * 270 / (315 + 270))
    assert liver["a_ml"] == pytest.approx(315 * VOXEL_ML)
    assert liver["difference_ml"] == pytest.approx(-45 * VOXEL_ML)
    # the vocabulary's tolerance of the liver is above a voxel's diagonal
    assert liver["tolerance_mm"] == 3.0
    spleen = found["cases"]["case1"]["spleen"]
    assert spleen["tolerance_mm"] == pytest.approx(np.linalg.norm(SPACING))
    wanted = nsd(*SPLEEN, SPACING, float(np.linalg.norm(SPACING)))
    assert spleen["nsd"] == pytest.approx(wanted)
    assert found["cases"]["case1"]["pancreas"]["state"] == "both empty"
    summary = found["summary"]["liver"]
    assert summary["n"] == 2
    assert summary["dsc"][1] == pytest.approx((1 + liver["dsc"]) / 2)
    assert found["summary"]["pancreas"] | {} == found["summary"]["pancreas"]
    assert found["summary"]["pancreas"]["both_empty"] == 2
    assert found["summary"]["pancreas"]["dsc"] is None


def test_without_nsd_dsc_and_volumes_are_the_same(maps):
    _, whole = run(maps / "a", maps / "b")
    _, quick = run(maps / "a", maps / "b", "--no-nsd")
    for case, classes in whole["cases"].items():
        for name, row in classes.items():
            other = quick["cases"][case][name]
            for key in ("state", "dsc", "a_ml", "b_ml", "difference_ml"):
                assert other[key] == pytest.approx(row[key]), (case, name, key)
            assert other["nsd"] is None


def test_masks_under_other_names_are_matched_and_missing_files_are_named(tmp_path):
    save(tmp_path / "a/s1/segmentations/liver.nii.gz", LIVER[0])
    save(tmp_path / "a/s1/segmentations/kidney_left.nii.gz", SPLEEN[0])
    save(tmp_path / "a/s1/ct.nii.gz", LIVER[0])
    save(tmp_path / "b/s1/Liver.nii.gz", LIVER[1] * np.uint8(255))
    save(tmp_path / "b/s2/liver.nii.gz", LIVER[1])
    result, found = run(tmp_path / "a", tmp_path / "b")
    assert result.exit_code == 1
    assert found["only_in_b"] == ["s2"]
    assert found["cases"]["s1"]["liver"]["dsc"] == pytest.approx(2 * 270 / (315 + 270))
    assert found["cases"]["s1"]["kidney_left"]["state"] == "missing in B"
    assert found["summary"]["kidney_left"]["missing_in_b"] == 1
    _, found = run(tmp_path / "a", tmp_path / "b", "--missing-is-empty")
    assert found["cases"]["s1"]["kidney_left"]["dsc"] == 0
    assert found["cases"]["s1"]["kidney_left"]["nsd"] == 0
    _, found = run(tmp_path / "a", tmp_path / "b", "--class", "liver", "--tolerance-mm", "5")
    assert set(found["cases"]["s1"]) == {"liver"}
    assert found["cases"]["s1"]["liver"]["tolerance_mm"] == 5


def test_a_map_against_a_folder_of_masks(tmp_path):
    save(tmp_path / "map.nii.gz", LIVER[0] + 2 * SPLEEN[0])
    (tmp_path / "names.yaml").write_text("{1: liver, 2: spleen}")
    save(tmp_path / "masks/liver.nii.gz", LIVER[1])
    save(tmp_path / "masks/spleen.nii.gz", SPLEEN[0].astype(np.float32))
    result, found = run(
        tmp_path / "map.nii.gz", tmp_path / "masks", "--labels", tmp_path / "names.yaml"
    )
    assert result.exit_code == 0, result.output
    assert found["cases"]["case"]["spleen"]["dsc"] == 1
    assert found["cases"]["case"]["liver"]["dsc"] == pytest.approx(2 * 270 / (315 + 270))


def test_another_grid_is_named_and_the_others_go_on(maps):
    save(maps / "b" / "case1.nii.gz", LIVER[0], np.diag([1.0, 1, 1, 1]))
    result, found = run(maps / "a", maps / "b")
    assert result.exit_code == 1
    assert "affines differ" in found["failed"]["case1"]
    assert set(found["cases"]) == {"case2"}
    save(maps / "b" / "case1.nii.gz", LIVER[0][:-1])
    _, found = run(maps / "a", maps / "b", "--no-nsd")
    assert "(14, 17, 9)" in found["failed"]["case1"]
    (maps / "b" / "case1.nii.gz").write_bytes(b"no")
    for more in ((), ("--no-nsd",)):
        result, found = run(maps / "a", maps / "b", *more)
        assert result.exit_code == 1
        assert found["failed"]["case1"].startswith("B, label map: ")


def test_a_broken_mask_is_named_by_its_side_and_class(tmp_path, monkeypatch):
    for side in "ab":
        save(tmp_path / side / "s1/liver.nii.gz", LIVER[0])
    (tmp_path / "a/s1/liver.nii.gz").write_bytes(b"no")
    monkeypatch.chdir(tmp_path)
    result, found = run("a", "b")
    assert found["failed"]["s1"].startswith("A, mask liver: ")
    assert (found["A"], found["B"]) == ("a", "b")
    result = CliRunner().invoke(app, ["compare", "a", "nothing"])
    assert "B (nothing): want a file or a folder" in result.stderr
    assert str(tmp_path) not in result.output


def test_a_class_that_is_not_there_is_an_error(maps):
    for name, said in (
        ("livr", "no class 'livr' in these files; near it: liver"),
        ("bladder", "there are: liver, pancreas, spleen"),  # known, but in no file
    ):
        result, _ = run(maps / "a", maps / "b", "--class", name)
        assert result.exit_code == 2
        assert said in result.stderr
    assert run(maps / "a", maps / "b", "--class", "LIVER")[0].exit_code == 0
    for side in "ab":
        (maps / side / "dataset.json").unlink()
    assert run(maps / "a", maps / "b", "--class", "2")[0].exit_code == 0  # maps without names


def test_tables_for_people_and_bad_calls(maps, tmp_path):
    result = CliRunner().invoke(app, ["compare", str(maps / "a"), str(maps / "b")])
    assert result.exit_code == 0
    assert "liver" in result.output
    assert "2 cases: median (quartiles)" in result.output
    (tmp_path / "empty").mkdir()
    for other in (tmp_path / "empty", tmp_path / "nothing"):
        result, _ = run(maps / "a", other)
        assert result.exit_code == 2
    result, _ = run(maps / "a", maps / "b", "--tolerance-mm", "-1")
    assert result.exit_code == 2
