"""NIfTI files whose bytes depend on nothing but their content."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

_LEVEL = 3


def nifti_bytes(
    array: npt.NDArray[np.generic], affine: npt.NDArray[np.float64], *, note: str = ""
) -> bytes:
    """A gzipped NIfTI-1 file: the array's own type, mm, `note` in the header's description."""
    image = nib.Nifti1Image(array, affine, dtype=array.dtype)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = note.encode("ascii", "replace")[:79]
    return gzip.compress(image.to_bytes(), _LEVEL, mtime=0)


def write_nifti(
    path: Path,
    array: npt.NDArray[np.generic],
    affine: npt.NDArray[np.float64],
    *,
    note: str = "",
) -> None:
    """Write one file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(nifti_bytes(array, affine, note=note))


def write_mask(path: Path, mask: npt.NDArray[np.bool_], affine: npt.NDArray[np.float64]) -> None:
    """Write a binary uint8 mask."""
    write_nifti(path, mask.astype(np.uint8), affine)
