import gzip
import os
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.conftest import oblique_affine
from voxcurate import indexed_gzip, nifti
from voxcurate.errors import GeometryError, VolumeReadError
from voxcurate.nifti import read_nifti, read_slice, read_start, write_nifti
from voxcurate.volume import Volume

TYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4"]
same_folder = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def nibabel_array(path: Any) -> Any:
    return np.asarray(nibabel.load(path).dataobj)


def save_nibabel(array: Any, path: Any, **header: Any) -> None:
    image = nibabel.Nifti1Image(array, oblique_affine(), dtype=array.dtype)
    for key, value in header.items():
        image.header[key] = value
    nibabel.save(image, path)


def patched(path: Any, at: int, value: Any) -> Any:
    """The plain file with some header bytes replaced."""
    data = bytearray(path.read_bytes())
    data[at : at + value.nbytes] = value.tobytes()
    path.write_bytes(data)
    return path


@pytest.fixture
def plain(tmp_path, ct):
    """An uncompressed file to damage."""
    write_nifti(tmp_path / "plain.nii", ct)
    return tmp_path / "plain.nii"


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_what_is_written_is_read_by_us_and_by_others(tmp_path, ct, dtype, suffix):
    volume = ct.with_array((abs(ct.array) % 100).astype(dtype))
    path = tmp_path / f"ct{suffix}"
    write_nifti(path, volume)
    read = read_nifti(path)
    assert read.array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read.array, volume.array)
    np.testing.assert_allclose(read.affine, ct.affine, atol=1e-5)
    np.testing.assert_array_equal(nibabel_array(path), volume.array)
    image = nibabel.load(path)
    np.testing.assert_allclose(image.header.get_qform(), ct.affine, atol=1e-4)
    assert image.header["qform_code"] == image.header["sform_code"] == 1
    itk = SimpleITK.ReadImage(str(path))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(itk).T, volume.array)
    point = itk.TransformIndexToPhysicalPoint((3, 5, 7))
    np.testing.assert_allclose(
        np.array(point) * (-1, -1, 1), ct.affine[:3] @ (3, 5, 7, 1), atol=1e-3
    )
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_compressed_files_pass_gzips_own_check(tmp_path, ct):
    write_nifti(tmp_path / "ct.nii.gz", ct)
    write_nifti(tmp_path / "ct.nii", ct)
    with gzip.open(tmp_path / "ct.nii.gz") as file:
        assert file.read() == (tmp_path / "ct.nii").read_bytes()


@given(
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=9),
    st.integers(1, 400),
    st.sampled_from(["u1", "i2"]),
    st.integers(0, 2**32 - 1),
)
@same_folder
def test_any_chunking_round_trips(tmp_path_factory, shape, chunk_bytes, dtype, seed):
    path = tmp_path_factory.mktemp("x") / "x.nii.gz"
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 5, shape).astype(dtype)
    array[:, :, rng.random(shape[2]) < 0.5] = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nifti, "CHUNK_BYTES", chunk_bytes)
        write_nifti(path, Volume(array, oblique_affine()))
    np.testing.assert_array_equal(read_nifti(path).array, array)
    np.testing.assert_array_equal(nibabel_array(path), array)
    for axis in range(3):
        index = int(rng.integers(-shape[axis], shape[axis]))
        np.testing.assert_array_equal(read_slice(path, axis, index), array.take(index, axis))


def test_threads_and_memory_order_do_not_change_the_bytes(tmp_path, ct, monkeypatch):
    write_nifti(tmp_path / "a.nii.gz", ct)
    monkeypatch.setattr(indexed_gzip, "_THREADED", 0)
    write_nifti(tmp_path / "b.nii.gz", ct.with_array(np.asfortranarray(ct.array)))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    np.testing.assert_array_equal(read_nifti(tmp_path / "b.nii.gz").array, ct.array)


