"""NIfTI files: read with the stored type, written so that any slice can be read alone."""

import gzip
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from isal import igzip
from isal.igzip_lib import IsalError

from voxcurate.atomic import write_atomic
from voxcurate.errors import GeometryError, VolumeReadError
from voxcurate.indexed_gzip import MAX_CHUNKS, MAX_RATIO, Index, pack, read_index
from voxcurate.nifti_header import MAX_HEADER, NiftiHeader, build_header, parse_header
from voxcurate.volume import Volume

CHUNK_BYTES = 256 << 10
_BROKEN: Any = (EOFError, gzip.BadGzipFile, zlib.error, IsalError)


MAX_BYTES = 64 << 30  # of stored data: no scan comes near


def read_nifti(path: Path, *, allow_nonfinite: bool = False, max_bytes: int = MAX_BYTES) -> Volume:
    """A ``.nii`` or ``.nii.gz`` file (told by content) as a volume.

    The stored type is kept, in native byte order and Fortran order as stored; float64 becomes
    float32, and so does any type with a slope and intercept other than 1 and 0. A single slice or a
    trailing dimension of 1 is fine.

    Args:
        path: the file.
        allow_nonfinite: let NaN and infinite values pass.
        max_bytes: larger data are refused before memory is taken for them.

    Raises:
        VolumeReadError: says what is wrong with the file, without its path.
    """
    try:
        with path.open("rb") as file:
            header, raw = _read_all(file, max_bytes)
    except OSError as error:
        raise VolumeReadError(f"cannot read the file: {error.strerror or 'broken'}") from None
    array = _values(raw.view(header.dtype), header)
    if array.dtype.kind == "f" and not allow_nonfinite:
        with np.errstate(invalid="ignore", over="ignore"):
            is_finite = np.isfinite(np.add.reduce(array, dtype=np.float64))
        if not is_finite:  # NaN and infinity survive a sum, and the sum takes no memory
            raise VolumeReadError("the data hold NaN or infinite values")
    return Volume(array.reshape(header.shape, order="F"), header.affine)


def read_start(path: Path) -> tuple[bytes, bool]:
    """The first 540 bytes of the content (fewer in a smaller file), and whether it is packed.

    Raises:
        VolumeReadError: empty, unreadable, or packed data that are damaged at their start.
    """
    try:
        with path.open("rb") as file:
            return _start(file), _is_gzip(file)
    except _BROKEN:
        raise VolumeReadError("the compressed data are truncated or damaged") from None
    except OSError as error:
        raise VolumeReadError(f"cannot read the file: {error.strerror or 'broken'}") from None


def read_slice(path: Path, axis: int, index: int) -> npt.NDArray[Any]:
    """One plane of a volume, the values those of `read_nifti`.

    Fast (one chunk) for axis 2 of a file that we wrote; anything else reads the whole file.

    Args:
        path: the file.
        axis: 0, 1 or 2; the remaining two keep their order.
        index: position along it; negative ones count from the end.

    Raises:
        GeometryError: no such plane.
        VolumeReadError: as `read_nifti`.
    """
    if axis == 2:
        try:
            with path.open("rb") as file:
                stored = read_index(file)
                plane = _indexed_slice(file, stored, index) if stored else None
                if plane is not None:
                    return plane
        except OSError as error:
            raise VolumeReadError(f"cannot read the file: {error.strerror or 'broken'}") from None
    array = read_nifti(path, allow_nonfinite=True).array
    if axis not in (0, 1, 2) or not -array.shape[axis] <= index < array.shape[axis]:
        raise GeometryError(f"no plane {index} along axis {axis} in shape {array.shape}")
    return np.ascontiguousarray(array.take(index, axis=axis))


