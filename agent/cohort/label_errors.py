"""Labels that are wrong: one kind of error and one severity, done to masks whose truth is known.

The kinds are those that ScaleMAI (arXiv:2501.03410) and AbdomenAtlas-8K (arXiv:2305.09666) report
of public labels. How bad an error is, is what the Dice coefficient with the truth says: ``gross``
at most 0.6 (a person sees it in two seconds), ``moderate`` 0.65 to 0.8, ``subtle`` 0.84 to 0.92.
Each draw aims at a Dice within its range and reaches it by as many voxels as that takes, nearest
(or deepest) first in millimetres. Missing, false positive, swapped and wrong-class labels are gross
by nature. A false positive holds at least half of what is usual for its class.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Severity = Literal["gross", "moderate", "subtle"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
RANGES: Mapping[Severity, tuple[float, float]] = {
    "gross": (0.0, 0.6), "moderate": (0.65, 0.8), "subtle": (0.84, 0.92),
}  # fmt: skip
LEAST_AIM = 0.2  # of what is gross by degree; below, hardly anything of an eroded label is left
WHOLLY = ("missing", "false_positive", "left_right_swap", "wrong_class")  # gross by nature
KINDS = (
    *WHOLLY, "misplaced", "cut_off", "disconnected", "merged", "eroded", "dilated",
    "noisy_border", "other_patient",
)  # fmt: skip
WAVE_MM = 4.0  # of a noisy border
REACH_MM = 40.0  # around a structure in which it may grow
TRIES = 8


@dataclass(frozen=True, eq=False)
class Donor:
    """A true mask of another patient, in that scan's grid."""

    mask: Mask
    affine: Floats


