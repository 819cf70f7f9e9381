"""``voxcurate attention`` on files that other tools wrote."""

import csv
import json
import shutil

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app

AFFINE = np.array([[0, -2.0, 0.0, 5], [1.5, 0, 0, -3], [0, 0, 4.0, 9], [0, 0, 0, 1]])
VOXEL = 12.0
SHAPE = (10, 12, 7)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.asarray(array), AFFINE), path)


def run(*arguments):
    result = CliRunner().invoke(app, ["attention", *map(str, arguments), "--json"])
    return result, json.loads(result.stdout) if result.stdout.startswith("{") else None


def soft(seed):
    """Probabilities in 256 steps, so that every way to store them holds the same."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, SHAPE).astype(np.uint8)
    values[:3] = 0
    values[:, :, 5:] = 0
    return values


@pytest.fixture
def folders(tmp_path):
    """Three models that store the same kind of thing in three ways, for two cases."""
    for n, case in enumerate(("s1", "s2")):
        a, b = soft(2 * n), soft(2 * n + 1)
        save(tmp_path / "m1" / case / "liver.nii.gz", a)
        save(tmp_path / "m1" / case / "spleen.nii.gz", b)
        save(tmp_path / "m2" / case / "predictions/Liver.nii.gz", (a / 255).astype(np.float64))
        save(tmp_path / "m2" / case / "predictions/spleen.nii.gz", (a / 255).astype(np.float32))
        save(tmp_path / "m3" / f"{case}.nii.gz", ((a > 127) + 2 * (a == 3)).astype(np.uint8))
    (tmp_path / "m3" / "dataset.json").write_text('{"labels": {"liver": 1, "spleen": 2}}')
    return tmp_path


def arguments(folder, *models):
    return [part for m in models for part in ("--predictions", folder / m)]


def equations(stacks):
    total, sums = 0.0, {}
    for name, p in stacks.items():
        others = [q for other, q in stacks.items() if other != name]
        deviation = p.std(0)
        entropy = np.where(p > 0, -p * np.log(np.maximum(p, 1e-9)), 0).mean(0)
        overlap = np.zeros(p.shape[1:])
        for q in others:
            overlap = np.maximum(overlap, ((p > 0.5) & (q > 0.5)).any(0))
        total = total + deviation + entropy + overlap
        sums[name] = [t.sum() for t in (deviation, entropy, overlap)]
    return total, sums


def test_the_files_hold_the_equations(folders, tmp_path):
    out = tmp_path / "out"
    result, found = run(*arguments(folders, "m1", "m2", "m3"), "--out", out, "--class-maps")
    assert result.exit_code == 0, result.output
    for n, case in enumerate(("s1", "s2")):
        a, b = soft(2 * n) / 255, soft(2 * n + 1) / 255
        hard = (soft(2 * n) > 127).astype(float)
        three = (soft(2 * n) == 3).astype(float)
        total, sums = equations(
            {"liver": np.stack([a, a, hard]), "spleen": np.stack([b, a, three])}
        )
        image = nibabel.load(out / case / "attention.nii.gz")
        np.testing.assert_allclose(image.get_fdata(), np.minimum(total, 255 / 64), atol=1 / 127)
        np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
        for name, wanted in sums.items():
            score = found["cases"][case][name]
            got = [score[key] for key in ("inconsistency", "uncertainty", "overlap")]
            assert got == pytest.approx(wanted, rel=1e-6)
            assert score["attention_mm3"] == pytest.approx(sum(wanted) * VOXEL)
            assert score["per_slice"] == pytest.approx(sum(wanted) / SHAPE[2])
            fused = nibabel.load(out / case / f"segmentations/{name}.nii.gz").get_fdata()
            own = {"liver": [a, a, hard], "spleen": [b, a, three]}[name]
            # in bytes, as they are stored
            np.testing.assert_array_equal(fused, np.rint(np.stack(own) * 255).sum(0) > 382.5)
            assert score["organ_ml"] == pytest.approx(fused.sum() * VOXEL / 1000)
            assert (out / case / f"attention/{name}.nii.gz").is_file()


def test_the_priority_list_and_what_stands_beside_it(folders, tmp_path):
    out = tmp_path / "out"
    found = run(*arguments(folders, "m1", "m2", "m3"), "--out", out, "--cut", "1")[1]
    rows = found["priority"]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert [row["case_rank"] for row in rows] == [1, 1, 2, 2]
    assert [row["chosen"] for row in rows] == [True, True, False, False]
    assert rows[0]["case_score"] >= rows[2]["case_score"]
    assert rows[0]["score"] >= rows[1]["score"]
    with (out / "priority.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["class_id"] for line in lines] == [row["class_id"] for row in rows]
    assert int(lines[0]["k_stop"]) <= SHAPE[2]
    assert (out / "distribution.png").read_bytes().startswith(b"\x89PNG")
    with (out / "scores.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4
    again = run(*arguments(folders, "m1", "m2", "m3"), "--out", out, "--cut", "outliers")[1]
    assert again["reused"] == 2
    assert again["cases"] == found["cases"]
    save(folders / "m1/s1/liver.nii.gz", soft(9))
    assert run(*arguments(folders, "m1", "m2", "m3"), "--out", out)[1]["reused"] == 1


def test_one_model_says_that_inconsistency_is_undefined(folders, tmp_path):
    result, found = run(*arguments(folders, "m1"), "--out", tmp_path / "out", "--no-masks")
    assert result.exit_code == 0
    assert "inconsistency is undefined" in result.stderr
    assert found["inconsistency"] == "undefined: one model"
    assert found["cases"]["s1"]["liver"]["inconsistency"] is None
    assert "undefined" in found["priority"][0]["reason"]
    assert not (tmp_path / "out/s1/segmentations").exists()


def test_what_is_missing_or_broken_is_named_and_the_rest_goes_on(folders, tmp_path):
    (folders / "m3/s2.nii.gz").unlink()
    (folders / "m2/s1/predictions/Liver.nii.gz").write_bytes(b"no")
    result, found = run(*arguments(folders, "m1", "m2", "m3"), "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert found["missing"] == {"s2": ["m3"]}
    assert found["failed"]["s1"].startswith("model m2: class liver: ")
    assert set(found["cases"]) == {"s2"}
    assert found["cases"]["s2"]["liver"]["n_models"] == 2
    assert run("--predictions", tmp_path / "none", "--out", tmp_path / "out")[0].exit_code == 2
    result, _ = run(*arguments(folders, "m1"), "--out", tmp_path / "out", "--cut", "some")
    assert result.exit_code == 2


def test_truth_adds_table_one_and_the_ranking(folders, tmp_path):
    for n, case in enumerate(("s1", "s2")):
        right = soft(2 * n) > 127
        right[4:6, 4:6, 2] ^= True
        save(tmp_path / "truth" / f"{case}/segmentations/liver.nii.gz", right.astype(np.uint8))
    result, found = run(
        *arguments(folders, "m1", "m2", "m3"), "--out", tmp_path / "out",
        "--truth", tmp_path / "truth",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    table = found["evaluation"]["table_1"]
    assert set(table) == {"liver"}
    assert table["liver"]["scans"] == 2
    assert table["liver"]["errors"] > 0
    assert found["evaluation"]["ranking"]["liver"]["n"] == 2


def test_four_axes_are_one_class_after_the_other(tmp_path):
    labels = (soft(1) > 127) + 2 * (soft(1) == 5)
    hot = np.stack([labels == n for n in range(3)], axis=-1).astype(np.uint8)
    save(tmp_path / "hot/s1.nii.gz", hot)
    save(tmp_path / "map/s1.nii.gz", labels.astype(np.int32))
    found = run(*arguments(tmp_path, "hot", "map"), "--out", tmp_path / "out")[1]
    assert set(found["cases"]["s1"]) == {"1", "2"}
    for score in found["cases"]["s1"].values():
        assert score["attention"] == 0  # the two say the same
        assert score["organ_ml"] > 0


def test_one_model_is_not_taken_for_two(folders, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "link").symlink_to(folders / "m1")
    for other in (folders / "m1", tmp_path / "link"):
        result, _ = run("--predictions", folders / "m1", "--predictions", other, "--out", out)
        assert result.exit_code == 2
        assert "is given twice" in result.stderr
    assert not out.exists()
    shutil.copytree(folders / "m1", tmp_path / "m9")
    result, _ = run(*arguments(folders, "m1", "m9", "m2"), "--out", out)
    assert result.exit_code == 0
    assert "warning: m1 and m9 hold the same files" in result.stderr
    assert "m2" not in result.stderr


def test_folders_of_one_name_are_told_apart(folders, tmp_path):
    shutil.copytree(folders / "m2", tmp_path / "other/m1")
    result, found = run("--predictions", folders / "m1", tmp_path / "other/m1", "--out",
                        tmp_path / "out")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert found["models"] == [f"{folders.name}/m1", "other/m1"]


def test_wrong_calls_name_what_was_typed(folders, monkeypatch):
    monkeypatch.chdir(folders)
    for words, said in (
        (["--predictions", "m1", "nowhere", "--out", "o"], "error: nowhere: want a file or a"),
        (["--predictions", "m1", "--out", "o", "--truth", "no"], "the truth (no): want a file"),
        (["--predictions", "m1", "--out", "o", "--class", "livr"], "near it: liver"),
        (["--out", "o"], "want --predictions"),
    ):
        result, _ = run(*words)
        assert result.exit_code == 2
        assert said in result.stderr
        assert str(folders) not in result.stderr
