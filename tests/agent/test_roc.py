"""``voxcurate roc``: on folders that other tools wrote, and in a workspace."""

import csv
import json

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.lesions import questions_about
from retrieval.questions import load_questions
from tests.conftest import ellipsoid
from tests.labeling.roc import world

AFFINE = np.array([[0, -2.0, 0.0, 5], [1.5, 0, 0, -3], [0, 0, 4.0, 9], [0, 0, 0, 1]])
SHAPE = (20, 24, 14)
LIVER = ellipsoid(SHAPE, (8, 9, 7), (6, 7, 5))
TUMOUR = ellipsoid(SHAPE, (7, 8, 7), (2, 2, 1.5))
FALSE = ellipsoid(SHAPE, (10, 12, 7), (1.5, 1.5, 1))
FAR = ellipsoid(SHAPE, (17, 20, 3), (1, 1, 1))


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.asarray(array), AFFINE), path)


def soft(*parts):
    array = np.zeros(SHAPE, np.float32)
    for mask, value in parts:
        array[mask] = value
    return array


@pytest.fixture
def folders(tmp_path):
    """Five cases: two tumours, two without, one of which nobody knows; one has only a mask."""
    found = {
        "a": [(TUMOUR, 0.8), (FALSE, 0.3)],
        "b": [(TUMOUR, 0.4), (FAR, 0.9)],
        "c": [(FALSE, 0.6)],
        "d": [(FALSE, 0.5)],
        "e": [(TUMOUR, 0.7)],
        "f": [(FALSE, 0.1)],
    }
    for case, parts in found.items():
        save(tmp_path / "soft" / case / "predictions/liver_tumor.nii.gz", soft(*parts))
        save(tmp_path / "true" / case / "liver.nii.gz", LIVER.astype(np.uint8))
    for case, mask in {"a": TUMOUR, "b": TUMOUR, "c": TUMOUR & FALSE}.items():
        save(tmp_path / "true" / case / "liver_tumor.nii.gz", mask.astype(np.uint8))
    (tmp_path / "reports.csv").write_text(
        "Case;Report;Patient\na;yes;1\nb;Yes;2\nc;no;3\nd;0;4\ne;;5\nf;yes;6\n"
    )
    return tmp_path


def test_a_class_that_nobody_has_measured_is_told_in_words(folders):
    """As in a round before anybody has drawn or reported anything."""
    assert "no scan of which it is known" in run(folders, "--class", "colon_tumor", code=1).stdout
    bare = ["--predictions", folders / "soft", "--truth", folders / "other"]
    save(folders / "other" / "a" / "liver.nii.gz", LIVER.astype(np.uint8))
    result = CliRunner().invoke(app, ["roc", *map(str, bare), "--class", "liver_tumor", "--json"])
    assert result.exit_code == 0, result.output
    (told,) = json.loads(result.stdout)["classes"]
    assert (told["scans"], told["usual_threshold"]) == (0, None)


def run(folder, *arguments, code=0):
    fixed = ["--predictions", folder / "soft", "--truth", folder / "true"]
    result = CliRunner().invoke(app, ["roc", *map(str, [*fixed, *arguments])])
    assert result.exit_code == code, result.output
    return result


def told(folder, *arguments, code=0):
    given = ("--class", "liver tumor", "--reports", folder / "reports.csv", *arguments, "--json")
    return json.loads(run(folder, *given, code=code).stdout)


