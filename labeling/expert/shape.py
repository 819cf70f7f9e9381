"""What is usual for a class: robust statistics of its features over trusted labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.expert.features import FEATURES

PRIOR_N = 4.0  # labels that the prior scatter of a feature counts for
PRIOR_FACTOR = 2.0  # prior scatter, in floors
MAD_TO_SIGMA = 1.4826
LARGEST_Z = 8.0
PLACE_SHARE = 0.3  # of the squared distance that comes from the place among other structures
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ShapeProfile:
    """A robust Gaussian of one class's features.

    Attributes:
        n: labels it was learned from.
        centre: medians, in the order of `FEATURES`.
        scale: robust standard deviations, shrunk towards a prior and never below the floor.
        precision: inverse of the shrunk correlation matrix.
    """

    class_id: str
    n: int
    centre: Vector
    scale: Vector
    precision: npt.NDArray[np.float64]

    def z(self, vector: Vector) -> Vector:
        """Deviation of each feature in robust standard deviations, cut at `LARGEST_Z`."""
        return np.clip((vector - self.centre) / self.scale, -LARGEST_Z, LARGEST_Z)

    def distance(self, vector: Vector) -> float:
        """Root mean square deviation, correlations taken into account; about 1 for usual shapes.

        NaN features (an empty mask) give infinity.
        """
        z = self.z(vector)
        if not np.isfinite(z).all():
            return float("inf")
        return float(np.sqrt(z @ self.precision @ z / z.size))

    def oddities(self, vector: Vector, n: int = 3) -> dict[str, float]:
        """The `n` features that deviate most, with their z."""
        z = self.z(vector)
        order = np.argsort(-np.abs(z), kind="stable")[:n]
        names = list(FEATURES)
        return {names[i]: round(float(z[i]), 2) for i in order}

    def plain(self) -> dict[str, Any]:
        """As plain data, for payloads."""
        return {
            "class_id": self.class_id,
            "n": self.n,
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "precision": self.precision.tolist(),
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "ShapeProfile":
        """From `plain`."""
        return cls(
            str(plain["class_id"]),
            int(plain["n"]),
            np.array(plain["centre"]),
            np.array(plain["scale"]),
            np.array(plain["precision"]),
        )


def learn_profile(
    class_id: str, vectors: Sequence[Vector] | Vector, *, minimum_n: int = 5
) -> ShapeProfile | None:
    """The profile of a class, or None where there are too few labels to tell what is usual.

    Medians and MADs stand up to a third of wrong labels. Each scatter is shrunk towards a prior
    (twice the feature's floor) that counts as `PRIOR_N` labels; the correlations, taken of z
    values cut at 3, are shrunk towards independence by ``2 p / (n + 2 p)``.

    Args:
        vectors: feature vectors, in any order; those with NaN are left out.
        minimum_n: labels that are wanted at least.
    """
    rows = np.array([v for v in vectors if np.isfinite(v).all()])
    if len(rows) < max(minimum_n, 2):
        return None
    n, p = rows.shape
    floor = np.array(list(FEATURES.values()))
    centre = np.median(rows, axis=0)
    mad = MAD_TO_SIGMA * np.median(np.abs(rows - centre), axis=0)
    prior = PRIOR_FACTOR * floor
    scale = np.maximum(np.sqrt((n * mad**2 + PRIOR_N * prior**2) / (n + PRIOR_N)), floor)
    z = np.clip((rows - centre) / scale, -3, 3)
    spread = np.maximum(z.std(axis=0), 1e-9)
    correlation = (z - z.mean(axis=0)).T @ (z - z.mean(axis=0)) / n / np.outer(spread, spread)
    correlation[np.outer(spread < 1e-6, np.ones(p, dtype=bool))] = 0.0
    share = n / (n + 2.0 * p)
    shrunk = share * (correlation + correlation.T) / 2 + (1 - share) * np.eye(p)
    np.fill_diagonal(shrunk, 1.0)
    return ShapeProfile(class_id, n, centre, scale, np.linalg.inv(shrunk))


def oddity(shape: float | None, place: float | None) -> float | None:
    """How odd a structure is: its distance in shape and that in place, in one number.

    Both are root mean squares that are about 1 for usual structures. None if neither is known.
    """
    if shape is None or place is None:
        return shape if place is None else place
    return float(np.sqrt((1 - PLACE_SHARE) * shape**2 + PLACE_SHARE * place**2))
