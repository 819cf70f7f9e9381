"""Synthetic tumours: samples per second and what they reach, beside the published recipe.

Run: ``OMP_NUM_THREADS=1 python -m benchmarks.synthetic_tumours`` (a phantom liver with vessels, in
the patch of the CPU configuration; ``--side 96 --spacing 1.5`` for a GPU's), with ``--scan CT
--labels MAP --organ 5`` on a real scan.

The peer is the recipe of SyntheticTumors (Hu et al., CVPR 2023) as its paper and code have it,
written plainly with scipy: a random voxel of the eroded organ, an ellipsoid deformed elastically
by a 3 x 3 x 3 grid in three planes' worth of directions, a blurred edge, textures made beforehand
(not timed), 65 to 145 HU times a texture of about a half darker. It looks at no vessel. Both get
the same sizes to make. Exit status 1 if ours is slower than the peer, hits a vessel, or leaves the
organ.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from training.synthetic.config import LesionStyle, SyntheticConfig
from training.synthetic.settling import diameter, size_class
from training.synthetic.tumour import grow

NAMES = ("small", "medium", "large")
SHARES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
TEXTURES = 10
STYLE = LesionStyle(hypo=1.0, hyper=0.0, iso=0.0, fluid=0.0, core=0.0)
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


class Scene(NamedTuple):
    """What tumours grow in."""

    hu: Floats
    organ: Bools
    vessel: Bools
    spacing: tuple[float, float, float]


class Made(NamedTuple):
    """What one sample came to; None: no tumour."""

    mask: Bools
    hu: Floats
    background: Floats
    organ: Bools
    vessel: Bools


def main() -> int:
    """Print the comparison as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--spacing", type=float, default=3.0)
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--organ", type=int, default=5)
    given = parser.parse_args()
    real = given.scan and given.labels
    scene = _real(given) if real else phantom(given.side, given.spacing)
    peer = Peer(scene)
    found: dict[str, Any] = {"shape": scene.hu.shape, "spacing_mm": scene.spacing}
    for n, name in enumerate(NAMES):
        ours = {
            way: _measure(scene, partial(_grown, scene, n, push), n, given.samples)
            for way, push in (("plain", 0.0), ("pushing", 1.0))
        }
        theirs = _measure(scene, partial(peer.made, n), n, given.samples)
        ratio = ours["plain"]["per_s"] / max(theirs["per_s"], 1e-9)
        found[name] = {**ours, "peer": theirs, "plain_over_peer": round(ratio, 2)}
    reached = all(
        found[name]["plain_over_peer"] >= 1
        and all(
            found[name][way][bad] == 0
            for way in ("plain", "pushing")
            for bad in ("hit_a_vessel", "left_the_organ")
        )
        for name in NAMES
    )
    sys.stdout.write(json.dumps({**found, "reached": reached}, indent=1) + "\n")
    return int(not reached)


def phantom(side: int, spacing: float) -> Scene:
    """A liver-like ellipsoid that a patch cuts, with six vessels through it."""
    shape = (side, side * 3 // 4, side)
    generator = np.random.default_rng(0)
    at = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).astype(np.float32)
    away = (at - (np.array(shape) - 1)[:, None, None, None] / 2) * np.float32(spacing)
    half = np.array([0.55, 0.42, 0.45])[:, None, None, None] * side * spacing
    organ = ((away / half) ** 2).sum(axis=0) <= 1
    vessel = np.zeros(shape, dtype=bool)
    for _ in range(6):
        axis = generator.standard_normal(3)
        axis /= np.linalg.norm(axis)
        start = generator.uniform(-0.25, 0.25, 3) * side * spacing
        rest = away - start[:, None, None, None]
        along = np.tensordot(axis, rest, axes=1)
        distance = np.sqrt(np.maximum((rest**2).sum(axis=0) - along**2, 0))
        vessel |= organ & (distance <= max(3.0, spacing))
    hu = np.where(organ, 105.0, -60.0) + generator.normal(0, 12, shape)
    hu[vessel] += 45
    return Scene(hu.astype(np.float32), organ, vessel, (spacing, spacing, spacing))


def _real(given: argparse.Namespace) -> Scene:
    from voxcurate.nifti import read_nifti

    scan, labels = read_nifti(given.scan), read_nifti(given.labels)
    organ = labels.array == given.organ
    i, j, k = scan.spacing
    return Scene(scan.array.astype(np.float32), organ, np.zeros_like(organ), (i, j, k))


def _grown(scene: Scene, size: int, push: float, seed: int) -> Made | None:
    config = SyntheticConfig(size_shares=SHARES[size], mass_effect=push, capsule=0.0)
    tissue = np.stack([scene.organ, scene.vessel]).astype(np.float32)
    made = grow(
        scene.hu,
        scene.organ,
        scene.vessel,
        scene.spacing,
        STYLE,
        config,
        np.random.default_rng(seed),
        [tissue],
    )
    if made is None:
        return None
    organ, vessel = made.carried[0] > 0
    return Made(made.mask, made.hu, made.background, organ, vessel)