def test_empty_regions_cost_nothing(tmp_path, monkeypatch):
    packed = []
    deflate = indexed_gzip._deflate

    def counted(raw):
        packed.append(raw.size)
        return deflate(raw)

    monkeypatch.setattr(indexed_gzip, "_deflate", counted)
    array = np.zeros((64, 64, 512), np.uint8)
    array[3:9, 4:8, 100:110] = 1
    write_nifti(tmp_path / "m.nii.gz", Volume(array, oblique_affine()))
    assert len(packed) == 3  # the header, the chunk with the structure, one of zeros
    np.testing.assert_array_equal(read_nifti(tmp_path / "m.nii.gz").array, array)


def test_bool_masks_become_bytes_and_half_floats_floats(tmp_path, mask):
    write_nifti(tmp_path / "m.nii.gz", mask.with_array(mask.array != 0))
    assert read_nifti(tmp_path / "m.nii.gz").array.dtype == np.uint8
    write_nifti(tmp_path / "h.nii.gz", mask.with_array(mask.array.astype(np.float16)))
    assert read_nifti(tmp_path / "h.nii.gz").array.dtype == np.float32
    with pytest.raises(GeometryError, match="complex"):
        write_nifti(tmp_path / "c.nii.gz", mask.with_array(mask.array.astype(complex)))


def test_a_sheared_affine_survives(tmp_path, ct):
    affine = ct.affine.copy()
    affine[1, 2] += 0.6
    write_nifti(tmp_path / "t.nii.gz", Volume(ct.array, affine))
    np.testing.assert_allclose(read_nifti(tmp_path / "t.nii.gz").affine, affine, atol=1e-5)


def test_a_failed_write_leaves_the_old_file(tmp_path, ct, monkeypatch):
    path = tmp_path / "ct.nii.gz"
    write_nifti(path, ct)
    before = path.read_bytes()

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_nifti(path, ct.with_array(ct.array + 1))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["ct.nii.gz"]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_files_of_others(tmp_path, ct, suffix):
    path = tmp_path / f"x{suffix}"
    save_nibabel(ct.array, path)
    np.testing.assert_array_equal(read_nifti(path).array, ct.array)
    np.testing.assert_array_equal(read_slice(path, 2, 3), ct.array[:, :, 3])
    np.testing.assert_allclose(read_nifti(path).affine, ct.affine, atol=1e-5)


def test_big_endian_nifti_2_and_several_gzip_members(tmp_path, ct):
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    big = nibabel.Nifti1Image(ct.array, ct.affine, header)
    nibabel.save(big, tmp_path / "big.nii")
    two = nibabel.Nifti2Image(ct.array, ct.affine)
    nibabel.save(two, tmp_path / "two.nii.gz")
    data = (tmp_path / "big.nii").read_bytes()
    (tmp_path / "members.nii.gz").write_bytes(gzip.compress(data[:500]) + gzip.compress(data[500:]))
    for name in ("big.nii", "two.nii.gz", "members.nii.gz"):
        read = read_nifti(tmp_path / name)
        np.testing.assert_array_equal(read.array, ct.array)
        assert read.array.dtype == np.dtype("=i2")


def test_a_name_does_not_decide_what_a_file_is(tmp_path, plain, ct):
    plain.rename(tmp_path / "plain.nii.gz")
    np.testing.assert_array_equal(read_nifti(tmp_path / "plain.nii.gz").array, ct.array)


def test_scaling_is_applied_only_where_it_says_something(plain, ct):
    patched(plain, 112, np.array([2.0, -1024.0], "<f4"))
    scaled = (ct.array.astype(np.float32) * 2) - 1024
    read = read_nifti(plain)
    assert read.array.dtype == np.float32
    np.testing.assert_array_equal(read.array, scaled)
    np.testing.assert_array_equal(read_slice(plain, 2, 4), scaled[:, :, 4])
    np.testing.assert_array_equal(nibabel_array(plain), scaled)
    for nothing in ([0.0, 5.0], [np.nan, np.nan], [1.0, 0.0]):
        patched(plain, 112, np.array(nothing, "<f4"))
        assert read_nifti(plain).array.dtype == np.int16


def test_double_precision_is_narrowed(tmp_path, ct):
    save_nibabel(ct.array.astype(np.float64), tmp_path / "d.nii.gz")
    assert read_nifti(tmp_path / "d.nii.gz").array.dtype == np.float32


