"""Headers of MetaImage and NRRD that name their data: only beside them."""

import numpy as np
import pytest
import SimpleITK

from voxcurate.detached import data_files
from voxcurate.errors import VolumeReadError
from voxcurate.readers import read_volume

ARRAY = np.arange(5 * 4 * 3, dtype=np.int16).reshape(3, 4, 5)


@pytest.fixture
def pair(tmp_path):
    """A header and its data in a folder, and the same data in the folder above."""
    folder = tmp_path / "scans"
    folder.mkdir()

    def write(suffix):
        image = SimpleITK.GetImageFromArray(ARRAY)
        SimpleITK.WriteImage(image, str(folder / f"x{suffix}"), useCompression=False)
        (data,) = [p for p in folder.iterdir() if p.suffix == ".raw"]
        (tmp_path / "secret.raw").write_bytes(data.read_bytes())
        return folder / f"x{suffix}", data

    return write


def renamed(header, data, name):
    header.write_bytes(header.read_bytes().replace(data.name.encode(), name.encode()))


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
@pytest.mark.parametrize(
    "name",
    ["../secret.raw", "sub/../../secret.raw", "{above}/secret.raw", "C:\\x.raw", "..\\x.raw"],
)
def test_data_outside_the_folder_are_refused(pair, tmp_path, suffix, name):
    header, data = pair(suffix)
    np.testing.assert_array_equal(read_volume(header).array, ARRAY.T)
    renamed(header, data, name.format(above=tmp_path))
    with pytest.raises(VolumeReadError, match="outside its folder") as caught:
        read_volume(header)
    assert "secret" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_links_may_not_leave_the_folder(pair, tmp_path, suffix):
    header, data = pair(suffix)
    inside = data.rename(data.with_name("kept.raw"))
    data.symlink_to(inside)
    np.testing.assert_array_equal(read_volume(header).array, ARRAY.T)
    data.unlink()
    data.symlink_to(tmp_path / "secret.raw")
    with pytest.raises(VolumeReadError, match="link out of its folder"):
        read_volume(header)


def test_a_folder_reached_by_a_link_is_its_own_folder(pair, tmp_path):
    header, _ = pair(".mhd")
    (tmp_path / "again").symlink_to(header.parent, target_is_directory=True)
    np.testing.assert_array_equal(read_volume(tmp_path / "again" / "x.mhd").array, ARRAY.T)


def test_a_data_file_below_the_folder_is_fine(pair):
    header, data = pair(".mhd")
    (header.parent / "raw").mkdir()
    data.rename(header.parent / "raw" / data.name)
    renamed(header, data, f"raw/{data.name}")
    np.testing.assert_array_equal(read_volume(header).array, ARRAY.T)
    (header.parent / "raw" / data.name).unlink()
    with pytest.raises(VolumeReadError, match="does not exist"):
        read_volume(header)


def test_an_inline_suffix_names_other_files_too(pair):
    """ITK reads the data file that a ``.mha`` names; so do we look at it."""
    header, data = pair(".mhd")
    inline = header.rename(header.with_suffix(".mha"))
    renamed(inline, data, "../secret.raw")
    with pytest.raises(VolumeReadError, match="outside its folder"):
        read_volume(inline)


@pytest.mark.parametrize("form", ["LIST\n{0}\n{1}\n{2}\n", "%s%%d.raw 1 3 1\n"])
@pytest.mark.parametrize("is_inside", [True, False])
def test_a_file_for_each_plane(pair, tmp_path, form, is_inside):
    header, data = pair(".mhd")
    names = [f"plane{n}.raw" for n in (1, 2, 3)]
    for name, plane in zip(names, ARRAY, strict=True):
        (header.parent / name).write_bytes(plane.tobytes())
    if not is_inside:
        (header.parent / names[2]).unlink()
        (header.parent / names[2]).symlink_to(tmp_path / "secret.raw")
    value = form.format(*names) if "LIST" in form else form % "plane"
    renamed(header, data, value)
    if is_inside:
        assert len(data_files(header)) == (3 if "LIST" in form else 1)
        np.testing.assert_array_equal(read_volume(header).array, ARRAY.T)
    else:
        with pytest.raises(VolumeReadError, match="link out of its folder"):
            read_volume(header)


def test_data_that_follow_their_header_name_no_file(tmp_path):
    for suffix in (".mha", ".nrrd"):
        path = tmp_path / f"x{suffix}"
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(ARRAY), str(path))
        assert data_files(path) == []
        np.testing.assert_array_equal(read_volume(path).array, ARRAY.T)


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_a_name_cannot_hide_behind_a_long_header(pair, suffix):
    header, data = pair(suffix)
    renamed(header, data, "../secret.raw")
    first, rest = header.read_bytes().split(b"\n", 1)
    filler = b"Comment = x\n" if suffix == ".mhd" else b"# x\n"
    header.write_bytes(first + b"\n" + filler * 300_000 + rest)
    with pytest.raises(VolumeReadError):
        read_volume(header)
