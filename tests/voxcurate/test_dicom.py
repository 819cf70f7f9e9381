import pickle
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

from tests.conftest import rotation
from voxcurate.dicom import find_series, identifiers, read_series
from voxcurate.errors import VolumeReadError

ROWS, COLUMNS, SLICES = 5, 7, 6
SPACING = (0.8, 1.1, 2.5)  # along a row, down a column, between slices
AXES = rotation(0.1, -0.2, 0.15)
STORED = np.random.default_rng(5).integers(0, 3000, (SLICES, ROWS, COLUMNS)).astype(np.uint16)
FIRST = np.array([-100.0, -90.0, 40.0])


def instance(n: int, **changes: Any) -> Dataset:
    """One CT slice; LPS positions on an oblique line."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.4.{n + 1}")
    data.SeriesInstanceUID, data.StudyInstanceUID = "1.2.3.4", "1.2.3"
    data.Modality, data.InstanceNumber = "CT", n + 1
    data.PatientName, data.PatientID = "Doe^Jane^Q", "MRN-4711"
    data.PatientBirthDate, data.StudyDate = "19500615", "20200615"
    data.PatientSex, data.AccessionNumber = "F", "ACC99"
    data.ReferringPhysicianName, data.InstitutionName = "House^Gregory", "Princeton Plainsboro"
    data.Manufacturer, data.SliceThickness, data.BodyPartExamined = "ACME", 2.5, "ABDOMEN"
    data.Rows, data.Columns, data.SamplesPerPixel = ROWS, COLUMNS, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    data.PixelSpacing = [SPACING[1], SPACING[0]]
    data.ImageOrientationPatient = [*AXES[:, 0], *AXES[:, 1]]
    data.ImagePositionPatient = [*(FIRST + n * SPACING[2] * AXES[:, 2])]
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelData = STORED[n].tobytes()
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    return data


def save(folder: Path, *instances: Dataset) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for at, data in enumerate(instances):
        # names in another order than the slices
        data.save_as(folder / f"IM{(at * 5) % 97:03d}", enforce_file_format=True)
    return folder


def whole(folder: Path, **changes: Any) -> Path:
    return save(folder, *(instance(n, **changes) for n in range(SLICES)))


def test_a_series_is_a_volume_in_hu(tmp_path):
    (series,) = find_series(whole(tmp_path / "x"))
    volume = read_series(series)
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, STORED.transpose(2, 1, 0).astype(int) - 1024)
    np.testing.assert_allclose(volume.spacing, SPACING)
    flip = np.array([-1, -1, 1])
    for index in ((0, 0, 0), (3, 2, 4)):
        lps = FIRST + AXES @ (np.array(index) * SPACING)
        np.testing.assert_allclose(volume.affine[:3] @ (*index, 1), lps * flip, atol=1e-9)


def test_files_between_and_below_are_sorted_out(tmp_path):
    folder = whole(tmp_path / "deep" / "er")
    (tmp_path / "notes.txt").write_text("no DICOM")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "half.dcm").write_bytes(b"\0" * 128 + b"DICM\xff\xff")
    save(tmp_path / "copy", instance(2))
    report = instance(0, Modality="SR", SeriesInstanceUID="1.2.9", SOPInstanceUID="1.2.9.1")
    save(tmp_path / "report", report)
    (series,) = find_series(tmp_path)
    assert len(series.files) == SLICES
    assert {path.parent.name for path in series.files} <= {folder.name, "copy"}
    positions = [pydicom.dcmread(path).InstanceNumber for path in series.files]
    assert positions == [1, 2, 3, 4, 5, 6]
    assert [s.modality for s in find_series(tmp_path, images_only=False)] == ["CT", "SR"]


def test_a_file_that_cannot_be_opened_is_passed_over(tmp_path, monkeypatch):
    folder = whole(tmp_path / "x")
    refused = save(tmp_path / "x" / "DOE_JANE", instance(1, SeriesInstanceUID="9.9")) / "IM000"
    real = Path.open

    def opened(path, *args, **options):
        if path == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(Path, "open", opened)
    assert [series.series_uid for series in find_series(folder)] == ["1.2.3.4"]


def test_two_series_are_kept_apart(tmp_path):
    whole(tmp_path)
    other = [instance(n, SeriesInstanceUID="1.2.3.5", SOPInstanceUID=f"1.9.{n}") for n in range(3)]
    save(tmp_path / "b", *other)
    found = find_series(tmp_path)
    assert [(s.series_uid, len(s.files)) for s in found] == [("1.2.3.4", 6), ("1.2.3.5", 3)]


def test_headers_without_instance_uid_are_not_copies(tmp_path):
    for n in range(SLICES):
        data = instance(n)
        del data.SOPInstanceUID
        (tmp_path / str(n)).mkdir()
        data.save_as(tmp_path / str(n) / "IM", enforce_file_format=False)
    (series,) = find_series(tmp_path)
    assert len(series.files) == SLICES


def test_the_header_says_who_and_what(tmp_path):
    (series,) = find_series(whole(tmp_path))
    assert (series.study_uid, series.modality) == ("1.2.3", "CT")
    assert (series.patient_id, series.accession, series.sex) == ("MRN-4711", "ACC99", "F")
    assert series.study_date == date(2020, 6, 15)
    assert series.age_years == pytest.approx(70, abs=0.01)
    assert series.fields["Manufacturer"] == "ACME"
    assert series.fields["BodyPartExamined"] == "ABDOMEN"
    assert "ContrastBolusAgent" not in series.fields
    assert pickle.loads(pickle.dumps(series)).files == series.files  # noqa: S301


@pytest.mark.filterwarnings("ignore:Invalid value for VR AS")
@pytest.mark.parametrize(
    ("age", "expected"), [("042Y", 42), ("018M", 1.5), ("000D", 0), ("000Y", 70), ("x", 70)]
)
def test_ages(tmp_path, age, expected):
    (series,) = find_series(save(tmp_path, instance(0, PatientAge=age)))
    assert series.age_years == pytest.approx(expected, abs=0.01)


def test_identifiers_for_the_scrubber(tmp_path):
    (series,) = find_series(whole(tmp_path, OtherPatientIDs=["A1", "B2"]))
    known = identifiers(series)
    assert known.names == ("Doe^Jane^Q",)
    assert known.physicians == ("House^Gregory",)
    assert {"MRN-4711", "A1", "B2", "1.2.3", "1.2.3.4"} <= set(known.ids)
    assert known.accessions == ("ACC99",)
    assert known.dates == (date(1950, 6, 15), date(2020, 6, 15))
    assert known.institutions == ("Princeton Plainsboro",)


def test_a_tilted_gantry_shears_the_affine(tmp_path):
    tilted = [
        instance(n, ImagePositionPatient=[*(FIRST + n * (2.5 * AXES[:, 2] + 0.6 * AXES[:, 1]))])
        for n in range(SLICES)
    ]
    volume = read_series(find_series(save(tmp_path, *tilted))[0])
    column = volume.affine[:3, 2] * (-1, -1, 1)
    np.testing.assert_allclose(column, 2.5 * AXES[:, 2] + 0.6 * AXES[:, 1], atol=1e-9)
    assert volume.voxel_ml == pytest.approx(0.8 * 1.1 * 2.5 / 1000)


def test_one_slice_has_its_thickness(tmp_path):
    volume = read_series(find_series(save(tmp_path, instance(0)))[0])
    assert volume.shape == (COLUMNS, ROWS, 1)
    np.testing.assert_allclose(volume.spacing, SPACING)


def test_slopes_of_slices_differ(tmp_path):
    slices = [instance(n, RescaleSlope=0.5 + n, RescaleIntercept=1) for n in range(SLICES)]
    volume = read_series(find_series(save(tmp_path, *slices))[0])
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array[:, :, 3], STORED[3].T * 3.5 + 1)


def test_large_values_get_room(tmp_path):
    volume = read_series(find_series(whole(tmp_path, RescaleSlope=100))[0])
    assert volume.array.dtype == np.int32
    assert volume.array.max() == int(STORED.max()) * 100 - 1024


def position(n: float) -> list[float]:
    return [*(FIRST + n * SPACING[2] * AXES[:, 2])]


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        ([0, 1, 3, 4, 5], "missing slices: 1"),
        ([0, 2, 5], "uneven slices"),
        ([0, 1, 2, 5], "missing slices: 2"),
    ],
)
def test_slices_that_are_not_there(tmp_path, slices, message):
    series = find_series(save(tmp_path, *(instance(n) for n in slices)))[0]
    with pytest.raises(VolumeReadError, match=message) as caught:
        read_series(series)
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ImagePositionPatient": position(1)}, "duplicate slices: 1"),
        ({"ImagePositionPatient": position(2.4)}, "uneven slices"),
        ({"ImagePositionPatient": [1, 2, float("nan")]}, "impossible"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "mixes orientations"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 1, 0]}, "impossible"),
        ({"PixelSpacing": [1.0, 1.0]}, "mixes pixel sizes"),
        ({"PixelSpacing": [0.0, 1.0]}, "impossible"),
        ({"PixelSpacing": None}, "no position, orientation or pixel spacing"),
        ({"Rows": 4, "PixelData": bytes(4 * COLUMNS * 2)}, "mixes shapes"),
        ({"PixelData": bytes(10)}, "missing or damaged"),
        ({"SamplesPerPixel": 3}, "colour"),
    ],
)
def test_a_slice_that_does_not_fit(tmp_path, changes, message):
    slices = [instance(n) for n in range(SLICES)]
    slices[2] = instance(2, **changes)
    series = find_series(save(tmp_path, *slices))[0]
    with pytest.raises(VolumeReadError, match=message):
        read_series(series)


def test_positions_off_the_line(tmp_path):
    slices = [instance(n) for n in range(SLICES)]
    slices[2].ImagePositionPatient = [*(np.array(position(2)) + 3 * AXES[:, 0])]
    with pytest.raises(VolumeReadError, match="one line"):
        read_series(find_series(save(tmp_path, *slices))[0])


def test_no_files_and_no_dicom(tmp_path):
    with pytest.raises(VolumeReadError, match="no DICOM files"):
        read_series([])
    (tmp_path / "x").write_text("text")
    with pytest.raises(VolumeReadError):
        read_series([tmp_path / "x"])
    assert find_series(tmp_path) == []


def test_enhanced_multi_frame(tmp_path):
    data = instance(0)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(data, keyword)
    del data.RescaleSlope, data.RescaleIntercept
    shared, frames = Dataset(), []
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [SPACING[1], SPACING[0]]
    shared.PlaneOrientationSequence = [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [*AXES[:, 0], *AXES[:, 1]]
    for n in (2, 0, 1):
        frame = Dataset()
        frame.PlanePositionSequence = [Dataset()]
        frame.PlanePositionSequence[0].ImagePositionPatient = position(n)
        frame.PixelValueTransformationSequence = [Dataset()]
        frame.PixelValueTransformationSequence[0].RescaleSlope = 1
        frame.PixelValueTransformationSequence[0].RescaleIntercept = -1000 - n
        frames.append(frame)
    data.SharedFunctionalGroupsSequence, data.PerFrameFunctionalGroupsSequence = [shared], frames
    data.NumberOfFrames = 3
    data.PixelData = STORED[[2, 0, 1]].tobytes()
    volume = read_series(find_series(save(tmp_path, data))[0])
    np.testing.assert_allclose(volume.spacing, SPACING)
    for n in range(3):
        np.testing.assert_array_equal(volume.array[:, :, n], STORED[n].T.astype(int) - 1000 - n)


def test_odd_values_are_not_quoted_in_warnings(tmp_path, recwarn):
    folder = save(tmp_path, instance(0, SeriesInstanceUID=generate_uid()))
    data = pydicom.dcmread(folder / "IM000")
    data.add_new("PatientBirthDate", "DA", "Jane Doe")
    data.save_as(folder / "IM000")
    recwarn.clear()
    find_series(folder)
    assert not [w for w in recwarn if "Jane" in str(w.message)]
    assert pydicom.config.settings.reading_validation_mode != pydicom.config.IGNORE


@pytest.mark.real_data
def test_real_series(real_data):
    import SimpleITK

    folder = real_data / "totalsegmentator_ct" / "example_ct_dicom"
    (series,) = find_series(folder)
    volume = read_series(series)
    image = SimpleITK.ReadImage([str(path) for path in series.files])
    np.testing.assert_array_equal(volume.array, SimpleITK.GetArrayFromImage(image).T)
    point = image.TransformIndexToPhysicalPoint((11, 7, 5))
    np.testing.assert_allclose(
        volume.affine[:3] @ (11, 7, 5, 1), np.array(point) * (-1, -1, 1), atol=1e-6
    )
