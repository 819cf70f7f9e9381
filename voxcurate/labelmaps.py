"""Label maps and masks on disk: split into one mask per class, counted as they are read.

All work chunk by chunk, so that a map of many classes is passed over once and neither 24 masks nor
two whole maps lie in memory.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from isal import igzip
from isal.igzip_lib import IsalError

from voxcurate import _kernels
from voxcurate.atomic import write_atomic
from voxcurate.errors import GeometryError, VolumeReadError
from voxcurate.indexed_gzip import MAX_CHUNKS, Packed, join, pack_chunk
from voxcurate.metrics import joint_histogram
from voxcurate.nifti import CHUNK_BYTES, read_nifti
from voxcurate.nifti_header import MAX_HEADER, NiftiHeader, build_header, parse_header
from voxcurate.volume import Affine, Box, Volume

AFFINE_TOLERANCE_MM = 1e-2  # headers hold 32-bit numbers; a voxel is 50 times larger
_BLOCK_BYTES = 512 << 10  # read from both files in turn; stays in cache
_SLOPE_AT = 112  # scl_slope in a NIfTI-1 header
_GZIP = b"\x1f\x8b"
_BROKEN: Any = (EOFError, OSError, IsalError)
Bytes = npt.NDArray[np.uint8]


def write_masks(labels: Volume, files: Mapping[int, Path]) -> dict[int, int]:
    """Write one mask per label of a label map, as ``.nii.gz`` that are whole or not there.

    A chunk without a label is packed once for all masks, and only where a label is in a chunk is
    anything compared or packed for it. A label that does not occur gives an empty mask.

    Args:
        labels: label map of any integer type.
        files: label to the file of its mask.

    Returns:
        Label to its voxels.

    Raises:
        GeometryError: the map holds no integers.
    """
    array = labels.array
    if array.dtype.kind not in "bui":
        raise GeometryError(f"want labels as whole numbers, found {array.dtype.name}")
    header = _mask_header(labels.shape, labels.affine)
    zeros = _ZeroChunks()
    packed: dict[int, list[Packed]] = {label: [] for label in files}
    voxels = dict.fromkeys(files, 0)
    planes = _planes_of(labels.shape)
    for start in range(0, labels.shape[2], planes):
        part = np.asfortranarray(array[:, :, start : start + planes]).reshape(-1, order="F")
        there = _values_in(part)
        for label, chunks in packed.items():
            if label in there:
                mask = (part == label).view(np.uint8)
                voxels[label] += int(np.count_nonzero(mask))
                chunks.append(pack_chunk(mask))
            else:
                chunks.append(zeros.of(part.size))
    chunk_bytes = planes * labels.shape[0] * labels.shape[1]
    for label, path in files.items():
        write_atomic(path, join(header, packed[label], chunk_bytes))
    return voxels


def box_parts(
    values: npt.NDArray[Any],
    box: Box,
    shape: tuple[int, int, int],
    affine: Affine,
    *,
    slope: float = 1.0,
) -> list[bytes]:
    """The bytes of a ``.nii.gz`` of a volume that is known inside a box; outside it is zero.

    Args:
        values: bool or uint8, shape of the box.
        box: where it lies in the volume.
        shape: of the volume.
        affine: of the volume, voxel to RAS+ mm.
        slope: what readers multiply the bytes with.
    """
    zeros = _ZeroChunks()
    planes = _planes_of(shape)
    i, j, k = box
    chunks = []
    for start in range(0, shape[2], planes):
        n = min(planes, shape[2] - start)
        low, high = max(k.start, start), min(k.stop, start + n)
        if low < high and values.size:
            chunk = np.zeros((*shape[:2], n), np.uint8, order="F")
            part = values[:, :, low - k.start : high - k.start]
            chunk[i, j, low - start : high - start] = part
            chunks.append(pack_chunk(chunk.reshape(-1, order="F")))
        else:
            chunks.append(zeros.of(shape[0] * shape[1] * n))
    header = bytearray(_mask_header(shape, affine))
    struct.pack_into("<f", header, _SLOPE_AT, slope)
    return join(bytes(header), chunks, planes * shape[0] * shape[1])


@dataclass(frozen=True, eq=False)
class Overlap:
    """How often each pair of labels meets in two maps, and the grid that they share."""

    counts: npt.NDArray[np.int64]
    shape: tuple[int, int, int]
    affine: Affine


def overlap_of_files(one: Path, two: Path) -> Overlap:
    """The joint histogram of two label maps of uint8, counted while both are unpacked.

    Other types, and NIfTI with a scale, are read whole.

    Raises:
        GeometryError: the grids differ, or labels are outside 0..255.
        VolumeReadError: a file is broken.
    """
    with one.open("rb") as first, two.open("rb") as second:
        try:
            pair = _Stream(first), _Stream(second)
            if all(stream.is_plain for stream in pair):
                shape, affine = _same_grid(*((s.header.shape, s.header.affine) for s in pair))
                return Overlap(_stream_counts(*pair), shape, affine)
        except _BROKEN:
            raise VolumeReadError("the compressed data are truncated or damaged") from None
    volumes = read_nifti(one), read_nifti(two)
    shape, affine = _same_grid(*((v.shape, v.affine) for v in volumes))
    return Overlap(joint_histogram(volumes[0].array, volumes[1].array), shape, affine)


@dataclass(frozen=True, eq=False)
class Sparse:
    """The part of a volume that is not zero, in the file's order of axes.

    Attributes:
        box: where it lies, axes ``(K, J, I)``; ``0:0`` for a volume of zeros.
        array: its values, C order, axes ``(K, J, I)``.
        shape: of the volume, ``(I, J, K)``.
        affine: of the volume.
    """

    box: Box
    array: npt.NDArray[Any]
    shape: tuple[int, int, int]
    affine: Affine


def read_sparse(path: Path) -> Sparse:
    """What is not zero in a NIfTI file; zeros of bytes take no memory while they are read.

    Raises:
        VolumeReadError: as `read_nifti`.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise VolumeReadError(f"cannot read the file: {error.strerror}") from None
    with file:
        try:
            stream = _Stream(file)
            if stream.is_plain:
                return _sparse_bytes(stream)
        except _BROKEN:
            raise VolumeReadError("the compressed data are truncated or damaged") from None
    volume = read_nifti(path)
    array = np.ascontiguousarray(volume.array.T)
    box = _box_of((array != 0).view(np.uint8))
    return Sparse(box, np.ascontiguousarray(array[box]), volume.shape, volume.affine)