def write_nifti(path: Path, volume: Volume) -> None:
    """Write a volume so that it is whole or not there; same content, same file but for packing.

    A name that ends with ``.nii`` is written without compression. Masks of bool become uint8.

    Raises:
        GeometryError: NIfTI cannot hold the voxel type or so many voxels.
    """
    array = volume.array
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    header = build_header(volume.with_array(array))
    plane_bytes = array.itemsize * array.shape[0] * array.shape[1]
    planes = max(1, CHUNK_BYTES // plane_bytes, -(-array.shape[2] // MAX_CHUNKS))
    chunks: list[Callable[[], npt.NDArray[np.uint8]]] = [
        partial(_planes, array, k, k + planes) for k in range(0, array.shape[2], planes)
    ]
    if path.suffix == ".nii":
        write_atomic(path, [header, *(chunk() for chunk in chunks)])
    else:
        threads = array.itemsize > 1
        write_atomic(path, pack(header, chunks, planes * plane_bytes, threads=threads))


def _planes(array: npt.NDArray[Any], first: int, last: int) -> npt.NDArray[np.uint8]:
    """Raw bytes of planes along axis 2 in the file's (Fortran) order."""
    part = np.asfortranarray(array[:, :, first:last])
    return part.reshape(-1, order="F").view(np.uint8)


def _read_all(file: BinaryIO, max_bytes: int) -> tuple[NiftiHeader, npt.NDArray[np.uint8]]:
    index = read_index(file)
    try:
        if index is not None:
            header = parse_header(index.prefix(file))
            _check_limit(header, max_bytes)
            if header.offset == index.prefix_bytes and header.n_bytes == index.total:
                return header, index.read(file, 0, len(index.starts) - 1)
        return _read_stream(file, max_bytes)
    except _BROKEN:
        raise VolumeReadError("the compressed data are truncated or damaged") from None


def _check_limit(header: NiftiHeader, max_bytes: int) -> None:
    if header.n_bytes > max_bytes:
        raise VolumeReadError(
            f"too large: the header claims {header.n_bytes / 2**30:.3g} GiB, "
            f"the limit is {max_bytes / 2**30:.3g} GiB"
        )


def _read_stream(file: BinaryIO, max_bytes: int) -> tuple[NiftiHeader, npt.NDArray[np.uint8]]:
    """Anybody's file; what it claims is checked against its size before memory is taken."""
    size = file.seek(0, 2)
    start = _start(file)
    header = parse_header(start)
    is_packed = _is_gzip(file)
    wanted = header.offset + header.n_bytes
    if wanted > (size * MAX_RATIO if is_packed else size):
        raise VolumeReadError(
            f"the header claims shape {header.shape} of {header.dtype.name}, "
            f"more than a file of {size} bytes can hold: truncated, or a wrong header"
        )
    _check_limit(header, max_bytes)
    stream: Any = igzip.IGzipFile(fileobj=file, mode="rb") if is_packed else file
    stream.seek(header.offset)
    try:
        raw = np.empty(header.n_bytes, np.uint8)
    except MemoryError:
        raise VolumeReadError(f"no memory for the claimed shape {header.shape}") from None
    view, filled = raw.data, 0
    while filled < raw.size:
        n_read = stream.readinto(view[filled:])
        if not n_read:
            raise VolumeReadError(f"truncated: want {raw.size} bytes of data, found {filled}")
        filled += n_read
    if stream.read(1):  # reading to the end also makes gzip compare its checksum
        raise VolumeReadError(f"the header is wrong: more data than shape {header.shape} wants")
    return header, raw


def _start(file: BinaryIO) -> bytes:
    """The first bytes of the unpacked content."""
    file.seek(0)
    if _is_gzip(file):
        return bytes(igzip.IGzipFile(fileobj=file, mode="rb").read(MAX_HEADER))
    start = file.read(MAX_HEADER)
    file.seek(0)
    if not start:
        raise VolumeReadError("the file is empty")
    return start


def _is_gzip(file: BinaryIO) -> bool:
    file.seek(0)
    magic = file.read(2)
    file.seek(0)
    return magic == b"\x1f\x8b"


def _indexed_slice(file: BinaryIO, stored: Index, index: int) -> npt.NDArray[Any] | None:
    """None if the index does not fit the header."""
    header = parse_header(stored.prefix(file))
    i, j, k = header.shape
    if not -k <= index < k:
        raise GeometryError(f"no plane {index} along axis 2 in shape {header.shape}")
    plane_bytes = i * j * header.dtype.itemsize
    if header.n_bytes != stored.total or stored.chunk_bytes % plane_bytes:
        return None
    start = (index % k) * plane_bytes
    chunk = start // stored.chunk_bytes
    raw = stored.read(file, chunk, chunk + 1)
    begin = start - chunk * stored.chunk_bytes
    flat = raw[begin : begin + plane_bytes].view(header.dtype)
    return np.ascontiguousarray(_values(flat, header).reshape((i, j), order="F"))


def _values(stored: npt.NDArray[Any], header: NiftiHeader) -> npt.NDArray[Any]:
    """Native byte order, slope and intercept applied, float64 narrowed."""
    array = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    if (header.slope, header.inter) != (1.0, 0.0):
        array = array.astype(np.float32)
        array *= np.float32(header.slope)
        array += np.float32(header.inter)
    elif array.dtype == np.float64:
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
    return array
