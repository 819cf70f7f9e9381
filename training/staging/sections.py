"""A cross-section of a vessel: its wall, and how much of it has tumour behind it."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.staging.field import Field, Points

PIXEL_MM = 0.4
WALK = 5  # places looked at on the way out from the wall
ASIDE_MM = 2.0  # an outline that does not hold the middle may be so far from it
WIDE = 3.0  # a section reaches so many radii from its middle


@dataclass(frozen=True, eq=False)
class Section:
    """One cross-section.

    Attributes:
        centre: of the vessel's wall there, RAS+ mm.
        direction: along the vessel.
        wall: the wall's outline in the plane, ``(n + 1, 2)`` mm from the first centre; closed.
        touched: whether tumour is behind each of the n pieces of the outline.
        axes: the plane's axes, ``(2, 3)``.
        degrees: touched share of the outline's length times 360.
        radius_mm: of the circle with the outline's length.
        around: outlines of the tumour in the plane, where they were asked for.
    """

    centre: Points
    direction: Points
    wall: Points
    touched: npt.NDArray[np.bool_]
    axes: Points
    degrees: float
    radius_mm: float
    around: tuple[Points, ...] = ()


def section_at(
    vessel: Field, tumour: Field, centre: Points, direction: Points, radius: float, gap_mm: float
) -> Section | None:
    """The section of a vessel at right angles to a direction.

    Walls are found between the pixels, and the share counts their length, so that it is the angle
    for a round vessel and the share of the circumference for a flat one. A piece of the wall is
    touched if on the way straight out from it, up to `gap_mm`, there is tumour.

    Returns:
        None where the plane shows no closed outline of the vessel: it leaves the scan, or the
        vessel ends.
    """
    axes = _plane(direction)
    half = WIDE * radius + 2.0
    ticks = np.arange(-half, half + PIXEL_MM / 2, PIXEL_MM)
    wall = None
    for _ in range(2):  # the second time from the middle of the first outline
        grid = centre + ticks[:, None, None] * axes[0] + ticks[None, :, None] * axes[1]
        wall = _outline(vessel.at(grid), ticks)
        if wall is None:
            return None
        move = _centroid(wall)
        if float(np.linalg.norm(move)) < PIXEL_MM:
            break
        centre = centre + move @ axes
        wall = wall - move
    assert wall is not None
    middles, lengths, outward = _pieces(wall)
    ways = np.linspace(0.0, gap_mm, WALK)[:, None, None]
    places = centre + (middles + ways * outward) @ axes
    touched = np.asarray((tumour.at(places) <= 0).any(axis=0))
    total = float(lengths.sum())
    share = float(lengths[touched].sum()) / total
    return Section(centre, direction, wall, touched, axes, 360 * share, total / (2 * np.pi))


def with_tumour(section: Section, tumour: Field) -> Section:
    """The section with the tumour's outlines in its plane, to be drawn."""
    from skimage.measure import find_contours

    half = WIDE * section.radius_mm + 4.0
    ticks = np.arange(-half, half + PIXEL_MM / 2, PIXEL_MM)
    places = section.centre + (
        ticks[:, None, None] * section.axes[0] + ticks[None, :, None] * section.axes[1]
    )
    lines = find_contours(np.pad(tumour.at(places), 1, constant_values=1.0), 0.0)
    return replace(section, around=tuple((line - 1) * PIXEL_MM - half for line in lines))


def _plane(direction: Points) -> Points:
    """Two unit vectors at right angles to a direction and to each other."""
    least = np.eye(3)[int(np.argmin(np.abs(direction)))]
    one = np.cross(direction, least)
    one /= np.linalg.norm(one)
    return np.stack([one, np.cross(direction, one)])


def _outline(values: npt.NDArray[np.float64], ticks: Points) -> Points | None:
    """The closed outline around the middle of a plane, or the one nearest to it, in mm."""
    from skimage.measure import find_contours, points_in_poly

    found = [
        line * (ticks[1] - ticks[0]) + ticks[0]
        for line in find_contours(values, 0.0)
        if len(line) > 7 and np.allclose(line[0], line[-1])
    ]
    if not found:
        return None
    around = [line for line in found if points_in_poly([[0.0, 0.0]], line)[0]]
    if around:
        return np.asarray(max(around, key=len))
    best = min(found, key=lambda line: float(np.linalg.norm(line, axis=1).min()))
    return np.asarray(best) if float(np.linalg.norm(best, axis=1).min()) < ASIDE_MM else None


def _centroid(wall: Points) -> Points:
    """Middle of the area inside an outline."""
    a, b = wall[:-1], wall[1:]
    cross = a[:, 0] * b[:, 1] - b[:, 0] * a[:, 1]
    return np.asarray(((a + b) * cross[:, None]).sum(0) / (3 * cross.sum()))


def _pieces(wall: Points) -> tuple[Points, npt.NDArray[np.float64], Points]:
    """Middles, lengths and outward unit normals of an outline's pieces."""
    along = np.diff(wall, axis=0)
    lengths = np.linalg.norm(along, axis=1)
    smooth = (np.roll(along, 1, 0) + 2 * along + np.roll(along, -1, 0)) / 4
    normal = np.stack([smooth[:, 1], -smooth[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    a, b = wall[:-1], wall[1:]
    turned = np.sign((a[:, 0] * b[:, 1] - b[:, 0] * a[:, 1]).sum())
    return (wall[:-1] + wall[1:]) / 2, lengths, normal * turned