@dataclass(frozen=True, eq=False)
class Scene:
    """The true masks of one scan and what else an error may be made of.

    Attributes:
        masks: class to mask ``(I, J, K)``; an empty one says that the structure is absent.
        affine: voxel to RAS+ mm.
        pairs: class to that of the other side.
        neighbours: class to what it may be taken for; others: the nearest structure.
        donors: class to masks of other patients.
        typical_ml: class to its usual volume, for false positives.
    """

    masks: Mapping[str, Mask]
    affine: Floats
    pairs: Mapping[str, str] = field(default_factory=dict)
    neighbours: Mapping[str, str] = field(default_factory=dict)
    donors: Mapping[str, Sequence[Donor]] = field(default_factory=dict)
    typical_ml: Mapping[str, float] = field(default_factory=dict)

    @property
    def spacing(self) -> Floats:
        """mm, in axis order."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def is_there(self, name: str) -> bool:
        """Whether a class has voxels here."""
        return name in self.masks and bool(self.masks[name].any())


@dataclass(frozen=True, eq=False)
class Drawn:
    """A drawn label and its Dice coefficient with the truth."""

    mask: Mask
    dsc: float


Maker = Callable[[str, Scene, Severity, np.random.Generator], Mask | None]


def dsc(first: Mask, second: Mask) -> float:
    """Dice coefficient; 1 when both are empty."""
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    return 1.0 if total == 0 else 2.0 * int(np.count_nonzero(first & second)) / total


def severities(kind: str) -> tuple[Severity, ...]:
    """How bad an error of this kind can be."""
    return ("gross",) if kind in WHOLLY else SEVERITIES


def corrupt_label(
    kind: str, name: str, scene: Scene, severity: Severity, seed: Sequence[int]
) -> Drawn | None:
    """A label of class `name` with one error; None where it cannot be made so.

    The same arguments give the same mask. Inputs stay as they are. The Dice with the truth lies in
    `RANGES` of the severity (0 where there is nothing in truth).

    Args:
        kind: one of `KINDS`.
        name: the class; in the scan's masks.
        scene: the truth.
        severity: one of `severities` of the kind.
        seed: of the random draw.

    Raises:
        KeyError: no such kind, or the kind has no such severity.
    """
    if severity not in severities(kind):
        raise KeyError(f"{kind} is never {severity}")
    truth = scene.masks[name]
    if truth.any() == (kind == "false_positive"):
        return None
    found = _MAKERS[kind](name, scene, severity, np.random.default_rng(list(seed)))
    if found is None:
        return None
    score = dsc(found, truth)
    low, high = RANGES[severity]
    return Drawn(found, score) if low <= score <= high else None


def _aim(severity: Severity, rng: np.random.Generator) -> float:
    low, high = RANGES[severity]
    slack = 0.02 * (high - low)  # a voxel more or less stays within
    return float(rng.uniform(max(low, LEAST_AIM) + slack, high - slack))


def _nothing(name: str, scene: Scene, severity: Severity, rng: np.random.Generator) -> Mask | None:
    return np.zeros_like(scene.masks[name])


def _false_positive(
    name: str, scene: Scene, severity: Severity, rng: np.random.Generator
) -> Mask | None:
    """A ball-like blob among the structures of the scan."""
    there = [mask for other, mask in scene.masks.items() if other != name and mask.any()]
    usual = scene.typical_ml.get(name, 0.0) or 30.0
    n = max(1, round(usual * rng.uniform(0.5, 1.2) / scene.voxel_ml))
    voxels = np.argwhere(there[int(rng.integers(len(there)))]) if there else None
    shape = scene.masks[name].shape
    middle = np.array(shape) / 2 if voxels is None else voxels[int(rng.integers(len(voxels)))]
    return _ball(shape, middle + rng.normal(0, 8, 3) / scene.spacing, n, scene, rng)


def _swap(name: str, scene: Scene, severity: Severity, rng: np.random.Generator) -> Mask | None:
    pair = scene.pairs.get(name, "")
    return scene.masks[pair].copy() if scene.is_there(pair) else None


def _wrong_class(
    name: str, scene: Scene, severity: Severity, rng: np.random.Generator
) -> Mask | None:
    pair = scene.pairs.get(name, "")
    others = [other for other in _near(name, scene) if other != pair]
    return scene.masks[others[0]].copy() if others else None


def _misplaced(
    name: str, scene: Scene, severity: Severity, rng: np.random.Generator
) -> Mask | None:
    """Moved in a random direction of the world, as far as the Dice asks for."""
    truth = scene.masks[name]
    low, high = RANGES[severity]
    for _ in range(TRIES):
        aim = rng.uniform(0.0, 0.9 * high) if severity == "gross" else _aim(severity, rng)
        way = rng.normal(size=3)
        per_mm = np.linalg.solve(scene.affine[:3, :3], way / np.linalg.norm(way))
        offsets = {
            tuple(np.rint(mm * per_mm).astype(int).tolist())
            for mm in np.arange(1.0, 120.0, float(scene.spacing.min()) / 2)
        }
        best, least = None, np.inf
        for offset in sorted(offsets, key=lambda o: (np.abs(o).sum(), o)):
            moved = shifted(truth, offset)
            if np.count_nonzero(moved) < 0.7 * np.count_nonzero(truth):
                break  # it has left the volume
            score = dsc(moved, truth)
            if abs(score - aim) < least and low <= score <= high:
                best, least = moved, abs(score - aim)
            if score < aim:
                break
        if best is not None:
            return best
    return None


def _cut_off(name: str, scene: Scene, severity: Severity, rng: np.random.Generator) -> Mask | None:
    """All beyond a plane across a random direction of the world is lost."""
    voxels = np.argwhere(scene.masks[name])
    heights = voxels @ scene.affine[:3, :3].T @ rng.normal(size=3)
    return _kept(scene.masks[name], voxels, heights, _aim(severity, rng))


def _eroded(name: str, scene: Scene, severity: Severity, rng: np.random.Generator) -> Mask | None:
    truth = scene.masks[name]
    voxels = np.argwhere(truth)
    depth = _depth(truth, scene, 0.0, rng)[1][truth[_box(truth, (1, 1, 1))]]
    return _kept(truth, voxels, depth, _aim(severity, rng))


def _kept(truth: Mask, voxels: npt.NDArray[np.intp], rank: Floats, aim: float) -> Mask:
    """The highest ranks, so many that the Dice is `aim`."""
    n = round(len(voxels) * aim / (2.0 - aim))
    chosen = voxels[np.argsort(-rank, kind="stable")[:n]]
    result = np.zeros_like(truth)
    result[tuple(chosen.T)] = True
    return result


def _dilated(name: str, scene: Scene, severity: Severity, rng: np.random.Generator) -> Mask | None:
    truth = scene.masks[name]
    box, depth = _depth(truth, scene, REACH_MM, rng)
    around = np.zeros_like(truth)
    around[box] = ~truth[box]
    return _grown(truth, around, -depth[~truth[box]], _aim(severity, rng))


def _merged(name: str, scene: Scene, severity: Severity, rng: np.random.Generator) -> Mask | None:
    """With as much of a neighbour as the Dice asks for, the nearest voxels first."""
    truth, aim = scene.masks[name], _aim(severity, rng)
    n = np.count_nonzero(truth)
    for other in _near(name, scene):
        more = scene.masks[other] & ~truth
        with_all = 2.0 * n / (2.0 * n + np.count_nonzero(more))
        if with_all <= RANGES[severity][1]:
            aim = max(aim, with_all)
            box = _box(truth | more, (1, 1, 1))
            away = ndimage.distance_transform_edt(~truth[box], sampling=scene.spacing)
            return _grown(truth, more, away[more[box]], aim)
    return None


def _grown(truth: Mask, more: Mask, rank: Floats, aim: float) -> Mask:
    """With the voxels of `more` of lowest rank, so many that the Dice is `aim`."""
    voxels = np.argwhere(more)
    n = round(2.0 * np.count_nonzero(truth) * (1.0 - aim) / aim)
    result = truth.copy()
    result[tuple(voxels[np.argsort(rank, kind="stable")[:n]].T)] = True
    return result


def _disconnected(
    name: str, scene: Scene, severity: Severity, rng: np.random.Generator
) -> Mask | None:
    """One to three further pieces that touch nothing of the structure."""
    truth, aim = scene.masks[name], _aim(severity, rng)
    n = round(2.0 * np.count_nonzero(truth) * (1.0 - aim) / aim)
    pieces = int(rng.integers(1, 4))
    result = truth.copy()
    grown = ndimage.binary_dilation(truth, np.ones((3, 3, 3)), iterations=2)
    voxels = np.argwhere(truth)
    radius = (3.0 * n / pieces * scene.voxel_ml * 1000.0 / (4.0 * np.pi)) ** (1 / 3)
    added, tries = 0, 0
    while added < n and tries < 5 * TRIES:
        tries += 1
        way = rng.normal(size=3)
        far = 1.3 * radius + rng.uniform(8.0, 40.0)
        step = np.linalg.solve(scene.affine[:3, :3], way / np.linalg.norm(way) * far)
        middle = voxels[int(rng.integers(len(voxels)))] + step
        if ((middle < 0) | (middle > np.array(truth.shape) - 1)).any():
            continue
        size = min(-(-n // pieces), n - added)
        ball = _ball(truth.shape, middle, size, scene, rng)
        if (ball & (grown | result)).any():
            continue
        result |= ball
        added += size
    return result if added >= n else None


def _noisy_border(
    name: str, scene: Scene, severity: Severity, rng: np.random.Generator
) -> Mask | None:
    """The border moved in and out by smooth noise, as strong as the Dice asks for."""
    truth, aim = scene.masks[name], _aim(severity, rng)
    box, depth = _depth(truth, scene, 12.0, rng)
    noise = ndimage.gaussian_filter(rng.standard_normal(depth.shape), WAVE_MM / 2 / scene.spacing)
    noise /= noise.std()
    low, high = 0.0, 200.0
    result = np.zeros_like(truth)
    for _ in range(24):
        middle = (low + high) / 2
        result[box] = depth + middle * noise > 0
        low, high = (middle, high) if dsc(result, truth) > aim else (low, middle)
    return result


def _other_patient(
    name: str, scene: Scene, severity: Severity, rng: np.random.Generator
) -> Mask | None:
    """Another patient's mask: as a mixed-up file (the volumes' centres meet) where gross, else
    laid over the structure."""
    donors, truth = scene.donors.get(name, ()), scene.masks[name]
    low, high = RANGES[severity]
    for n in rng.permutation(len(donors))[:TRIES]:
        donor = donors[int(n)]
        if severity == "gross":
            here, there = (np.array(m.shape) / 2 - 0.5 for m in (truth, donor.mask))
        else:
            here, there = (np.argwhere(m).mean(axis=0) for m in (truth, donor.mask))
        found = _laid(donor, scene.affine, truth.shape, here, there)
        if found.any() and low <= dsc(found, truth) <= high:
            return found
    return None


def _laid(
    donor: Donor, affine: Floats, shape: tuple[int, ...], here: Floats, there: Floats
) -> Mask:
    """A donor's mask in another grid, voxel `there` of its own laid on voxel `here`."""
    matrix = np.linalg.solve(donor.affine[:3, :3], affine[:3, :3])
    found = ndimage.affine_transform(
        donor.mask.astype(np.uint8), matrix, there - matrix @ here, shape, order=0
    )
    return np.asarray(found, dtype=bool)


