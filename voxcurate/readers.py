"""One way in for volumes, whatever the format; the result does not depend on it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from voxcurate.detached import WRONG_HEADER, check_data_files
from voxcurate.dicom import find_series, read_series
from voxcurate.errors import CurationError, VolumeReadError
from voxcurate.nifti import read_nifti
from voxcurate.nifti_header import MAX_SPACING_MM, MIN_SPACING_MM
from voxcurate.volume import Volume, spacing_of

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
NIFTI = (".nii", ".nii.gz")
ITK = (".nrrd", ".nhdr", ".mha", ".mhd")
SUFFIXES = (*NIFTI, *ITK)


def read_volume(
    path: Path | Sequence[Path],
    *,
    case_id: str | None = None,
    role: str = "ct",
    allow_nonfinite: bool = False,
) -> Volume:
    """A volume from a NIfTI, NRRD or MetaImage file, a DICOM folder, or a list of DICOM files.

    Args:
        path: the file; a folder with exactly one DICOM series of images; or that series' files.
        case_id: named in errors, instead of the path.
        role: what the file is to the case: ``"ct"``, ``"mask liver"``...
        allow_nonfinite: let NaN and infinite values of float data pass.

    Raises:
        VolumeReadError: what is wrong, with the case and role, without path or identifier.
    """
    try:
        return _read(path, allow_nonfinite)
    except CurationError as error:
        where = f"{case_id} ({role})" if case_id else role
        raise VolumeReadError(f"{where}: {error}", case_id=case_id) from None


def _read(path: Path | Sequence[Path], allow_nonfinite: bool) -> Volume:
    if not isinstance(path, Path):
        return read_series(path)
    if path.is_dir():
        found = find_series(path)
        if len(found) != 1:
            raise VolumeReadError(f"want a folder with one DICOM series, found {len(found)}")
        return read_series(found[0])
    if not path.exists():
        raise VolumeReadError("no such file")
    name = path.name.lower()
    if name.endswith(NIFTI):
        return read_nifti(path, allow_nonfinite=allow_nonfinite)
    if name.endswith(ITK):
        return _read_itk(path, allow_nonfinite)
    return read_series([path]) if _is_dicom(path) else _refuse()


def _read_itk(path: Path, allow_nonfinite: bool) -> Volume:
    import SimpleITK

    check_data_files(path)
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # its warnings hold paths
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        if reader.GetNumberOfComponents() != 1:
            raise VolumeReadError("want one value per voxel, found several")
        size = list(reader.GetSize())
        if any(n > 1 for n in size[3:]):
            raise VolumeReadError(f"want one volume (I, J, K), found shape {tuple(size)}")
        _check_size(path, size, reader.GetPixelID())
        image = reader.Execute()
    except RuntimeError:  # its message holds the path
        raise VolumeReadError(WRONG_HEADER) from None
    n_axes = min(3, image.GetDimension())
    array = SimpleITK.GetArrayFromImage(image).T
    if array.dtype.kind == "c":
        raise VolumeReadError("unsupported voxel type: complex")
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if array.dtype.kind == "f" and not allow_nonfinite and not np.isfinite(array).all():
        raise VolumeReadError("the data hold NaN or infinite values")
    affine = np.eye(4)
    direction = np.reshape(image.GetDirection(), (image.GetDimension(),) * 2)
    affine[:n_axes, :n_axes] = direction[:n_axes, :n_axes] * image.GetSpacing()[:n_axes]
    affine[:n_axes, 3] = image.GetOrigin()[:n_axes]
    spacing = spacing_of(affine)
    if min(spacing) < MIN_SPACING_MM or max(spacing) > MAX_SPACING_MM:
        text = " x ".join(f"{s:g}" for s in spacing)
        raise VolumeReadError(f"impossible spacing: {text} mm")
    shape = (*array.shape, 1, 1)[:3]
    return Volume(array.reshape(shape, order="F"), LPS_TO_RAS @ affine)


def _check_size(path: Path, size: Sequence[int], pixel_id: int) -> None:
    """A lying header must not make ITK take memory that no file of this length can fill."""
    import SimpleITK

    if path.suffix.lower() in (".mhd", ".nhdr"):  # the data lie in another file
        n_bytes = sum(part.stat().st_size for part in path.parent.iterdir() if part.is_file())
    else:
        n_bytes = path.stat().st_size
    itemsize = SimpleITK.Image([1] * len(size), pixel_id).GetSizeOfPixelComponent()
    if int(np.prod([int(n) for n in size], dtype=object)) * itemsize > n_bytes * 1032:
        raise VolumeReadError(f"the header claims shape {tuple(size)}, more than the file can hold")


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _refuse() -> Volume:
    raise VolumeReadError(f"unknown file type; want DICOM or one of {', '.join(SUFFIXES)}")
