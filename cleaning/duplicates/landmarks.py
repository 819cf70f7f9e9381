"""Landmarks of a scan and the code of what lies around each: they survive a crop.

Definition, pinned (`hashing.HASH_VERSION`), on the canonical grid of cubes of g mm (g = 5; scans
whose mean side is below 200 mm get landmarks of g = 3.2 too):

1. The grid is blurred by Gaussians of 1.4 g and 2.1 g. Where their difference is a local extremum
   of 26 neighbours and beyond 0.02 lies a landmark, its place refined by a parabola per axis.
2. The strongest come first; one closer than 2.4 g to a stronger one is left out, and one whose
   surroundings the scan cuts off within the body. At most 128 (64 of the finer ones).
3. Around it 16 x 16 x 16 samples, 15.2 g a side, of the less blurred grid; less their mean, times
   a Gaussian window (sigma 0.45 of the half side); a 3-D DCT-II.
4. A bit per coefficient, set where it is positive: the 256 of lowest frequency, whole orbits of
   axis permutations, without those whose three indices are all even (their sign says only whether
   the landmark is bright or dark) and without (3,3,3), (5,5,5) ... So a flip of the scan flips
   known bits and a quarter turn permutes them.

The idea of comparing scans by local keypoints is that of 3D SIFT-Rank signatures (Chauvin, Toews
et al., arXiv:2103.06966); code and search differ: bits instead of ranks, fixed mm instead of
scales, an exact search instead of a k-d tree.
"""

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._kernels import blur, extrema, patches, spectra
from cleaning.duplicates.grid import Canonical

