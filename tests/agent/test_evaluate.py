"""``voxcurate evaluate`` on folders that other tools wrote."""

import csv
import json

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli import evaluate_view
from agent.cli.main import app
from training.evaluation.tables import Table
from voxcurate.metrics import hd95

AFFINE = np.array([[0, -0.8, 0.0, 5], [1.1, 0, 0, -3], [0, 0, 2.0, 9], [0, 0, 0, 1]])
SPACING = (1.1, 0.8, 2.0)
VOXEL_ML = 1.1 * 0.8 * 2.0 / 1000
SHAPE = (14, 17, 9)
NAMES = {"labels": {"background": 0, "liver": 1, "Spleen": 2, "liver tumor": 3}}


def save(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.asarray(array), affine), path)


def box(*sides):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(*side) for side in sides)] = True
    return mask


LIVER, SMALLER = box((2, 9), (3, 12), (1, 6)), box((3, 9), (3, 12), (1, 6))
SPLEEN = box((10, 13), (2, 6), (2, 8))
TUMOUR = box((4, 7), (4, 7), (2, 5))


def label_map(liver, tumour=None):
    array = liver.astype(np.uint8) + 2 * SPLEEN
    if tumour is not None:
        array[tumour] = 3
    return array.astype(np.uint8)


def run(*arguments):
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments), "--json"])
    return result, json.loads(result.stdout) if result.stdout.startswith("{") else None


@pytest.fixture
def folders(tmp_path):
    """Eight cases; `good` is the truth, but for a missed tumour; `poor` has a smaller liver."""
    for n in range(8):
        name, tumour = f"case{n}.nii.gz", TUMOUR if n < 4 else None
        save(tmp_path / "truth" / name, label_map(LIVER, tumour))
        save(tmp_path / "good" / name, label_map(LIVER, tumour if n else None))
        save(tmp_path / "poor" / name, label_map(box((3 + n % 3, 9), (3, 12), (1, 6))))
    for side in ("truth", "good", "poor"):
        (tmp_path / side / "dataset.json").write_text(json.dumps(NAMES))
    return tmp_path


def test_flat_folders_by_hand(folders):
    result, found = run(folders / "good", folders / "truth")
    assert result.exit_code == 0
    (good,) = found["models"]
    assert good["classes"]["spleen"]["dsc"]["mean"] == 1
    tumour = good["classes"]["liver_tumor"]
    assert tumour["cases"] == {"scored": 3, "both_empty": 4, "missed": 1, "false": 0}
    assert tumour["dsc"]["mean"] == 0.75
    told = good["lesions"]["liver_tumor"]
    assert told["sensitivity"]["all"]["share"] == 0.75
    assert told["sensitivity"]["small"]["n"] == 4
    assert told["specificity"] == {"n": 4, "share": 1.0, "interval": [pytest.approx(
        0.025 ** 0.25, abs=1e-6), 1.0]}  # fmt: skip
    case = found["cases"]["good"]["case0"]["liver"]
    assert case["volume_error_ml"] == pytest.approx(TUMOUR.sum() * VOXEL_ML, abs=1e-5)


