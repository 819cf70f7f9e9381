"""Curves, operating point, costs and intervals of tables of candidates."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve  # type: ignore[import-untyped]

from labeling.roc.analysis import analyse, exact_lower
from labeling.roc.config import RocConfig
from labeling.roc.plot import plot_analysis
from labeling.roc.resampling import resample
from labeling.roc.sweep import operating_index
from voxcurate.errors import GeometryError
from voxcurate.lesions.curves import FROC_AT, at_false_rates, sweep, table_of
from voxcurate.lesions.matching import CaseRow

QUICK = RocConfig(draws=200)


def random_rows(seed, n=40, share=0.5, patients=True):
    """Scans with lesions, hits and false positives; some patients have two scans."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        lesions = int(rng.integers(1, 4)) if rng.random() < share else 0
        hits = [(int(rng.integers(lesions)),) for _ in range(rng.integers(0, 4)) if lesions]
        false = [()] * int(rng.poisson(1.5))
        scores = [round(float(rng.beta(4, 2)), 2) for _ in hits]
        scores += [round(float(rng.beta(2, 4)), 2) for _ in false]
        said = "yes" if lesions else rng.choice(["no", "no", "", "uncertain"])
        patient = f"p{i // 2 if patients else i:03d}"
        rows.append(
            CaseRow(f"c{i:03d}", patient, tuple(scores), (*hits, *false),
                    tuple([1.0] * lesions), bool(lesions), str(said))
        )  # fmt: skip
    return rows


def counts_at(rows, threshold):
    """The plain loop: found, false, removed, scans, lesions."""
    found = false = removed = lesions = scans = 0
    for row in rows:
        if row.positive is None:
            continue
        scans += 1
        lesions += len(row.lesions_ml)
        hit = set()
        for score, hits in zip(row.scores, row.hits, strict=True):
            if score >= threshold:
                hit |= set(hits)
                false += not hits
                removed += not hits and row.said == "no"
        found += len(hit)
    return found, false, removed, scans, lesions


@pytest.mark.parametrize("seed", range(4))
def test_froc_is_that_of_a_plain_loop(seed):
    rows = random_rows(seed)
    found = sweep(rows)
    every = sorted({s for r in rows for s in r.scores if s > 0}, reverse=True)
    assert set(found.thresholds[1:]) <= set(every)
    for n, threshold in enumerate(found.thresholds):
        hits, false, removed, scans, lesions = counts_at(rows, threshold)
        assert (found.found[n], found.false[n], found.removed[n]) == (hits, false, removed)
        assert (found.n_scans, found.n_lesions) == (scans, lesions)
        assert found.false_per_scan[n] == pytest.approx(false / scans)
    for rate, value in zip(FROC_AT, at_false_rates(found, FROC_AT), strict=True):
        best = max(
            (counts_at(rows, t)[0] for t in (np.inf, *every)
             if counts_at(rows, t)[1] <= rate * found.n_scans), default=0,
        )  # fmt: skip
        assert value == pytest.approx(best / found.n_lesions)


@pytest.mark.parametrize("seed", range(4))
def test_roc_is_that_of_scikit_learn(seed):
    rows = random_rows(seed)
    truth, score = {}, {}
    for row in rows:
        truth[row.patient] = truth.get(row.patient, False) or row.positive
        score[row.patient] = max([score.get(row.patient, 0.0), *row.scores])
    names = sorted(truth)
    y, s = [truth[n] for n in names], [score[n] for n in names]
    found = sweep(rows)
    assert found.auc == pytest.approx(roc_auc_score(y, s))
    fpr, tpr, _ = roc_curve(y, s, drop_intermediate=False)
    x, z = found.roc
    ours = set(zip(np.round(x, 9), np.round(z, 9), strict=True))
    assert ours >= set(zip(np.round(fpr, 9), np.round(tpr, 9), strict=True))
    for n, threshold in enumerate(found.thresholds):
        flagged = [v >= threshold for v in s]
        assert found.patients_found[n] == sum(f and t for f, t in zip(flagged, y, strict=True))
        assert found.patients_false[n] == sum(f and not t for f, t in zip(flagged, y, strict=True))


