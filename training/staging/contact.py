"""The contact of a tumour with one vessel: how many degrees, where, and whether that is all.

A mask that is missing or ends at the tumour says nothing of what lies beyond: then the contact is
unknown, or known to be at least what is seen; it is never silently none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from training.staging.centreline import Path, paths_of
from training.staging.config import ContactConfig
from training.staging.ends import cut_off
from training.staging.field import MARGIN_MM, Field, Points, field_of
from training.staging.published import Profile, published_profile
from training.staging.sections import Section, section_at, with_tumour
from voxcurate.masks import Bools, Mask, bounding_box, surface
from voxcurate.volume import Affine, Box, spacing_of

State = Literal["measured", "none", "at least", "unknown"]
CAP = 1.2  # radii at an open end that are no cross-section but its rounded end


@dataclass(frozen=True)
class Contact:
    """What is known of a tumour's contact with a vessel.

    Attributes:
        name: of the vessel.
        state: ``measured``; ``none``: seen, and there is none; ``at least``: the mask ends at the
            tumour; ``unknown``: no mask, or it ends at the tumour without contact before.
        degrees: the largest along the vessel; None if unknown.
        at_mm: where, RAS+ mm.
        length_mm: of the vessel in contact.
        distance_mm: between tumour and vessel, 0 where they touch; None if unknown or far.
        note: in words.
        profile: places along the vessel in mm and degrees there, path by path.
        section: the cross-section with the largest contact.
    """

    name: str
    state: State
    degrees: float | None = None
    at_mm: tuple[float, float, float] | None = None
    length_mm: float = 0.0
    distance_mm: float | None = None
    note: str = ""
    profile: tuple[tuple[tuple[float, float], ...], ...] = field(default=(), repr=False)
    section: Section | None = field(default=None, repr=False, compare=False)

    @property
    def is_certain(self) -> bool:
        """Whether nothing is missing."""
        return self.state in ("measured", "none")

    @property
    def said(self) -> str:
        """In words: ``SMA: at least 120 degrees (why)``."""
        note = f" ({self.note})" if self.note else ""
        if self.state == "unknown":
            return f"{self.name}: unknown{note}"
        if self.state == "none":
            return f"{self.name}: no contact{note}"
        bound = "at least " if self.state == "at least" else ""
        return f"{self.name}: {bound}{self.degrees:.0f} degrees{note}"

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "vessel": self.name,
            "state": self.state,
            "degrees": None if self.degrees is None else round(self.degrees),
            "at_mm": None if self.at_mm is None else [round(x, 1) for x in self.at_mm],
            "length_mm": round(self.length_mm, 1),
            "distance_mm": None if self.distance_mm is None else round(self.distance_mm, 1),
            "note": self.note,
        }


def contact_of(
    name: str,
    tumour: Bools,
    vessel: Bools | None,
    affine: Affine,
    config: ContactConfig,
    *,
    others: Sequence[Mask] = (),
    mass: Field | None = None,
) -> Contact:
    """Measure the contact of a tumour with a vessel.

    Args:
        name: of the vessel.
        tumour: bool, ``(I, J, K)``, not empty.
        vessel: likewise; None: there is no mask.
        affine: voxel to RAS+ mm.
        config: how.
        others: vessels in which this one may go on, non-zero inside.
        mass: `tumour_field` of the tumour, where it is known.
    """
    if vessel is None:
        return Contact(name, "unknown", note="no mask of it")
    if not vessel.any():
        return Contact(name, "unknown", note="its mask is empty")
    box = _around(tumour, affine, config.near_mm)
    part = vessel[box]
    if not part.any():
        return Contact(name, "none", 0.0, note=f"more than {config.near_mm:.0f} mm away")
    inner = _inner(part, box, affine)
    wall, mass = field_of(vessel, affine, inner), mass or tumour_field(tumour, affine, config)
    inside, origin = _grid(part, box, affine, wall, config.grid_mm)
    distance = _distance(part, tumour[box], affine)
    paths = paths_of(inside, origin, config.grid_mm, step_mm=config.step_mm)
    if config.method == "published":
        profiles: list[Profile] = [published_profile(tumour, vessel, affine, config)]
        sections: list[list[Section | None]] = []
    else:
        sections = [_sections(path, wall, mass, config) for path in paths]
        profiles = [_profile(path, found) for path, found in zip(paths, sections, strict=True)]
    cut = cut_off(paths, mass, vessel.shape, box, affine, others, config)
    if not paths and distance <= config.end_mm:
        cut = cut or "its mask is too short to tell its course"
    found = _told(name, profiles, sections, distance, cut, config)
    if found.section is not None:
        found = replace(found, section=with_tumour(found.section, mass))
    return found


def tumour_field(tumour: Bools, affine: Affine, config: ContactConfig) -> Field:
    """The field of a tumour as far as vessels are looked at; the same for all vessels."""
    return field_of(tumour, affine, _around(tumour, affine, config.near_mm))


def _told(
    name: str,
    profiles: Sequence[Profile],
    sections: Sequence[Sequence[Section | None]],
    distance: float,
    cut: str,
    config: ContactConfig,
) -> Contact:
    best, at, section = 0.0, None, None
    length = 0.0
    for n, profile in enumerate(profiles):
        smooth = _median(profile.degrees)
        length += config.step_mm * int((smooth >= config.least_deg).sum())
        if smooth.size and np.nanmax(smooth, initial=0.0) > best:
            place = int(np.nanargmax(smooth))
            best, at = float(smooth[place]), profile.at[place]
            section = sections[n][place] if sections else None
    touches = best >= config.least_deg
    where = None if at is None or not touches else (float(at[0]), float(at[1]), float(at[2]))
    lines = tuple(
        tuple((float(x), float(d)) for x, d in zip(p.along_mm, p.degrees, strict=True) if d == d)
        for p in profiles
    )
    state: State = "measured" if touches else "none"
    note = ""
    if cut:
        state, note = ("at least" if touches else "unknown"), cut
    elif not touches and distance <= config.gap_mm:
        note = f"touches it over less than {config.least_deg:.0f} degrees, or its end only"
    degrees = None if state == "unknown" else best
    return Contact(name, state, degrees, where, length, distance, note, lines, section)


def _distance(one: Bools, two: Bools, affine: Affine) -> float:
    """Between the nearest faces of the voxels of two masks in mm; 0 where they touch."""
    from scipy.spatial import KDTree

    first, second = np.argwhere(surface(one)), np.argwhere(surface(two))
    _, which = KDTree(second @ affine[:3, :3].T).query(first @ affine[:3, :3].T)
    apart = second[which] - first
    free = np.maximum(np.abs(apart) - 1, 0) * np.sign(apart)
    return float(np.linalg.norm(free @ affine[:3, :3].T, axis=1).min())


def _sections(path: Path, wall: Field, mass: Field, config: ContactConfig) -> list[Section | None]:
    """Sections at the points of a path; None at rounded ends and where there is no outline."""
    left = np.linalg.norm(path.points - path.tips[0], axis=1)
    right = np.linalg.norm(path.points - path.tips[1], axis=1)
    cap = CAP * path.radius_mm
    found: list[Section | None] = []
    for n, (point, direction) in enumerate(zip(path.points, path.directions, strict=True)):
        is_end = (path.is_open[0] and left[n] < cap) or (path.is_open[1] and right[n] < cap)
        found.append(
            None
            if is_end
            else section_at(wall, mass, point, direction, path.radius_mm, config.gap_mm)
        )
    return found


def _profile(path: Path, sections: Sequence[Section | None]) -> Profile:
    steps = np.linalg.norm(np.diff(path.points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    degrees = np.array([np.nan if s is None else s.degrees for s in sections])
    return Profile(path.points, along, degrees)


def _median(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each value as the median of itself and its neighbours, so that one odd section says
    nothing; NaN stays."""
    if values.size < 3:
        return values
    wide = np.pad(values, 1, constant_values=np.nan)
    three = np.stack([wide[:-2], wide[1:-1], wide[2:]])
    with np.errstate(all="ignore"):
        found = np.where(np.isnan(values), np.nan, _nanmedian(three))
    return np.asarray(found)


