"""What goes wrong with a DICOM series: slices lost, doubled, moved, taken from another scan."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset

Rng = np.random.Generator


def damage_series(paths: Sequence[Path], kind: str, rng: Rng) -> None:
    """Damage the files of one series in place.

    Args:
        paths: in slice order, ten or more.
        kind: key of `SERIES_KINDS`.
        rng: draws the places.

    Raises:
        KeyError: no such kind.
    """
    SERIES_KINDS[kind](list(paths), rng)


def _edit(path: Path, change: Callable[["Dataset"], None], *, out: Path | None = None) -> None:
    from pydicom import dcmread

    data = dcmread(path)
    change(data)
    data.save_as(out or path)


def _inner(paths: Sequence[Path], rng: Rng, n: int = 1) -> list[Path]:
    start = int(rng.integers(2, len(paths) - n - 2))
    return list(paths[start : start + n])


def _missing(n: int) -> Callable[[Sequence[Path], Rng], None]:
    def damage(paths: Sequence[Path], rng: Rng) -> None:
        for path in _inner(paths, rng, n):
            path.unlink()

    return damage


def _moved(paths: Sequence[Path], rng: Rng) -> None:
    """One slice lies 40 % of the distance further than it should."""

    def change(data: "Dataset") -> None:
        place = [float(v) for v in data.ImagePositionPatient]
        place[2] += 0.4 * float(data.SliceThickness)
        data.ImagePositionPatient = place

    _edit(_inner(paths, rng)[0], change)


def _doubled(paths: Sequence[Path], rng: Rng) -> None:
    """A slice once more, as another instance."""
    path = _inner(paths, rng)[0]

    def change(data: "Dataset") -> None:
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID + "9"

    _edit(path, change, out=path.with_name("again.dcm"))


def _phases(paths: Sequence[Path], rng: Rng) -> None:
    """A second acquisition of a third of the places under the same series UID."""
    for n, path in enumerate(_inner(paths, rng, len(paths) // 3)):

        def change(data: "Dataset") -> None:
            uid = data.SOPInstanceUID + "7"
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = uid
            data.AcquisitionNumber = 2

        _edit(path, change, out=path.with_name(f"late{n}.dcm"))


def _set(share: float, **values: object) -> Callable[[Sequence[Path], Rng], None]:
    """Fields of a run of slices set to other values; None removes them. A share of 0: one slice."""

    def change(data: "Dataset") -> None:
        for word, value in values.items():
            if value is None:
                del data[word]
            else:
                setattr(data, word, value)

    def damage(paths: Sequence[Path], rng: Rng) -> None:
        n = max(1, round(share * len(paths)))
        for path in paths if share >= 1 else _inner(paths, rng, n):
            _edit(path, change)

    return damage


def _tilted(paths: Sequence[Path], rng: Rng) -> None:
    """Taken with the gantry tilted by 12 degrees: each slice starts lower than the last."""
    for n, path in enumerate(paths):

        def change(data: "Dataset", n: int = n) -> None:
            place = [float(v) for v in data.ImagePositionPatient]
            place[1] += n * float(data.SliceThickness) * float(np.tan(np.radians(12)))
            data.ImagePositionPatient = place
            data.GantryDetectorTilt = 12

        _edit(path, change)


def _smaller(paths: Sequence[Path], rng: Rng) -> None:
    def change(data: "Dataset") -> None:
        pixels = data.pixel_array[::2, ::2].copy()
        data.Rows, data.Columns = pixels.shape
        data.PixelData = pixels.tobytes()

    for path in _inner(paths, rng, 3):
        _edit(path, change)


def _cut(paths: Sequence[Path], rng: Rng) -> None:
    path = _inner(paths, rng)[0]
    content = path.read_bytes()
    path.write_bytes(content[: int(0.6 * len(content))])


def _garbled(paths: Sequence[Path], rng: Rng) -> None:
    path = _inner(paths, rng)[0]
    path.write_bytes(path.read_bytes()[:150])


def _localiser(paths: Sequence[Path], rng: Rng) -> None:
    def change(data: "Dataset") -> None:
        data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        data.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID + "5"

    _edit(paths[0], change, out=paths[0].with_name("A_scout.dcm"))


def _promised(paths: Sequence[Path], rng: Rng) -> None:
    def change(data: "Dataset") -> None:
        data.Rows = data.Columns = 65535
        data.NumberOfFrames = 100_000

    _edit(_inner(paths, rng)[0], change)


SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
SERIES_KINDS: dict[str, Callable[[Sequence[Path], Rng], None]] = {
    "missing_slice": _missing(1),
    "missing_slices": _missing(4),
    "uneven_slice": _moved,
    "doubled_slice": _doubled,
    "mixed_phases": _phases,
    "mixed_kernels": _set(0.4, ConvolutionKernel="B70f"),
    "mixed_pixel_sizes": _set(0.3, PixelSpacing=[1.5, 1.5]),
    "mixed_orientations": _set(0.2, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
    "mixed_shapes": _smaller,
    "mixed_patients": _set(0.3, PatientID="ANOTHER"),
    "no_rescale": _set(1, RescaleSlope=None, RescaleIntercept=None),
    "wrong_slope": _set(1, RescaleSlope=10),
    "zero_slope": _set(1, RescaleSlope=0),
    "wrong_intercept": _set(1, RescaleIntercept=0),
    "tilted": _tilted,
    "truncated": _cut,
    "unreadable": _garbled,
    "localiser_inside": _localiser,
    "all_localisers": _set(1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    "mip": _set(1, ImageType=["DERIVED", "SECONDARY", "MIP"]),
    "secondary_capture": _set(1, SOPClassUID=SECONDARY, Modality="OT"),
    "wrong_modality": _set(1, Modality="MR"),
    "no_position": _set(0.2, ImagePositionPatient=None),
    "promised_terabytes": _promised,
}
