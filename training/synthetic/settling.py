"""A form, and where it lies: as large as drawn if it fits, else as the organ allows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from training.synthetic.config import LesionStyle, SyntheticConfig
from training.synthetic.fields import Floats
from training.synthetic.placement import TRIES, Bools, fits, places, room_of
from training.synthetic.pushing import PUSH, sources
from training.synthetic.shape import Lump, lump

SHRINK = (1.0, 1.0, 1.0, 0.85, 0.7, 0.55, 0.45, 0.35)  # try after try, each with a new form
SIZE_LIMITS_MM = (20.0, 40.0)
MIN_VOXELS = 2.0  # of a diameter
OF_ARRAY = 0.45  # of the array's shortest side is the largest radius
OUTWARD = 1.15  # reach of a form over the radius of its sphere, about


@dataclass(frozen=True, eq=False)
class Site:
    """Where a lesion grows in an array.

    Attributes:
        level: of its form, in the part of its box that lies in the array.
        radius_mm: of the sphere of its volume.
        here: that part of the box.
        wide: what it pushes; equal to `here` if nothing.
        at: voxel that each voxel of `wide` was before, ``(3, ...)``; None: it pushes nothing.
    """

    level: Floats
    radius_mm: float
    here: tuple[slice, ...]
    wide: tuple[slice, ...]
    at: Floats | None


def size_class(diameter_mm: float) -> int:
    """0: below 20 mm, 1: 20 to 40 mm, 2: above (the sizes of T1 to T3)."""
    first, second = SIZE_LIMITS_MM
    return 0 if diameter_mm < first else 1 if diameter_mm <= second else 2


def diameter(config: SyntheticConfig, generator: np.random.Generator) -> float:
    """A diameter in mm: the size class by its share, small ones more often within it."""
    shares = np.array(config.size_shares)
    limits = (config.smallest_mm, *SIZE_LIMITS_MM, config.largest_mm)
    n = int(generator.choice(3, p=shares / shares.sum()))
    low, high = limits[n], limits[n + 1]
    drawn = float(np.exp(generator.uniform(math.log(low), math.log(high))))
    return min(max(drawn, low), math.nextafter(high, 0.0))


def settle(
    free: Bools,
    spacing: Sequence[float],
    style: LesionStyle,
    config: SyntheticConfig,
    generator: np.random.Generator,
) -> Site | None:
    """A form where it fits, its tissue free wherever the array shows it; None: nowhere.

    Args:
        free: voxels that may become tumour.
    """
    room = room_of(free, spacing)
    sides = [n * s for n, s in zip(free.shape, spacing, strict=True)]
    largest = min(room.largest_mm, OF_ARRAY * min(sides))
    is_pushing = bool(generator.random() < config.mass_effect and config.expansion > 1)
    wanted = diameter(config, generator)
    expansion = float(generator.uniform(1, config.expansion)) if is_pushing else 1.0
    if is_pushing and wanted > 2 * largest * expansion:
        expansion = config.expansion
    least = max(config.smallest_mm, MIN_VOXELS * math.prod(spacing) ** (1 / 3))
    for n, shrink in enumerate(SHRINK):
        if is_pushing and n:
            expansion = config.expansion
        size = min(wanted, 2 * OUTWARD * largest * expansion) * shrink
        if size < least:
            return None
        form = lump(size, spacing, generator, elastic=style.elastic, elongation=style.elongation)
        taken = _taken(form, expansion, spacing)
        for middle in places(room, form.radius_mm / expansion, TRIES, spacing, generator):
            if fits(middle, taken, free):
                return _site(form, middle, expansion, free.shape, spacing)
    return None


def pushed(array: Floats, site: Site, *, is_linear: bool = False) -> Floats:
    """The `wide` part of an array after a site's mass effect; a leading axis stays.

    Nearest voxel (masks), or linear (HU).
    """
    if site.at is None:
        leading = (slice(None),) * (array.ndim - 3)
        return array[leading + site.wide].copy()
    if is_linear:
        moved: Floats = ndimage.map_coordinates(array, site.at, order=1, mode="nearest")
        return moved
    last = np.array(array.shape[-3:])[:, None, None, None] - 1
    i, j, k = np.clip(np.rint(site.at), 0, last).astype(np.intp)
    return array[..., i, j, k]


def _site(
    form: Lump,
    middle: npt.NDArray[np.intp],
    expansion: float,
    shape: Sequence[int],
    spacing: Sequence[float],
) -> Site:
    here = _box(middle, form.middle, shape)
    own = tuple(
        slice(b.start - int(m) + h, b.stop - int(m) + h)
        for b, m, h in zip(here, middle, form.middle, strict=True)
    )
    level = form.level[own]
    if expansion <= 1:
        return Site(level, form.radius_mm, here, here, None)
    wide = _box(middle, [math.ceil(PUSH * form.radius_mm / s) for s in spacing], shape)
    size = np.array(spacing, np.float32)[:, None, None, None]
    index = np.stack(np.meshgrid(*(np.arange(b.start, b.stop) for b in wide), indexing="ij"))
    centre = np.array(middle + np.array(form.beside), np.float32)[:, None, None, None]
    offset = (index.astype(np.float32) - centre) * size
    moved = sources(offset, form.radius_mm, expansion) - offset
    at = (index + moved / size).astype(np.float32)
    return Site(level, form.radius_mm, here, wide, at)


def _taken(form: Lump, expansion: float, spacing: Sequence[float]) -> npt.NDArray[np.int64]:
    """Voxels, from the middle one, whose tissue becomes lesion."""
    size, beside = np.array(spacing)[:, None], np.array(form.beside)[:, None]
    at = np.argwhere(form.inside).T - np.array(form.middle)[:, None]
    before = sources(((at - beside) * size).astype(np.float32), form.radius_mm, expansion)
    taken: npt.NDArray[np.int64] = np.rint(before / size + beside).astype(np.int64).T
    return np.unique(taken, axis=0) if expansion > 1 else taken


def _box(
    middle: npt.NDArray[np.intp], half: Sequence[int], shape: Sequence[int]
) -> tuple[slice, ...]:
    """The part of a box around a voxel that lies in an array."""
    return tuple(
        slice(max(0, int(m) - h), min(n, int(m) + h + 1))
        for m, h, n in zip(middle, half, shape, strict=True)
    )
