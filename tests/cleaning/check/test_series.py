"""DICOM series and NIfTI headers that are wrong in one way each."""

import gzip

import nibabel as nib
import numpy as np
import pydicom
import pytest

from agent.cohort.series_damage import SERIES_KINDS, damage_series
from cleaning.check.config import CheckConfig
from cleaning.check.examine import examine, examine_item
from voxcurate.dicom import read_series
from voxcurate.errors import VolumeReadError
from voxcurate.nifti import write_nifti

CONFIG = CheckConfig()
WANTED = {
    "missing_slice": "missing_slices",
    "missing_slices": "missing_slices",
    "uneven_slice": "uneven_slices",
    "doubled_slice": "repeated_positions",
    "mixed_phases": "mixed_acquisitions",
    "mixed_kernels": "mixed_kernels",
    "mixed_pixel_sizes": "mixed_pixel_sizes",
    "mixed_orientations": "mixed_orientations",
    "mixed_shapes": "mixed_shapes",
    "mixed_patients": "mixed_patients",
    "no_rescale": "no_rescale",
    "wrong_slope": "not_hu",
    "zero_slope": "wrong_rescale",
    "wrong_intercept": "hu_offset",
    "tilted": "gantry_tilt",
    "truncated": "truncated",
    "unreadable": "unreadable_files",
    "localiser_inside": "localiser",
    "all_localisers": "localiser",
    "mip": "projection",
    "secondary_capture": "secondary_capture",
    "wrong_modality": "wrong_modality",
    "no_position": "no_position",
    "promised_terabytes": "too_large",
}


def check_folder(files):
    return examine_item(sorted(files[0].parent.iterdir()), "CT", CONFIG)[0]


def test_a_whole_series_has_no_fault_of_its_own(series):
    found = check_folder(series)
    assert found.verdict != "reject", found.reasons
    assert found.evidence["n_files"] == 20
    assert found.evidence["tilt_deg"] < 0.01


def test_every_kind_has_its_code():
    assert set(WANTED) == set(SERIES_KINDS)


@pytest.mark.parametrize("kind", WANTED)
def test_damage_is_named(series, kind):
    damage_series(series, kind, np.random.default_rng(3))
    found = check_folder(series)
    codes = {reason.code: reason for reason in found.reasons}
    assert WANTED[kind] in codes
    assert found.verdict == ("suspect" if kind == "tilted" else "reject")
    for reason in found.reasons:  # nothing that identifies: not the files, not the patient
        assert "/" not in reason.text
        assert "ANOTHER" not in reason.text


def test_missing_slices_are_counted_and_placed(series):
    for path in series[7:10]:
        path.unlink()
    (reason,) = [r for r in check_folder(series).reasons if r.code == "missing_slices"]
    assert reason.measured == 3
    assert "after slice 7" in reason.text
    assert reason.planes == (2, 6, 7)


def test_mr_by_its_header(series):
    damage_series(series, "wrong_modality", np.random.default_rng(0))
    found, _ = examine_item(series, "", CONFIG)
    assert "wrong_modality" not in {r.code for r in found.reasons}


def placed(series, step, decimals):
    """Slices `step` mm apart, their places written with so many decimals."""
    for n, path in enumerate(series):
        ds = pydicom.dcmread(path)
        x, y, _ = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y, f"{-101.3 + n * step:.{decimals}f}"]
        ds.SliceThickness = step
        ds.save_as(path)


@pytest.mark.parametrize(("step", "decimals"), [(0.625, 1), (0.625, 4), (1.25, 1), (2.5, 0)])
def test_rounded_places_are_even(series, step, decimals):
    placed(series, step, decimals)
    found = check_folder(series)
    codes = {reason.code for reason in found.reasons}
    assert not codes & {"uneven_slices", "missing_slices", "repeated_positions"}
    assert found.evidence["slice_distance_mm"] == pytest.approx(step, rel=0.03)
    assert read_series(series).shape[2] == 20


@pytest.mark.parametrize("decimals", [1, 4])
def test_rounding_hides_no_missing_slice(series, decimals):
    placed(series, 0.625, decimals)
    series[9].unlink()
    found = check_folder(series)
    assert "missing_slices" in {reason.code for reason in found.reasons}
    with pytest.raises(VolumeReadError, match="missing slices: 1"):
        read_series([path for path in series if path.exists()])


HEADERS = {
    "four_d": lambda h: h.__setitem__("dim", [4, 10, 10, 5, 2, 1, 1, 1]),
    "too_large": lambda h: h.__setitem__("dim", [3, 30000, 30000, 30000, 1, 1, 1, 1]),
    "impossible_shape": lambda h: h.__setitem__("dim", [3, 0, -4, 10, 1, 1, 1, 1]),
    "voxel_type": lambda h: h.__setitem__("datatype", 32),
    "no_orientation": lambda h: (h.__setitem__("sform_code", 0), h.__setitem__("qform_code", 0)),
    "impossible_affine": lambda h: (h.__setitem__("srow_x", 0), h.__setitem__("qform_code", 0)),
    "poses_disagree": lambda h: [
        h.__setitem__(name, value)
        for name, value in (("quatern_b", 1), ("quatern_c", 0), ("quatern_d", 0), ("qform_code", 1))
    ],
    "units": lambda h: h.__setitem__("xyzt_units", 1),
    "wrong_rescale": lambda h: (h.__setitem__("scl_slope", 2), h.__setitem__("scl_inter", np.nan)),
    "spacing_disagrees": lambda h: h.__setitem__("pixdim", [1, 9, 9, 9, 1, 1, 1, 1]),
}


