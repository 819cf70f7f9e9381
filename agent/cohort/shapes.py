"""Implicit shapes: signed distances in mm, negative inside, of ellipsoids, tubes and blends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

Points = npt.NDArray[np.float32]  # (3, N), mm
Field = npt.NDArray[np.float32]  # (N,)
FAR_MM = 1e3
BOX_MARGIN_MM = 8.0


class Shape(Protocol):
    """A solid that knows its box and its approximate signed distance."""

    def box(self) -> npt.NDArray[np.float64]:
        """Shape ``(2, 3)``: lowest and highest corner that hold the solid."""
        ...

    def distance(self, points: Points) -> Field:
        """Signed distance in mm at points ``(3, N)``, negative inside."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, turned by Euler angles about x, y and z in degrees."""

    center: tuple[float, float, float]
    radii: tuple[float, float, float]
    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def box(self) -> npt.NDArray[np.float64]:
        rotation = Rotation.from_euler("xyz", self.turn_deg, degrees=True).as_matrix()
        half = np.sqrt((rotation**2) @ np.square(self.radii))
        return np.stack([self.center - half, self.center + half])

    def distance(self, points: Points) -> Field:
        """First-order distance ``k0 (k0 - 1) / k1``; exact on the surface."""
        rotation = Rotation.from_euler("xyz", self.turn_deg, degrees=True).as_matrix()
        local = rotation.T.astype(np.float32) @ (points - _column(self.center))
        scaled = local / _column(self.radii)
        k0 = np.sqrt((scaled**2).sum(0))
        k1 = np.sqrt(((scaled / _column(self.radii)) ** 2).sum(0))
        return np.asarray(k0 * (k0 - 1) / np.maximum(k1, 1e-6), np.float32)


@dataclass(frozen=True)
class Tube:
    """A tube along a smooth curve through `knots`, one radius per knot."""

    knots: tuple[tuple[float, float, float], ...]
    radii: tuple[float, ...]
    step_mm: float = 4.0

    def curve(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Centres ``(K, 3)`` and radii ``(K,)`` sampled along the curve."""
        knots = np.asarray(self.knots, np.float64)
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
        at = np.linspace(0, length[-1], max(2, int(length[-1] / self.step_mm) + 1))
        centers = PchipInterpolator(length, knots)(at)
        return centers, np.interp(at, length, self.radii)

    def box(self) -> npt.NDArray[np.float64]:
        centers, radii = self.curve()
        return np.stack([(centers - radii[:, None]).min(0), (centers + radii[:, None]).max(0)])

    def distance(self, points: Points) -> Field:
        centers, radii = self.curve()
        best = np.full(points.shape[1], FAR_MM, np.float32)
        for center, radius in zip(centers.astype(np.float32), radii, strict=True):
            x, y, z = points[0] - center[0], points[1] - center[1], points[2] - center[2]
            np.minimum(best, np.sqrt(x * x + y * y + z * z) - np.float32(radius), out=best)
        return best


@dataclass(frozen=True)
class Blend:
    """Union of `parts` with the crease rounded over about `round_mm`, less `cuts`."""

    parts: Sequence[Shape]
    cuts: Sequence[Shape] = ()
    round_mm: float = 8.0

    def box(self) -> npt.NDArray[np.float64]:
        boxes = np.stack([part.box() for part in self.parts])
        return np.stack([boxes[:, 0].min(0), boxes[:, 1].max(0)])

    def distance(self, points: Points) -> Field:
        result = self.parts[0].distance(points)
        for part in self.parts[1:]:
            other = part.distance(points)
            gap = np.maximum(self.round_mm - np.abs(result - other), 0) / self.round_mm
            result = np.minimum(result, other) - gap * gap * np.float32(self.round_mm / 4)
        for cut in self.cuts:
            result = np.maximum(result, -cut.distance(points))
        return np.asarray(result, np.float32)


@dataclass(frozen=True)
class Waves:
    """A smooth random scalar field: a sum of plane waves of one wavelength, about unit variance.

    It lives in the patient's coordinates, so a second scan of the patient shows the same anatomy.
    """

    vectors: npt.NDArray[np.float32]  # (W, 3) radians per mm
    phases: npt.NDArray[np.float32]  # (W,)

    @classmethod
    def draw(cls, rng: np.random.Generator, wavelength_mm: float, n_waves: int = 8) -> "Waves":
        directions = rng.normal(size=(n_waves, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = wavelength_mm * rng.uniform(0.75, 1.35, size=(n_waves, 1))
        vectors = (2 * np.pi / lengths * directions).astype(np.float32)
        return cls(vectors, rng.uniform(0, 2 * np.pi, n_waves).astype(np.float32))

    def __call__(self, points: Points) -> Field:
        total = np.zeros(points.shape[1], np.float32)
        for vector, phase in zip(self.vectors, self.phases, strict=True):
            total += np.sin(vector @ points + phase)
        return total * np.float32(np.sqrt(2 / len(self.phases)))


class Canvas:
    """The voxels of one scan, as points of the patient's body, to paint shapes on.

    Args:
        points: ``(3, N)`` body coordinates of all voxels, mm.
    """

    def __init__(self, points: Points) -> None:
        self.points = points
        self.size = points.shape[1]

    def near(self, box: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Indices of the voxels in a box, with a margin."""
        low, high = box[0] - BOX_MARGIN_MM, box[1] + BOX_MARGIN_MM
        inside = (self.points[2] > low[2]) & (self.points[2] < high[2])
        for axis in (0, 1):
            inside &= (self.points[axis] > low[axis]) & (self.points[axis] < high[axis])
        return np.flatnonzero(inside)

    def distance(self, shape: Shape, *, bumps: Waves | None = None, bump_mm: float = 0.0) -> Field:
        """Distance at every voxel, ``(N,)``; `FAR_MM` away from the shape."""
        where = self.near(shape.box())
        result = np.full(self.size, FAR_MM, np.float32)
        points = self.points[:, where]
        value = shape.distance(points)
        if bumps is not None:
            value = value + np.float32(bump_mm) * bumps(points)
        result[where] = value
        return result


def _column(values: Sequence[float]) -> Points:
    return np.asarray(values, np.float32)[:, None]