def test_another_model_is_tested_patient_by_patient(folders):
    table = folders / "groups.csv"
    rows = "".join(f"case{n},{'f' if n < 5 else 'm'},p{n // 2}\n" for n in range(8))
    table.write_text("case,sex,patient\n" + rows)
    result, found = run(
        folders / "good", folders / "truth", "--against", folders / "poor", "--class", "liver",
        "--subgroups", table, "--out", folders / "out",
    )  # fmt: skip
    assert result.exit_code == 0
    good = found["models"][0]
    assert (good["cases"], good["patients"]) == (8, 4)
    (tests,) = good["against_others"]
    assert tests["name"] == "poor"
    liver = next(t for t in tests["tests"] if (t["class"], t["metric"]) == ("liver", "dsc"))
    assert (liver["n"], liver["effect"], liver["is_significant"]) == (4, 1.0, False)
    assert {(r["value"], r["patients"]) for r in good["subgroups"]} == {("f", 3), ("m", 2)}
    written = {path.name for path in (folders / "out").iterdir()}
    assert written >= {"evaluation.md", "evaluation.json", "cases.csv", "tests.csv", "dsc.png",
                       "subgroups_good.png", "subgroups_poor.png"}  # fmt: skip
    with (folders / "out" / "cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 16
    wanted = hd95(SMALLER, LIVER & ~TUMOUR, SPACING)
    row = next(r for r in rows if (r["model"], r["case"]) == ("poor", "case0"))
    assert float(row["hd95"]) == pytest.approx(wanted)
    text = (folders / "out" / "evaluation.md").read_text()
    assert "### Against poor" in text


def test_a_second_run_takes_over_what_still_fits(folders):
    arguments = (folders / "good", folders / "truth", "--out", folders / "out")
    _, first = run(*arguments)
    kept = folders / "out" / "kept" / "good"
    assert len(list(kept.glob("*.json"))) == 8
    times = {p.name: p.stat().st_mtime_ns for p in kept.iterdir()}
    _, second = run(*arguments)
    assert second == first
    assert {p.name: p.stat().st_mtime_ns for p in kept.iterdir()} == times
    save(folders / "good" / "case5.nii.gz", label_map(SMALLER))
    for name in ("mine.png", "froc_pancreas.png"):
        (folders / "out" / name).write_bytes(b"picture")
    _, third = run(*arguments)
    changed = [p.name for p in kept.iterdir() if p.stat().st_mtime_ns != times[p.name]]
    assert changed == ["case5.json"]
    assert (folders / "out" / "mine.png").exists()
    assert not (folders / "out" / "froc_pancreas.png").exists()  # of an earlier evaluation
    assert third["models"][0]["mean"]["dsc"] < first["models"][0]["mean"]["dsc"]
    run(*arguments, "--set", "threshold=0.4")
    assert all(p.stat().st_mtime_ns != times[p.name] for p in kept.iterdir())


def test_lesion_classes_of_the_settings_count_too(folders):
    _, found = run(folders / "good", folders / "truth", "--set", "lesion_classes=[spleen]")
    assert list(found["models"][0]["lesions"]) == ["spleen"]


def test_people_see_tables(folders):
    result = CliRunner().invoke(
        app, ["evaluate", str(folders / "good"), str(folders / "truth")], env={"COLUMNS": "150"}
    )
    assert result.exit_code == 0
    assert "liver" in result.stdout
    assert "75 %" in result.stdout


def test_soft_predictions_in_case_folders(folders):
    for n in range(8):
        folder = folders / "soft" / f"case{n}"
        save(folder / "liver.nii.gz", (SMALLER * 0.9).astype(np.float32))
        save(folder / "liver_tumor.nii.gz", (TUMOUR * (0.3 + 0.05 * n)).astype(np.float32))
    result, found = run(folders / "soft", folders / "truth")
    assert result.exit_code == 0
    (soft,) = found["models"]
    assert soft["not_predicted"] == ["spleen"]
    assert soft["classes"]["liver"]["calibration"]["voxels"] > 0
    froc = soft["lesions"]["liver_tumor"]["froc"]
    assert froc["is_hard"] is False
    assert froc["curve"]["sensitivity"][-1] == 1  # below the threshold they are found too


def test_what_is_wrong_with_one_case_leaves_the_others_alone(folders):
    bad = folders / "good"
    save(bad / "case1.nii.gz", label_map(LIVER)[:-1])
    moved = AFFINE.copy()
    moved[0, 3] += 5
    save(bad / "case2.nii.gz", label_map(LIVER), moved)
    broken = label_map(LIVER).astype(np.float32)
    broken[0, 0, 0] = np.nan
    save(bad / "case3.nii.gz", broken)
    (bad / "case4.nii.gz").unlink()
    save(bad / "case99.nii.gz", label_map(LIVER))
    result, found = run(bad, folders / "truth")
    assert result.exit_code == 1
    (good,) = found["models"]
    assert good["missing"] == ["case4"]
    assert good["extra"] == ["case99"]
    assert set(good["failed"]) == {"case1", "case2", "case3"}
    assert "shape" in good["failed"]["case1"]
    assert "5 mm away" in good["failed"]["case2"]
    assert "NaN" in good["failed"]["case3"]
    assert good["cases"] == 4


def test_a_class_missing_in_one_case_is_an_error_there(folders):
    for n in range(8):
        save(folders / "masks" / f"case{n}" / "liver.nii.gz", LIVER.astype(np.uint8))
        if n:
            save(folders / "masks" / f"case{n}" / "spleen.nii.gz", SPLEEN.astype(np.uint8))
    result, found = run(folders / "masks", folders / "truth")
    assert result.exit_code == 1
    assert set(found["models"][0]["failed"]) == {"case0/spleen"}
    result, found = run(folders / "masks", folders / "truth", "--missing-is-empty")
    assert result.exit_code == 0
    assert found["models"][0]["classes"]["spleen"]["cases"]["missed"] == 1


def test_a_class_that_no_prediction_has_is_told_as_it_counts(folders):
    for n in range(8):
        save(folders / "masks" / f"case{n}" / "liver.nii.gz", LIVER.astype(np.uint8))
    result, found = run(folders / "masks", folders / "truth")
    assert result.exit_code == 0
    assert "spleen" in found["models"][0]["not_predicted"]
    result, found = run(folders / "masks", folders / "truth", "--missing-is-empty")
    assert found["models"][0]["classes"]["spleen"]["cases"]["missed"] == 8
    assert found["models"][0]["not_predicted"] == []  # they are scored
    result, found = run(folders / "masks", folders / "truth", "--class", "spleen")
    assert result.exit_code == 1
    assert "the truth has spleen, the prediction none" in found["models"][0]["failed"]["case0"]


def test_nothing_that_can_be_scored(folders):
    for n in range(8):
        save(folders / "other" / f"case{n}.nii.gz", label_map(LIVER)[:-1])
    (folders / "other" / "dataset.json").write_text(json.dumps(NAMES))
    result, found = run(folders / "other", folders / "truth", "--out", folders / "out")
    assert result.exit_code == 1
    assert len(found["models"][0]["failed"]) == 8
    assert found["models"][0]["mean"]["dsc"] is None


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["good"], "PREDICTIONS and TRUTH"),
        (["good", "nowhere"], "TRUTH"),
        (["good", "truth", "--class", "heart"], "no class 'heart'"),
        (["good", "truth", "--lesions", "heart"], "no class 'heart'"),
        (["good", "truth", "--round", "2"], "only without folders"),
        (["good", "truth", "--out", "truth"], "--out"),
        (["good", "truth", "--set", "nonsense=1"], "nonsense"),
        (["--out", "x"], "only with PREDICTIONS"),
    ],
)
def test_wrong_calls(folders, monkeypatch, arguments, why):
    monkeypatch.chdir(folders)
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert result.exit_code == 2
    assert why in result.stderr