def same_affine(one: Affine, two: Affine) -> bool:
    """Whether two affines place voxels alike, as far as file headers can tell."""
    return bool(np.allclose(one, two, rtol=0, atol=AFFINE_TOLERANCE_MM))


class _Stream:
    """A NIfTI file that is unpacked into a buffer, block by block."""

    def __init__(self, file: BinaryIO) -> None:
        is_packed = file.read(2) == _GZIP
        file.seek(0)
        self._stream: Any = igzip.IGzipFile(fileobj=file, mode="rb") if is_packed else file
        self.header: NiftiHeader = parse_header(self._stream.read(MAX_HEADER))
        self._stream.seek(self.header.offset)

    @property
    def is_plain(self) -> bool:
        """Whether the stored bytes are the labels."""
        header = self.header
        return header.dtype == np.uint8 and (header.slope, header.inter) == (1.0, 0.0)

    def blocks(self, n_bytes: int) -> Iterator[Bytes]:
        """All voxels in file order; each block overwrites the one before."""
        buffer = np.empty(min(n_bytes, self.header.n_bytes), np.uint8)
        left = self.header.n_bytes
        while left:
            block = buffer[: min(left, buffer.size)]
            filled = 0
            while filled < block.size:
                n_read = self._stream.readinto(block.data[filled:])
                if not n_read:
                    raise VolumeReadError(f"truncated: {left - filled} bytes are missing")
                filled += n_read
            left -= block.size
            yield block
        if self._stream.read(1):  # reading to the end also makes gzip compare its checksum
            raise VolumeReadError("the header is wrong: more data than its shape wants")