_MAKERS: dict[str, Maker] = {
    "missing": _nothing,
    "false_positive": _false_positive,
    "left_right_swap": _swap,
    "wrong_class": _wrong_class,
    "misplaced": _misplaced,
    "cut_off": _cut_off,
    "disconnected": _disconnected,
    "merged": _merged,
    "eroded": _eroded,
    "dilated": _dilated,
    "noisy_border": _noisy_border,
    "other_patient": _other_patient,
}


def _near(name: str, scene: Scene) -> list[str]:
    """The other structures of the scan, the named neighbour first, then by centroid distance."""
    here = np.argwhere(scene.masks[name]).mean(axis=0)
    away = {
        other: float(np.linalg.norm(scene.affine[:3, :3] @ (np.argwhere(m).mean(axis=0) - here)))
        for other, m in scene.masks.items()
        if other != name and m.any()
    }
    first = scene.neighbours.get(name, "")
    return sorted(away, key=lambda other: (other != first, away[other], other))


def _depth(
    truth: Mask, scene: Scene, margin_mm: float, rng: np.random.Generator
) -> tuple[tuple[slice, ...], Floats]:
    """A box around a structure and how deep inside (negative: how far outside) each voxel lies, mm;
    a hair of noise orders voxels of one depth."""
    margin = np.ceil(margin_mm / scene.spacing).astype(int) + 1
    box = _box(truth, margin)
    inside = ndimage.distance_transform_edt(truth[box], sampling=scene.spacing)
    outside = ndimage.distance_transform_edt(~truth[box], sampling=scene.spacing)
    hair = rng.uniform(-0.01, 0.01, inside.shape) * float(scene.spacing.min())
    return box, np.asarray(inside - outside + hair)


