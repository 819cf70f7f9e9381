"""Files with a channel for each class: read one channel after the other, never all at once."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from isal import igzip
from isal.igzip_lib import IsalError

from voxcurate.errors import GeometryError, VolumeReadError
from voxcurate.labelmaps import Sparse
from voxcurate.volume import Affine

_BROKEN: Any = (EOFError, OSError, ValueError, IsalError, zipfile.BadZipFile)
_GZIP = b"\x1f\x8b"
NAMES = ("probabilities", "softmax")  # nnU-Net v2, v1


def n_channels(path: Path) -> int:
    """Channels of a NIfTI file; 1 for a volume, and where the reader of volumes says what is wrong.

    Raises:
        VolumeReadError: axes beyond the third hold more than one row of channels.
    """
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return 1
    try:
        shape = _header(path).shape
    except VolumeReadError:
        return 1
    longer = [n for n in shape[3:] if n != 1]
    if len(longer) > 1:
        raise VolumeReadError(f"want channels along one axis, found shape {tuple(shape)}")
    return int(longer[0]) if longer else 1


def channels_of_nifti(path: Path) -> Iterator[Sparse]:
    """The channels of a 4-D NIfTI file (5-D with a fourth axis of 1), in order.

    Raises:
        VolumeReadError: damaged or truncated.
    """
    image = _header(path)
    header = image.header
    dtype = np.dtype(header.get_data_dtype())
    if dtype.kind not in "buif":
        raise VolumeReadError(f"unsupported voxel type: {dtype}")
    i, j, k = image.shape[:3]
    slope, inter = float(image.dataobj.slope), float(image.dataobj.inter)
    size = i * j * k * dtype.itemsize
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == _GZIP
            file.seek(0)
            stream: Any = igzip.IGzipFile(fileobj=file, mode="rb") if is_packed else file
            stream.seek(int(image.dataobj.offset))
            for _ in range(n_channels(path)):
                raw = _exactly(stream, size)
                array = np.frombuffer(raw, dtype).reshape(k, j, i)
                if not dtype.isnative:
                    array = array.astype(dtype.newbyteorder("="))
                if (slope, inter) != (1.0, 0.0):
                    array = array.astype(np.float32) * np.float32(slope) + np.float32(inter)
                yield whole(array, image.affine)
    except _BROKEN:
        raise VolumeReadError("the file is truncated or damaged") from None


def channels_of_npz(path: Path, shape: tuple[int, int, int], affine: Affine) -> Iterator[Sparse]:
    """The channels of nnU-Net's ``.npz``, axes ``(C, K, J, I)``; it does not say where it lies.

    Args:
        path: the file.
        shape: ``(I, J, K)`` that it must have.
        affine: that it is taken to have: the scan's, as the scan is stored.

    Raises:
        VolumeReadError: it cannot be read, or holds no array of probabilities.
        GeometryError: another shape.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            named = [f"{n}.npy" for n in NAMES if f"{n}.npy" in archive.namelist()]
            if not named:
                raise VolumeReadError("want an array `probabilities` in the .npz")
            with archive.open(named[0]) as stream:
                found, is_fortran, dtype = _npy_header(stream)
                if is_fortran or len(found) != 4 or dtype.kind not in "buif":
                    raise VolumeReadError(
                        f"want numbers (C, K, J, I) in the .npz, found {dtype} {found}"
                    )
                if found[1:] != shape[::-1]:
                    raise GeometryError(f"want the scan's shape {shape}, found {found[:0:-1]}")
                size = int(np.prod(found[1:])) * dtype.itemsize
                for _ in range(found[0]):
                    array = np.frombuffer(_exactly(stream, size), dtype).reshape(found[1:])
                    yield whole(array, affine)
    except _BROKEN:
        raise VolumeReadError("the .npz cannot be read") from None


def whole(array: np.ndarray[Any, Any], affine: Affine) -> Sparse:
    """An array ``(K, J, I)`` that fills its volume."""
    k, j, i = array.shape
    return Sparse((slice(0, k), slice(0, j), slice(0, i)), array, (i, j, k), affine)


def _header(path: Path) -> Any:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        return nibabel.load(path)
    except (OSError, ValueError, EOFError, ImageFileError):
        raise VolumeReadError("not a NIfTI file, or a damaged one") from None


def _npy_header(stream: Any) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
        version, np.lib.format.read_array_header_2_0
    )
    shape, is_fortran, dtype = read(stream)
    return shape, is_fortran, dtype


def _exactly(stream: Any, size: int) -> bytearray:
    raw = bytearray(size)
    view, filled = memoryview(raw), 0
    while filled < size:
        n_read = stream.readinto(view[filled:])
        if not n_read:
            raise EOFError
        filled += n_read
    return raw