def test_trailing_dimensions_of_one_and_single_slices(tmp_path, ct):
    save_nibabel(ct.array[..., None, None], tmp_path / "four.nii.gz")
    assert read_nifti(tmp_path / "four.nii.gz").shape == ct.shape
    save_nibabel(ct.array[:, :, 0], tmp_path / "two.nii")
    assert read_nifti(tmp_path / "two.nii").shape == (*ct.shape[:2], 1)


def test_several_frames_are_refused(tmp_path, ct):
    save_nibabel(np.stack([ct.array] * 2, axis=-1), tmp_path / "four.nii")
    with pytest.raises(VolumeReadError, match=r"one volume.*14, 2"):
        read_nifti(tmp_path / "four.nii")


def test_colour_is_refused(tmp_path):
    rgb = np.zeros((4, 3, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(rgb, np.eye(4)), tmp_path / "rgb.nii")
    with pytest.raises(VolumeReadError, match="RGB"):
        read_nifti(tmp_path / "rgb.nii")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(tmp_path, ct, bad):
    array = ct.array.astype(np.float32)
    array[3, 4, 5] = bad
    write_nifti(tmp_path / "x.nii.gz", ct.with_array(array))
    with pytest.raises(VolumeReadError, match="NaN or infinite"):
        read_nifti(tmp_path / "x.nii.gz")
    read = read_nifti(tmp_path / "x.nii.gz", allow_nonfinite=True)
    np.testing.assert_array_equal(read.array, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"patient,age\nDOE,41\n" * 40, "not a NIfTI"),
        (b"\x1f\x8bnot really", "truncated or damaged"),
        (gzip.compress(b""), "not a NIfTI"),
        (gzip.compress(b"hello " * 200), "not a NIfTI"),
        (b"\x5c\x01\x00\x00", "not a NIfTI"),
    ],
)
def test_files_that_are_something_else(tmp_path, content, message):
    path = tmp_path / "DOE.nii.gz"
    path.write_bytes(content)
    for read in (read_nifti, read_start):
        if read is read_start and message == "not a NIfTI":
            continue  # it gives the bytes, whatever they are
        with pytest.raises(VolumeReadError, match=message) as caught:
            read(path)
        assert "DOE" not in str(caught.value)
    with pytest.raises(VolumeReadError, match="No such file"):
        read_nifti(tmp_path / "none.nii")


@pytest.mark.parametrize("ours", [True, False])
def test_truncated_and_damaged_files(tmp_path, ct, ours):
    path = tmp_path / "x.nii.gz"
    if ours:
        write_nifti(path, ct)
    else:
        save_nibabel(ct.array, path)
    data = path.read_bytes()
    for length in [*range(0, 400, 7), *range(400, len(data), 211), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(VolumeReadError):
            read_nifti(path)
    n_refused = 0
    for at in range(len(data) // 2, len(data) - 8, 37):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        try:  # a few bits between chunks mean nothing
            np.testing.assert_array_equal(read_nifti(path).array, ct.array)
        except VolumeReadError:
            n_refused += 1
    assert n_refused > 20


def test_a_damaged_index_never_changes_the_data(tmp_path, ct, monkeypatch):
    monkeypatch.setattr(nifti, "CHUNK_BYTES", 2000)
    path = tmp_path / "x.nii.gz"
    array = ct.array.copy()
    array[:, :, 4:6] = 0
    write_nifti(path, ct.with_array(array))
    data = path.read_bytes()
    n_refused = 0
    for at in range(10, 10 + 6 + 20 + 8 * 9):
        for bit in (0x01, 0x80):
            path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
            try:
                np.testing.assert_array_equal(read_nifti(path).array, array)
                np.testing.assert_array_equal(read_slice(path, 2, 5), array[:, :, 5])
            except VolumeReadError:
                n_refused += 1
    assert n_refused > 0


def test_a_truncated_plain_file(plain):
    plain.write_bytes(plain.read_bytes()[:-1])
    with pytest.raises(VolumeReadError, match=r"23, 19, 14.*truncated"):
        read_nifti(plain)


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (42, np.array([32767] * 3, "<i2"), "more than a file"),
        (42, np.int16(-4), "shape"),
        (42, np.int16(0), "shape"),
        (42, np.int16(22), "more data"),
        (40, np.int16(9), "9 dimensions"),
        (70, np.int16(77), "unknown"),
        (70, np.int16(32), "complex"),
        (70, np.int16(1), "1-bit"),
        (108, np.float32(-5), "start at byte"),
        (108, np.float32(np.nan), "start at byte"),
        (108, np.float32(3e38), "start at byte"),
        (112, np.array([2, np.inf], "<f4"), "scl_inter"),
        (344, np.frombuffer(b"ni1\0", "u1"), "pair"),
    ],
)
def test_headers_that_lie(plain, at, value, message):
    with pytest.raises(VolumeReadError, match=message):
        read_nifti(patched(plain, at, value))