@pytest.mark.parametrize("code", HEADERS)
@pytest.mark.parametrize("packed", [False, True])
def test_headers(tmp_path, scan, code, packed):
    path = tmp_path / ("x.nii.gz" if packed else "x.nii")
    plain = tmp_path / "plain.nii"
    write_nifti(plain, scan)
    content = plain.read_bytes()
    header = nib.Nifti1Header(content[:348], check=False)
    HEADERS[code](header)
    content = header.binaryblock + content[348:]
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    found, _ = examine_item(path, "CT", CONFIG)
    assert code in {reason.code for reason in found.reasons}


def test_shear_is_a_gantry_tilt(tmp_path, scan):
    affine = scan.affine.copy()
    affine[:3, 1] += affine[:3, 2] * np.tan(np.radians(10)) / 1.5
    from voxcurate.volume import Volume

    write_nifti(tmp_path / "x.nii.gz", Volume(scan.array, affine))
    found, _ = examine_item(tmp_path / "x.nii.gz", "CT", CONFIG)
    assert {r.code: r.severity for r in found.reasons}["sheared"] == "suspect"


@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.nii.gz", b""), ("text.nii", b"hello" * 200), ("cut.nii.gz", b"\x1f\x8b\x08\x00")],
)
def test_what_is_no_scan_is_unreadable(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    payload = {"path": str(tmp_path / name), "modality": "CT", "config": CONFIG.model_dump()}
    found = examine(payload)["check"]
    assert found["verdict"] == "reject"
    assert found["reasons"][0]["code"] == "unreadable"
    assert name not in found["reasons"][0]["text"]


@pytest.mark.parametrize("word", ["3D", "AVERAGE_IP"])
def test_an_average_keeps_its_values(series, word):
    for path in series:
        ds = pydicom.dcmread(path)
        ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL", word]
        ds.save_as(path)
    found = check_folder(series)
    assert found.verdict == "suspect"
    assert "reformatted" in {reason.code for reason in found.reasons}


def test_thick_slices_at_short_distances_are_slabs(series):
    for path in series:
        ds = pydicom.dcmread(path)
        ds.SliceThickness = 5.5 * float(ds.SliceThickness)
        ds.save_as(path)
    assert "slabs" in {reason.code for reason in check_folder(series).reasons}


def multi_frame(series, path, *, slope=1.0, is_enhanced=True):
    """The series in one file."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    slices = [pydicom.dcmread(one) for one in series]
    ds = slices[0]
    ds.NumberOfFrames = len(slices)
    ds.PixelData = b"".join(one.PixelData for one in slices)
    groups = []
    for one in slices:
        items = {
            "PlanePositionSequence": ("ImagePositionPatient",),
            "PlaneOrientationSequence": ("ImageOrientationPatient",),
            "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
            "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
        }
        group = Dataset()
        for sequence, words in items.items():
            item = Dataset()
            for word in words:
                setattr(item, word, one.get(word))
            setattr(group, sequence, Sequence([item]))
        group.PixelValueTransformationSequence[0].RescaleSlope = slope
        groups.append(group)
    if is_enhanced:
        for word in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            del ds[word]
        ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    ds.save_as(path)
    return path


def test_enhanced_files(series, tmp_path):
    whole = multi_frame(series, tmp_path / "enhanced.dcm")
    found, volume = examine_item([whole], "CT", CONFIG)
    assert found.verdict != "reject", found.reasons
    np.testing.assert_array_equal(volume.array, read_series(series).array)
    inverted = multi_frame(series, tmp_path / "inverted.dcm", slope=-1.0)
    codes = {r.code: r.severity for r in examine_item([inverted], "CT", CONFIG)[0].reasons}
    assert codes["wrong_rescale"] == "reject"
    plain = multi_frame(series, tmp_path / "plain.dcm", is_enhanced=False)
    assert examine_item([plain], "CT", CONFIG)[0].verdict == "reject"


def test_a_signed_series_that_says_it_is_unsigned(series):
    for path in series:
        ds = pydicom.dcmread(path)
        stored = ds.pixel_array.astype(np.int32)
        stored[:4] = -2000  # padding beyond the field of view
        ds.PixelData = stored.astype(np.int16).tobytes()
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, 0
        ds.save_as(path)
    codes = {reason.code for reason in check_folder(series).reasons}
    assert codes & {"not_hu", "metal"}


def test_overflow_of_metal_is_suspect(scan):
    from cleaning.check.rules import check

    image = scan.array.copy()
    middle = tuple(n // 2 for n in image.shape)
    block = tuple(slice(m, m + 3) for m in middle)
    image[block] = (np.arange(27).reshape(3, 3, 3) * 1009 + 20_000).astype(np.uint16).view(np.int16)
    found = check(scan.with_array(image))
    assert {r.code: r.severity for r in found.reasons}["overflow"] == "suspect"
    assert found.verdict == "suspect"
