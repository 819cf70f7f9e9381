"""Phantoms of a vessel and a tumour around it whose contact angle is known on paper."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Tube:
    """A vessel and a tumour at it.

    Attributes:
        degrees: of the vessel's circumference that the tumour covers (a shell around it).
        direction: of the vessel, at its middle, world.
        spacing: voxels, mm.
        radius_mm: of the vessel, at its middle.
        bend_mm: radius of the vessel's course; 0: straight.
        taper: change of the radius per mm along the vessel.
        length_mm: of the vessel, along its course.
        shell_mm: thickness of the tumour.
        along_mm: length of the tumour along the vessel.
        from_mm: middle of the tumour along the vessel.
        ball_mm: radius of a tumour that is a ball beside the vessel instead of a shell; its middle
            lies so far from the wall that it covers `degrees`.
        roll: turns the tumour around the vessel, radians.
        turn: rotation of the voxels in the world; not given: none.
        size_mm: side of the volume.
        seed: of a shift below a voxel.
    """

    degrees: float = 180.0
    direction: tuple[float, float, float] = (0.0, 0.0, 1.0)
    spacing: tuple[float, float, float] = (0.8, 0.8, 1.5)
    radius_mm: float = 4.0
    bend_mm: float = 0.0
    taper: float = 0.0
    length_mm: float = 56.0
    shell_mm: float = 8.0
    along_mm: float = 20.0
    from_mm: float = 0.0
    ball_mm: float = 0.0
    roll: float = 0.4
    turn: Array | None = None
    size_mm: float = 76.0
    seed: int = 0


def draw(tube: Tube) -> tuple[Bools, Bools, Array]:
    """Tumour, vessel and affine of a phantom; the two share no voxel."""
    affine = _affine(tube)
    shape = [int(np.ceil(tube.size_mm / s)) for s in tube.spacing]
    middle = (np.array(shape) - 1) / 2
    shift = np.random.default_rng(tube.seed).uniform(-0.5, 0.5, 3) * tube.spacing
    affine[:3, 3] = -affine[:3, :3] @ middle + shift
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    places = voxels @ affine[:3, :3].T + affine[:3, 3]
    along, one, two = _coordinates(tube, places)
    radius = tube.radius_mm + tube.taper * along
    away = np.hypot(one, two)
    vessel = (away <= radius) & (np.abs(along) <= tube.length_mm / 2)
    if tube.ball_mm:
        far = ball_distance(tube)
        a = one - far * np.cos(tube.roll)
        b = two - far * np.sin(tube.roll)
        tumour = (along - tube.from_mm) ** 2 + a**2 + b**2 <= tube.ball_mm**2
        return tumour & ~vessel, vessel, affine
    turned = np.angle(np.exp(1j * (np.arctan2(two, one) - tube.roll)))
    tumour = np.abs(turned) <= np.deg2rad(tube.degrees) / 2
    tumour &= (away > radius) & (away <= radius + tube.shell_mm)
    tumour &= np.abs(along - tube.from_mm) <= tube.along_mm / 2
    return tumour, vessel, affine


def ball_distance(tube: Tube) -> float:
    """How far the middle of a ball is from the vessel's so that it covers the degrees.

    Two circles of radii r and R, the middles d apart, meet where
    ``cos(degrees / 2) = (d^2 + r^2 - R^2) / (2 d r)``.
    """
    c, r = np.cos(np.deg2rad(tube.degrees) / 2), tube.radius_mm
    return float(r * c + np.sqrt(tube.ball_mm**2 - (r * np.sin(np.arccos(c))) ** 2))


def _affine(tube: Tube) -> Array:
    affine = np.eye(4)
    turn = np.eye(3) if tube.turn is None else tube.turn
    affine[:3, :3] = turn @ np.diag(tube.spacing)
    return affine


def _coordinates(tube: Tube, places: Array) -> tuple[Array, Array, Array]:
    """Along the vessel's course, and two distances from it at right angles."""
    x = np.array(tube.direction) / np.linalg.norm(tube.direction)
    y = np.cross(x, np.eye(3)[int(np.argmin(np.abs(x)))])
    y /= np.linalg.norm(y)
    z = np.cross(x, y)
    if not tube.bend_mm:
        return places @ x, places @ y, places @ z
    across = places @ y - tube.bend_mm
    along = tube.bend_mm * np.arctan2(places @ x, -across)
    return along, tube.bend_mm - np.hypot(places @ x, across), places @ z