def test_curves_and_tables_of_folders(folders, tmp_path):
    out = tmp_path / "out"
    result = told(folders, "--out", out, "--masks")
    (found,) = result["classes"]
    assert result["failed"] == {}
    assert found["scans"] == 4  # e: no mask, no report; f: no mask, its report does not say no
    assert (found["lesions"], found["patients"]) == (2, {"positive": 2, "negative": 2})
    point = found["operating_point"]
    assert point["threshold"] == pytest.approx(0.4, abs=0.01)
    assert (point["lesions_found"], point["false_positives"]) == (2, 2)  # FAR lies in no liver
    assert point["removed_by_reports"] == 2
    assert point["minutes"] == [0.0, 0.0]
    assert found["report_says_yes_but_nothing_found"] == ["f"]
    place = out / "liver_tumor"
    assert {p.name for p in place.iterdir()} == {
        "roc.json", "curve.csv", "cases.csv", "candidates.csv", "roc.png", "candidates", "measured",
    }  # fmt: skip
    with (place / "curve.csv").open() as stream:
        curve = list(csv.DictReader(stream))
    assert curve == [
        {k: "" if v is None else str(v) for k, v in row.items()}
        for row in json.loads((place / "roc.json").read_text())["curve"]
    ]
    with (place / "candidates.csv").open() as stream:
        rows = {(r["case"], r["number"]): (r["state"], r["truth"]) for r in csv.DictReader(stream)}
    assert rows == {
        ("a", "1"): ("kept", "lesion"), ("a", "2"): ("below", "false"),
        ("b", "1"): ("kept", "lesion"), ("c", "1"): ("removed", "false"),
        ("d", "1"): ("removed", "false"), ("e", "1"): ("kept", "unknown"),
        ("f", "1"): ("below", "unknown"),
    }  # fmt: skip
    kept = nibabel.load(place / "candidates/a.nii.gz")
    np.testing.assert_allclose(kept.affine, AFFINE)
    np.testing.assert_array_equal(np.asarray(kept.dataobj) == 1, TUMOUR)
    assert not np.asarray(nibabel.load(place / "candidates/c.nii.gz").dataobj).any()
    again = told(folders, "--out", out, "--masks")
    assert again == result


def test_without_reports_and_with_missing_as_empty(folders):
    plain = json.loads(run(folders, "--class", "liver_tumor", "--json").stdout)["classes"][0]
    assert plain["scans"] == 3
    assert plain["operating_point"]["removed_by_reports"] == 0
    assert plain["curve"][0]["threshold"] is None
    given = ("--class", "liver_tumor", "--missing-is-empty", "--json")
    assert json.loads(run(folders, *given).stdout)["classes"][0]["scans"] == 6


def test_the_published_settings(folders):
    published = told(folders, "--preset", "scalemai")["classes"][0]
    assert (published["score"], published["hit"]) == ("max", "voxel")
    assert published["operating_point"]["false_positives"] >= 2  # nothing asks for the liver


def test_words_for_people(folders):
    text = run(folders, "--class", "liver_tumor", "--reports", folders / "reports.csv").stdout
    assert "lesions found 2 of 2" in text
    assert "the reports remove 2" in text
    assert "note: only 2 to measure by" in text


def test_bad_input_names_the_case_and_the_others_go_on(folders):
    path = folders / "soft/b/predictions/liver_tumor.nii.gz"
    path.write_bytes(path.read_bytes()[:100])
    shifted = AFFINE.copy()
    shifted[0, 3] += 30
    wrong = nibabel.Nifti1Image(TUMOUR.astype(np.uint8), shifted)
    nibabel.save(wrong, folders / "true/a/liver_tumor.nii.gz")
    result = told(folders, code=1)
    assert set(result["failed"]) == {"a/liver_tumor", "b/liver_tumor"}
    assert str(folders) not in json.dumps(result["failed"])
    assert result["classes"][0]["scans"] == 2


def test_one_model_more_and_a_case_that_nobody_predicted(folders):
    save(folders / "second" / "a" / "liver_tumor.nii.gz", soft((FALSE, 0.9)))
    (folders / "reports.csv").write_text("case,report\na,yes\nz,no\n")
    result = told(folders, "--predictions", folders / "second", code=1)
    assert result["lacking"] == ["z"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--class", "liver_tumor", "--preset", "best"], "want --preset default or scalemai"),
        (["--class", "liver_tumor", "--masks"], "--masks wants --out"),
        (["--class", "liver_tumor", "--set", "labeling.fuse.threshold=0.4"], "labeling.roc.key"),
        ([], "--predictions wants --truth and --class"),
    ],
)
def test_what_does_not_go_together(folders, arguments, words):
    result = run(folders, *arguments, code=2)
    assert words in result.stderr


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("case,report\na,perhaps\n", "row 2: want yes, no or uncertain"),
        ("case,finding\na,yes\n", "no column with yes or no"),
        ("scan number,report\na,yes\n", "no column with the case"),
        ("", "found none"),
    ],
)
def test_a_wrong_table_of_reports(folders, table, words):
    (folders / "reports.csv").write_text(table)
    given = ("--class", "liver_tumor", "--reports", folders / "reports.csv")
    assert words in run(folders, *given, code=2).stderr


