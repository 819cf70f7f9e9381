"""Readers beside the model: sensitivity, specificity, accuracy, and whether they differ.

Written rules. A reader's figures have Wilson's interval. A group's figure is the mean of its
readers' figures; its interval resamples the patients, the same for all readers (all or none right:
Wilson's, as if of one reader). The difference between model and group is taken on the cases that
the model and any reader of the group have called; its interval and p-value resample patients and
readers (as Dorfman, Berbaum and Metz ask: both are drawn from many; our way is the bootstrap, not
their analysis of variance). Without cases of a kind a figure is undefined (None), not 0. The
subtype is judged where there is a tumour and its subtype is known; a reader who saw no tumour was
wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.staging.config import ReaderConfig
from training.staging.marks import Calls, Truth
from voxcurate.intervals import Estimate, resampled, wilson

FIGURES = ("sensitivity", "specificity", "accuracy", "subtype accuracy")
SIZES = ("below 20 mm", "20 to 40 mm", "above 40 mm")
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Standing:
    """Figures of a reader, a group or the model; None: undefined."""

    name: str
    kind: str  # reader, group, model
    group: str
    n_cases: int
    n_readers: int
    figures: Mapping[str, Estimate | None]
    by_size: Mapping[str, Estimate | None]  # sensitivity


@dataclass(frozen=True)
class Difference:
    """Model minus group in one figure, with interval and two-sided p-value."""

    group: str
    figure: str
    difference: float
    low: float
    high: float
    p: float
    n_cases: int


@dataclass(frozen=True, eq=False)
class Study:
    """Readers and model on the same cases.

    Attributes:
        readers: each reader.
        groups: each group, in alphabetical order; all readers together last, if several groups.
        model: None without one.
        tests: model against each group.
        roc: of the model: false and true positive shares, from (0, 0) to (1, 1).
        auc: with its interval; None without scores or without both kinds of cases.
    """

    readers: tuple[Standing, ...]
    groups: tuple[Standing, ...]
    model: Standing | None
    tests: tuple[Difference, ...]
    roc: tuple[Array, Array] | None
    auc: Estimate | None


def compare_readers(
    readers: Mapping[str, Calls],
    truth: Truth,
    model: Calls | None = None,
    config: ReaderConfig | None = None,
) -> Study:
    """All figures, tests and the model's ROC.

    Args:
        readers: name to marks.
        truth: of at least the marked cases.
        model: its calls.
        config: level, resamples.
    """
    config = config or ReaderConfig()
    names = sorted({c for calls in readers.values() for c in calls.present})
    cases = _Cases(names, truth, config)
    groups: dict[str, list[str]] = {}
    for name in sorted(readers):
        groups.setdefault(readers[name].group, []).append(name)
    together = dict(sorted(groups.items()))
    if len(together) > 1:
        together["all readers"] = sorted(readers)
    standings, tests = [], []
    for group, members in together.items():
        calls = [readers[name] for name in members]
        standings.append(cases.group(group, calls))
        if model is not None:
            tests += cases.tests(group, calls, model)
    every = sorted(model.present) if model is not None else []
    own = _Cases(every, truth, config)
    roc, auc = own.roc(model) if model is not None and model.score else (None, None)
    return Study(
        tuple(cases.reader(name, readers[name]) for name in sorted(readers)),
        tuple(standings),
        None if model is None else own.reader("model", model, kind="model"),
        tuple(tests),
        roc,
        auc,
    )


def share_of(hits: float, n: int, confidence: float) -> Estimate | None:
    """A share of independent cases with Wilson's interval; None without cases."""
    return Estimate(hits / n, *wilson(hits / n, n, confidence=confidence), n) if n else None


