"""Results never take the place of what is read, nor of what others made."""

import json

import nibabel
import numpy as np
import pytest

from labeling.attention.batch import attend_folders
from labeling.fusion.batch import fuse_folders
from tests.conftest import ellipsoid
from voxcurate.case_files import find_cases
from voxcurate.classes import load_vocabulary
from voxcurate.errors import ConfigError

VOCABULARY = load_vocabulary()
AFFINE = np.array([[0, -2.0, 0.0, 5], [1.5, 0, 0, -3], [0, 0, 4.0, 9], [0, 0, 0, 1]])
SHAPE = (20, 24, 14)
LIVER = ellipsoid(SHAPE, (8, 9, 7), (5, 6, 4)).astype(np.uint8)
RUNS = {"fuse": fuse_folders, "attention": attend_folders}


def save(path, array=LIVER, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


def models(folder, *names):
    return {name: find_cases(folder / name, VOCABULARY) for name in names}


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        for class_id in ("liver", "spleen") if name == "a" else ("liver",):
            save(tmp_path / "in" / name / "s1" / "segmentations" / f"{class_id}.nii.gz")
    return tmp_path / "in"


def content(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("where", ["in/a", "in", "in/b/fused", "in/a/s1", "link", "link/sub"])
def test_a_folder_that_is_read_is_not_written_to(folder, run, where):
    (folder.parent / "link").symlink_to(folder / "a")
    before = content(folder)
    with pytest.raises(ConfigError, match="--out"):
        run(models(folder, "a", "b"), VOCABULARY, folder.parent / where)
    assert content(folder) == before


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_nor_one_that_links_lead_to(folder, run):
    linked = folder / "c" / "s1"
    linked.parent.mkdir()
    linked.symlink_to(folder / "a" / "s1")
    with pytest.raises(ConfigError, match="--out"):
        run(models(folder, "c", "b"), VOCABULARY, folder / "a")
    assert (folder / "a/s1/segmentations/spleen.nii.gz").is_file()


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_single_files_may_be_fused_beside_them(tmp_path, run):
    save(tmp_path / "a.nii.gz")
    save(tmp_path / "b.nii.gz")
    given = {n: find_cases(tmp_path / f"{n}.nii.gz", VOCABULARY) for n in "ab"}
    assert not run(given, VOCABULARY, tmp_path / "out").failed


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_masks_that_others_made_stay_and_the_own_go(folder, tmp_path, run):
    out = tmp_path / "out"
    foreign = out / "s1/segmentations/liver.nii.gz"
    save(foreign)
    before = foreign.read_bytes()
    (why,) = run(models(folder, "a", "b"), VOCABULARY, out).failed.values()
    assert "segmentations/liver.nii.gz" in why
    assert foreign.read_bytes() == before
    other = out / "s1/segmentations/aorta.nii.gz"
    foreign.rename(other)
    assert not run(models(folder, "a", "b"), VOCABULARY, out).failed
    assert (out / "s1/segmentations/spleen.nii.gz").is_file()
    assert not run(models(folder, "b"), VOCABULARY, out).failed
    assert {p.name for p in other.parent.iterdir()} == {"liver.nii.gz", "aorta.nii.gz"}
    assert other.read_bytes() == before


@pytest.mark.parametrize(("run", "name"), [(fuse_folders, "fuse"), (attend_folders, "attention")])
def test_what_a_killed_run_left_is_the_commands_own(folder, tmp_path, run, name):
    out = tmp_path / "out"
    run(models(folder, "a", "b"), VOCABULARY, out)
    path = out / "s1" / f"{name}.json"
    path.write_text(json.dumps({"files": json.loads(path.read_text())["files"]}))
    again = run(models(folder, "a", "b"), VOCABULARY, out)
    assert (again.failed, again.reused) == ({}, 0)
    assert run(models(folder, "a", "b"), VOCABULARY, out).reused == 1


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_files_of_another_direction_of_axes_are_turned(tmp_path, run):
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = SHAPE[0] - 1
    save(tmp_path / "a/s1/liver.nii.gz")
    save(tmp_path / "b/s1/liver.nii.gz", LIVER[::-1], AFFINE @ flip)
    assert not run(models(tmp_path, "a", "b"), VOCABULARY, tmp_path / "out").failed
    found = nibabel.load(tmp_path / "out/s1/segmentations/liver.nii.gz").get_fdata()
    np.testing.assert_array_equal(found, LIVER)
