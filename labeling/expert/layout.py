"""Where structures lie relative to each other, learned from trusted labels."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

MAD_TO_SIGMA = 1.4826
PRIOR_MM = 8.0  # scatter assumed before anything is seen
PRIOR_N = 4.0
FLOOR_MM = 4.0  # persons differ, and so do the ends of long structures
ANCHORS = 3  # the closest-knit partners that say where a structure should be
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Layout:
    """Median offsets between centroids in RAS+ mm.

    Attributes:
        offsets: (from, to) class ids to median offset and robust scatter, ``(3,)`` each.
    """

    offsets: Mapping[tuple[str, str], tuple[Vector, Vector]]

    def expected(
        self, class_id: str, centroids: Mapping[str, Vector]
    ) -> tuple[Vector, Vector] | None:
        """Where a class's centroid should be, and the scatter of that, both ``(3,)`` in mm.

        The median over the `ANCHORS` partners with the least scatter, so that one wrong partner
        does not mislead. None if no partner is known.
        """
        known = sorted(
            (float(np.linalg.norm(self.offsets[other, class_id][1])), other)
            for other in centroids
            if other != class_id
            and (other, class_id) in self.offsets
            and np.isfinite(centroids[other]).all()
        )[:ANCHORS]
        if not known:
            return None
        places = [centroids[o] + self.offsets[o, class_id][0] for _, o in known]
        scatter = [self.offsets[o, class_id][1] for _, o in known]
        return np.median(places, axis=0), np.median(scatter, axis=0)

    def distance(
        self, class_id: str, centroid: Vector, centroids: Mapping[str, Vector]
    ) -> float | None:
        """Root mean square deviation of a centroid from its expected place, in scatters; None
        without a partner."""
        place = self.expected(class_id, centroids)
        if place is None or not np.isfinite(centroid).all():
            return None
        z = np.clip((centroid - place[0]) / place[1], -8, 8)
        return float(np.sqrt(np.mean(z**2)))

    def plain(self) -> list[Any]:
        """As plain data, for payloads."""
        return [[a, b, m.tolist(), s.tolist()] for (a, b), (m, s) in sorted(self.offsets.items())]

    @classmethod
    def of_plain(cls, plain: Sequence[Any]) -> "Layout":
        """From `plain`."""
        return cls({(a, b): (np.array(m), np.array(s)) for a, b, m, s in plain})


def learn_layout(cases: Iterable[Mapping[str, Vector]], *, minimum_n: int = 5) -> Layout:
    """The layout from the centroids of trusted labels, case by case.

    Pairs seen together in fewer than `minimum_n` cases are left out. Medians and MADs, each
    scatter shrunk towards `PRIOR_MM` (which counts as `PRIOR_N` cases) and at least `FLOOR_MM`.
    """
    numbers: dict[str, tuple[array[int], array[float]]] = {}
    n_cases = 0
    for n_cases, centroids in enumerate(cases, 1):
        for class_id, centroid in centroids.items():
            rows, values = numbers.setdefault(class_id, (array("q"), array("d")))
            rows.append(n_cases - 1)
            values.extend(centroid)
    places = {c: np.full((n_cases, 3), np.nan) for c in numbers}
    for class_id, (rows, values) in numbers.items():
        places[class_id][np.array(rows)] = np.array(values).reshape(-1, 3)
    offsets = {}
    for a, b in permutations(places, 2):
        found = places[b] - places[a]
        found = found[np.isfinite(found).all(axis=1)]
        n = len(found)
        if n and n >= minimum_n:
            middle = np.median(found, axis=0)
            mad = MAD_TO_SIGMA * np.median(np.abs(found - middle), axis=0)
            scatter = np.sqrt((n * mad**2 + PRIOR_N * PRIOR_MM**2) / (n + PRIOR_N))
            offsets[a, b] = (middle, np.maximum(scatter, FLOOR_MM))
    return Layout(offsets)
