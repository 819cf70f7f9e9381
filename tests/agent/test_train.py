"""``voxcurate train``: a bundle from plain files, what goes wrong, killed and called again."""

import csv
import errno
import json
import random
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.training import _done, _told_by
from agent.training_cases import ReadCase
from agent.training_failures import write_failures
from tests.agent.ingest_fixture import dicom_series
from tests.training.conftest import CLASSES, phantom
from voxcurate.executors import SerialExecutor
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.volume import Volume

MAIN = [sys.executable, "-c", "from agent.cli.main import main; main()"]
SMALL = ("--network", "unet_small", "--set", "grid.spacing_mm=[8,8,8]", "--set",
         "patch=[16,16,16]", "--set", "batch=1", "--threads", "1")  # fmt: skip
SOURCE = """
name: phantoms
scans: "images/{case}.nii.gz"
masks:
  - path: "labels/{case}.nii.gz"
    labels: {1: parotid_left, 2: parotid_right, 3: mandible}
licence: CC0
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, [str(w) for w in words])


def dataset(root, n=4, *, source=SOURCE):
    """Phantoms as images and label maps, and their description."""
    for number in range(n):
        volume, masks = phantom(number)
        labels = np.zeros(volume.shape, np.uint8)
        for value, class_id in enumerate(CLASSES, start=1):
            labels[masks[class_id]] = value
        write_nifti(root / "images" / f"case_{number}.nii.gz", volume)
        write_nifti(root / "labels" / f"case_{number}.nii.gz", Volume(labels, volume.affine))
    (root / "dataset.yaml").write_text(source)
    return root


def train(run, folder, *more, steps=3):
    return run("train", folder, "--out", "bundle", "--steps", steps, *SMALL, *more, "--json")


@pytest.mark.slow
def test_a_bundle_from_files_is_scored_predicts_and_is_not_made_twice(run, tmp_path):
    from training.bundle.folder import load_bundle

    data = dataset(tmp_path / "data")
    result = train(run, data)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["held_out_cases"] == 1
    assert told["training_cases"] == 3
    assert told["plan"]["spacing_mm"] == [8.0, 8.0, 8.0]
    assert any("set by hand" in reason for reason in told["plan"]["reasons"])
    facts, _ = load_bundle(tmp_path / "bundle")
    assert set(facts.classes) == set(CLASSES)
    assert facts.licence == "CC0"
    assert "case_0" not in " ".join(facts.training_cases)  # ids are keyed
    kept = json.loads((tmp_path / "bundle" / "metrics.json").read_text())
    (held,) = kept["facts"]["scores"]
    assert held not in facts.training_cases
    assert not (tmp_path / ".bundle.work").exists()
    before = (tmp_path / "bundle" / "models" / "model.pt").stat().st_mtime_ns
    again = json.loads(train(run, data).stdout)
    assert again["reused"]
    assert again["metrics"] == told["metrics"]
    assert (tmp_path / "bundle" / "models" / "model.pt").stat().st_mtime_ns == before
    other = train(run, data, "--seed", "1")
    assert (other.exit_code, "holds something else" in other.output) == (2, True)
    predicted = run("predict", "bundle", data / "images", "--out", "masks")
    assert predicted.exit_code == 0, predicted.output
    mask = read_nifti(next((tmp_path / "masks").glob("*case_0/mandible.nii.gz")))
    assert mask.shape == phantom(0)[0].shape


@pytest.mark.slow
def test_bad_files_are_named_by_case_and_role_and_the_others_train(run, tmp_path):
    data = dataset(tmp_path / "data", 5)
    (data / "images" / "case_0.nii.gz").write_bytes(b"\x1f\x8b nothing")
    write_nifti(data / "labels" / "case_1.nii.gz", Volume(np.zeros((9, 9, 9), np.uint8), np.eye(4)))
    empty = read_nifti(data / "labels" / "case_2.nii.gz")
    write_nifti(data / "labels" / "case_2.nii.gz", Volume(empty.array * 0, empty.affine))
    result = train(run, data, "--hold-out", "0")
    assert result.exit_code == 1, result.output
    told = json.loads(result.stdout)
    assert told["training_cases"] == 2
    assert len(told["failed"]) == 2
    said = " ".join(f"{k} {v}" for k, v in told["failed"].items())
    assert "ct" in said
    assert "/label map want the scan's shape" in said
    assert "case_0" not in result.output
    assert str(tmp_path) not in result.stderr
    assert any("nothing was held out" in line for line in told["warnings"])


def test_what_cannot_be_trained_on_is_one_clear_line(run, tmp_path):
    data = dataset(tmp_path / "data", 1)
    wrong = SOURCE.replace("mandible", "jawbone")
    (tmp_path / "wrong.yaml").write_text(wrong)
    result = train(run, data, "--source", "wrong.yaml")
    assert (result.exit_code, "not in the vocabulary: jawbone" in result.output) == (2, True)
    result = train(run, data, "--minutes", "1")
    assert (result.exit_code, "not both" in result.output) == (2, True)
    result = train(run, data, "--minutes", "inf", steps=0)
    assert (result.exit_code, "want --minutes as a number" in result.output) == (2, True)
    result = train(run, data, "--source", "nobody")
    assert (result.exit_code, "neither a file nor" in result.output) == (2, True)
    result = train(run, data, "--set", "learning_speed=3")
    assert (result.exit_code, "learning_speed" in result.output) == (2, True)
    result = train(run, data, "--folds", "3")
    assert (result.exit_code, "fewer patients" in result.output) == (2, True)
    (tmp_path / "gold.txt").write_text("somebody\n")
    result = train(run, data, "--gold", "gold.txt")
    assert (result.exit_code, "1 of 1 lines name no case" in result.output) == (2, True)
    result = train(run, data, "--gold", "nowhere.txt")
    assert (result.exit_code, "--gold: no such file" in result.output) == (2, True)
    result = train(run, data, "--raw", "nowhere")
    assert (result.exit_code, "--raw: no such folder" in result.output) == (2, True)
    result = train(run, data, "--raw", data, "--raw-source", "nobody")
    assert (result.exit_code, "--raw-source names neither" in result.output) == (2, True)
    result = train(run, data, "--warm", "nowhere")
    assert (result.exit_code, "--warm: not a bundle" in result.output) == (2, True)
    result = train(run, data, "--name", "../out")
    assert (result.exit_code, "--name: want letters" in result.output) == (2, True)
    result = train(run, data, "--network", "unet_tiny")
    assert (result.exit_code, "unet_small" in result.output) == (2, True)
    (tmp_path / ".bundle.work").write_text("in the way")
    result = train(run, data)
    assert (result.exit_code, "--out: nothing can be written" in result.output) == (2, True)
    (tmp_path / ".bundle.work").unlink()
    result = train(run, tmp_path / "nowhere")
    assert (result.exit_code, "want a folder" in result.output) == (2, True)
    assert not (tmp_path / "bundle").exists()


def test_no_label_at_all_is_no_model(run, tmp_path):
    data = dataset(tmp_path / "data", 2)
    for path in (data / "labels").iterdir():
        path.unlink()
    result = train(run, data)
    assert (result.exit_code, "no case has a label that can be used" in result.output) == (2, True)
    assert not (tmp_path / "bundle").exists()


def test_the_files_of_failures_are_named_for_their_owner_alone(run, tmp_path, monkeypatch):
    data = dataset(tmp_path / "data", 2)
    for part, number in (("images", 0), ("labels", 1)):
        (data / part / f"case_{number}.nii.gz").write_bytes(b"\x1f\x8b nothing")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    result = run("train", data, "--out", ".", "--steps", "2", *SMALL)
    assert (result.exit_code, "no case has a label that can be used" in result.output) == (2, True)
    assert "case_0" not in result.output
    assert "here.failed.csv" in result.output
    path = tmp_path / "here.failed.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    head, *rows = csv.reader(path.read_text().splitlines())
    assert head == ["case", "role", "file", "reason"]
    assert {tuple(row[1:3]) for row in rows} == {
        ("", "images/case_0.nii.gz"), ("label map", "labels/case_1.nii.gz")
    }  # fmt: skip
    write_failures(tmp_path / "here", [], {})
    assert not path.exists()


def test_a_full_disk_is_no_fault_of_a_case(run, tmp_path, monkeypatch):
    def full(payload):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("agent.ingest.worker.ingest_case", full)
    monkeypatch.setattr("agent.training_cases.LocalExecutor", lambda **_: SerialExecutor())
    result = train(run, dataset(tmp_path / "data", 2))
    assert (result.exit_code, "is the disk full?" in result.output) == (2, True)
    assert not (tmp_path / "bundle").exists()


def test_what_lacks_its_weights_is_not_done(tmp_path):
    out, weights = tmp_path / "bundle", tmp_path / "bundle" / "models" / "model.pt"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    (out / "metrics.json").write_text(json.dumps({"mark": "m", "facts": {"steps": 3}}))
    made = {"mark": "m", "result": {"bundles": ["."], "metrics": {}, "plan": {}}}
    (out / "made.json").write_text(json.dumps(made))
    found = _done(out, "m")
    assert found is not None
    assert found.reused
    weights.unlink()
    assert _done(out, "m") is None  # the same call makes it again


def test_a_damaged_bundle_is_no_start(run, tmp_path):
    from tests.training.bundle.test_folder import facts, network
    from training.bundle.folder import write_bundle
    from training.config import network_config

    data, own = dataset(tmp_path / "data", 1), {"network": network_config("unet_small")}
    write_bundle(tmp_path / "old", facts(**own), network(**own).state_dict())
    weights = tmp_path / "old" / "models" / "model.pt"
    weights.write_bytes(weights.read_bytes()[:-1000])
    result = train(run, data, "--warm", "old")
    assert (result.exit_code, "--warm: the bundle's weights cannot" in result.output) == (2, True)
    weights.unlink()
    result = train(run, data, "--warm", "old")
    assert (result.exit_code, "--warm: not a bundle: no models" in result.output) == (2, True)
    assert not (tmp_path / ".bundle.work").exists()


def test_a_folder_that_nobody_described_is_drafted(run, tmp_path):
    data = dataset(tmp_path / "data", 2)
    (data / "dataset.yaml").unlink()
    result = train(run, data)
    assert (result.exit_code, "bundle.source.yaml" in result.output) == (2, True)
    assert "TODO" in (tmp_path / "bundle.source.yaml").read_text()


def test_what_a_training_met_is_told(monkeypatch):
    taught = SimpleNamespace(training_patients=("person_1",))
    monkeypatch.setattr("training.bundle.folder.read_facts", lambda folder: taught)
    case = ReadCase(
        "c1", "person_1", "CT", "CC0", "", "", (4, 4, 4), (), {}, {"liver": 3.0, "spleen": 0.0}
    )
    value = {"unseen_classes": ["aorta"], "bad_steps": 2, "bad_cases": ["c7"],
             "patch": [16, 16, 16], "parts": 1}  # fmt: skip
    payload = {"training": {"patch": [32, 16, 16]}, "classes": ["aorta"], "warm": "ancestor",
               "patients": ["person_1"]}  # fmt: skip
    said = " ".join(_told_by(value, payload, [case]))
    parts = ("aorta: in no patch", "2 steps without a finite loss", "c7", "memory was short",
             "1 of 1 held-out cases are of", "class liver: labelled in held-out")  # fmt: skip
    assert all(part in said for part in parts)
    assert "spleen" not in said
    fine = {**value, "unseen_classes": [], "bad_steps": 0, "patch": [32, 16, 16]}
    assert _told_by(fine, {**payload, "warm": ""}, []) == []
    other = {**payload, "patients": ["person_2"], "classes": ["aorta", "liver"]}
    (line,) = _told_by(fine, other, [replace(case, patient="person_3")])
    assert "no patient here is known to the model" in line


@pytest.mark.slow
def test_one_case_trains_with_a_warning_and_a_class_without_voxels_is_left_out(run, tmp_path):
    data = dataset(tmp_path / "data", 1, source=SOURCE + "complete: [esophagus, mandible]\n")
    result = train(run, data)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["skipped_classes"] == ["esophagus"]
    assert "esophagus" not in told["classes"]
    said = " ".join(told["warnings"])
    assert "nothing was held out" in said
    assert "class esophagus: no voxel" in said


@pytest.mark.slow
def test_folds_score_every_patient_by_a_model_that_never_saw_them(run, tmp_path):
    data = dataset(tmp_path / "data", 2)
    result = train(run, data, "--folds", "2", steps=2)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["held_out_cases"] == 2
    assert told["bundles"] == ["fold_0", "fold_1"]
    for fold in told["bundles"]:
        facts = json.loads((tmp_path / "bundle" / fold / "metrics.json").read_text())["facts"]
        seen = json.loads((tmp_path / "bundle" / fold / "training.json").read_text())["cases"]
        assert not set(facts["scores"]) & set(seen)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_step_the_same_call_ends_with_the_same_weights(tmp_path, monkeypatch):
    from training.bundle.folder import load_bundle, weights_sha256

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    data = dataset(tmp_path / "data", 2)
    steps = 12

    often = ("--set", "checkpoint_every=3", "--set", "log_every=1")

    def words(name):
        out = str(tmp_path / name)
        return [*MAIN, "train", str(data), "--out", out, "--steps", str(steps), *SMALL, *often,
                "--hold-out", "0", "--json"]  # fmt: skip

    whole = subprocess.run(words("whole"), capture_output=True, text=True, check=False)
    assert whole.returncode == 0, whole.stderr
    at = random.SystemRandom().randint(2, steps - 4)
    process = subprocess.Popen(
        words("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    logs = tmp_path / ".killed.work" / "logs"
    try:
        while process.poll() is None:
            done = sum(len(p.read_text().splitlines()) for p in logs.glob("*.jsonl"))
            if done >= at:
                break
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert not (tmp_path / "killed" / "made.json").exists()
    again = subprocess.run(words("killed"), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    hashes = {
        weights_sha256(load_bundle(tmp_path / n)[1].state_dict()) for n in ("whole", "killed")
    }
    assert len(hashes) == 1, f"killed at step {at}"
    one, two = (json.loads(text.stdout) for text in (whole, again))
    assert one["plan"] == two["plan"]


@pytest.mark.slow
def test_labels_that_belong_to_no_image_are_told_and_named_for_their_owner_alone(run, tmp_path):
    data = dataset(tmp_path / "data", 3)
    (data / "labels" / "case_2.nii.gz").rename(data / "labels" / "case_9.nii.gz")
    said = "1 label file belongs to no image of the folder by name: left out"
    result = train(run, data, "--hold-out", "0", steps=1)
    assert result.exit_code == 0, result.output
    assert any(line.startswith(said) for line in json.loads(result.stdout)["warnings"])
    assert said in result.stderr
    assert "plan: images without a label: 1" in result.stderr
    assert "case_9" not in result.output
    path = tmp_path / "bundle.failed.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    _, (case, role, file, _) = csv.reader(path.read_text().splitlines())
    assert (case, role, file) == ("", "label", "labels/case_9.nii.gz")


def test_where_no_label_belongs_to_an_image_that_is_why(run, tmp_path):
    data = dataset(tmp_path / "data", 2)
    for number in range(2):
        label = data / "labels" / f"case_{number}.nii.gz"
        label.rename(label.with_name(f"label_{number}.nii.gz"))
    result = train(run, data)
    assert (result.exit_code, "2 label files belong to no image" in result.output) == (2, True)


def test_what_was_interrupted_is_not_mixed_with_other_cases_or_settings(run, tmp_path):
    data, work = dataset(tmp_path / "data", 2), tmp_path / ".bundle.work"
    for path in (data / "labels").iterdir():
        path.unlink()
    assert "no case has a label" in train(run, data).output  # begun, and not interrupted
    kept = work / "runs" / "run" / "checkpoint.pt"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"hours of work")
    assert "no case has a label" in train(run, data).output  # the same goes on
    result = train(run, data, "--seed", "1", "--set", "learning_rate=0.1")
    assert (result.exit_code, "had other options, settings: with" in result.output) == (2, True)
    assert "remove .bundle.work" in result.output
    (data / "images" / "case_0.nii.gz").touch()
    result = train(run, data)
    assert (result.exit_code, "had other cases: with those it" in result.output) == (2, True)
    assert kept.exists()
    kept.unlink()  # nothing is lost: it begins anew
    assert "no case has a label" in train(run, data).output


def test_dicom_without_labels_says_where_they_are_looked_for(run, tmp_path):
    dicom_series(tmp_path / "data" / "one", 1)
    write_nifti(tmp_path / "data" / "one" / "liver.nii.gz", phantom(0)[0])
    result = train(run, tmp_path / "data")
    assert (result.exit_code, "labels of DICOM series are DICOM SEG" in result.output) == (2, True)
    assert 'masks: [{path: "{folder}/{class}.nii.gz"}]' in result.output