def test_operating_point_and_minutes_by_hand():
    rows = [
        CaseRow("a", "1", (0.9, 0.3), ((0,), ()), (2.0,), True, "yes"),
        CaseRow("b", "2", (0.6, 0.7), ((0,), ()), (2.0, 1.0), True),  # one lesion is never hit
        CaseRow("c", "3", (0.8,), ((),), (), False, "no"),
        CaseRow("d", "4", (0.2,), ((),), (), None),  # nobody knows: in no count
    ]
    config = RocConfig(sensitivity=0.6, draws=0)
    found = analyse("liver_tumor", rows, config)
    point = found.point(found.operating)
    assert found.threshold == 0.6
    assert found.reached
    assert point["sensitivity"] == pytest.approx(2 / 3, abs=1e-6)
    assert (point["false_positives"], point["removed_by_reports"]) == (2, 1)
    assert point["false_per_scan"] == pytest.approx(2 / 3, abs=1e-6)
    seconds = 5 / 60  # one false positive is left to people; one lesion is drawn, 4 to 5 minutes
    assert point["minutes"] == pytest.approx([4 + seconds, 5 + seconds], abs=1e-5)
    assert point["minutes_by_hand"] == [12.0, 15.0]
    assert point["time_saved"] == pytest.approx(1 - (4.5 + seconds) / 13.5, abs=1e-6)
    best = analyse("liver_tumor", rows, RocConfig(draws=0))
    assert best.threshold == 0.6  # the highest that finds as much as any does
    assert not best.reached
    assert any("reached at no threshold" in note for note in best.notes)


@pytest.mark.parametrize(("n", "is_said"), [(99, True), (100, False)])
def test_that_99_percent_of_few_is_all_of_them_is_said(n, is_said):
    rows = [CaseRow(f"c{i}", f"p{i}", (0.9,), ((0,),), (1.0,), True) for i in range(n)]
    found = analyse("liver_tumor", rows, RocConfig(draws=0))
    assert any("is all of them" in note for note in found.notes) == is_said
    every = analyse("liver_tumor", rows, RocConfig(draws=0, sensitivity=1.0))
    assert not any("is all of them" in note for note in every.notes)


def test_patients_as_the_level():
    rows = [
        CaseRow("a", "1", (0.9,), ((),), (1.0,), True),  # flagged, though not for the lesion
        CaseRow("b", "1", (), (), (), False),
        CaseRow("c", "2", (0.4,), ((0,),), (1.0,), True),
    ]
    found = sweep(rows)
    config = RocConfig(sensitivity=1.0, sensitivity_of="patient")
    assert found.thresholds[operating_index(found, config)] == 0.4
    assert (found.n_positive, found.n_negative) == (2, 0)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "no scan"),
        ([CaseRow("a", "1")], "no scan"),
        ([CaseRow("a", "1", (0.5,), ((),), (), False)], "no lesion"),
        ([CaseRow("a", "1", (0.5,), ((0,),), (1.0,), True)], "one patient"),
        ([CaseRow("a", "1", (), (), (1.0,), True)], "nothing is found"),
        ([CaseRow(c, c, (0.5,), ((0,),), (1.0,), True) for c in "ab"], "no patient without"),
        (
            [CaseRow("a", "1", (), (), (), False), CaseRow("b", "2", (), (), (1.0,), True)],
            "nothing",
        ),
    ],
)
def test_what_cannot_be_told_is_said_and_drawn(rows, words, tmp_path):
    found = analyse("liver_tumor", rows, QUICK)
    assert any(words in note for note in found.notes)
    told = found.to_json()
    assert told["scans"] == sum(r.positive is not None for r in rows)
    plot_analysis(tmp_path / "roc.png", found, "tumour")
    assert (tmp_path / "roc.png").stat().st_size > 5000


def test_candidates_that_count_neither_way_are_in_nothing():
    row = CaseRow("a", "1", (0.9, 0.5), ((), (0,)), (1.0,), True, ignored=(True, False))
    found = sweep([row])
    assert found.false[-1] == 0
    assert found.thresholds.tolist() == [np.inf, 0.5]
    with pytest.raises(GeometryError):
        CaseRow("a", "1", (0.9,), ())
    with pytest.raises(GeometryError, match="positive"):
        CaseRow("a", "1", (), (), (1.0,), False)


def test_lesions_that_a_wrong_report_would_lose_are_told():
    rows = [
        CaseRow(f"c{i}", f"p{i}", (0.9,), ((0,),), (1.0,), True, "no" if i < 3 else "yes")
        for i in range(5)
    ]
    found = analyse("liver_tumor", rows, QUICK)
    assert found.point(found.operating)["lesions_found"] == 5
    assert found.point(found.operating)["lesions_lost_to_reports"] == 3
    assert any("removing by reports would lose" in note for note in found.notes)


