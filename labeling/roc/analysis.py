"""The whole analysis of one class: curves, operating point, costs, intervals, and what to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labeling.roc.config import RocConfig
from labeling.roc.resampling import Intervals, resample
from labeling.roc.sweep import cheapest_index, minutes_of, operating_index
from voxcurate.lesions.curves import FROC_AT, Sweep, at_false_rates, sweep_table, table_of
from voxcurate.lesions.matching import CaseRow

FEW = 20  # lesions: fewer say little of 99 %


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a threshold sweep tells of one class.

    Attributes:
        class_id: the lesion.
        config: what was asked.
        rows: the scans.
        sweep: counts at each threshold.
        intervals: by resampling patients.
        operating: index of the operating point in `sweep`; None: it cannot be told.
        cheapest: index of the threshold that takes people least time; None without lesions.
        notes: what to know before believing it.
    """

    class_id: str
    config: RocConfig
    rows: tuple[CaseRow, ...]
    sweep: Sweep
    intervals: Intervals
    operating: int | None
    cheapest: int | None
    notes: tuple[str, ...] = field(default=())

    @property
    def threshold(self) -> float | None:
        """Of the operating point."""
        return None if self.operating is None else float(self.sweep.thresholds[self.operating])

    @property
    def reached(self) -> bool:
        """Whether the operating point has the wanted sensitivity."""
        if self.operating is None:
            return False
        level = self.sweep.of(self.config.sensitivity_of)[self.operating]
        return bool(level >= self.config.sensitivity - 1e-12)

    def point(self, index: int | None) -> dict[str, Any] | None:
        """All figures at one threshold, as plain data; None where nothing was measured."""
        if index is None or not self.sweep.n_scans:
            return None
        s = self.sweep
        low, high = minutes_of(s, self.config)
        hand = [m * s.n_lesions for m in self.config.minutes_per_missed]
        spent, saved = (low[index] + high[index]) / 2, None
        if sum(hand):
            saved = 1 - spent / (sum(hand) / 2)
        return {
            "threshold": _plain(s.thresholds[index]),
            "sensitivity": _plain(s.sensitivity[index]),
            "patient_sensitivity": _plain(s.patient_sensitivity[index]),
            "specificity": _plain(1 - s.false_patients[index]),
            "lesions_found": int(s.found[index]),
            "lesions_missed": int(s.n_lesions - s.found[index]),
            "lesions_lost_to_reports": int(s.lost[index]),
            "false_positives": int(s.false[index]),
            "removed_by_reports": int(s.removed[index]),
            "false_per_scan": _plain(s.false_per_scan[index]),
            "left_per_scan": _plain(s.left_per_scan[index]),
            "minutes": [_plain(low[index]), _plain(high[index])],
            "minutes_per_scan": _plain(spent / s.n_scans) if s.n_scans else None,
            "minutes_by_hand": [_plain(m) for m in hand],
            "time_saved": None if saved is None else _plain(saved),
        }

    def to_json(self, *, curve: bool = True) -> dict[str, Any]:
        """Plain data; `curve`: with all thresholds."""
        s = self.sweep
        told: dict[str, Any] = {
            "class": self.class_id,
            "scans": s.n_scans,
            "scans_of_unknown_truth": sum(r.positive is None for r in self.rows),
            "patients": {"positive": s.n_positive, "negative": s.n_negative},
            "lesions": s.n_lesions,
            "hit": self.config.hit,
            "score": self.config.score,
            "wanted_sensitivity": self.config.sensitivity,
            "sensitivity_of": self.config.sensitivity_of,
            "reached": self.reached,
            "operating_point": self.point(self.operating),
            "least_time": self.point(self.cheapest),
            "usual_threshold": self.point(self.nearest(0.5)),
            "intervals": {k: [_plain(x) for x in v] for k, v in self.intervals.values.items()},
            "sensitivity_of_unseen": _plain(self.intervals.unseen),
            "auc": _plain(s.auc),
            "froc_score": _plain(s.froc_score),
            "froc": dict(
                zip(map(str, FROC_AT), map(_plain, at_false_rates(s, FROC_AT)), strict=True)
            ),
            "notes": list(self.notes),
        }
        if curve:
            told["curve"] = self.curve()
        return told

    def nearest(self, threshold: float) -> int:
        """Index of the lowest threshold of the sweep at or above one: the counts there are its."""
        return int(np.flatnonzero(self.sweep.thresholds >= threshold)[-1])

    def curve(self) -> list[dict[str, Any]]:
        """One row per threshold."""
        s = self.sweep
        low, high = minutes_of(s, self.config)
        columns: Mapping[str, Any] = {
            "threshold": s.thresholds,
            "sensitivity": s.sensitivity,
            "false_per_scan": s.false_per_scan,
            "left_per_scan": s.left_per_scan,
            "patient_sensitivity": s.patient_sensitivity,
            "false_patients": s.false_patients,
            "lesions_found": s.found,
            "false_positives": s.false,
            "removed_by_reports": s.removed,
            "minutes_least": low,
            "minutes_most": high,
        }
        return [
            {name: _plain(values[n]) for name, values in columns.items()}
            for n in range(s.thresholds.size)
        ]