def _nanmedian(three: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Median of the numbers of each column; of two the smaller."""
    ordered = np.sort(three, axis=0)  # NaN last
    n = (~np.isnan(three)).sum(axis=0)
    return np.asarray(np.take_along_axis(ordered, np.maximum((n - 1) // 2, 0)[None], axis=0)[0])


def _around(mask: Bools, affine: Affine, near_mm: float) -> Box:
    box = bounding_box(mask)
    assert box is not None
    spacing = spacing_of(affine)
    i, j, k = (
        slice(max(0, s.start - int(near_mm / d) - 1), min(n, s.stop + int(near_mm / d) + 1))
        for s, n, d in zip(box, mask.shape, spacing, strict=True)
    )
    return i, j, k


def _inner(part: Bools, box: Box, affine: Affine) -> Box:
    """The box of a part's mask with the reach of its field around it, within the part."""
    found = bounding_box(part)
    assert found is not None
    i, j, k = (
        slice(
            max(outer.start, outer.start + own.start - int(MARGIN_MM / d) - 1),
            min(outer.stop, outer.start + own.stop + int(MARGIN_MM / d) + 1),
        )
        for own, outer, d in zip(found, box, spacing_of(affine), strict=True)
    )
    return i, j, k


def _grid(
    part: Bools, box: Box, affine: Affine, wall: Field, grid_mm: float
) -> tuple[Bools, Points]:
    """The vessel on a grid along the world's axes, and where its voxel 0 is."""
    inner = bounding_box(part)
    assert inner is not None
    ends = [(s.start + b.start - 1, s.stop + b.start) for s, b in zip(inner, box, strict=True)]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    world = corners @ affine[:3, :3].T + affine[:3, 3]
    origin = world.min(0)
    n = np.ceil(np.ptp(world, axis=0) / grid_mm).astype(int) + 1
    places = np.stack(np.meshgrid(*map(np.arange, n), indexing="ij"), axis=-1) * grid_mm + origin
    inside = wall.at(places) <= 0
    index = places @ wall.to_index[:3, :3].T + wall.to_index[:3, 3]
    low, high = np.full(3, 0.5), np.array(wall.values.shape) - 1.5  # not the row that goes beyond
    return inside & ((index >= low) & (index <= high)).all(-1), origin