def test_intervals_are_those_of_resampled_tables():
    rows = random_rows(3, n=30)
    config = RocConfig(sensitivity=0.7, draws=300, seconds_per_found=20)
    found = analyse("t", rows, config, seed=4)
    at = found.threshold
    names = sorted({r.patient for r in rows})
    rng = np.random.default_rng(4)
    values = defaultdict(list)
    unseen = []
    for _ in range(3):
        for drawn in rng.integers(len(names), size=(100, len(names))):
            some = [
                CaseRow(f"{n}{r.case_id}", f"{n}", r.scores, r.hits, r.lesions_ml, r.positive,
                        r.said)
                for n, p in enumerate(drawn) for r in rows if r.patient == names[p]
            ]  # fmt: skip
            hits, fp, removed, scans, lesions = counts_at(some, at)
            again = sweep(some)
            place = int(np.flatnonzero(again.thresholds >= at)[-1])
            chosen = float(again.thresholds[operating_index(again, config)])
            clicks = (5 * (fp - removed) + 20 * hits) / 60
            told = {
                "sensitivity": hits / lesions,
                "patient_sensitivity": again.patient_sensitivity[place],
                "specificity": 1 - again.false_patients[place],
                "false_per_scan": fp / scans,
                "left_per_scan": (fp - removed) / scans,
                "minutes_per_scan": (clicks + 4.5 * (lesions - hits)) / scans,
                "auc": again.auc,
                "threshold": chosen,
                "chosen_false_per_scan": counts_at(some, chosen)[1] / scans,
            }
            for name, value in told.items():
                values[name].append(value)
            away = [r for r in rows if r.patient not in {names[p] for p in drawn}]
            hits, _, _, _, lesions = counts_at(away, chosen)
            unseen.append(hits / lesions if lesions else np.nan)
    assert set(found.intervals.values) == set(values)
    for name, own in values.items():
        wanted = tuple(np.nanquantile(own, (0.025, 0.975)))
        assert found.intervals.values[name] == pytest.approx(wanted), name
    assert found.intervals.unseen == pytest.approx(np.nanmean(unseen))


def test_resamples_take_whole_patients():
    """Two scans of a patient are one draw: copies of a cohort do not narrow its intervals."""
    rows = random_rows(1, n=20, patients=False)
    twice = [
        CaseRow(f"{copy}{r.case_id}", r.patient, r.scores, r.hits, r.lesions_ml, r.positive, r.said)
        for copy in "ab" for r in rows
    ]  # fmt: skip
    one, two = (resample(table_of(r), QUICK, threshold=None, seed=1) for r in (rows, twice))
    assert one.values["auc"] == pytest.approx(two.values["auc"])


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_properties_of_any_table(seed, random):
    rows = random_rows(seed, n=12)
    found = sweep(rows)
    for values in (found.found, found.false, found.removed, found.patients_found):
        assert (np.diff(values) >= 0).all()
    assert (found.removed <= found.false).all()
    random.shuffle(rows)
    again = sweep(rows)
    np.testing.assert_array_equal(found.found, again.found)
    np.testing.assert_array_equal(found.false, again.false)
    squared = [
        CaseRow(r.case_id, r.patient, tuple(s * s for s in r.scores), r.hits, r.lesions_ml,
                r.positive, r.said) for r in rows
    ]  # fmt: skip
    np.testing.assert_array_equal(sweep(squared).found, found.found)  # only their order counts
    assert sweep(squared).auc == pytest.approx(found.auc, nan_ok=True)


def test_the_exact_interval():
    assert exact_lower(20, 20) == pytest.approx(0.025 ** (1 / 20))
    assert exact_lower(0, 5) == 0.0
    assert exact_lower(9, 10) == pytest.approx(0.5549839, abs=1e-6)  # R: binom.test(9, 10)


def test_many_thresholds_keep_the_operating_point():
    rng = np.random.default_rng(0)
    rows = [
        CaseRow(f"c{i}", f"p{i}", tuple(rng.random(4)), ((0,), (), (), ()), (1.0,), True)
        for i in range(300)
    ]
    found = analyse("t", rows, RocConfig(sensitivity=0.9, draws=50))
    assert found.sweep.thresholds.size > 1000
    low, high = found.intervals.values["sensitivity"]
    assert low <= found.point(found.operating)["sensitivity"] <= high


def test_the_same_seed_the_same_intervals():
    rows = random_rows(5)
    assert analyse("t", rows, QUICK).to_json() == analyse("t", rows, QUICK).to_json()
    assert analyse("t", rows, QUICK, seed=1).to_json() != analyse("t", rows, QUICK).to_json()