def test_results_never_lie_in_what_is_read(folders):
    given = ("--class", "liver_tumor", "--out", folders / "true")
    assert "want another one" in run(folders, *given, code=2).stderr


def test_masks_instead_of_probabilities_are_told(folders):
    for path in (folders / "soft").rglob("*.nii.gz"):
        save(path, (nibabel.load(path).get_fdata() > 0).astype(np.uint8))
    notes = told(folders)["classes"][0]["notes"]
    assert any("masks, not probabilities" in note for note in notes)


def test_in_a_workspace(tmp_path):
    ctx = world.build(tmp_path / "ws")
    ctx.catalog.close()
    here = ["roc", "-w", str(tmp_path / "ws")]
    for alone in (["--truth", "x"], ["--class", "liver_tumor"], ["--masks"]):
        result = CliRunner().invoke(app, [*here, *alone])
        assert result.exit_code == 2
        assert f"{alone[0]}: only with --predictions" in result.stderr
    result = CliRunner().invoke(app, here)  # no round yet: nothing is measured
    assert result.exit_code == 0, result.output
    assert "liver_tumor: 0 scans" in result.stdout
    assert "no scan of which it is known" in result.stdout


def test_questions_about_a_class():
    asked = questions_about(["liver_tumor", "pancreatic_tumor", "tumor"], load_questions())
    liver = asked["liver_tumor"]
    assert {"liver_tumour", "liver_metastasis", "liver_hcc"} <= set(liver.yes)
    assert {"liver_tumour", "liver_lesion"} <= set(liver.no)
    assert "liver_metastasis" not in liver.no  # no metastasis is not no tumour
    assert "liver_lesion" not in liver.yes  # a cyst is a lesion, and no tumour
    assert {"pancreas_tumour", "pancreas_lesion"} <= set(asked["pancreatic_tumor"].no)
    assert asked["tumor"].yes == asked["tumor"].no == ()


def test_what_was_measured_is_taken_over_as_long_as_it_fits(folders, tmp_path, monkeypatch):
    from labeling.roc import files

    asked, find = [], files.candidates_of_files

    def counted(models, case, *rest):
        asked.append(case)
        return find(models, case, *rest)

    monkeypatch.setattr(files, "candidates_of_files", counted)
    out = tmp_path / "out"

    def again(*more):
        asked.clear()
        result = told(folders, "--out", out, *more)
        return result, sorted(asked)

    def texts():
        return {p.name: p.read_text() for p in (out / "liver_tumor").glob("*.csv")}

    first, cases = again()
    assert cases == ["a", "b", "c", "d", "e", "f"]
    tables = texts()
    assert again() == (first, [])
    assert texts() == tables
    assert again("--sensitivity", "0.5")[1] == []  # follows from what was measured
    assert again("--set", "labeling.roc.minimum_ml=0.1")[1] == cases
    (out / "liver_tumor" / "measured" / "b.json").write_text('{"fingerprint": ')  # cut off
    assert again()[1] == cases  # of other settings
    assert again()[1] == []
    (out / "liver_tumor" / "measured" / "b.json").unlink()  # a run that was killed before
    save(folders / "soft" / "c" / "predictions/liver_tumor.nii.gz", soft((FALSE, 0.7)))
    reports = (folders / "reports.csv").read_text()
    (folders / "reports.csv").write_text(reports.replace("d;0;4", "d;yes;4"))
    assert again()[1] == ["b", "c", "d"]
