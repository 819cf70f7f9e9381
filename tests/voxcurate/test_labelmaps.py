import gzip

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxcurate.errors import GeometryError, VolumeReadError
from voxcurate.labelmaps import box_parts, overlap_of_files, read_sparse, write_masks
from voxcurate.metrics import joint_histogram
from voxcurate.nifti import read_nifti, read_slice, write_nifti
from voxcurate.volume import Volume

AFFINE = np.array([[0, -0.8, 0.1, 5], [1.5, 0, 0, -3], [0, 0.1, 4.0, 9], [0, 0, 0, 1]])


def blobs(seed, shape, n_labels, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    array = np.zeros(shape, dtype)
    for label in range(1, n_labels + 1):
        low = [int(rng.integers(0, n)) for n in shape]
        high = [int(rng.integers(a, n)) + 1 for a, n in zip(low, shape, strict=True)]
        array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = label
    return array


@pytest.mark.parametrize("lay", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint32])
def test_masks_of_a_label_map_are_what_nibabel_reads(tmp_path, lay, dtype):
    array = lay(blobs(3, (7, 9, 11), 5, dtype))
    files = {label: tmp_path / f"{label}.nii.gz" for label in range(1, 8)}
    voxels = write_masks(Volume(array, AFFINE), files)
    for label, path in files.items():
        image = nibabel.load(path)
        np.testing.assert_array_equal(np.asarray(image.dataobj), array == label)
        np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
        assert voxels[label] == (array == label).sum()


def test_a_mask_file_is_the_one_of_write_nifti(tmp_path):
    array = blobs(1, (260, 300, 9), 3)  # several chunks
    write_masks(Volume(array, AFFINE), {2: tmp_path / "mask.nii.gz"})
    write_nifti(tmp_path / "plain.nii.gz", Volume(array == 2, AFFINE))
    assert (tmp_path / "mask.nii.gz").read_bytes() == (tmp_path / "plain.nii.gz").read_bytes()
    np.testing.assert_array_equal(read_slice(tmp_path / "mask.nii.gz", 2, 4), array[:, :, 4] == 2)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_mask_in_its_box_is_the_mask_of_the_volume(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("boxes")
    shape = (5, 4, 6)
    whole = blobs(seed, shape, 1).astype(bool)
    at = np.argwhere(whole)
    i, j, k = (slice(int(a), int(b) + 1) for a, b in zip(at.min(0), at.max(0), strict=True))
    parts = box_parts(whole[i, j, k], (i, j, k), shape, AFFINE)
    (folder / "a.nii.gz").write_bytes(b"".join(parts))
    np.testing.assert_array_equal(read_nifti(folder / "a.nii.gz").array, whole)


def test_labels_must_be_whole_numbers(tmp_path):
    volume = Volume(np.zeros((2, 3, 4), np.float32), AFFINE)
    with pytest.raises(GeometryError, match="whole numbers"):
        write_masks(volume, {1: tmp_path / "a.nii.gz"})


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_files_are_counted_as_arrays_are(tmp_path, name, dtype):
    one, two = blobs(1, (83, 91, 101), 6), blobs(2, (83, 91, 101), 7)
    nibabel.save(nibabel.Nifti1Image(one.astype(dtype), AFFINE), tmp_path / f"one_{name}")
    write_nifti(tmp_path / "two.nii.gz", Volume(two, AFFINE))
    found = overlap_of_files(tmp_path / f"one_{name}", tmp_path / "two.nii.gz")
    expected = joint_histogram(one, two)
    n = len(expected)
    np.testing.assert_array_equal(found.counts[:n, :n], expected)
    assert found.counts.sum() == one.size
    assert found.shape == one.shape


def test_files_that_cannot_be_compared_are_refused(tmp_path):
    one, two, three = (tmp_path / f"{n}.nii.gz" for n in "abc")
    write_nifti(one, Volume(np.ones((30, 40, 5), np.uint8), AFFINE))
    write_nifti(two, Volume(np.ones((30, 40, 6), np.uint8), AFFINE))
    write_nifti(three, Volume(np.ones((30, 40, 5), np.uint8), np.diag([1.0, 1, 1, 1])))
    with pytest.raises(GeometryError, match=r"shapes differ.*\(30, 40, 5\)"):
        overlap_of_files(one, two)
    with pytest.raises(GeometryError, match="affines differ"):
        overlap_of_files(one, three)
    two.write_bytes(one.read_bytes()[:-9])
    with pytest.raises(VolumeReadError, match=r"truncated|damaged"):
        overlap_of_files(one, two)
    raw = bytearray(gzip.decompress(one.read_bytes()))
    two.write_bytes(gzip.compress(bytes(raw[:-5])))
    with pytest.raises(VolumeReadError, match="truncated"):
        overlap_of_files(one, two)
    two.write_bytes(gzip.compress(bytes(raw) + b"\0"))
    with pytest.raises(VolumeReadError, match="more data"):
        overlap_of_files(one, two)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(VolumeReadError, match="cannot read the file"):
        read_sparse(tmp_path / "liver.nii.gz")