class Peer:
    """The published recipe."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        generator = np.random.default_rng(1)
        self._textures = [self._texture(generator) for _ in range(TEXTURES)]

    def made(self, size: int, seed: int) -> Made | None:
        """One tumour."""
        scene, generator = self._scene, np.random.default_rng(seed)
        config = SyntheticConfig(size_shares=SHARES[size])
        radius = diameter(config, generator) / 2
        radii = radius * generator.uniform(0.75, 1.25, 3)
        inner = ndimage.binary_erosion(scene.organ, np.ones((5, 5, 1)))
        places = np.argwhere(inner)
        if not len(places):
            return None
        centre = places[generator.integers(len(places))]
        geometry = self._elastic(self._ellipsoid(radii), size, generator)
        whole = self._placed(geometry, centre)
        texture = self._textures[generator.integers(TEXTURES)]
        soft = ndimage.gaussian_filter(whole, generator.uniform(1, 2)) * scene.organ
        hu = scene.hu - texture * soft * np.float32(generator.uniform(65, 145))
        mask = (whole >= 0.5) & scene.organ
        return Made(mask, hu, scene.hu, scene.organ, scene.vessel) if mask.any() else None

    def _texture(self, generator: np.random.Generator) -> Floats:
        shape = self._scene.hu.shape
        smooth = ndimage.gaussian_filter(generator.random(shape), generator.choice([3, 6, 9]))
        smooth = (smooth - smooth.min()) / np.ptp(smooth)
        dots = generator.random(shape) < smooth * generator.uniform(0.19, 0.21) + 0.05
        field = ndimage.gaussian_filter(dots.astype(np.float32), generator.choice([4, 7]))
        scaled: Floats = np.clip(field / field.mean() * 0.52, 0, 1).astype(np.float32)
        return scaled

    def _ellipsoid(self, radii: npt.NDArray[np.float64]) -> Floats:
        half = [math.ceil(1.5 * r / s) for r, s in zip(radii, self._scene.spacing, strict=True)]
        grid = np.ogrid[tuple(slice(-h, h + 1) for h in half)]
        inside = sum(
            (g * s / r) ** 2 for g, s, r in zip(grid, self._scene.spacing, radii, strict=True)
        )
        ellipsoid: Floats = (inside <= 1).astype(np.float32)
        return ellipsoid

    def _elastic(self, geometry: Floats, size: int, generator: np.random.Generator) -> Floats:
        """Each plane's pair of axes deformed in turn by a grid of 3 x 3 points."""
        strength = generator.uniform(*((0.5, 2), (3, 6), (5, 10))[size])
        strength /= self._scene.spacing[0]
        for plane in ((0, 1), (1, 2), (0, 2)):
            at = np.indices(geometry.shape, dtype=np.float32)
            shape = [geometry.shape[axis] for axis in plane]
            for axis in plane:
                knots = generator.normal(0, strength, (3, 3))
                fine = ndimage.zoom(knots, [n / 3 for n in shape], order=3)
                rest = next(a for a in range(3) if a not in plane)
                at[axis] += np.expand_dims(fine, rest)
            geometry = ndimage.map_coordinates(geometry, at, order=1)
        return geometry

    def _placed(self, geometry: Floats, centre: Sequence[int]) -> Floats:
        whole = np.zeros(self._scene.hu.shape, dtype=np.float32)
        own: list[slice] = []
        here: list[slice] = []
        side: int
        for c, n, side in zip(centre, geometry.shape, whole.shape, strict=True):
            start = int(c) - n // 2
            here.append(slice(max(0, start), min(side, start + n)))
            own.append(slice(here[-1].start - start, here[-1].stop - start))
        whole[tuple(here)] = geometry[tuple(own)]
        return whole


def _measure(
    scene: Scene, make: Callable[[int], Made | None], size: int, samples: int
) -> dict[str, Any]:
    """Speed by the median of processor time, and shares of what was reached."""
    times, made = [], []
    for seed in range(samples):
        start = process_time()
        one = make(seed)
        times.append(process_time() - start)
        if one is not None:
            made.append(one)
    voxel = math.prod(scene.spacing)
    sizes = [size_class(2 * (0.75 * m.mask.sum() * voxel / math.pi) ** (1 / 3)) for m in made]
    contrasts = [abs(float(np.median((m.hu - m.background)[m.mask]))) for m in made]
    n = max(1, len(made))
    return {
        "per_s": round(1 / float(np.median(times)), 1),
        "ms": round(1e3 * float(np.median(times)), 1),
        "grown": len(made) / samples,
        "size_class_reached": round(sum(s == size for s in sizes) / samples, 3),
        "hit_a_vessel": sum(bool((m.mask & m.vessel).any()) for m in made) / n,
        "left_the_organ": sum(bool((m.mask & ~m.organ).any()) for m in made) / n,
        "in_one_piece": sum(ndimage.label(m.mask, np.ones((3, 3, 3)))[1] == 1 for m in made) / n,
        "contrast_hu_5_to_95": [round(float(v)) for v in np.percentile(contrasts, (5, 95))]
        if contrasts
        else [],
    }


if __name__ == "__main__":
    raise SystemExit(main())