def test_label_maps_without_names(folders):
    (folders / "good" / "dataset.json").unlink()
    result, found = run(folders / "good", folders / "truth")
    assert result.exit_code == 0  # the side that has names names both
    (folders / "truth" / "dataset.json").unlink()
    result, found = run(folders / "good", folders / "truth", "--lesions", "3")
    assert result.exit_code == 0
    assert found["models"][0]["classes"]["3"]["cases"]["missed"] == 1
    for n in range(8):
        save(folders / "masks" / f"case{n}" / "liver.nii.gz", LIVER.astype(np.uint8))
    result, found = run(folders / "masks", folders / "truth")
    assert result.exit_code == 1
    assert "--labels" in found["models"][0]["failed"]["case0"]


def test_tables_cut_no_name_and_no_number(capsys, monkeypatch):
    """Names are wrapped in a narrow terminal; "(few)" and intervals stay whole."""
    monkeypatch.setenv("COLUMNS", "60")
    name = "superior mesenteric artery with its branches"
    row = [name, "40 (few)", *["0.873 (0.84–0.90)"] * 3, "12.3 (10.1–20.2)", "+12.33 (|14.22|)"]
    row += ["1 both, 2 missed, 3 false", "0.88: below two people"]
    columns = ["class", "n", "DSC", "NSD", "strict NSD", "HD95 mm", "volume error mL", "empty"]
    table = Table("", "model", [*columns, "two people"], [row], [row])
    evaluate_view._table(table)
    told = capsys.readouterr().out
    assert "…" not in told
    cells = [line.split("│")[1:-1] for line in told.splitlines() if line.startswith("│")]
    joined = [" ".join(" ".join(part).split()) for part in zip(*cells, strict=True)]
    assert joined == row


def test_values_without_a_name_are_told_with_cases_and_volume(folders):
    for n in range(8):
        array = label_map(LIVER)
        if n < 2:
            array[0, 0, 0] = 7
        save(folders / "poor" / f"case{n}.nii.gz", array)
    words = ["evaluate", folders / "poor", folders / "truth", "--out", folders / "out"]
    for _ in range(2):  # also where all scores were kept
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        said = "Values of the prediction's label maps without a class name: 7 (2 cases, 0.00352 mL)"
        assert f"warning: poor: {said}" in result.stderr
        assert said in (folders / "out" / "evaluation.md").read_text()
    found = json.loads((folders / "out" / "evaluation.json").read_text())
    assert found["models"][0]["unnamed"] == {
        "prediction": {"7": {"cases": 2, "ml": pytest.approx(2 * VOXEL_ML)}}
    }
    _, clean = run(folders / "good", folders / "truth")
    assert clean["models"][0]["unnamed"] == {}


def test_label_maps_of_which_no_value_has_a_name_are_not_scored_as_empty(folders):
    (folders / "good" / "dataset.json").write_text(json.dumps({"labels": {"liver": 11}}))
    result, found = run(folders / "good", folders / "truth", "--out", folders / "out")
    assert (result.exit_code, found) == (2, None)
    assert "the prediction's label maps hold no value that has a name, but 1, 2, 3" in result.stderr
    assert not (folders / "out" / "evaluation.md").exists()


def test_the_written_report_tells_what_is_in_no_score(folders):
    (folders / "good" / "case4.nii.gz").unlink()
    save(folders / "good" / "case5.nii.gz", label_map(LIVER)[:-1])
    result, _ = run(folders / "good", folders / "truth", "--out", folders / "out")
    assert result.exit_code == 1
    text = (folders / "out" / "evaluation.md").read_text()
    assert "- No prediction of case4." in text
    assert "- Failed: case5: " in text
