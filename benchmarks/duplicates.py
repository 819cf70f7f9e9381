"""Duplicate search: speed against faiss and imagehash, and how well copies are told from others.

``python -m benchmarks.duplicates speed`` needs no data; ``... quality --data ../shared/data`` makes
copies of real CTs, and follow-up scans (deformed, turned, other noise) that are no copies. Run it
under ``OMP_NUM_THREADS=1`` to compare single threads.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates, zoom

from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import fingerprint, thumbnail
from cleaning.duplicates.pairs import candidate_pairs, close_codes, group
from cleaning.duplicates.registration import agreement
from voxcurate.geometry import reorient
from voxcurate.nifti import read_nifti
from voxcurate.volume import Volume

PATTERNS = (
    "openkbp_ct/*/ct.nii.gz",
    "sts_ct/*/CT_image.nii.gz",
    "totalsegmentator_ct/example_ct.nii.gz",
    "ct_no_mask_3mm/*.nii.gz",
)
Image = npt.NDArray[np.float32]


def main() -> int:
    """Print figures as JSON; exit 1 where ours and the peer disagree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("speed", "quality"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--codes", type=int, default=25_362)
    parser.add_argument("--radius", type=int, default=15)
    parser.add_argument("--side", type=int, default=256, help="of the scan that is hashed")
    given = parser.parse_args()
    result: dict[str, Any] = {}
    equal = True
    if given.what == "quality":
        result = quality(given.data)
    else:
        result["pairs"] = pairs_speed(given.codes, given.radius)
        result["hash"] = hash_speed((given.side, given.side, given.side * 150 // 256))
        equal = all(entry["equal"] for entry in result["pairs"])
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return int(not equal)


def pairs_speed(n: int, radius: int) -> list[dict[str, Any]]:
    """All close pairs of random codes with planted neighbours: ours, flat and multi-index."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (n, 32)).astype(np.uint8)
    for at in range(n // 10):
        bits = np.unpackbits(codes[at])
        bits[rng.choice(256, at % 40, replace=False)] ^= 1
        codes[n - 1 - at] = np.packbits(bits)
    want, peer_s = timed(lambda: faiss_flat(codes, radius))
    entries = []
    for name, limit in (("flat", n), ("multi-index", 0)):
        found, ours_s = timed(partial(close_codes, codes, radius, flat_limit=limit))
        entries.append(
            {
                "index": name,
                "codes": n,
                "radius": radius,
                "pairs": len(found),
                "equal": bool(np.array_equal(found, want)),
                "ours_s": round(ours_s, 3),
                "faiss_flat_s": round(peer_s, 3),
            }
        )
    return entries


def faiss_flat(codes: npt.NDArray[np.uint8], radius: int) -> npt.NDArray[np.int64]:
    """The peer: faiss' flat index searched with every code at once."""
    import faiss

    index = faiss.IndexBinaryFlat(256)
    index.add(codes)
    limits, _, found = index.range_search(codes, radius + 1)
    query = np.searchsorted(limits, np.arange(len(found)), side="right") - 1
    keep = query < found
    pairs = np.stack((query[keep], found[keep]), axis=1)
    return np.asarray(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))], np.int64)


def hash_speed(shape: tuple[int, ...]) -> dict[str, Any]:
    """One fingerprint against imagehash's phash of every slice."""
    import imagehash
    from PIL import Image as Picture

    rng = np.random.default_rng(0)
    array = np.asfortranarray(rng.integers(-1000, 1000, shape).astype(np.int16))
    volume = Volume(array, np.diag([1.0, 1.0, 2.0, 1.0]))

    def peer() -> None:
        for k in range(shape[2]):
            scaled = (np.clip(array[:, :, k], -500, 500) + 500) / 1000 * 255
            imagehash.phash(Picture.fromarray(scaled.astype(np.uint8)))

    fingerprint(volume)
    _, views_s = timed(lambda: thumbnail(volume))
    _, ours_s = timed(lambda: fingerprint(volume))
    _, peer_s = timed(peer)
    return {
        "shape": shape,
        "thumbnail_s": round(views_s, 3),
        "fingerprint_with_sha256_s": round(ours_s, 3),
        "imagehash_slices_s": round(peer_s, 3),
    }


