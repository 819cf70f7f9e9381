"""Synthetic tumours in a training sample: what they do to its masks and to what is known."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from training.data.patches import Floats, Patch
from training.synthetic.config import LesionStyle, SyntheticConfig
from training.synthetic.placement import bright, widened
from training.synthetic.tumour import Tumour, grow


@dataclass(frozen=True)
class Site:
    """Where lesions of a class grow, all by position in the class list.

    Attributes:
        lesion: the class.
        hosts: organs that may contain it.
        vessels: classes that it must not touch.
        also: broader lesion classes: they have what it has.
        unsure: classes that may or may not share its voxels: there they are unknown.
        kin: lesion classes of the same organs, itself included; a case with one is not healthy.
        unproven: ids of cases where nothing is known of such lesions.
        weight: of what is learnt from them.
    """

    lesion: int
    hosts: tuple[int, ...]
    vessels: tuple[int, ...] = ()
    also: tuple[int, ...] = ()
    unsure: tuple[int, ...] = ()
    kin: tuple[int, ...] = ()
    unproven: frozenset[str] = frozenset()
    style: LesionStyle = field(default_factory=LesionStyle)
    weight: float = 0.5


def add_tumours(
    patch: Patch,
    site: Site,
    spacing: Sequence[float],
    config: SyntheticConfig,
    generator: np.random.Generator,
    *,
    is_proven: bool = True,
) -> tuple[Patch, list[Tumour]]:
    """The patch with one or several tumours in one of its organs.

    Args:
        spacing: mm per voxel.
        is_proven: the organ is known to be without such lesions, so that all of it teaches; else
            only the tumours' own voxels do.

    Returns:
        the patch, and the tumours (none where no organ of theirs is in the patch, or none of a
        fitting size): the patch is then the one given.
    """
    host = _host(patch, site, generator)
    if host is None:
        return patch, []
    full = np.broadcast_to(patch.weight, patch.target.shape)
    carried = [patch.target, np.ascontiguousarray(full)]
    vessels = patch.target[list(site.vessels)].any(axis=0)
    found: list[Tumour] = []
    hu = patch.hu
    bright_ones = bright(hu, patch.target[host] > 0, config.bright_scatter)
    blocked = widened(vessels | bright_ones, config.vessel_mm, spacing)
    for _ in range(_how_many(config, generator)):
        target, weight = carried
        organ = (target[host] > 0) & (weight[host] > 0)
        tumour = grow(
            hu,
            organ,
            blocked | (target[site.lesion] > 0),
            spacing,
            site.style,
            config,
            generator,
            [target, weight, blocked[None].astype(np.float32)],
        )
        if tumour is None:
            break
        found.append(tumour)
        hu = tumour.hu
        carried = list(tumour.carried[:2])
        blocked = widened(tumour.carried[2][0] > 0, 0.0, spacing) | widened(
            tumour.mask, max(spacing), spacing
        )
        _learn(carried[0], carried[1], tumour, site, host, is_proven)
    if not found:
        return patch, []
    return replace(patch, hu=hu, target=carried[0], weight=carried[1]), found


def _learn(
    target: Floats, weight: Floats, tumour: Tumour, site: Site, host: int, is_proven: bool
) -> None:
    """Write what the tumour is into masks and weights of our own."""
    mask = tumour.mask
    where = mask | ((target[host] > 0) & (weight[host] > 0)) if is_proven else mask
    weight[site.lesion][where] = np.maximum(weight[site.lesion][where], site.weight)
    target[site.lesion][mask] = 1.0
    for broader in site.also:
        target[broader][mask] = 1.0
        weight[broader][mask] = np.maximum(weight[broader][mask], site.weight)
    for other in site.unsure:
        weight[other][mask] = 0.0


def _host(patch: Patch, site: Site, generator: np.random.Generator) -> int | None:
    """One of the organs in the patch, by chance in proportion to their volumes."""
    known = np.broadcast_to(patch.weight, patch.target.shape)
    sizes = np.array([(patch.target[h] * (known[h] > 0)).sum() for h in site.hosts])
    if not sizes.any():
        return None
    return site.hosts[int(generator.choice(len(sizes), p=sizes / sizes.sum()))]


def _how_many(config: SyntheticConfig, generator: np.random.Generator) -> int:
    n = 1
    while n < config.most and generator.random() < config.several:
        n += 1
    return n
