"""Errors per label with an interval that knows that one patient's labels go wrong together."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from voxcurate.intervals import wilson

PER = 1000.0  # labels
Trend = Literal["falls", "rises", "no clear change", "unknown"]


@dataclass(frozen=True)
class Rate:
    """Errors per 1,000 labels.

    Attributes:
        errors: found.
        labels: looked at.
        value: errors per 1,000 labels; None if none was looked at.
        low, high: 95 % interval; None with `value`.
    """

    errors: int
    labels: int
    value: float | None
    low: float | None
    high: float | None

    def plain(self) -> dict[str, Any]:
        """As plain data, rounded."""
        numbers = {"per_1000": self.value, "low": self.low, "high": self.high}
        return {
            "errors": self.errors,
            "labels": self.labels,
            **{k: None if v is None else round(v, 2) for k, v in numbers.items()},
        }


def rate(errors: int, labels: int, clusters: Collection[int] = (), n_clusters: int = 0) -> Rate:
    """Errors per 1,000 labels, with Wilson's 95 % interval.

    The errors of one patient come together (a mirrored scan makes all of its labels wrong), so that
    labels say less than as many independent ones. The interval is that of ``labels / deff``
    labels, ``deff`` being the variance between patients over the binomial one, at least 1 (Korn and
    Graubard 1998; patients are taken to have equally many labels).

    Args:
        errors: found.
        labels: looked at; fewer than `errors` are taken for as many.
        clusters: errors of each patient who has any.
        n_clusters: patients looked at.
    """
    labels = max(labels, errors)
    if not labels:
        return Rate(0, 0, None, None, None)
    share = errors / labels
    size = labels / _design_effect(share, labels, clusters, n_clusters)
    low, high = wilson(share, size)
    return Rate(errors, labels, PER * share, PER * low, PER * high)


def _design_effect(share: float, labels: int, clusters: Collection[int], n_clusters: int) -> float:
    n = max(n_clusters, len(clusters))
    if n < 2 or not 0 < share < 1 or not clusters:
        return 1.0
    total = sum(clusters)
    between = sum(k * k for k in clusters) - total * total / n
    variance = n / (n - 1) * between / labels**2
    return max(1.0, variance / (share * (1 - share) / labels))


def trend(first: Rate, last: Rate) -> Trend:
    """Whether a rate has fallen, by Newcombe's 95 % interval of the difference (1998, method 10).

    "unknown" where one of the two is.
    """
    if first.value is None or last.value is None:
        return "unknown"
    change = last.value - first.value
    down = math.hypot(last.value - (last.low or 0.0), (first.high or 0.0) - first.value)
    up = math.hypot((last.high or 0.0) - last.value, first.value - (first.low or 0.0))
    if change + up < 0:
        return "falls"
    return "rises" if change - down > 0 else "no clear change"
