"""``voxcurate refine`` on phantoms: alone on files, again, with bad input; in a workspace."""

import json

import numpy as np
import pytest
from scipy import ndimage
from typer.testing import CliRunner

from agent.cli.main import app
from agent.config import RoundConfig
from tests.labeling.conftest import AFFINE, CLASSES, build, phantom, soft
from voxcurate.catalog import Round
from voxcurate.metrics import dsc
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.volume import Volume

COARSE = (
    "--set", "labeling.refine.band_mm=15", "--set", "labeling.refine.reach_mm=25",
    "--set", "labeling.refine.moves_mm=[0,-10,10]",
)  # fmt: skip


def run(*words):
    found = CliRunner().invoke(app, ["refine", *map(str, words)])
    return found.exit_code, found.stdout, found.stderr


def write_case(folder, seed):
    volume, masks = phantom(seed)
    write_nifti(folder / "ct.nii.gz", volume)
    for name, mask in masks.items():
        write_nifti(folder / "segmentations" / f"{name}.nii.gz", Volume(mask, AFFINE))
    return masks


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A case whose liver label is too large, a model's prediction, seven trusted cases."""
    root = tmp_path_factory.mktemp("refine")
    masks = write_case(root / "case", 0)
    wrong = ndimage.binary_dilation(masks["liver"], iterations=2)
    wrong &= ~np.any([m for c, m in masks.items() if c != "liver"], axis=0)
    write_nifti(root / "wrong" / "liver.nii.gz", Volume(wrong, AFFINE))
    for name in ("spleen", "kidney_left", "kidney_right"):
        write_nifti(root / "wrong" / f"{name}.nii.gz", Volume(masks[name], AFFINE))
    chance = np.round(255 * soft(masks["liver"], 3)).astype(np.uint8)
    write_nifti(root / "predicted" / "liver.nii.gz", Volume(chance, AFFINE))
    for seed in range(10, 17):
        write_case(root / "trusted" / f"t{seed}", seed)
    return root


def common(files, out):
    case = files / "case" / "ct.nii.gz"
    return "--scan", case, "--out", out, "--reference", files / "trusted", *COARSE


def mask_of(path):
    return read_nifti(path).array != 0


def test_a_label_too_large_is_refined_and_the_second_run_does_nothing(files, tmp_path):
    out = tmp_path / "out"
    words = (*common(files, out), "--mask", files / "wrong" / "liver.nii.gz", "--class", "Liver")
    code, told, _ = run(*words, "--json", "--proposals")
    found = json.loads(told)
    assert code == 0
    assert found["classes"]["liver"]["accepted"]
    assert len(found["classes"]["liver"]["points"]) == 10
    truth, wrong = (mask_of(files / p / "liver.nii.gz") for p in ("case/segmentations", "wrong"))
    refined = mask_of(out / "segmentations" / "liver.nii.gz")
    assert dsc(refined, truth) > dsc(wrong, truth) + 0.1
    assert list((out / "proposals").glob("liver_*.nii.gz"))
    marks = json.loads((out / "points" / "liver.mrk.json").read_text())
    assert len(marks["markups"]) == 2
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    code, told, _ = run(*words, "--json", "--proposals")
    assert (code, json.loads(told)["reused"]) == (0, True)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before
    (out / "segmentations" / "liver.nii.gz").unlink()
    assert json.loads(run(*words, "--json", "--proposals")[1])["reused"] is False
    assert not json.loads(run(*words, "--json", "--set", "labeling.refine.points=6")[1])["reused"]


