"""Are slices evenly spaced? The one judgement that reading a series and checking it share.

Headers round: 0.625 mm apart becomes 0.6 and 0.7 where one decimal is written. What the decimals
explain is no fault: each place then lies within half a last digit of an even row. A table that
jumped, or a slice that is missing, does not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UNEVEN = 0.05  # of the slice distance: tables do not jump
SAME_MM, SAME_SHARE = 1e-3, 0.02  # nearer, of the slice distance, is the same place
LEAST_MM = 0.01
HALF = 0.6  # of a last digit: rounding leaves half, fitting the row a little more
MAX_DECIMALS = 9
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gaps:
    """The distances in a stack of slices; all indices count the slices in their order.

    Attributes:
        usual_mm: the slice distance; 0 where all lie at one place.
        repeated: slices whose next one lies at the same place.
        kept: slices, without those that repeat one before.
        gaps_mm: between kept slices.
        multiples: how many slice distances each gap is, at least 1.
        is_even: which gaps are that many.
    """

    usual_mm: float
    repeated: npt.NDArray[np.intp]
    kept: npt.NDArray[np.intp]
    gaps_mm: Array
    multiples: Array
    is_even: npt.NDArray[np.bool_]

    @property
    def missing(self) -> npt.NDArray[np.intp]:
        """Gaps in which slices are missing."""
        return np.flatnonzero(self.is_even & (self.multiples > 1))

    @property
    def n_missing(self) -> int:
        """How many slices are missing."""
        return int((self.multiples[self.missing] - 1).sum())

    @property
    def uneven(self) -> npt.NDArray[np.intp]:
        """Gaps that are no multiple of the slice distance."""
        return np.flatnonzero(~self.is_even)


def judge_gaps(along_mm: Array, *, digit_mm: float = 0.0) -> Gaps:
    """Judge the places of slices along their normal.

    Args:
        along_mm: ascending.
        digit_mm: the worth of the last digit written, along the normal (`digit_along`).
    """
    gaps = np.diff(along_mm)
    positive = gaps[gaps > SAME_MM]
    if positive.size == 0:
        none = np.zeros(0)
        every = np.arange(gaps.size)
        return Gaps(0.0, every, np.arange(min(1, along_mm.size)), none, none, none.astype(bool))
    usual = usual_gap(positive, digit_mm=digit_mm)
    repeated = np.flatnonzero(gaps < max(SAME_MM, SAME_SHARE * usual))
    kept = np.delete(np.arange(along_mm.size), repeated + 1)
    along = along_mm[kept]
    gaps = np.diff(along)
    multiples = np.maximum(1.0, np.rint(gaps / usual))
    is_even = _is_multiple(gaps, usual, multiples, LEAST_MM)
    if not is_even.all() and digit_mm > LEAST_MM:
        near = _is_multiple(gaps, usual, multiples, digit_mm + LEAST_MM)
        in_row = np.abs(_off_row(along, multiples)) <= HALF * digit_mm + LEAST_MM
        is_even |= near & in_row[1:] & in_row[:-1]
    if is_even.all():
        usual = float((along[-1] - along[0]) / multiples.sum())
    return Gaps(usual, repeated, kept, gaps, multiples, is_even)


def usual_gap(gaps_mm: Array, *, digit_mm: float = 0.0) -> float:
    """The slice distance: the median, or the least where all gaps are multiples of it.

    Of gaps that are rounded to `digit_mm` the median is one digit or the next: the mean of both.
    """
    least, median = float(gaps_mm.min()), float(np.median(gaps_mm))
    fits = _is_multiple(gaps_mm, least, np.rint(gaps_mm / least), max(LEAST_MM, digit_mm))
    if fits.all() and median > 1.5 * least:
        return least
    return float(gaps_mm[np.abs(gaps_mm - median) <= digit_mm + 1e-6].mean())


def digit_along(decimals: Sequence[Sequence[int]], normal: Iterable[float]) -> float:
    """What the last digit of positions is worth along a normal, mm.

    Args:
        decimals: per slice those of x, y and z; writers drop zeros at the end, so the most of any
            slice counts.
        normal: unit vector across the slices.
    """
    if not len(decimals):
        return 0.0
    most = np.minimum(MAX_DECIMALS, np.max(np.asarray(decimals), axis=0))
    return float(np.abs(np.fromiter(normal, float)) @ (10.0 ** -most.astype(float)))


def decimals_of(values: Iterable[object]) -> tuple[int, ...]:
    """Decimals of numbers as their header wrote them; the most there are for powers of ten."""
    found = []
    for value in values:
        text = str(getattr(value, "original_string", value)).strip().lower()
        _, _, rest = text.partition(".")
        found.append(MAX_DECIMALS if "e" in text else min(MAX_DECIMALS, len(rest)))
    return tuple(found)


def _is_multiple(
    gaps: Array, usual: float, multiples: Array, slack_mm: float
) -> npt.NDArray[np.bool_]:
    allowed = UNEVEN * usual * multiples + slack_mm
    return np.asarray(np.abs(gaps - multiples * usual) <= allowed)


def _off_row(along: Array, multiples: Array) -> Array:
    """How far each place lies off the even row that fits best."""
    number = np.concatenate([[0.0], np.cumsum(multiples)])
    step, start = np.polyfit(number, along, 1)
    return np.asarray(along - (start + step * number))
