"""Which scores of a list stand out (AbdomenAtlas-8K, figure 4)."""

from collections.abc import Sequence

import numpy as np

from labeling.config import PriorityConfig

FLOOR = 1e-3  # of the median positive score; so that a score of 0 has a logarithm


def outliers(values: Sequence[float], config: PriorityConfig) -> list[bool]:
    """Which scores stand out, whatever their unit.

    ``top``: the largest `fraction` of them (published: 5 %), rounded up. ``budget``: the largest
    `budget`. ``robust``: a robust z of the logarithm above `robust_z`; scores are skewed, and 5 %
    of a clean dataset are no outliers. A score of 0 is never one.
    """
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        return []
    if config.rule != "robust":
        n = int(np.ceil(config.fraction * array.size - 1e-9))
        n = config.budget if config.rule == "budget" else n
        chosen = np.argsort(-array, kind="stable")[:n]
        result = np.zeros(array.size, dtype=bool)
        result[chosen] = True
        return [bool(x) for x in result & (array > 0)]
    positive = array[array > 0]
    if not positive.size:
        return [False] * array.size
    logs = np.log(array + FLOOR * float(np.median(positive)))
    middle = float(np.median(logs))
    mad = 1.4826 * float(np.median(np.abs(logs - middle)))
    return [bool(x) for x in ((logs - middle) > config.robust_z * max(mad, 1e-3)) & (array > 0)]
