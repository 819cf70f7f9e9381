"""Prepared cases: what the cache holds, errors that name case and role."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import AFFINE, SHAPE, phantom
from training.config import GridConfig
from training.data import cases
from training.data.cases import CacheError, CaseSpec, LabelSpec, ensure_case, grid_image, load_case
from voxcurate.errors import GeometryError, VolumeReadError
from voxcurate.nifti import write_nifti
from voxcurate.volume import Volume

CLASSES = ("parotid_left", "parotid_right", "mandible", "larynx")
SPACING = (8.0, 8.0, 8.0)
GRID = GridConfig(spacing_mm=SPACING)


@pytest.fixture
def case(tmp_path):
    """Mandible drawn, right parotid drawn in part of the scan, left known absent, larynx
    unknown."""
    volume, masks = phantom(0)
    write_nifti(tmp_path / "ct.nii.gz", volume)
    write_nifti(tmp_path / "m.nii.gz", Volume(masks["mandible"].astype(np.uint8), AFFINE))
    write_nifti(tmp_path / "r.nii.gz", Volume(masks["parotid_right"].astype(np.uint8), AFFINE))
    speaks = np.zeros(SHAPE, np.uint8)
    speaks[:, :13] = 1
    write_nifti(tmp_path / "k.nii.gz", Volume(speaks, AFFINE))
    paths = {name: str(tmp_path / f"{name}.nii.gz") for name in "rmk"}
    labels = {
        "parotid_left": LabelSpec("l0", "", "", "original"),
        "parotid_right": LabelSpec("l1", paths["r"], paths["k"], "pseudo"),
        "mandible": LabelSpec("l2", paths["m"], "", "original"),
    }
    return CaseSpec("case_a", str(tmp_path / "ct.nii.gz"), "sha", "CT", labels)


def prepared(case, tmp_path):
    folders = ensure_case(case, CLASSES, SPACING, GRID, tmp_path / "cache")
    return load_case(case, CLASSES, folders, {"pseudo": 0.5})


def test_known_absent_unknown_and_weights(case, tmp_path):
    found = prepared(case, tmp_path)
    assert found.known.tolist() == [True, True, True, False]
    assert found.weight.tolist() == [1.0, 0.5, 1.0, 0.0]
    assert found.counts[0] == 0
    assert found.counts[2] > 0
    assert found.counts[3] == 0


def test_volume_of_a_mask_is_kept(case, tmp_path):
    _, masks = phantom(0)
    truth_mm3 = masks["mandible"].sum() * abs(np.linalg.det(AFFINE[:3, :3]))
    found_mm3 = prepared(case, tmp_path).counts[2] * 8.0**3
    assert found_mm3 == pytest.approx(truth_mm3, rel=0.15)


def test_centres_lie_in_their_mask(case, tmp_path):
    found = prepared(case, tmp_path)
    masks = np.unpackbits(found.packed, axis=0, count=len(CLASSES))
    for n, voxels in enumerate(found.centres):
        assert masks[n][tuple(voxels.T)].all()
        assert len(voxels) == found.counts[n]


def test_nothing_is_drawn_where_a_label_does_not_speak(case, tmp_path):
    found = prepared(case, tmp_path)
    masks = np.unpackbits(found.packed, axis=0, count=len(CLASSES))
    speaks = np.unpackbits(found.known_packed, axis=0, count=len(CLASSES))
    assert not (masks[1] & ~speaks[1].astype(bool)).any()
    assert 0 < speaks[1].mean() < 1
    assert speaks[0].all()
    assert speaks[2].all()


def test_cache_is_made_once_and_by_content(case, tmp_path):
    one = ensure_case(case, CLASSES, SPACING, GRID, tmp_path / "cache")
    stamp = (one[0] / "image.npy").stat().st_mtime_ns
    two = ensure_case(case, CLASSES, SPACING, GRID, tmp_path / "cache")
    assert one == two
    assert (one[0] / "image.npy").stat().st_mtime_ns == stamp
    fewer = ensure_case(case, CLASSES[:2], SPACING, GRID, tmp_path / "cache")
    assert fewer[0] == one[0]
    assert fewer[1] != one[1]


def test_one_changed_label_reads_no_other_again(case, tmp_path, monkeypatch):
    before = prepared(case, tmp_path)
    seen = []
    real = cases._read

    def spy(spec, path, role):
        seen.append(role)
        return real(spec, path, role)

    monkeypatch.setattr(cases, "_read", spy)
    changed = replace(
        case.labels["mandible"], label_id="l3", path=case.labels["parotid_right"].path
    )
    after = prepared(replace(case, labels={**case.labels, "mandible": changed}), tmp_path)
    assert seen == ["mask mandible"]
    masks, old = (np.unpackbits(p.packed, axis=0, count=4) for p in (after, before))
    assert (masks[1] == old[1]).all()
    assert (masks[2] != old[2]).any()
    np.testing.assert_array_equal(after.known_packed, before.known_packed)


def test_a_window_that_an_mr_is_scaled_to_is_part_of_its_key(case, tmp_path):
    other = GRID.model_copy(update={"windows": ((0.0, 500.0), (-1000.0, 1000.0))})
    for modality, is_same in (("CT", True), ("MR", False)):
        own = replace(case, modality=modality)
        one, two = (
            ensure_case(own, CLASSES, SPACING, grid, tmp_path / "cache")[0]
            for grid in (GRID, other)
        )
        assert (one == two) is is_same


def test_a_full_disk_is_not_the_case_s_fault(case, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(CacheError, match="is the disk full"):
        prepared(case, tmp_path)
    assert not list((tmp_path / "cache" / "images").iterdir())


def test_body_is_cropped_for_ct_only():
    volume, _ = phantom(0)
    grid, image = grid_image(volume, "CT", SPACING, GRID)
    whole, _ = grid_image(volume, "MR", SPACING, GRID)
    assert np.prod(grid.shape) < np.prod(whole.shape)
    assert image.shape == grid.shape


def test_mr_fills_the_window():
    volume, _ = phantom(0)
    bright = volume.with_array(volume.array.astype(np.float32) * 3 + 9000)
    _, image = grid_image(bright, "MR", volume.spacing, GRID)
    low, high = np.percentile(image, (1, 99))
    assert (low, high) == pytest.approx((-160, 240), abs=10)


def test_broken_mask_names_case_and_role(case, tmp_path):
    (tmp_path / "m.nii.gz").write_bytes(b"no image")
    with pytest.raises(VolumeReadError, match="mask mandible") as caught:
        prepared(case, tmp_path)
    assert caught.value.case_id == "case_a"
    assert str(tmp_path) not in str(caught.value)
    assert not list((tmp_path / "cache" / "labels").iterdir())


def test_mask_of_another_shape(case, tmp_path):
    write_nifti(tmp_path / "m.nii.gz", Volume(np.zeros((4, 5, 6), np.uint8), AFFINE))
    with pytest.raises(GeometryError, match="mask mandible") as caught:
        prepared(case, tmp_path)
    assert caught.value.case_id == "case_a"


def test_files_are_on_disk_before_a_case_counts_as_prepared(case, tmp_path, monkeypatch):
    synced, real = [], os.fsync

    def spy(descriptor):
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    folders = ensure_case(case, CLASSES, SPACING, GRID, tmp_path / "cache")
    unfinished = [path for path in synced if path.parent.name.endswith(".tmp")]
    for folder in folders:
        own = [p.name for p in unfinished if p.parent.name.startswith(f".{folder.name}.")]
        assert sorted(own) == sorted(path.name for path in folder.iterdir())
        assert folder.parent in synced