def test_a_small_file_cannot_claim_much_memory(tmp_path, plain):
    patched(plain, 42, np.array([32767] * 3, "<i2"))
    packed = tmp_path / "bomb.nii.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with pytest.raises(VolumeReadError, match="more than a file"):
        read_nifti(packed)


def test_places_that_cannot_be(tmp_path, plain, ct):
    patched(plain, 254, np.int16(0))
    np.testing.assert_allclose(read_nifti(plain).affine, ct.affine, atol=1e-4)  # the qform
    patched(plain, 76, np.array([1, 9000, 1, 1], "<f4"))
    with pytest.raises(VolumeReadError, match="impossible spacing"):
        read_nifti(plain)
    patched(plain, 76, np.array([1, np.nan, 1, 1], "<f4"))
    with pytest.raises(VolumeReadError):
        read_nifti(plain)
    patched(plain, 252, np.int16(0))
    with pytest.raises(VolumeReadError, match="left and right"):
        read_nifti(plain)


def test_a_broken_sform_gives_way_to_the_qform(plain, ct):
    patched(plain, 280, np.zeros(12, "<f4"))
    np.testing.assert_allclose(read_nifti(plain).affine, ct.affine, atol=1e-4)


@given(st.binary(min_size=1, max_size=40), st.integers(0, 347))
@settings(deadline=None, max_examples=200)
def test_no_header_crashes(junk, at):
    from voxcurate.nifti_header import build_header, parse_header

    raw = bytearray(build_header(Volume(np.zeros((5, 4, 3), np.int16), oblique_affine())))
    raw[at : at + len(junk)] = junk
    try:
        header = parse_header(bytes(raw[:352]))
    except VolumeReadError:
        return
    assert min(header.shape) > 0
    assert np.isfinite(header.affine).all()


def test_planes_that_are_not_there(tmp_path, ct):
    write_nifti(tmp_path / "x.nii.gz", ct)
    for axis, index in ((2, 14), (2, -15), (0, 23), (3, 0)):
        with pytest.raises(GeometryError, match="plane"):
            read_slice(tmp_path / "x.nii.gz", axis, index)


def test_a_pixdim_of_zero_counts_as_one(tmp_path):
    import nibabel as nib

    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.diag([2.0, 3.0, 4.0, 1.0]))
    image.set_qform(image.affine, 1)
    image.set_sform(None, 0)
    content = bytearray(image.to_bytes())
    content[76:80] = bytes(4)  # pixdim[0]: the standard says 1 then, nibabel refuses
    path = tmp_path / "x.nii"
    path.write_bytes(bytes(content))
    np.testing.assert_allclose(read_nifti(path).spacing, (2, 3, 4))


def test_more_than_the_limit_is_refused(tmp_path):
    path = tmp_path / "x.nii.gz"
    write_nifti(path, Volume(np.zeros((10, 10, 10), np.int16), np.eye(4)))
    with pytest.raises(VolumeReadError, match="too large"):
        read_nifti(path, max_bytes=1999)
    assert read_nifti(path, max_bytes=2000).shape == (10, 10, 10)
