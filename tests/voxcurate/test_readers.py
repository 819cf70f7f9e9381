from typing import Any

import numpy as np
import pytest
import SimpleITK

from tests.voxcurate.test_dicom import STORED, instance, save, whole
from voxcurate.errors import VolumeReadError
from voxcurate.nifti import write_nifti
from voxcurate.readers import read_volume
from voxcurate.volume import Volume


def as_itk(volume: Volume) -> Any:
    """Built from world positions, not by the code under test."""
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(volume.array.T))
    to_lps = np.diag([-1.0, -1, 1])
    image.SetSpacing(list(volume.spacing))
    image.SetOrigin((to_lps @ volume.affine[:3, 3]).tolist())
    image.SetDirection((to_lps @ volume.affine[:3, :3] / volume.spacing).ravel().tolist())
    return image


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"])
def test_every_format_gives_the_same_volume(tmp_path, ct, suffix):
    path = tmp_path / f"ct{suffix}"
    SimpleITK.WriteImage(as_itk(ct), str(path), useCompression=suffix in (".nrrd", ".mha"))
    read = read_volume(path)
    np.testing.assert_array_equal(read.array, ct.array)
    assert read.array.dtype == ct.array.dtype
    np.testing.assert_allclose(read.affine, ct.affine, atol=2e-4 if ".nii" in suffix else 1e-8)


def test_a_folder_or_its_files(tmp_path):
    folder = whole(tmp_path / "a")
    files = sorted(folder.iterdir())
    for path in (folder, files):
        np.testing.assert_array_equal(
            read_volume(path).array, STORED.transpose(2, 1, 0).astype(int) - 1024
        )
    assert read_volume(files[0]).shape[2] == 1
    save(folder / "b", instance(0, SeriesInstanceUID="1.5", SOPInstanceUID="1.5.1"))
    with pytest.raises(VolumeReadError, match="one DICOM series, found 2"):
        read_volume(folder)


def test_errors_name_the_case_and_the_role_and_no_path(tmp_path):
    path = tmp_path / "DOE_JANE.nii.gz"
    path.write_text("text")
    with pytest.raises(VolumeReadError, match=r"^src_abc \(mask liver\): not a NIfTI") as caught:
        read_volume(path, case_id="src_abc", role="mask liver")
    assert caught.value.case_id == "src_abc"
    for name in ("DOE.nrrd", "DOE.mha", "DOE.mhd", "DOE.csv", "none.nii", "none.mha"):
        if name.startswith("DOE"):
            (tmp_path / name).write_text("patient,age")
        with pytest.raises(VolumeReadError) as caught:
            read_volume(tmp_path / name)
        assert "DOE" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_truncated_headers_and_data(tmp_path, ct, suffix):
    path = tmp_path / f"x{suffix}"
    SimpleITK.WriteImage(as_itk(ct), str(path))
    data = path.read_bytes()
    for length in (0, 40, 200, len(data) // 2):
        path.write_bytes(data[:length])
        with pytest.raises(VolumeReadError):
            read_volume(path)


def test_a_header_cannot_claim_much_memory(tmp_path, ct):
    path = tmp_path / "x.nrrd"
    SimpleITK.WriteImage(as_itk(ct), str(path))
    path.write_bytes(path.read_bytes().replace(b"sizes: 23 19 14", b"sizes: 30000 30000 30000"))
    with pytest.raises(VolumeReadError, match="more than the file can hold"):
        read_volume(path)


def test_values_and_spacings_that_cannot_be(tmp_path, ct):
    image = SimpleITK.Cast(as_itk(ct), SimpleITK.sitkFloat64)
    SimpleITK.WriteImage(image, str(tmp_path / "d.mha"))
    assert read_volume(tmp_path / "d.mha").array.dtype == np.float32
    image[3, 4, 5] = float("nan")
    SimpleITK.WriteImage(image, str(tmp_path / "n.mha"))
    with pytest.raises(VolumeReadError, match="NaN"):
        read_volume(tmp_path / "n.mha")
    assert np.isnan(read_volume(tmp_path / "n.mha", allow_nonfinite=True).array[3, 4, 5])
    image.SetSpacing((1.0, 5000.0, 1.0))
    SimpleITK.WriteImage(image, str(tmp_path / "s.mha"))
    with pytest.raises(VolumeReadError, match="impossible spacing"):
        read_volume(tmp_path / "s.mha", allow_nonfinite=True)
    colour = SimpleITK.Compose(*[as_itk(ct)] * 3)
    SimpleITK.WriteImage(colour, str(tmp_path / "c.mha"))
    with pytest.raises(VolumeReadError, match="several"):
        read_volume(tmp_path / "c.mha")


def test_a_single_plane(tmp_path, ct):
    SimpleITK.WriteImage(as_itk(ct)[:, :, 0], str(tmp_path / "p.mha"))
    assert read_volume(tmp_path / "p.mha").shape == (*ct.shape[:2], 1)


def test_files_we_wrote_need_no_suffix_in_lower_case(tmp_path, ct):
    write_nifti(tmp_path / "CT.NII.GZ", ct)
    np.testing.assert_array_equal(read_volume(tmp_path / "CT.NII.GZ").array, ct.array)
