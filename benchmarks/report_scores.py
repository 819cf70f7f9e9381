"""Precision, recall and F1 of presence answers with intervals, and accuracy of the others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.report_sets import Labelled
from voxcurate import intervals

Answers = Mapping[str, Any]
_SIZE_TOLERANCE_MM = 0.5
_RESAMPLED = 1000


@dataclass(frozen=True)
class Score:
    """Counts over reports of one question or several, positives being "yes"."""

    tp: int
    fp: int
    fn: int
    f1_interval: tuple[float, float]

    @property
    def precision(self) -> float:
        """NaN where nothing was called yes."""
        said = self.tp + self.fp
        return self.tp / said if said else float("nan")

    @property
    def recall(self) -> float:
        """NaN where nothing is yes."""
        true = self.tp + self.fn
        return self.tp / true if true else float("nan")

    @property
    def f1(self) -> float:
        """NaN where nothing is yes or called so."""
        both = 2 * self.tp
        return both / (both + self.fp + self.fn) if both + self.fp + self.fn else float("nan")

    @property
    def precision_interval(self) -> tuple[float, float]:
        """Wilson, 95 %."""
        return wilson(self.tp, self.tp + self.fp)

    @property
    def recall_interval(self) -> tuple[float, float]:
        """Wilson, 95 %."""
        return wilson(self.tp, self.tp + self.fn)


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share; 0 to 1 where there is nothing."""
    return intervals.wilson(right / n, n) if n else (0.0, 1.0)


def presence(
    reports: Sequence[Labelled],
    said: Sequence[Answers],
    questions: Iterable[str],
    *,
    uncertain: str,
) -> Score:
    """Pooled over `questions`; a labelled question without an answer is "no".

    Args:
        uncertain: ``aside``: reports that are truly uncertain on a question are left out, and an
            uncertain reading is no "yes"; ``yes``: uncertain counts as yes on both sides.
    """
    asked = list(questions)
    counts: npt.NDArray[np.int64] = np.zeros((len(reports), 3), dtype=np.int64)
    for row, report, answers in zip(counts, reports, said, strict=True):
        for question in asked:
            truth = report.truth.get(question)
            if question not in report.asked or (uncertain == "aside" and truth == "uncertain"):
                continue
            wanted = truth == "yes" or (uncertain == "yes" and truth == "uncertain")
            got = answers.get(question)
            is_yes = got == "yes" or (uncertain == "yes" and got == "uncertain")
            row += (wanted and is_yes, is_yes and not wanted, wanted and not is_yes)
    tp, fp, fn = (int(n) for n in counts.sum(axis=0))
    return Score(tp, fp, fn, _bootstrap(counts))


def _bootstrap(counts: npt.NDArray[np.int64]) -> tuple[float, float]:
    """F1 over resampled reports, 95 %."""
    if not len(counts):
        return 0.0, 1.0
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), _RESAMPLED)
    tp, fp, fn = (drawn @ counts).T
    f1 = 2 * tp / np.maximum(1, 2 * tp + fp + fn)
    low, high = np.quantile(f1, [0.025, 0.975])
    return float(low), float(high)


def agreement(
    reports: Sequence[Labelled], said: Sequence[Answers], questions: Iterable[str]
) -> tuple[int, int]:
    """How many true answers were given exactly (sizes within 0.5 mm), of how many."""
    asked = frozenset(questions)
    pairs = [
        (truth, answers.get(question))
        for report, answers in zip(reports, said, strict=True)
        for question, truth in report.truth.items()
        if question in asked
    ]
    return sum(agrees(truth, got) for truth, got in pairs), len(pairs)


def agrees(wanted: Any, got: Any) -> bool:
    """Whether two answers are the same."""
    if isinstance(wanted, (int, float)):
        return isinstance(got, (int, float)) and abs(wanted - got) <= _SIZE_TOLERANCE_MM
    return bool(wanted == got)