class _Cases:
    """The cases of a study, their truth, and how often each resample draws them."""

    def __init__(self, names: Sequence[str], truth: Truth, config: ReaderConfig) -> None:
        self.names, self.truth, self.config = list(names), truth, config
        self.present = np.array([truth.present[c] for c in names], bool)
        owners = [truth.patient.get(c, c) for c in names]
        rank = {owner: n for n, owner in enumerate(dict.fromkeys(owners))}
        self.owner = np.array([rank[o] for o in owners], np.int64)
        self.n_patients = len(rank)

    def right(self, calls: Calls) -> dict[str, Array]:
        """Figure to 1 right, 0 wrong, NaN does not count, per case."""
        told = np.array([calls.present.get(c, np.nan) for c in self.names], np.float64)
        right = np.where(np.isnan(told), np.nan, told == self.present)
        subtype = np.full(len(self.names), np.nan)
        if calls.subtype:
            for n, case in enumerate(self.names):
                wanted = self.truth.subtype.get(case)
                if self.present[n] and wanted and not np.isnan(told[n]):
                    named = calls.subtype.get(case, "").lower() == wanted.lower()
                    subtype[n] = float(bool(told[n]) and named)
        return {
            "sensitivity": np.where(self.present, right, np.nan),
            "specificity": np.where(self.present, np.nan, right),
            "accuracy": right,
            "subtype accuracy": subtype,
        }

    def reader(self, name: str, calls: Calls, kind: str = "reader") -> Standing:
        """One reader, or the model."""
        right = self.right(calls)
        found = {figure: self._wilson(values) for figure, values in right.items()}
        sizes = {size: self._wilson(values) for size, values in self._by_size(right["sensitivity"])}
        n = int((~np.isnan(right["accuracy"])).sum())
        return Standing(name, kind, calls.group, n, 1, found, sizes)

    def group(self, name: str, members: Sequence[Calls]) -> Standing:
        """A group of readers: the mean of theirs."""
        rights = [self.right(calls) for calls in members]
        found = {f: self._mean([r[f] for r in rights]) for f in FIGURES}
        sensitivity = [dict(self._by_size(r["sensitivity"])) for r in rights]
        sizes = {s: self._mean([r[s] for r in sensitivity if r]) for s in SIZES}
        every = np.array([r["accuracy"] for r in rights])
        n = int((~np.isnan(every)).any(axis=0).sum())
        known = {s: e for s, e in sizes.items() if self.truth.size_mm}
        return Standing(name, "group", name, n, len(members), found, known)

    def tests(self, group: str, members: Sequence[Calls], model: Calls) -> list[Difference]:
        """Model minus group, figure by figure."""
        own, rights = self.right(model), [self.right(calls) for calls in members]
        found = []
        for figure in FIGURES:
            theirs = np.array([r[figure] for r in rights])
            both = ~np.isnan(own[figure]) & ~np.isnan(theirs).all(axis=0)
            if not both.any():
                continue
            ours = np.where(both, own[figure], np.nan)[None]
            theirs = np.where(both, theirs, np.nan)
            theirs = theirs[~np.isnan(theirs).all(axis=1)]
            mean = _means(ours)[0] - _means(theirs).mean()
            times = self._times()
            picked = resampled(len(theirs), self.config.draws, self.config.seed + 1)
            with np.errstate(invalid="ignore"):
                per_reader = _weighted(times, theirs)
                weights = np.where(np.isnan(per_reader), 0, picked)
                drawn = np.nansum(per_reader * weights, axis=1) / weights.sum(axis=1)
                differences = _weighted(times, ours)[:, 0] - drawn
            kept = differences[np.isfinite(differences)]
            if kept.size < 2:
                continue
            tail = (1 - self.config.confidence) / 2
            low, high = np.quantile(kept, (tail, 1 - tail))
            sides = [(np.count_nonzero(s) + 1) / (kept.size + 1) for s in (kept <= 0, kept >= 0)]
            p = float(min(1.0, 2 * min(sides)))
            found.append(
                Difference(group, figure, float(mean), float(low), float(high), p, int(both.sum()))
            )
        return found

    def roc(self, model: Calls) -> tuple[tuple[Array, Array] | None, Estimate | None]:
        """The model's curve and area, by case; None where a kind of case is missing."""
        scores = np.array([model.score[c] for c in self.names])
        yes, no = scores[self.present], scores[~self.present]
        if not yes.size or not no.size:
            return None, None
        cuts = np.concatenate([[np.inf], np.unique(scores)[::-1]])
        curve = (
            (no[None] >= cuts[:, None]).mean(axis=1),
            (yes[None] >= cuts[:, None]).mean(axis=1),
        )
        wins = (yes[:, None] > no[None]) + 0.5 * (yes[:, None] == no[None])
        area = float(wins.mean())
        if area in (0.0, 1.0) or self.n_patients < 2:  # a bootstrap would have no width
            return curve, Estimate(area, None, None, len(scores))
        times = self._times()
        one, two = times[:, self.present], times[:, ~self.present]
        with np.errstate(invalid="ignore"):
            areas = ((one @ wins) * two).sum(axis=1) / (one.sum(axis=1) * two.sum(axis=1))
        tail = (1 - self.config.confidence) / 2
        low, high = np.nanquantile(areas, (tail, 1 - tail))
        return curve, Estimate(area, float(low), float(high), len(scores))

    def _wilson(self, values: Array) -> Estimate | None:
        kept = values[~np.isnan(values)]
        return share_of(float(kept.sum()), kept.size, self.config.confidence)

    def _mean(self, rows: Sequence[Array]) -> Estimate | None:
        """Mean of the readers' means; readers without a case of the kind are left out."""
        table = np.array([row for row in rows if not np.isnan(row).all()])
        if not table.size:
            return None
        n = int((~np.isnan(table)).any(axis=0).sum())
        mean = float(_means(table).mean())
        if mean in (0.0, 1.0):  # a bootstrap would have no width
            return share_of(mean * n, n, self.config.confidence)
        if self.n_patients < 2:
            return Estimate(mean, None, None, n)
        with np.errstate(invalid="ignore"):
            drawn = _weighted(self._times(), table)
        found = drawn[~np.isnan(drawn).any(axis=1)].mean(axis=1)
        if not found.size:
            return Estimate(mean, None, None, n)
        tail = (1 - self.config.confidence) / 2
        low, high = np.quantile(found, (tail, 1 - tail))
        return Estimate(mean, float(low), float(high), n)

    def _times(self) -> npt.NDArray[np.int64]:
        """How often each case is drawn, ``(draws, cases)``: all cases of a patient together."""
        drawn = resampled(self.n_patients, self.config.draws, self.config.seed)
        return np.asarray(drawn[:, self.owner])

    def _by_size(self, sensitivity: Array) -> list[tuple[str, Array]]:
        if not self.truth.size_mm:
            return []
        size = np.array([self.truth.size_mm.get(c, np.nan) for c in self.names])
        within = ((size < 20), (size >= 20) & (size <= 40), (size > 40))
        return [
            (name, np.where(own, sensitivity, np.nan))
            for name, own in zip(SIZES, within, strict=True)
        ]


def _means(table: Array) -> Array:
    """Mean of each row's numbers."""
    return np.asarray(np.nanmean(table, axis=1))


def _weighted(times: npt.NDArray[np.int64], table: Array) -> Array:
    """Mean of each row of `table` in each resample, ``(draws, rows)``; NaN where none is drawn."""
    known = ~np.isnan(table)
    totals = times @ np.where(known, table, 0.0).T
    counts = times @ known.T.astype(np.float64)
    return np.asarray(totals / np.where(counts > 0, counts, np.nan))