BITS = 256
SIDE = 16
FINE_CUBES, COARSE_CUBES = 1.4, 2.1  # sigmas of the two Gaussians
HALF_CUBES = 7.6
APART_CUBES = 2.4
WINDOW_SIGMA = 0.45
FLOOR = 0.02
AIR = 0.1
MAX_UNKNOWN = 0.06

Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Places and codes.

    Attributes:
        places_mm: float32 ``(n, 3)``, along the canonical axes from the scan's first corner.
        codes: packed bits, uint8 ``(n, 32)``.
        cube_mm: float32 ``(n,)``, side of the grid's cubes; different ones are never compared.
    """

    places_mm: npt.NDArray[np.float32]
    codes: Bits
    cube_mm: npt.NDArray[np.float32]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.codes)

    def first(self, n: int | None) -> "Landmarks":
        """The strongest ones; None: all."""
        return Landmarks(self.places_mm[:n], self.codes[:n], self.cube_mm[:n])


def frequencies() -> npt.NDArray[np.intp]:
    """Indices of the 256 coefficients, ``(256, 3)``, in the order of the bits."""
    found: list[tuple[int, ...]] = []
    orbits = [(i, j, k) for i in range(SIDE) for j in range(i, SIDE) for k in range(j, SIDE)]
    for orbit in sorted(orbits, key=lambda o: (sum(x * x for x in o), o)):
        if all(x % 2 == 0 for x in orbit) or (orbit[0] == orbit[2] > 1):
            continue
        members = sorted(set(permutations(orbit)))
        if len(found) + len(members) <= BITS:
            found += members
    return np.array(found, np.intp)


_FREQUENCIES = frequencies()


def landmarks(scan: Canonical, limit: int) -> Landmarks:
    """The landmarks of a scan, strongest first; none for a constant or tiny one."""
    if scan.is_constant or min(scan.grid.shape) < 4:
        return nothing()
    fine = blur(scan.grid, _taps(FINE_CUBES))
    difference = fine - blur(scan.grid, _taps(COARSE_CUBES))
    at = extrema(difference, FLOOR)
    if not len(at):
        return nothing()
    strength = np.abs(difference[tuple(at.T)])
    at = at[np.lexsort((at[:, 2], at[:, 1], at[:, 0], -strength))]
    places = at + _to_peak(difference, at)
    offsets = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1) * HALF_CUBES
    taken, cubes = patches(fine, places, offsets, limit, APART_CUBES, AIR, MAX_UNKNOWN)
    places_mm = ((places[taken] + 0.5) * scan.cube_mm + scan.corner_mm).astype(np.float32)
    sides = np.full(len(taken), scan.cube_mm, np.float32)
    return Landmarks(places_mm, codes_of(cubes), sides)


def nothing() -> Landmarks:
    """No landmarks."""
    return joined([])


def joined(parts: list[Landmarks]) -> Landmarks:
    """Landmarks of several grids of one scan."""
    return Landmarks(
        np.concatenate([np.zeros((0, 3), np.float32), *(p.places_mm for p in parts)]),
        np.concatenate([np.zeros((0, BITS // 8), np.uint8), *(p.codes for p in parts)]),
        np.concatenate([np.zeros(0, np.float32), *(p.cube_mm for p in parts)]),
    )


def codes_of(cubes: npt.NDArray[np.float32]) -> Bits:
    """The packed codes of cubes ``(n, 16, 16, 16)``."""
    part = spectra(cubes, _WINDOW, _BASIS)
    i, j, k = _FREQUENCIES.T
    return np.packbits(part[:, i, j, k] > 0, axis=1)


def flipped(codes: Bits, axes: tuple[bool, bool, bool]) -> Bits:
    """The codes that the scan flipped along the given axes has at the same landmarks."""
    odd = np.zeros(BITS, np.uint8)
    for axis, is_flipped in enumerate(axes):
        if is_flipped:
            odd ^= (_FREQUENCIES[:, axis] % 2).astype(np.uint8)
    return np.asarray(codes ^ np.packbits(odd), np.uint8)


def turned(codes: Bits, order: tuple[int, int, int]) -> Bits:
    """The codes of the scan whose axis n was axis ``order[n]``."""
    bits = np.unpackbits(codes, axis=-1)
    return np.packbits(bits[..., _sources(order)], axis=-1)


@cache
def _sources(order: tuple[int, int, int]) -> list[int]:
    """Which bit each bit was before a turn."""
    where = {tuple(f): n for n, f in enumerate(_FREQUENCIES.tolist())}
    source = []
    for frequency in _FREQUENCIES.tolist():
        was = [0, 0, 0]
        for new, old in enumerate(order):
            was[old] = frequency[new]
        source.append(where[tuple(was)])
    return source


def _taps(sigma: float) -> npt.NDArray[np.float32]:
    reach = int(np.ceil(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(taps / taps.sum(), np.float32)


def _to_peak(grid: npt.NDArray[np.float32], at: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """From voxels to the top of the parabola through each and its two neighbours, per axis."""
    here = grid[tuple(at.T)].astype(np.float64)
    shift = np.zeros(at.shape)
    for axis in range(3):
        step = np.zeros(3, np.int64)
        step[axis] = 1
        below, above = (grid[tuple((at + s).T)].astype(np.float64) for s in (-step, step))
        bend = below - 2 * here + above
        shift[:, axis] = np.clip(
            0.5 * (below - above) / np.where(bend == 0, np.inf, bend), -0.5, 0.5
        )
    return shift


def _basis() -> npt.NDArray[np.float32]:
    """DCT-II, orthonormal up to a positive factor per row: rows are frequencies."""
    n, row = np.arange(SIDE), np.arange(_FREQUENCIES.max() + 1)
    return np.cos(np.pi * (n[None] + 0.5) * row[:, None] / SIDE).astype(np.float32)


def _window() -> npt.NDArray[np.float32]:
    t = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1) / WINDOW_SIGMA
    w = np.exp(-0.5 * t * t)
    return (w[:, None, None] * w[None, :, None] * w[None, None, :]).astype(np.float32)


_BASIS = _basis()
_WINDOW = _window()
