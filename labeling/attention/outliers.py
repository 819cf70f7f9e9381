"""Which scores of a list stand out (AbdomenAtlas-8K, figure 4)."""

from collections.abc import Callable, Sequence

import numpy as np

from labeling.config import PriorityConfig

FLOOR = 1e-3  # of the median positive score; so that a score of 0 has a logarithm


def outliers(
    values: Sequence[float],
    config: PriorityConfig,
    is_open: Callable[[int], bool] = lambda _: True,
) -> list[bool]:
    """Which scores stand out, whatever their unit.

    ``top``: the largest ones, as many as `fraction` of all (published: 5 %), rounded up.
    ``budget``: the largest `budget`. ``robust``: a robust z of the logarithm above `robust_z`;
    scores are skewed, and 5 % of a clean dataset are no outliers. A score of 0 is never one.

    Args:
        values: the scores.
        config: the rule.
        is_open: whether there is anything to do about a score, by its index; asked of the largest
            first, and no further than needed. Of ``top`` and ``budget`` the next one takes the
            place of one without.
    """
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        return []
    found = [False] * array.size
    if config.rule != "robust":
        n = int(np.ceil(config.fraction * array.size - 1e-9))
        left = config.budget if config.rule == "budget" else n
        for place in np.argsort(-array, kind="stable").tolist():
            if not left or not array[place] > 0:
                break
            if is_open(place):
                found[place] = True
                left -= 1
        return found
    positive = array[array > 0]
    if not positive.size:
        return found
    logs = np.log(array + FLOOR * float(np.median(positive)))
    middle = float(np.median(logs))
    mad = 1.4826 * float(np.median(np.abs(logs - middle)))
    is_far = ((logs - middle) > config.robust_z * max(mad, 1e-3)) & (array > 0)
    return [bool(far) and is_open(place) for place, far in enumerate(is_far)]
