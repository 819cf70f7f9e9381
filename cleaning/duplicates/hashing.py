"""The fingerprint of a scan: what is kept of it to find and to prove its duplicates.

Five parts, definition version 3, pinned, for fingerprints are stored (docs/duplicates.md):

- `pixels`: a hash of the values in RAS+ order: equal for any lossless re-encoding.
- `landmarks`: places and 256-bit codes of up to 128 landmarks: found again in any crop.
- `voxels`: landmarks on the scan's own voxels, for copies that are cropped and lost their spacing.
- `whole`, `body`: one 256-bit code each of the whole field of view and of the body's box, scaled to
  32 x 32 x 32: they need no spacing, and know the scan that is too thin for landmarks.
- `thumbnail`: the scan in cubes of 5 mm or more.

An affine change of intensities changes little, noise hardly any bit, for all is averaged over
cubes of 5 mm first.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._kernels import spectra
from cleaning.duplicates.grid import Canonical, Grid, canonicals, plain
from cleaning.duplicates.landmarks import Bits, Landmarks, frequencies, joined, landmarks
from cleaning.duplicates.threads import in_threads, thread_count
from cleaning.duplicates.thumbnail import Thumbnail, body_box, resized, thumbnail
from cleaning.duplicates.voxel_marks import CUBE, N_VOXEL, VoxelMarks, rung_affine, rungs
from voxcurate.geometry import ras_axes
from voxcurate.volume import Volume

HASH_VERSION = 3
CUBE_MM = 5.0
FINE_CUBE_MM = 3.2
FINE_BELOW_MM = 200.0  # mean side of a scan that gets finer landmarks too
PLANES = 2  # of voxels that are read of a cube: as many again take twice the time
N_LANDMARKS = 128
N_FINE = 64
VIEW_SIDE = 32
PLACE_STEP_MM = 0.05


@dataclass(frozen=True, eq=False)
class ScanCodes:
    """What candidates are searched by: a fingerprint without its thumbnail, 8 kB instead of 60.

    Attributes:
        pixels: hash of shape and values in RAS+ order.
        landmarks: places and codes.
        whole, body: packed codes, uint8 ``(32,)``, of the two views.
        frame: from mm along the canonical axes to RAS+ world mm, ``(4, 4)``.
        spacing: of the scan, mm, RAS+ order.
        is_empty: a constant scan, of which nothing can be said.
        voxels: landmarks on the scan's own voxels, on several rungs if its spacing was lost.
    """

    pixels: str
    landmarks: Landmarks
    whole: Bits
    body: Bits
    frame: npt.NDArray[np.float64]
    spacing: tuple[float, float, float]
    is_empty: bool = False
    voxels: tuple[VoxelMarks, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ScanCodes":
        """The codes in what `ScanFingerprint.as_dict` wrote.

        Raises:
            ValueError: it was written by another version of the definition.
        """
        return cls(**_codes_in(data))


@dataclass(frozen=True, eq=False)
class ScanFingerprint(ScanCodes):
    """What is kept of a scan to find its duplicates, and with the thumbnail to compare it."""

    thumbnail: Thumbnail = field(kw_only=True)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the catalog, below 24 kB; more where the spacing was lost."""
        return {
            "version": HASH_VERSION,
            "pixels": self.pixels,
            "whole": self.whole.tobytes().hex(),
            "body": self.body.tobytes().hex(),
            **_marks_out(self.landmarks),
            "voxels": [
                {"powers": list(one.powers), **_marks_out(one.landmarks)} for one in self.voxels
            ],
            "cubes_mm": [
                [round(float(side), 4), int(n)]
                for side, n in zip(
                    *np.unique(-self.landmarks.cube_mm, return_counts=True), strict=True
                )
            ],
            "thumbnail": self.thumbnail.as_dict(),
            "frame": np.round(self.frame[:3], 6).ravel().tolist(),
            "spacing": [round(s, 6) for s in self.spacing],
            "is_empty": self.is_empty,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ScanFingerprint":
        """The fingerprint that `as_dict` wrote.

        Raises:
            ValueError: it was written by another version of the definition.
        """
        return cls(**_codes_in(data), thumbnail=Thumbnail.from_dict(data["thumbnail"]))


def _codes_in(data: Mapping[str, Any]) -> dict[str, Any]:
    if data.get("version") != HASH_VERSION:
        raise ValueError(f"want fingerprint version {HASH_VERSION}, got {data.get('version')}")
    sides = [np.full(n, -side, np.float32) for side, n in data["cubes_mm"]]
    frame = np.eye(4)
    frame[:3] = np.reshape(data["frame"], (3, 4))
    i, j, k = data["spacing"]
    return {
        "pixels": data["pixels"],
        "landmarks": _marks_in(data, np.concatenate([np.zeros(0, np.float32), *sides])),
        "voxels": tuple(_voxels_in(one) for one in data["voxels"]),
        "whole": np.frombuffer(bytes.fromhex(data["whole"]), np.uint8),
        "body": np.frombuffer(bytes.fromhex(data["body"]), np.uint8),
        "frame": frame,
        "spacing": (float(i), float(j), float(k)),
        "is_empty": bool(data["is_empty"]),
    }


def _voxels_in(data: Mapping[str, Any]) -> VoxelMarks:
    i, j, k = data["powers"]
    return VoxelMarks((int(i), int(j), int(k)), _marks_in(data))


def _marks_in(data: Mapping[str, Any], cube_mm: npt.NDArray[np.float32] | None = None) -> Landmarks:
    places = np.frombuffer(base64.b85decode(data["places"]), "<u2").reshape(-1, 3)
    return Landmarks(
        (places * PLACE_STEP_MM).astype(np.float32),
        np.frombuffer(base64.b85decode(data["codes"]), np.uint8).reshape(-1, 32),
        np.full(len(places), CUBE_MM, np.float32) if cube_mm is None else cube_mm,
    )


def _marks_out(marks: Landmarks) -> dict[str, str]:
    places = np.rint(marks.places_mm / PLACE_STEP_MM).astype("<i4")
    return {"codes": _text(marks.codes.tobytes()), "places": _text(places.astype("<u2").tobytes())}


def fingerprint(volume: Volume, modality: str = "CT") -> ScanFingerprint:
    """The fingerprint of a scan of any modality: units are found from the values."""
    codes, grid = scan_codes(volume)
    return ScanFingerprint(
        **{one.name: getattr(codes, one.name) for one in fields(codes)}
        | {"pixels": pixel_hash(volume), "thumbnail": thumbnail(grid)},
    )


def scan_codes(volume: Volume) -> tuple[ScanCodes, Canonical]:
    """What candidates are searched by, but for the hash of the values, and the finest grid."""
    is_small = _mean_side_mm(volume) < FINE_BELOW_MM
    powers = rungs(volume)
    asked = [(volume.affine, side) for side in (CUBE_MM, FINE_CUBE_MM)[: 1 + is_small]]
    on_voxels = [(rung_affine(volume, one), CUBE) for one in powers]
    scan, *others = canonicals(volume, [*asked, *on_voxels], planes=PLANES)
    fine = others.pop(0) if is_small and not scan.is_constant else None
    order, _ = ras_axes(volume.affine)
    i, j, k = (volume.spacing[axis] for axis in order)

    def voxels() -> tuple[VoxelMarks, ...]:
        if scan.is_constant:
            return ()
        found = (_storable(landmarks(grid, N_VOXEL)) for grid in others)
        return tuple(VoxelMarks(one, marks) for one, marks in zip(powers, found, strict=True))

    parts: tuple[Callable[[], Any], ...] = (
        voxels,
        lambda: (all_landmarks(scan, fine), *view_codes(scan)),
    )
    own, (found, whole, body) = in_threads(lambda part: part(), parts, min(2, thread_count()))
    codes = ScanCodes("", found, whole, body, scan.frame, (i, j, k), scan.is_constant, own)
    return codes, fine or scan


def all_landmarks(scan: Canonical, fine: Canonical | None) -> Landmarks:
    """The landmarks of the canonical grid and, for a small scan, those of the finer one."""
    found = [landmarks(scan, N_LANDMARKS)]
    if fine is not None:
        found.append(landmarks(fine, N_FINE))
    return _storable(joined(found))


def _mean_side_mm(volume: Volume) -> float:
    return float(np.cbrt(np.prod(np.asarray(volume.shape) * volume.spacing)))


def view_codes(scan: Canonical) -> tuple[Bits, Bits]:
    """Codes of the whole field of view and of the body's box; all zero for a constant scan."""
    box = tuple(slice(a, b) for a, b in body_box(scan.grid))
    return view_code(scan.grid), view_code(scan.grid[box])


def view_code(grid: Grid) -> Bits:
    """The packed code, uint8 ``(32,)``, of a grid of any size."""
    if float(np.ptp(grid)) < 1e-6:
        return np.zeros(len(_FREQUENCIES) // 8, np.uint8)
    cube = resized(grid, (VIEW_SIDE, VIEW_SIDE, VIEW_SIDE))
    part = spectra(cube[None], _EVEN, _BASIS)[0]
    return np.packbits(part[tuple(_FREQUENCIES.T)] > 0)


def pixel_hash(volume: Volume) -> str:
    """BLAKE2b of shape and values in RAS+ axis order; whole numbers hash alike in any type."""
    order, flips = ras_axes(volume.affine)
    steps = tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)
    ras = plain(volume.array).transpose(order)[steps]
    if ras.dtype.kind == "f":
        whole = np.rint(ras)
        if np.array_equal(whole, ras) and np.abs(whole).max(initial=0) < 2**31:
            ras = whole.astype(np.int32)
    elif ras.dtype.itemsize > 4 or ras.dtype == np.uint32:
        ras = ras.astype(np.int64)
    small = ras.dtype.kind in "iu" and ras.min() >= -(2**15) and ras.max() < 2**15
    ras = ras.astype(np.int16) if small else ras
    digest = hashlib.blake2b(repr((ras.shape, ras.dtype.kind)).encode(), digest_size=32)
    for plane in np.moveaxis(ras, 2, 0):
        digest.update(np.ascontiguousarray(plane.T).data)
    return digest.hexdigest()


def _storable(found: Landmarks) -> Landmarks:
    """Places as they will be read back: in steps of 0.05 mm, none below 0 or beyond 3.2 m."""
    steps = np.clip(np.rint(found.places_mm / PLACE_STEP_MM), 0, 65535)
    return Landmarks((steps * PLACE_STEP_MM).astype(np.float32), found.codes, found.cube_mm)


def _text(data: bytes) -> str:
    return base64.b85encode(data).decode("ascii")


_FREQUENCIES = frequencies()
_EVEN = np.ones((VIEW_SIDE, VIEW_SIDE, VIEW_SIDE), np.float32)
_BASIS = np.cos(
    np.pi
    * (np.arange(VIEW_SIDE)[None] + 0.5)
    * np.arange(_FREQUENCIES.max() + 1)[:, None]
    / VIEW_SIDE
).astype(np.float32)