def _sparse_bytes(stream: _Stream) -> Sparse:
    n_i, n_j, _ = stream.header.shape
    planes = max(1, _BLOCK_BYTES // (n_i * n_j))
    parts: list[tuple[int, Bytes]] = []
    start = 0
    for block in stream.blocks(planes * n_i * n_j):
        part = block.reshape(-1, n_j, n_i)
        if block.any():
            parts.append((start, part.copy()))
        start += len(part)
    nowhere = (slice(0, 0), slice(0, 0), slice(0, 0))
    if not parts:
        empty = np.zeros((0, 0, 0), np.uint8)
        return Sparse(nowhere, empty, stream.header.shape, stream.header.affine)
    first, last = parts[0][0], parts[-1][0] + len(parts[-1][1])
    whole = np.zeros((last - first, n_j, n_i), np.uint8)
    for at, part in parts:
        whole[at - first : at - first + len(part)] = part
    k, j, i = _box_of(whole)
    box = (slice(k.start + first, k.stop + first), j, i)
    inside = np.ascontiguousarray(whole[k, j, i])
    return Sparse(box, inside, stream.header.shape, stream.header.affine)


def _box_of(array: Bytes) -> Box:
    lines = _kernels.occupied(array, 1, 255)
    if not lines[0].any():
        return slice(0, 0), slice(0, 0), slice(0, 0)
    spans = [np.flatnonzero(line) for line in lines]
    i, j, k = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return i, j, k


def _stream_counts(one: _Stream, two: _Stream) -> npt.NDArray[np.int64]:
    counts, boxes = _kernels.empty_survey()
    for pair in zip(one.blocks(_BLOCK_BYTES), two.blocks(_BLOCK_BYTES), strict=True):
        first, second = (block.reshape(1, 1, -1) for block in pair)
        _kernels.joint_survey(first, second, counts, boxes)
    return np.asarray(counts)


def _same_grid(
    one: tuple[tuple[int, int, int], Affine], two: tuple[tuple[int, int, int], Affine]
) -> tuple[tuple[int, int, int], Affine]:
    if one[0] != two[0]:
        raise GeometryError(f"the shapes differ: {one[0]} and {two[0]}")
    if not same_affine(one[1], two[1]):
        raise GeometryError("the affines differ: they do not lie in the same place")
    return one


class _ZeroChunks:
    """Packed zeros, once per length."""

    def __init__(self) -> None:
        self._packed: dict[int, Packed] = {}

    def of(self, n_bytes: int) -> Packed:
        if n_bytes not in self._packed:
            self._packed[n_bytes] = pack_chunk(np.zeros(n_bytes, np.uint8))
        return self._packed[n_bytes]


def _planes_of(shape: tuple[int, int, int]) -> int:
    """Planes of one chunk, as in files of scans."""
    return max(1, CHUNK_BYTES // (shape[0] * shape[1]), -(-shape[2] // MAX_CHUNKS))


def _mask_header(shape: tuple[int, int, int], affine: Affine) -> bytes:
    return build_header(Volume(np.broadcast_to(np.zeros(1, np.uint8), shape), affine))


def _values_in(flat: npt.NDArray[Any]) -> set[int]:
    if flat.dtype.itemsize > 1:
        return set(np.unique(flat).tolist())
    found = np.zeros(256, np.uint8)
    _kernels.labels_present(flat.view(np.uint8), found)
    values = np.flatnonzero(found).astype(np.uint8)
    return set(values.view(flat.dtype if flat.dtype.kind == "i" else np.uint8).tolist())