def quality(data: Path) -> dict[str, Any]:
    """Recall per kind of copy, false pairs among follow-ups and among different patients."""
    paths = sorted(path for pattern in PATTERNS for path in data.glob(pattern))
    scans = [reorient(read_nifti(path)) for path in paths[1::2]]
    marks = {f"{n:03}": fingerprint(scan) for n, scan in enumerate(scans)}
    limits = DuplicateConfig()
    found: dict[str, list[int]] = {}
    for n, scan in enumerate(scans):
        if n % 3 == 0:
            for kind, other in variants(scan, n):
                at = found.setdefault(kind, [0, 0, 0, 0, 0])
                pair = {"a": marks[f"{n:03}"], "b": fingerprint(other)}
                at[0] += 1
                at[1] += bool(candidate_pairs(list(pair.values())))
                confirmed = bool(group(pair))
                at[2] += confirmed
                detail = fine_detail(scan, other) if confirmed else 0.0
                at[3] += detail >= limits.min_fine_detail_ncc
                at[4] += detail >= limits.min_same_patient_detail_ncc
    return {
        "columns": ["made", "candidates", "by thumbnail", "proved", "proved, same patient"],
        "copies": {k: v for k, v in found.items() if not k.startswith("follow-up")},
        "follow-ups": {k: v for k, v in found.items() if k.startswith("follow-up")},
        "different patients": {
            "scans": len(scans),
            "pairs": len(scans) * (len(scans) - 1) // 2,
            "candidates": len(candidate_pairs(list(marks.values()))),
            "confirmed": len(group(marks)),
        },
    }


def fine_detail(one: Volume, other: Volume) -> float:
    """What the stage's proof measures."""
    blocks = DuplicateConfig().proof_grid
    return agreement(*thumbnail(one, grid=blocks), *thumbnail(other, grid=blocks)).detail_ncc


def variants(scan: Volume, seed: int) -> Iterator[tuple[str, Volume]]:
    """Copies of a scan in other guises, and follow-ups of the same patient."""
    rng = np.random.default_rng(seed)
    image, affine = scan.array.astype(np.float32), scan.affine
    size = np.array(scan.shape)
    mirror = affine @ np.array([[-1, 0, 0, size[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    yield "reoriented", Volume(image[::-1], mirror)
    yield "noise 20 HU", Volume(image + rng.normal(0, 20, scan.shape).astype(np.float32), affine)
    yield "gain 1.05, +15 HU", Volume(image * 1.05 + 15, affine)
    yield "clipped -200..300", Volume(np.clip(image, -200, 300), affine)
    for share in (2, 5, 10):
        m = np.maximum(1, size * share // 100)
        box = tuple(slice(int(a), -int(a)) for a in m)
        yield f"cropped {share} % a side", Volume(image[box], affine)
    yield "cropped 10 % in z", Volume(image[:, :, size[2] // 10 :], affine)
    yield "padded", Volume(np.pad(image, 8, constant_values=-1000), affine)
    small = zoom(image, 0.6, order=1)
    yield "resampled x 0.6", Volume(small, affine @ np.diag([*(size / small.shape), 1]))
    for mm, degrees in ((2.0, 1.0), (4.0, 2.0), (8.0, 4.0)):
        yield f"follow-up {mm:g} mm {degrees:g} deg", follow_up(scan, rng, mm, degrees)


def follow_up(scan: Volume, rng: np.random.Generator, mm: float, degrees: float) -> Volume:
    """The patient on another day: smooth deformation, turned about z, other noise."""
    grid = np.indices(scan.shape).astype(np.float32)
    spacing = np.array(scan.spacing)
    for axis in range(3):
        field = gaussian_filter(rng.normal(size=scan.shape).astype(np.float32), 25 / spacing)
        grid[axis] += field / field.std() * mm / spacing[axis]
    x, y = ((grid[a] - scan.shape[a] / 2) * spacing[a] for a in (0, 1))
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    grid[0] = scan.shape[0] / 2 + (x * c - y * s) / spacing[0]
    grid[1] = scan.shape[1] / 2 + (x * s + y * c) / spacing[1]
    image = map_coordinates(scan.array.astype(np.float32), grid, order=1, mode="nearest")
    return scan.with_array(image + rng.normal(0, 15, scan.shape).astype(np.float32))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result and the seconds it took."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


if __name__ == "__main__":
    raise SystemExit(main())
