"""The perceptual hash of a volume, and the thumbnail that confirms what the hash suggests.

Definition (version 1), pinned, for hashes are stored:

1. The box: the whole scan (`whole`), or from the first to the last plane of each axis that holds
   at least 5 % as much body (CT: above -150 HU) as the fullest plane (`body`), so that added or
   cropped air changes nothing.
2. Values are clipped to a window (CT: -500 to 500 HU; other modalities and 8-bit exports: the 1 %
   to 99 % quantile) and averaged over exact blocks (edges inside voxels count by share) to
   32 x 32 x 32, axes then in RAS+ order.
3. A 3-D DCT-II; the 256 coefficients nearest to the origin without the origin itself, in order of
   squared radius, then index; a bit is set where the coefficient is above their median.

An affine change of intensities inside the window changes no bit; noise hardly any, for every block
averages hundreds of voxels.
"""

import base64
import hashlib
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._kernels import block_means, profiles
from voxcurate.geometry import ras_axes
from voxcurate.volume import Volume

HASH_VERSION = 1
GRID = 32
BITS = 256
CT_WINDOW_HU = (-500.0, 500.0)
CT_BODY_HU = -150.0
BODY_SHARE = 0.05
THUMBNAIL_LEVELS = 255

Bits = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.uint8]
Extent = tuple[float, float, float]
Box = tuple[tuple[int, int], ...]
Grid = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScanFingerprint:
    """What is kept of a scan to find its duplicates.

    Attributes:
        whole, body: packed hashes, uint8 ``(32,)``, of the two views.
        thumbnail: uint8 ``(32, 32, 32)``, RAS+ order, the window of the body view in 255 steps.
        extent_mm: size of the thumbnail's box, RAS+ order.
        pixel_sha256: of shape and values in RAS+ order: equal for any lossless re-encoding.
        is_empty: a constant scan, whose hash says nothing.
    """

    whole: Bits
    body: Bits
    thumbnail: npt.NDArray[np.uint8]
    extent_mm: tuple[float, float, float]
    pixel_sha256: str
    is_empty: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the catalog."""
        packed = zlib.compress(self.thumbnail.tobytes(), 6)
        return {
            "version": HASH_VERSION,
            "whole": self.whole.tobytes().hex(),
            "body": self.body.tobytes().hex(),
            "thumbnail": base64.b85encode(packed).decode("ascii"),
            "extent_mm": list(self.extent_mm),
            "pixel_sha256": self.pixel_sha256,
            "is_empty": self.is_empty,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ScanFingerprint":
        """The fingerprint that `as_dict` wrote.

        Raises:
            ValueError: it was written by another version of the definition.
        """
        if data.get("version") != HASH_VERSION:
            raise ValueError(f"want fingerprint version {HASH_VERSION}, got {data.get('version')}")
        raw = zlib.decompress(base64.b85decode(data["thumbnail"]))
        i, j, k = data["extent_mm"]
        return cls(
            whole=np.frombuffer(bytes.fromhex(data["whole"]), np.uint8),
            body=np.frombuffer(bytes.fromhex(data["body"]), np.uint8),
            thumbnail=np.frombuffer(raw, np.uint8).reshape(GRID, GRID, GRID),
            extent_mm=(float(i), float(j), float(k)),
            pixel_sha256=data["pixel_sha256"],
            is_empty=bool(data["is_empty"]),
        )


def fingerprint(volume: Volume, modality: str = "CT") -> ScanFingerprint:
    """Hashes, thumbnail and pixel hash of a scan; NaN counts as the window's lower end."""
    array = _fast(volume.array)
    low, high, threshold = _window(array, modality)
    box = _body_box(array, threshold)
    whole = _means(array, _whole(array), low, high, GRID)
    body = whole if box == _whole(array) else _means(array, box, low, high, GRID)
    return ScanFingerprint(
        whole=hash_bits(_to_ras(whole, volume.affine)),
        body=hash_bits(_to_ras(body, volume.affine)),
        thumbnail=_to_ras(_as_levels(body, low, high), volume.affine),
        extent_mm=_extent_mm(volume, box),
        pixel_sha256=pixel_sha256(volume),
        is_empty=bool(np.ptp(body) < 1e-6 * max(high - low, 1.0)),
    )


def thumbnail(volume: Volume, modality: str = "CT", *, grid: int = GRID) -> tuple[Levels, Extent]:
    """The body view on a grid of any size, as in a fingerprint, with its extent in mm."""
    array = _fast(volume.array)
    low, high, threshold = _window(array, modality)
    box = _body_box(array, threshold)
    means = _means(array, box, low, high, grid)
    return _to_ras(_as_levels(means, low, high), volume.affine), _extent_mm(volume, box)


