"""``voxcurate staging``: on folders of masks and scores, and on tables."""

import csv
import json

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.staging_subtypes import class_named
from benchmarks.staging_phantoms import Tube, draw
from voxcurate.classes import load_vocabulary

SMALL = {"size_mm": 46, "length_mm": 40, "along_mm": 14, "spacing": (1.0, 1.0, 1.6)}


def save(path, array, affine):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["staging", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def told(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


@pytest.fixture
def masks(tmp_path):
    """Two cases as masks, one as a label map of a case's folder, one without a tumour's file."""
    for case, degrees in {"a": 230, "b": 90}.items():
        tumour, vessel, affine = draw(Tube(degrees, **SMALL))
        folder = tmp_path / "masks" / case
        save(folder / "pancreatic_tumor.nii.gz", tumour.astype(np.uint8), affine)
        save(folder / "sma.nii.gz", vessel.astype(np.uint8), affine)
        ct = np.where(tumour, 60, np.where(vessel, 180, 0)).astype(np.int16)
        save(tmp_path / "ct" / f"{case}.nii.gz", ct, affine)
    save(tmp_path / "masks" / "c" / "liver.nii.gz", vessel.astype(np.uint8), affine)
    return tmp_path / "masks"


def test_stages_of_a_folder(masks, tmp_path):
    (tmp_path / "truth.csv").write_text("case,stage\na,T4\nb,T1c\nz,T2\n")
    out = tmp_path / "out"
    arguments = ("stage", masks, "--out", out, "--truth", tmp_path / "truth.csv", "--scan",
                 tmp_path / "ct")  # fmt: skip
    found = told(*arguments, code=1)
    assert found["cases"]["a"]["label"] == "T4"
    assert found["cases"]["a"]["vessels"][0]["degrees"] == pytest.approx(230, abs=15)
    assert found["cases"]["b"]["at_least"]  # nobody knows of celiac and SMV
    assert found["failed"] == {
        "c": "no mask of the tumour: want pancreatic_tumor or pancreatic_pdac"
    }
    assert found["against_truth"]["accuracy"]["n"] == 2
    assert found["against_truth"]["certain_only"]["patients"] == 1
    assert found["against_truth"]["without_case"] == ["z"]
    with (out / "staging.csv").open() as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert rows["a"]["SMA_state"] == "measured"
    assert rows["a"]["celiac_degrees"] == ""
    assert (out / "a" / "contact.png").stat().st_size > 5000
    assert not list((masks / "a").glob("*.png"))
    # the second time nothing is measured again; another setting measures anew
    (out / "a" / "contact.png").unlink()
    assert told(*arguments, code=1)["reused"] == 2
    assert not (out / "a" / "contact.png").exists()
    assert told(*arguments, "--set", "staging.diameter=axial", code=1)["reused"] == 0


def test_one_case_in_words(masks):
    shown = run("stage", masks / "a", "--vessels", "SMA").stdout
    assert "contact of 180 degrees and more with SMA: T4" in shown
    assert "research only" in shown
    assert "celiac" not in shown
    only = told("stage", masks / "b", "--vessels", "superior_mesenteric_artery")
    (case,) = only["cases"].values()
    assert not case["at_least"]


def test_a_vessel_and_a_tumour_by_their_classes(masks, tmp_path):
    """The tumour's file taken for a vessel, and the artery for the tumour: no defaults hold."""
    found = told("stage", masks / "a", "--tumour", "sma", "--vessels", "pancreatic tumour")
    (case,) = found["cases"].values()
    assert [v["vessel"] for v in case["vessels"]] == ["pancreatic_tumor"]
    assert case["size_mm"] == pytest.approx(40.8, abs=2)


def test_label_maps(masks, tmp_path):
    tumour, vessel, affine = draw(Tube(230, **SMALL))
    folder = tmp_path / "maps"
    save(folder / "x.nii.gz", (tumour + 2 * vessel).astype(np.uint8), affine)
    save(folder / "y.nii.gz", (2 * vessel).astype(np.uint8), affine)
    save(folder / "z.nii.gz", np.zeros_like(vessel, np.uint8), affine)
    (folder / "dataset.json").write_text('{"labels": {"pdac": 1, "sma": 2}}')
    found = told("stage", folder)["cases"]
    assert found["x"]["stage"] == "T4"
    assert found["y"]["stage"] == found["z"]["stage"] == "no tumour"


def test_wrong_calls(masks, tmp_path):
    for arguments, why in (
        (("stage", tmp_path / "nowhere"), "there is none"),
        (("stage", masks, "--scan", masks), "--scan goes with --out"),
        (("stage", masks, "--out", masks / "a"), "--out is, holds or lies"),
        (("stage", masks, "--set", "labeling.x=1"), "want staging.key=value"),
        (("stage", masks, "--set", "staging.sizes_mm=[[T1,5],[T2,5]]"), "rising"),
    ):
        result = run(*arguments, code=2)
        assert why in result.output
        assert result.output.count("error:") == 1


def test_subtypes_of_soft_predictions(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["case;subtype;patient"]
    for n in range(8):
        kind = ("pdac", "pnet", "cyst")[n % 3]
        for name in ("pancreatic_pdac", "pancreatic_pnet", "pancreatic_cyst"):
            soft = np.zeros((12, 11, 10), np.float32)
            if n != 7:  # nothing found there
                high = name.endswith(kind) != (n == 1)
                soft[3:8, 3:8, 3:7] = (0.6 if high else 0.15) + rng.uniform(0, 0.1)
            save(tmp_path / "soft" / f"c{n}" / f"{name}.nii.gz", soft, np.diag([1.0, 1, 2, 1]))
        lines.append(f"c{n};{'PDAC' if kind == 'pdac' else kind};p{n}")
    lines.append("gone;cyst;p9")
    (tmp_path / "truth.csv").write_text("\n".join(lines))
    out = tmp_path / "out"
    arguments = ("subtypes", tmp_path / "soft", tmp_path / "truth.csv", "--out", out)
    found = told(*arguments, code=1)
    assert found["classes"] == ["pancreatic_pdac", "pancreatic_pnet", "pancreatic_cyst"]
    assert found["patients"] == 8
    assert found["missing"] == ["gone"]
    assert found["called"]["p7"] == "none"
    assert found["recall"]["pancreatic_pdac"]["value"] == 1.0
    assert found["accuracy"]["value"] == pytest.approx(6 / 8)
    assert found["accuracy_found"]["n"] == 7
    assert {p.name for p in out.iterdir()} == {"confusion.png", "subtypes.csv", "subtypes.json"}
    assert "accuracy of those found" in run(*arguments, code=1).stdout
    one = ("--class", "pdac", "--class", "pancreatic_cyst")
    few = run(*arguments[:3], *one, code=1).stdout
    assert "n/a" in few  # pnet is never called
    assert "n/a" not in few.split("pdac")[0]


def test_wrong_subtypes(tmp_path):
    save(tmp_path / "soft" / "a" / "liver.nii.gz", np.ones((4, 4, 4), np.uint8), np.eye(4))
    (tmp_path / "t.csv").write_text("case,subtype\na,PDAC\n")
    result = run("subtypes", tmp_path / "soft", tmp_path / "t.csv", code=2)
    assert "--class names them" in result.output
    (tmp_path / "t.csv").write_text("case,subtype\nz,PDAC\n")
    result = run("subtypes", tmp_path / "soft", tmp_path / "t.csv", "--class", "liver", code=2)
    assert "no case of it" in result.output


def test_names_of_subtypes():
    classes, vocabulary = ["pancreatic_pdac", "pancreatic_cyst"], load_vocabulary()
    assert class_named("PDAC", classes, vocabulary) == "pancreatic_pdac"
    assert class_named("Cyst", classes, vocabulary) == "pancreatic_cyst"
    assert class_named("IPMN", classes, vocabulary) == "ipmn"


def test_readers_beside_the_model(tmp_path):
    rng = np.random.default_rng(5)
    cases = [(f"c{n}", n % 2) for n in range(40)]
    truth = ["case,present,subtype,size_mm"]
    truth += [
        f"{c},{t},{'PDAC' if t else ''},{5 + 2 * n if t else ''}" for n, (c, t) in enumerate(cases)
    ]
    marks = ["case,reader,group,present,subtype"]
    for reader, group, right in (
        ("r1", "junior", 0.7),
        ("r2", "junior", 0.8),
        ("r3", "expert", 0.9),
    ):
        for case, t in cases:
            said = t if rng.random() < right else 1 - t
            marks.append(
                f"{case},{reader},{group},{'yes' if said else 'no'},{'PDAC' if said else ''}"
            )
    scores = ["case,score", *(f"{c},{0.45 * t + rng.random() / 2:.3f}" for c, t in cases)]
    for name, lines in (("truth", truth), ("marks", marks), ("scores", scores)):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    arguments = ("readers", tmp_path / "marks.csv", tmp_path / "truth.csv")
    out = tmp_path / "out"
    found = told(*arguments, "--model", tmp_path / "scores.csv", "--out", out)
    assert [g["name"] for g in found["groups"]] == ["expert", "junior", "all readers"]
    assert found["auc"]["value"] > 0.8
    assert len(found["tests"]) == 9
    assert found["groups"][0]["sensitivity_by_size"]["above 40 mm"]["n"] > 3
    written = {"readers.csv", "tests.csv", "readers.json", "readers.png"}
    assert {p.name for p in out.iterdir()} == written
    strict = told(*arguments, "--model", tmp_path / "scores.csv", "--threshold", 0.9)
    assert strict["model"]["figures"]["sensitivity"]["value"] < 0.5
    shown = run(*arguments).stdout
    assert "subtype accuracy" in shown
    assert "model minus" not in shown
    (tmp_path / "marks.csv").write_text("case,reader,present\nc0,r,maybe\n")
    assert "row 2: want yes or no" in run(*arguments, code=2).output
