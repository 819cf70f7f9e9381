"""How much doubt of the models is usual for a class, and how unusual a label's is.

Models doubt every label somewhat, of some classes most of it. What counts is more doubt than
trusted labels of the class meet: a robust quantile of the doubted volume, per class.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MAD_TO_SIGMA = 1.4826
LEAST = 0.02  # of the class's usual volume: less doubt is none
PRIOR_N = 5.0  # labels that the prior scatter counts for
PRIOR_SCALE = 0.35  # of the log volume in doubt: about a third more or less
LARGEST_Z = 10.0


@dataclass(frozen=True)
class UsualDoubt:
    """What models doubt in trusted labels of one class.

    Attributes:
        n: labels it was learned from.
        ml: their median volume.
        middle: medians of the logs of the doubted volume over `ml`: all of it, and what the models
            are sure about.
        scale: their robust standard deviations.
    """

    n: int
    ml: float
    middle: tuple[float, float]
    scale: tuple[float, float]

    def z(self, doubt: Sequence[float]) -> tuple[float, float]:
        """How many standard deviations more than usual a label is doubted: in all, and surely.

        Args:
            doubt: `labeling.expert.support.Doubt.listed`.
        """
        logs = _logs(doubt, self.ml)
        each = (np.array(logs) - self.middle) / self.scale
        whole, sure = np.clip(each, -LARGEST_Z, LARGEST_Z)
        return float(whole), float(sure)


def usual_doubts(
    rows: Iterable[tuple[str, float, Sequence[float] | None]], *, minimum_n: int
) -> Mapping[str, UsualDoubt]:
    """What is usual, per class; classes with fewer than `minimum_n` labels are left out.

    Args:
        rows: class, mL and doubt of trusted labels; empty labels and those without a prediction
            say nothing.
    """
    numbers: dict[str, list[tuple[float, Sequence[float]]]] = {}
    for class_id, ml, doubt in rows:
        if ml > 0 and doubt is not None:
            numbers.setdefault(class_id, []).append((ml, doubt))
    found = {}
    for class_id, own in numbers.items():
        n = len(own)
        if n < minimum_n:
            continue
        ml = float(np.median([volume for volume, _ in own]))
        logs = np.array([_logs(doubt, ml) for _, doubt in own])
        middle = np.median(logs, axis=0)
        mad = MAD_TO_SIGMA * np.median(np.abs(logs - middle), axis=0)
        scale = np.sqrt((n * mad**2 + PRIOR_N * PRIOR_SCALE**2) / (n + PRIOR_N))
        found[class_id] = UsualDoubt(
            n, ml, (float(middle[0]), float(middle[1])), (float(scale[0]), float(scale[1]))
        )
    return found


def _logs(doubt: Sequence[float], ml: float) -> tuple[float, float]:
    inside, outside, sharp_inside, sharp_outside = doubt
    whole, sure = inside + outside, sharp_inside + sharp_outside
    return float(np.log(whole / ml + LEAST)), float(np.log(sure / ml + LEAST))
