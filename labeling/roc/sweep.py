"""The operating point of a sweep, and what a threshold costs people."""

from typing import Any

import numpy as np

from labeling.roc.config import RocConfig
from voxcurate.lesions.curves import Floats, Sweep


def operating_index(found: Sweep, config: RocConfig) -> int | None:
    """The highest threshold whose sensitivity reaches the wanted one; if none does, the highest
    with the best sensitivity. None without lesions (or positive patients), or where nothing is
    ever found: no threshold can be told then."""
    level = found.of(config.sensitivity_of)
    if not level.size or np.isnan(level[0]) or level[-1] == 0:
        return None
    wanted = min(config.sensitivity, float(level[-1]))
    return int(np.argmax(level >= wanted - 1e-12))


def cheapest_index(found: Sweep, config: RocConfig) -> int | None:
    """The highest threshold that takes people least time (middle of the two bounds); None without
    lesions."""
    if not found.n_lesions:
        return None
    low, high = minutes_of(found, config)
    return int(np.argmin(np.round(low + high, 9)))


def minutes(found: Any, left: Any, n_lesions: Any, config: RocConfig) -> tuple[Any, Any]:
    """Least and most minutes: what is missed is drawn, what is false removed, what is found seen.

    Args:
        found: lesions hit.
        left: false positives that people remove.
        n_lesions: in all.
        config: the costs.
    """
    clicks = (left * config.seconds_per_false_positive + found * config.seconds_per_found) / 60
    least, most = config.minutes_per_missed
    missed = n_lesions - found
    return clicks + missed * least, clicks + missed * most


def minutes_of(found: Sweep, config: RocConfig) -> tuple[Floats, Floats]:
    """People's least and most minutes for all scans, at each threshold."""
    return minutes(found.found, found.false - found.removed, found.n_lesions, config)