def _box(mask: Mask, margin: Sequence[int] | npt.NDArray[np.int_]) -> tuple[slice, ...]:
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(0, s.start - int(m)), min(n, s.stop + int(m)))
        for s, n, m in zip(found, mask.shape, margin, strict=True)
    )


def shifted(mask: Mask, offset: tuple[int, ...]) -> Mask:
    """The mask moved by whole voxels; what leaves the volume is lost."""
    moved = np.zeros_like(mask)
    to, source = [], []
    for step, n in zip(offset, mask.shape, strict=True):
        to.append(slice(min(n, max(0, step)), max(0, min(n, n + step))))
        source.append(slice(min(n, max(0, -step)), max(0, min(n, n - step))))
    moved[tuple(to)] = mask[tuple(source)]
    return moved


def _ball(
    shape: tuple[int, ...],
    middle: npt.NDArray[np.floating],
    n: int,
    scene: Scene,
    rng: np.random.Generator,
) -> Mask:
    """The `n` voxels nearest to a place (voxel index), in mm, by a somewhat stretched measure."""
    reach = 2.0 * (3.0 * n * scene.voxel_ml * 1000.0 / (4.0 * np.pi)) ** (1 / 3)
    grow = np.ceil(reach / scene.spacing).astype(int) + 1
    middle = np.clip(middle, 0, np.array(shape) - 1)
    box = tuple(
        slice(max(0, int(m) - int(g)), min(s, int(m) + int(g) + 1))
        for m, g, s in zip(middle, grow, shape, strict=True)
    )
    grid = np.stack(np.meshgrid(*(np.arange(b.start, b.stop) for b in box), indexing="ij"), -1)
    away = (grid - middle) @ scene.affine[:3, :3].T / rng.uniform(0.8, 1.25, 3)
    square = (away**2).sum(axis=-1)
    order = np.argsort(square, axis=None, kind="stable")[:n]
    part = np.zeros(square.shape, dtype=bool)
    part.reshape(-1)[order] = True
    result = np.zeros(shape, dtype=bool)
    result[box] = part
    return result
