"""Proof of a pair from the scans themselves: compared in cubes of 4 mm, not by the thumbnails.

Twice: within the window, where a windowed copy is like its original, and a wide way beyond it,
where a smoothed or sharpened one is: to cut values off before averaging moves every edge to air
and bone. The better of the two counts.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cleaning.duplicates.candidates import Candidate
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.grid import canonical
from cleaning.duplicates.hashing import CUBE_MM, ScanCodes, ScanFingerprint, fingerprint
from cleaning.duplicates.pairs import DEFAULT, DuplicatePair, compare, judged
from cleaning.duplicates.placing import is_same_size, turned_places
from cleaning.duplicates.registration import Image
from cleaning.duplicates.thumbnail import body_box
from voxcurate.nifti import read_nifti
from voxcurate.volume import Volume

PROOF_CUBE_MM = 4.0
CUBES_PER_SIDE = 60  # of a small scan: mean side over so many
BEYOND = 1.6  # window widths: -1000 to 1100 HU
MARGIN_CUBES = 2


class Fine(NamedTuple):
    """Images of a scan in small cubes: within the window, and beyond it."""

    within: Image
    beyond: Image


def fine_images(volume: Volume) -> Fine:
    """The body of a scan in cubes of 4 mm (less for a small one)."""
    side = float(np.prod(np.asarray(volume.shape) * volume.spacing)) ** (1 / 3)
    cube_mm = min(PROOF_CUBE_MM, side / CUBES_PER_SIDE)
    coarse = canonical(volume, CUBE_MM)
    within = canonical(volume, cube_mm, coarse.window)
    wide = canonical(volume, cube_mm, coarse.window, beyond=BEYOND)
    box = body_box(within.grid, MARGIN_CUBES)
    cube = np.full(3, within.cube_mm)
    corner = np.array([low for low, _ in box]) * within.cube_mm + within.corner_mm
    cut = tuple(slice(low, high) for low, high in box)
    one, other = (
        Image(np.ascontiguousarray(each.grid[cut]), cube, corner) for each in (within, wide)
    )
    return Fine(one, other)


def proved(
    pair: DuplicatePair,
    one: ScanFingerprint,
    other: ScanFingerprint,
    images: Fine,
    others: Fine,
    config: DuplicateConfig = DEFAULT,
) -> DuplicatePair | None:
    """The pair with the kind that the finer comparison gives; None if the scans are different."""
    if pair.kind == "identical_pixels" or pair.agreement is None:
        return pair
    candidate = Candidate(
        0,
        1,
        votes=pair.votes,
        offset_mm=_offset(pair, one, other, images.within),
        view_distance=pair.view_distance,
        turn=pair.turn,
        vote_turn=pair.vote_turn,
        voxel_offset=pair.voxel_offset,
        voxel_turn=pair.voxel_turn,
    )
    return judged(pair, one, other, images, others, candidate, config)


def _offset(
    pair: DuplicatePair, one: ScanCodes, other: ScanCodes, image: Image
) -> tuple[float, float, float] | None:
    """From the middle of the first image to the same place in the second, turned by the votes;
    None where the pair was not found by votes."""
    if pair.transform is None or not pair.votes or pair.turn != pair.vote_turn:
        return None
    to_first = np.asarray(np.linalg.solve(one.frame, pair.transform @ other.frame), np.float64)
    if not is_same_size(to_first):
        return None
    middle = image.corner_mm + image.size_mm / 2
    there = np.linalg.solve(to_first, [*middle, 1.0])[None, :3]
    i, j, k = turned_places(there, pair.turn)[0] - middle
    return float(i), float(j), float(k)


def prove_files(
    first: Path, second: Path, modality: str, config: DuplicateConfig = DEFAULT
) -> DuplicatePair | None:
    """The pair that two NIfTI files make, read and compared anew; None if they are different."""
    volumes = [read_nifti(path, allow_nonfinite=True) for path in (first, second)]
    one, other = (fingerprint(volume, modality) for volume in volumes)
    found = compare({"1": one, "2": other}, config)
    if not found:
        return None
    return proved(found[0], one, other, fine_images(volumes[0]), fine_images(volumes[1]), config)