def hash_bits(grid: Grid) -> Bits:
    """The packed 256-bit hash, uint8 ``(32,)``, of a 32^3 grid; all zero for a constant one."""
    from scipy.fft import dctn

    coefficients = dctn(grid, type=2, norm="ortho")[_LOW]
    if np.abs(coefficients).max() < 1e-9 * max(1.0, float(np.abs(grid).max())):
        return np.zeros(BITS // 8, np.uint8)
    return np.packbits(coefficients > np.median(coefficients))


def _low_frequencies() -> tuple[npt.NDArray[np.intp], ...]:
    side = np.arange(12)
    i, j, k = (axis.ravel() for axis in np.meshgrid(side, side, side, indexing="ij"))
    order = np.lexsort((k, j, i, i * i + j * j + k * k))[1 : BITS + 1]
    return i[order], j[order], k[order]


_LOW = _low_frequencies()


def pixel_sha256(volume: Volume) -> str:
    """SHA-256 of shape and values in RAS+ axis order; whole numbers hash alike in any dtype."""
    ras = _to_ras(volume.array, volume.affine)
    if ras.dtype.kind == "f" and np.isfinite(ras).all():
        whole = np.rint(ras)
        if np.array_equal(whole, ras) and np.abs(whole).max(initial=0) < 2**31:
            ras = whole.astype(np.int32)
    ras = ras.astype(np.int32) if ras.dtype.kind in "iub" else ras.astype(np.float32)
    digest = hashlib.sha256(repr(ras.shape).encode())
    for plane in np.moveaxis(ras, 2, 0):
        digest.update(np.ascontiguousarray(plane).data)
    return digest.hexdigest()


def hamming(one: Bits, other: Bits) -> int:
    """Number of differing bits of two packed hashes."""
    return int(np.bitwise_count(one ^ other).sum())


def _fast(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.dtype == np.bool_ or array.dtype.byteorder == ">":
        array = array.astype(np.uint8 if array.dtype == np.bool_ else array.dtype.newbyteorder("="))
    if array.dtype.kind == "f":
        if array.dtype == np.float16:
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            array = np.nan_to_num(array, nan=-1e6, posinf=1e6, neginf=-1e6)
    return np.asfortranarray(array)


def _window(array: npt.NDArray[Any], modality: str) -> tuple[float, float, float]:
    is_8bit = array.min() >= 0 and array.max() <= 255  # a windowed export: its air is 0
    if modality == "CT" and not is_8bit:
        return (*CT_WINDOW_HU, CT_BODY_HU)
    step = max(1, round((array.size / 200_000) ** (1 / 3)))
    low, high = np.quantile(array[::step, ::step, ::step], (0.01, 0.99))
    return float(low), float(high), float(low + 0.1 * (high - low))


def _whole(array: npt.NDArray[Any]) -> Box:
    return tuple((0, size) for size in array.shape)


def _body_box(array: npt.NDArray[Any], threshold: float) -> Box:
    counts = profiles(array.T, threshold)[::-1]
    if not counts[0].any():
        return _whole(array)
    box = []
    for count in counts:
        inside = np.flatnonzero(count >= BODY_SHARE * count.max())
        box.append((int(inside[0]), int(inside[-1]) + 1))
    return tuple(box)


def _extent_mm(volume: Volume, box: Box) -> Extent:
    sizes = [(stop - start) * mm for (start, stop), mm in zip(box, volume.spacing, strict=True)]
    i, j, k = (sizes[axis] for axis in ras_axes(volume.affine)[0])
    return i, j, k


def _as_levels(means: Grid, low: float, high: float) -> Levels:
    scaled = (means - low) / max(high - low, 1e-6) * THUMBNAIL_LEVELS
    return np.rint(np.clip(scaled, 0, THUMBNAIL_LEVELS)).astype(np.uint8)


def _means(array: npt.NDArray[Any], box: Box, low: float, high: float, grid: int) -> Grid:
    edges = [np.linspace(0, stop - start, grid + 1) for start, stop in box]
    starts = np.array([start for start, _ in box])
    i, j, k = edges
    return block_means(array.T, starts[::-1].copy(), k, j, i, low, high).T


def _to_ras(array: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    order, flips = ras_axes(affine)
    steps = tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)
    return array.transpose(order)[steps]
