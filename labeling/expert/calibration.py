"""From what the witnesses say together to the probability that a label is wrong.

The noisy-or of the witnesses treats them as independent, and each of them was written to flag, not
to bet: in the middle of its range at most a third of the labels were wrong. What share of labels
was wrong at each value was measured with planted errors on two cohorts, half of the real one and a
synthetic one (``python -m benchmarks.label_errors.calibration``, docs/audit.md), and the mean of
both is written below. The knots are the same for every cohort, class and case.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

# noisy-or of the witnesses, and the share of labels that were wrong there
KNOTS = (
    (0.00, 0.003),
    (0.05, 0.012),
    (0.10, 0.022),
    (0.20, 0.055),
    (0.40, 0.100),
    (0.60, 0.120),
    (0.85, 0.200),
    (0.95, 0.550),
    (1.00, 0.950),
)


def calibrated(evidence: float) -> float:
    """The probability that a label is wrong, 0..1; grows with the noisy-or of its witnesses."""
    at, share = zip(*KNOTS, strict=True)
    return float(np.interp(evidence, at, share))


def chance_told(evidence: Mapping[str, Any]) -> float | None:
    """The calibrated chance that a decision's evidence tells; None where detection was not asked.

    Decisions of older versions have the noisy-or in its place, and no ``score`` beside it.
    """
    value = evidence.get("error_probability")
    if value is None or "score" in evidence:
        return None if value is None else float(value)
    return round(calibrated(float(value)), 4)