def analyse(
    class_id: str, rows: Sequence[CaseRow], config: RocConfig, *, seed: int = 0
) -> Analysis:
    """Sweep the threshold over some scans.

    Scans of which nobody knows whether there is a lesion are left out. Nothing makes it fail: one
    patient, none with a lesion, none without, no candidates; the notes say what cannot be told.

    Args:
        class_id: for the result.
        rows: one per scan.
        config: the wanted sensitivity, costs, resamples.
        seed: of the resamples.
    """
    table = table_of(rows)
    found = sweep_table(table)
    operating = operating_index(found, config)
    threshold = None if operating is None else float(found.thresholds[operating])
    intervals = resample(table, config, threshold=threshold, seed=seed)
    notes = _notes(found, config, operating, len(table.patients))
    return Analysis(
        class_id, config, tuple(sorted(rows, key=lambda r: r.case_id)), found, intervals,
        operating, cheapest_index(found, config), notes,
    )  # fmt: skip


def exact_lower(found: int, total: int) -> float:
    """Lower end of Clopper and Pearson's 95 % interval (two-sided) of a share; 0 of nothing.

    The bootstrap says nothing where all are found: every resample finds all.
    """
    if not found:
        return 0.0
    from scipy import special

    return float(special.betaincinv(found, total - found + 1, 0.025))


def _notes(
    found: Sweep, config: RocConfig, operating: int | None, n_patients: int
) -> tuple[str, ...]:
    notes = []
    what = "lesion" if config.sensitivity_of == "lesion" else "patient with a lesion"
    total = found.n_lesions if config.sensitivity_of == "lesion" else found.n_positive
    if not found.n_scans:
        notes.append("no scan of which it is known whether there is a lesion")
    elif not total:
        notes.append(f"no {what}: sensitivity and operating point cannot be told")
    elif operating is None:
        notes.append("nothing is found at any threshold: there is no operating point")
    if found.n_scans and not found.n_negative:
        notes.append("no patient without a lesion: specificity and ROC cannot be told")
    if n_patients == 1:
        notes.append("one patient: no intervals")
    if operating is not None:
        level = float(found.of(config.sensitivity_of)[operating])
        if level < config.sensitivity - 1e-12:
            notes.append(
                f"the wanted sensitivity of {config.sensitivity:.1%} is reached at no threshold: "
                f"{level:.1%} is the most; candidates below {config.candidate_above:g} are not seen"
            )
        hits = round(level * total)
        if hits == total:
            lower = exact_lower(hits, total)
            notes.append(
                f"all {total} found: the bootstrap cannot be below 100 %, the exact interval is "
                f"{lower:.1%} to 100 %"
            )
        if total < FEW:
            notes.append(f"only {total} to measure by: the sensitivity of others may differ much")
        if config.sensitivity < 1 and (total - 1) / total < config.sensitivity - 1e-12:
            notes.append(
                f"{100 * config.sensitivity:.4g} % of {total} is all of them: the one that scores "
                "lowest sets the threshold"
            )
        if found.lost[operating]:
            notes.append(
                f"{int(found.lost[operating])} found lesions lie in scans whose report says no: "
                "removing by reports would lose them"
            )
    return tuple(notes)


def _plain(value: Any) -> float | int | None:
    """A number for JSON; None for NaN and infinity."""
    if value is None or not np.isfinite(value):
        return None
    if isinstance(value, (int, np.integer)):
        return int(value)
    return round(float(value), 6)
