from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.voxcurate.test_dicom import AXES, COLUMNS, ROWS, SPACING, instance, position, save, whole
from voxcurate.dicom import find_series, read_series
from voxcurate.dicom_seg import read_segments
from voxcurate.errors import VolumeReadError

TRUTH = np.random.default_rng(11).integers(0, 3, (6, ROWS, COLUMNS))
TRUTH[3] = 0  # a slice that the file leaves out


def segmentation(kind: str, **changes: Any) -> Dataset:
    """Two segments over six slices as highdicom or dcmqi write them; empty frames left out."""
    data = instance(0, Modality="SEG", SeriesInstanceUID="1.7", SOPInstanceUID="1.7.1")
    for word in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(data, word)
    measures, plane, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]
    plane.ImageOrientationPatient = [*AXES[:, 0], *AXES[:, 1]]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    data.SharedFunctionalGroupsSequence, data.SegmentationType = [shared], kind
    data.SegmentSequence, frames, pixels = [], [], []
    for number, name in ((1, "Liver"), (2, "Spleen")):
        item, code = Dataset(), Dataset()
        code.CodeMeaning = name
        item.SegmentNumber, item.SegmentLabel = number, f"my {name}"
        item.SegmentedPropertyTypeCodeSequence = [code]
        data.SegmentSequence.append(item)
    for number in (0,) if kind == "LABELMAP" else (1, 2):
        for n in (4, 0, 1, 2, 5):
            frame, place, owner = Dataset(), Dataset(), Dataset()
            place.ImagePositionPatient = position(n)
            owner.ReferencedSegmentNumber = number
            frame.PlanePositionSequence = [place]
            frame.SegmentIdentificationSequence = [owner]
            frames.append(frame)
            pixels.append(TRUTH[n] if number == 0 else TRUTH[n] == number)
    data.PerFrameFunctionalGroupsSequence, data.NumberOfFrames = frames, len(frames)
    values = np.stack(pixels).astype(np.uint8)
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    if kind == "BINARY":
        data.BitsAllocated, data.BitsStored, data.HighBit = 1, 1, 0
        packed = np.packbits(values.ravel(), bitorder="little").tobytes()
        data.PixelData = packed + b"\0" * (len(packed) % 2)
    else:
        data.MaximumFractionalValue = 200
        scale = 150 if kind == "FRACTIONAL" else 1
        raw = (values * scale).tobytes()
        data.PixelData = raw + b"\0" * (len(raw) % 2)
    for word, value in changes.items():
        setattr(data, word, value)
    return data


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
@pytest.mark.parametrize("on_scan", [True, False])
def test_segments_are_masks_in_their_place(tmp_path, kind, on_scan):
    scan = read_series(find_series(whole(tmp_path / "ct"))[0])
    path = save(tmp_path / "seg", segmentation(kind)) / "IM000"
    segments = read_segments(path, scan if on_scan else None)
    assert [(s.number, s.label, s.meaning) for s in segments] == [
        (1, "my Liver", "Liver"),
        (2, "my Spleen", "Spleen"),
    ]
    for segment in segments:
        np.testing.assert_array_equal(
            segment.mask.array, (segment.number == TRUTH).transpose(2, 1, 0)
        )
        np.testing.assert_allclose(segment.mask.affine, scan.affine, atol=1e-9)


def test_only_segmentations(tmp_path):
    folder = save(tmp_path, instance(0))
    with pytest.raises(VolumeReadError, match="not a DICOM segmentation"):
        read_segments(folder / "IM000")
    (folder / "text").write_text("x")
    with pytest.raises(VolumeReadError, match="not a readable"):
        read_segments(folder / "text")


@pytest.mark.real_data
def test_real_segmentations(real_data):
    import SimpleITK

    folder = real_data / "dcmqi_dicom_seg_sr" / "segmentations"
    scan = read_series(sorted((folder / "ct-3slice").iterdir()))
    (liver,) = read_segments(folder / "liver.dcm", scan)
    image = SimpleITK.ReadImage(str(folder / "liver_seg.nrrd"))
    expected = SimpleITK.GetArrayFromImage(image)
    assert np.count_nonzero(liver.mask.array) == np.count_nonzero(expected)
    at = np.argwhere(expected)[0][::-1]
    lps = np.array(image.TransformIndexToPhysicalPoint([int(n) for n in at]))
    index = np.linalg.inv(scan.affine) @ [*(lps * (-1, -1, 1)), 1]
    assert liver.mask.array[tuple(np.rint(index[:3]).astype(int))]
