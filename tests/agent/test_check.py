"""``voxcurate check`` on files, folders and DICOM trees."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from cleaning.check.folder import check_paths, list_files
from tests.cleaning.phantom import phantom
from voxcurate.errors import ConfigError
from voxcurate.executors import SerialExecutor
from voxcurate.nifti import write_nifti

RUNNER = CliRunner()


@pytest.fixture
def folder(tmp_path):
    """Two case folders, one with masks; a flat scan with wrong values; a broken DICOM file."""
    good = phantom(0)
    for case in ("doe_jane", "roe_john"):
        (tmp_path / case / "segmentations").mkdir(parents=True)
        write_nifti(tmp_path / case / "ct.nii.gz", good)
    write_nifti(tmp_path / "doe_jane" / "segmentations" / "liver.nii.gz", good)
    (tmp_path / "flat").mkdir()
    write_nifti(tmp_path / "flat" / "moved.nii.gz", good.with_array(good.array + np.int16(1024)))
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "a.dcm").write_bytes(b"\0" * 128 + b"DICM\xff")
    (tmp_path / "notes.txt").write_text("x")
    return tmp_path


def run(*arguments):
    return RUNNER.invoke(app, ["check", *map(str, arguments), "--workers", "1"])


def test_a_folder_gets_verdicts_without_names(folder, tmp_path):
    result = run(folder, "--json", "--pictures", tmp_path / "pictures")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [scan["verdict"] for scan in found["scans"]] == ["reject", "pass", "reject", "pass"]
    assert found["scans"][2]["reasons"][0]["code"] == "hu_offset"
    assert found["counts"] == {"pass": 2, "suspect": 0, "reject": 2}
    assert found["passed_over"]["masks"] == 1
    for name in ("doe", "roe", "moved", "a.dcm"):
        assert name not in result.stdout + result.stderr
    assert [p.name for p in sorted((tmp_path / "pictures").iterdir())] == ["00003.png"]


def test_paths_are_told_when_asked_for(folder):
    result = run(folder, "--json", "--paths")
    inside = [scan["inside"] for scan in json.loads(result.stdout)["scans"]]
    assert "doe_jane/ct.nii.gz" in inside


def test_one_good_file_passes(folder):
    result = run(folder / "doe_jane" / "ct.nii.gz")
    assert result.exit_code == 0
    assert "1 pass, 0 suspect, 0 reject" in result.stdout


def test_nothing_to_check_is_an_error(tmp_path):
    (tmp_path / "x.txt").write_text("x")
    for path in (tmp_path, tmp_path / "missing"):
        assert run(path).exit_code == 2


def test_settings_and_regions(folder):
    path = folder / "doe_jane" / "ct.nii.gz"
    assert run(path, "--region", "nowhere").exit_code == 2
    result = run(path, "--set", "min_slices=60", "--json")
    assert "few_slices" in [r["code"] for r in json.loads(result.stdout)["scans"][0]["reasons"]]


def test_a_memory_limit_becomes_a_verdict(folder):
    result = run(folder / "doe_jane" / "ct.nii.gz", "--set", "max_gib=0.0000001", "--json")
    (scan,) = json.loads(result.stdout)["scans"]
    assert scan["verdict"] == "reject"
    assert scan["reasons"][0]["code"] == "too_large"


def test_lists_are_the_same_whatever_the_order_of_paths(folder):
    one = list_files([folder])
    assert len(one.volumes) == 3
    assert len(one.dicom) == 1
    assert (one.masks, one.others) == (1, 1)
    everything = list_files([folder], with_masks=True)
    assert len(everything.volumes) == 4
    with pytest.raises(ConfigError):
        list_files([folder / "nothing"])


def test_a_broken_file_belongs_to_the_series_of_its_folder(folder, tmp_path):
    from pydicom.data import get_testdata_file

    shutil.copy(get_testdata_file("CT_small.dcm", download=False), folder / "dicom" / "b.dcm")
    results = list(check_paths(list_files([folder / "dicom"]), SerialExecutor()))
    assert results[0] == 1
    codes = {reason.code for reason in results[1].check.reasons}
    assert "unreadable_files" in codes
    assert len(results[1].item.files) == 2