def test_rules_that_were_written_anew_are_asked_anew(files, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("region: mine\nclasses: {liver: {ml: [300, 4000]}}\n")
    words = (
        "--scan", files / "case" / "ct.nii.gz", "--out", tmp_path / "out", *COARSE, "--json",
        "--mask", files / "wrong" / "liver.nii.gz", "--class", "liver",
        "--set", f"labeling.rules.anatomy=[{rules}]",
    )  # fmt: skip
    assert [json.loads(run(*words)[1])["reused"] for _ in range(2)] == [False, True]
    rules.write_text("region: mine\nclasses: {liver: {ml: [300, 3000]}}\n")
    assert json.loads(run(*words)[1])["reused"] is False


def test_good_labels_stay_bit_for_bit_and_others_hold_their_voxels(files, tmp_path):
    labels = files / "wrong"
    code, told, _ = run(
        *common(files, tmp_path / "out"), "--labels", labels, "--predictions", files / "predicted"
    )
    assert code == 0
    refined = {p.stem.split(".")[0]: mask_of(p) for p in (tmp_path / "out").rglob("*.nii.gz")}
    for name in ("spleen", "kidney_left", "kidney_right"):
        assert f"{name}: kept (" in told
        assert np.array_equal(refined[name], mask_of(labels / f"{name}.nii.gz"))
        assert not (refined["liver"] & refined[name]).any()
    assert "liver: refined (" in told


def test_without_trusted_cases_nothing_is_accepted_and_that_is_said(files, tmp_path):
    code, told, noted = run(
        "--scan", files / "case" / "ct.nii.gz", "--out", tmp_path / "out", *COARSE,
        "--mask", files / "wrong" / "liver.nii.gz", "--class", "liver",
    )  # fmt: skip
    assert code == 0
    assert told.startswith("liver: kept (the judge cannot tell")
    assert "without --reference" in noted


def test_one_bad_mask_is_named_and_the_others_are_done(files, tmp_path):
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "spleen.nii.gz").symlink_to(files / "wrong" / "spleen.nii.gz")
    (labels / "aorta.nii.gz").write_bytes(b"no image")
    other = Volume(np.ones((4, 5, 6), np.uint8), AFFINE)
    write_nifti(labels / "liver.nii.gz", other)
    code, told, noted = run(*common(files, tmp_path / "out"), "--labels", labels, "--json")
    found = json.loads(told)
    assert code == 1
    assert set(found["classes"]) == {"spleen"}
    assert set(found["failed"]) == {"aorta", "liver"}
    assert "another grid than the scan" in found["failed"]["liver"]
    assert str(tmp_path) not in told + noted


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--mask", "m.nii.gz"], "only with --scan"),
        (["--scan", "ct.nii.gz"], "wants --out"),
        (["--scan", "ct.nii.gz", "--out", "o", "--mask", "m.nii.gz"], "one --class"),
        (["--scan", "ct.nii.gz", "--out", "o", "--budget", "3"], "only without --scan"),
        (
            ["--scan", "no.nii.gz", "--out", "o", "--mask", "m.nii.gz", "--class", "liver"],
            "not there",
        ),
    ],
)
def test_wrong_calls_say_what_is_wanted(words, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, told, noted = run(*words)
    assert code == 2
    assert why in noted
    assert told == ""


def test_a_class_can_want_more_or_be_left_alone(files, tmp_path):
    words = (*common(files, tmp_path / "out"), "--mask", files / "wrong" / "liver.nii.gz",
             "--class", "liver", "--json", "--set")  # fmt: skip
    key = "labeling.refine.confidence_by_class"
    left = json.loads(run(*words, f"{key}={{liver: 1}}")[1])["classes"]["liver"]
    assert (left["accepted"], "leaves its borders alone" in left["reason"]) == (False, True)
    other = json.loads(run(*words, f"{key}={{spleen: 1}}")[1])["classes"]["liver"]
    assert other["accepted"]
    code, _, noted = run(*words, f"{key}={{liver: 7}}")
    assert (code, "0.5 to 1" in noted) == (2, True)


def test_why_no_trusted_case_can_be_read_is_told(files, tmp_path):
    bad = tmp_path / "bad"
    (bad / "one" / "segmentations").mkdir(parents=True)
    (bad / "one" / "segmentations" / "liver.nii.gz").write_bytes(b"no image")
    (bad / "one" / "ct.nii.gz").symlink_to(files / "case" / "ct.nii.gz")
    code, _, noted = run(
        "--scan", files / "case" / "ct.nii.gz", "--out", tmp_path / "out", "--reference", bad,
        "--mask", files / "wrong" / "liver.nii.gz", "--class", "liver",
    )  # fmt: skip
    assert code == 2
    assert "one: mask liver: not a NIfTI file" in noted
    assert "segmentations" in noted


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--method", "magic"], "magic"),
        (["--method", "sam"], "sam_folder"),
        (["--set", "labeling.refine.colour=red"], "colour"),
    ],
)
def test_wrong_settings_are_named(files, tmp_path, words, why):
    mask = files / "wrong" / "liver.nii.gz"
    code, _, noted = run(
        *common(files, tmp_path / "out"), "--mask", mask, "--class", "liver", *words
    )
    assert (code, why in noted) == (2, True)


def test_results_never_land_among_the_inputs(files):
    mask = files / "wrong" / "liver.nii.gz"
    code, _, noted = run(*common(files, files / "wrong"), "--mask", mask, "--class", "liver")
    assert code == 2
    assert "--out" in noted
    code, _, noted = run(*common(files, files / "wrong" / "out"), "--labels", files / "wrong")
    assert (code, "--out" in noted) == (2, True)
    assert not list((files / "wrong").rglob("refine.json"))


def test_before_the_first_round_that_is_said(tmp_path):
    from voxcurate.workspace import Workspace

    Workspace.create(tmp_path / "ws", key_file="../key")
    code, _, noted = run("-w", tmp_path / "ws")
    assert code == 2
    assert "voxcurate round" in noted


@pytest.mark.slow
def test_in_a_workspace_the_last_round_is_refined_once(tmp_path):
    from labeling.config import LabelingConfig
    from labeling.expert import detect
    from labeling.fusion import fuse

    made = build(tmp_path / "ws", planted={}, n_train=6, n_validation=0, n_test=1)
    config = RoundConfig(classes=CLASSES)
    with made.ctx.catalog.write() as writer:
        plain, facts = config.model_dump(mode="json"), {"classes": list(CLASSES)}
        writer.put(Round(1, "done", plain, {}, 0, "2026-01-01", facts=facts))
    fuse.run(made.ctx, LabelingConfig())
    detect.run(made.ctx, LabelingConfig())
    words = ("-w", tmp_path / "ws", "--budget", "2", "--set", "executor.kind=serial", *COARSE)
    code, told, _ = run(*words, "--json")
    first = json.loads(told)
    assert (code, first["stage"], first["failed"]) == (0, "refine", {})
    assert first["counts"]["computed"] == first["counts"]["cases"] == 2
    assert sum(first["counts"][v] for v in ("keep", "replace", "to_review")) == 8
    again = json.loads(run(*words, "--json")[1])["counts"]
    assert (again["computed"], again["reused"]) == (0, 2)
    for wrong in (("--class", "unicorn"), ("--case", "nobody")):
        code, _, noted = run("-w", tmp_path / "ws", *wrong)
        assert (code, wrong[1] in noted) == (2, True)
