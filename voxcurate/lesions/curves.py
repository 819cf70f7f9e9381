"""The threshold swept over the candidates' scores: what is found and what is false.

A candidate counts at a threshold if its score is at least that. Lesions give the free-response
curve (FROC), patients the ROC: a patient's score is the highest of any candidate of his scans, 0
without any.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxcurate.lesions.matching import CaseRow

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NEVER = -1.0  # score of a lesion that no candidate hits
FROC_AT = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # false positives per scan, as LUNA16 takes them


@dataclass(frozen=True, eq=False)
class Table:
    """The rows as arrays; `..._of` is the index of the patient.

    Attributes:
        patients: names.
        is_positive: of each patient.
        patient_score: highest score of each patient.
        lesion_score: of each lesion the highest score of a candidate that hits it, else `NEVER`.
        lost: lesions in scans whose report says that there is none: removing would lose them.
        false_score: of each false positive.
        is_removed: false positives that the report removes.
        n_scans: of each patient.
    """

    patients: tuple[str, ...]
    is_positive: npt.NDArray[np.bool_]
    patient_score: Floats
    lesion_score: Floats
    lesion_of: Ints
    lost: npt.NDArray[np.bool_]
    false_score: Floats
    false_of: Ints
    is_removed: npt.NDArray[np.bool_]
    n_scans: Ints


@dataclass(frozen=True, eq=False)
class Sweep:
    """Counts at each threshold; the first is infinite, where nothing counts.

    Attributes:
        thresholds: falling.
        found: lesions hit.
        lost: of them, in scans whose report says that there is no lesion.
        false: false positives.
        removed: of them, removed by the report without a person.
        patients_found: positive patients with a candidate.
        patients_false: negative patients with a candidate.
        n_lesions, n_scans, n_positive, n_negative: in all; the last two patients.
    """

    thresholds: Floats
    found: Ints
    lost: Ints
    false: Ints
    removed: Ints
    patients_found: Ints
    patients_false: Ints
    n_lesions: int
    n_scans: int
    n_positive: int
    n_negative: int

    @property
    def sensitivity(self) -> Floats:
        """Share of the lesions hit; NaN without lesions."""
        return _share(self.found, self.n_lesions)

    @property
    def patient_sensitivity(self) -> Floats:
        """Share of the positive patients with a candidate; NaN without any."""
        return _share(self.patients_found, self.n_positive)

    @property
    def false_patients(self) -> Floats:
        """Share of the negative patients with a candidate (1 - specificity); NaN without any."""
        return _share(self.patients_false, self.n_negative)

    @property
    def false_per_scan(self) -> Floats:
        """False positives per scan; NaN without scans."""
        return _share(self.false, self.n_scans)

    @property
    def left_per_scan(self) -> Floats:
        """False positives per scan that people have to remove."""
        return _share(self.false - self.removed, self.n_scans)

    def of(self, level: str) -> Floats:
        """Sensitivity of lesions or of patients."""
        return self.patient_sensitivity if level == "patient" else self.sensitivity

    @property
    def auc(self) -> float:
        """Area under the ROC of the patients; NaN where one of the two kinds is missing."""
        return area(*self.roc)

    @property
    def roc(self) -> tuple[Floats, Floats]:
        """Share of false patients, and of positive patients found. The last point is (1, 1), where
        patients without any candidate count too: nobody would work there, but the area needs it."""
        x, y = (np.append(side, 1.0) for side in (self.false_patients, self.patient_sensitivity))
        return x, y

    @property
    def froc_score(self) -> float:
        """Mean sensitivity at `FROC_AT` false positives per scan (LUNA16's); NaN without
        lesions."""
        return float(np.mean(at_false_rates(self, FROC_AT)))


def table_of(rows: Sequence[CaseRow]) -> Table:
    """The rows of which it is known whether there is a lesion, as arrays."""
    known = sorted((r for r in rows if r.positive is not None), key=lambda r: r.case_id)
    patients = tuple(sorted({r.patient for r in known}))
    index = {name: n for n, name in enumerate(patients)}
    is_positive = np.zeros(len(patients), np.bool_)
    score = np.zeros(len(patients))
    scans = np.zeros(len(patients), np.int64)
    lesions: list[tuple[float, int, bool]] = []
    false: list[tuple[float, int, bool]] = []
    for row in known:
        p, said_no = index[row.patient], row.said == "no"
        scans[p] += 1
        is_positive[p] |= bool(row.positive)
        best = [NEVER] * len(row.lesions_ml)
        for value, hits in row.counted:
            score[p] = max(score[p], value)
            for lesion in hits:
                best[lesion] = max(best[lesion], value)
            if not hits:
                false.append((value, p, said_no))
        lesions += [(value, p, said_no) for value in best]
    a, b = _columns(lesions), _columns(false)
    return Table(patients, is_positive, score, *a, *b, scans)


def sweep(rows: Sequence[CaseRow]) -> Sweep:
    """All thresholds at which something changes.

    Rows of which nobody knows whether there is a lesion are left out. Candidates that count neither
    way are in no count, and not in a patient's score.
    """
    return sweep_table(table_of(rows))


def sweep_table(table: Table) -> Sweep:
    """As `sweep`, of a table."""
    hit = table.lesion_score[table.lesion_score >= 0]
    values = np.unique(np.concatenate([hit, table.false_score, table.patient_score]))
    thresholds = np.concatenate([[np.inf], values[values > 0][::-1]])

    def at_least(scores: Floats) -> Ints:
        ordered = np.sort(scores)
        return (ordered.size - np.searchsorted(ordered, thresholds, "left")).astype(np.int64)

    return Sweep(
        thresholds,
        found=at_least(table.lesion_score),
        lost=at_least(table.lesion_score[table.lost]),
        false=at_least(table.false_score),
        removed=at_least(table.false_score[table.is_removed]),
        patients_found=at_least(table.patient_score[table.is_positive]),
        patients_false=at_least(table.patient_score[~table.is_positive]),
        n_lesions=int(table.lesion_score.size),
        n_scans=int(table.n_scans.sum()),
        n_positive=int(table.is_positive.sum()),
        n_negative=int((~table.is_positive).sum()),
    )


def at_false_rates(found: Sweep, rates: Sequence[float]) -> Floats:
    """Lesion sensitivity at the lowest threshold with at most so many false positives per scan; the
    curve is a step, nothing is interpolated. NaN without lesions."""
    places = np.searchsorted(found.false_per_scan, np.asarray(rates) + 1e-12, "right") - 1
    return np.asarray(found.sensitivity[places])


def area(x: Floats, y: Floats) -> float:
    """Area under a curve by trapezoids."""
    if np.isnan(x).any() or np.isnan(y).any():
        return float("nan")
    return float(np.trapezoid(y, x))


def _share(counts: Ints, total: int) -> Floats:
    if not total:
        return np.full(counts.shape, np.nan)
    return np.asarray(counts / total, dtype=np.float64)


def _columns(
    rows: Sequence[tuple[float, int, bool]],
) -> tuple[Floats, Ints, npt.NDArray[np.bool_]]:
    return (
        np.array([r[0] for r in rows], np.float64),
        np.array([r[1] for r in rows], np.int64),
        np.array([r[2] for r in rows], np.bool_),
    )
