"""Areas of a surface between voxels, by the table of google-deepmind/surface-distance.

The table (marching cubes) is that project's (Apache-2.0, copyright 2018 Google Inc.), in another
form: the eight voxels around a corner make a code; a code's patches are unsigned normals in
eighths; a code and its complement have the same patches.
"""

import numpy as np
import numpy.typing as npt

# bit of each voxel around a corner: [before/after along axis 0][axis 1][axis 2]
BITS = np.array([[[128, 64], [32, 16]], [[8, 4], [2, 1]]], np.uint8)

_PATCHES = [
    "",
    "111",
    "004+004",
    "022+022",
    "040+040",
    "111+111",
    "202+202",
    "220+220",
    "400+400",
    "004+111+222",
    "022+022+111",
    "040+111+222",
    "111+111+111",
    "111+202+202",
    "111+220+220",
    "111+222+400",
    "004+111+111+222",
    "022+022+022+022",
    "022+111+202+333",
    "022+111+220+333",
    "040+111+111+222",
    "111+111+111+111",
    "111+111+222+222",
    "111+111+222+400",
    "111+202+220+333",
    "202+202+202+202",
    "220+220+220+220",
]
_CODES = (
    "ABBHBGFPBFGPHPPIBDFLFJMWFKNSOTXPBFDLFNKSFMJWOXTPHLLEOYULOUYLaOOH"
    "BFFODJKTFMNXLWSPGJNYJCQJNQZNYJNGFMKUKQRKMVQMUMKFPWSLTJKDXMNFOFFB"
)


def surface_areas(spacing: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """Area in mm2 of the surface at a corner, for each of the 256 codes."""
    i, j, k = spacing
    scale = np.array([j * k, i * k, i * j])
    each = []
    for patches in _PATCHES:
        normals = np.array([[int(n) for n in patch] for patch in patches.split("+") if patch])
        each.append(np.linalg.norm(normals.reshape(-1, 3) / 8 * scale, axis=1).sum())
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZa"
    half = [each[letters.index(code)] for code in _CODES]
    return np.array(half + half[::-1])
