"""Means, medians, subgroups, calibration, significance over many cases."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.evaluation.worlds import CONFIG, EMPTY, row
from training.evaluation import calibration
from training.evaluation.significance import compare, holm, rank_biserial
from training.evaluation.subgroups import band, groups_of_scans, read_subjects
from training.evaluation.summary import summarise
from voxcurate.catalog import Scan
from voxcurate.classes import load_vocabulary
from voxcurate.errors import ConfigError

VOCABULARY = load_vocabulary()


def told(scores, patients=None, groups=None, config=CONFIG, **more):
    return summarise(scores, config, VOCABULARY, patients=patients or {}, groups=groups or {},
                     seed=1, **more)  # fmt: skip


def test_classes_weigh_the_same_and_rules_for_empty_masks():
    scores = {
        "a": {"liver": row(0.9), "spleen": row(0.5)},
        "b": {"liver": row(0.7), "spleen": EMPTY},
        "c": {"liver": row(0.0, hd95=None, state="missed", volume=-10)},
    }
    found = told(scores)
    liver, spleen = found["classes"]["liver"], found["classes"]["spleen"]
    assert (liver["dsc"]["n"], spleen["dsc"]["n"]) == (3, 1)
    assert liver["dsc"]["mean"] == pytest.approx(1.6 / 3, abs=1e-6)
    assert found["mean"]["dsc"] == pytest.approx((1.6 / 3 + 0.5) / 2, abs=1e-6)
    assert spleen["cases"] == {"scored": 1, "both_empty": 1, "missed": 0, "false": 0}
    assert (liver["hd95"]["median"], liver["hd95"]["infinite"]) == (1.0, 1)
    assert liver["hd95"]["interval"][1] is None  # infinite
    assert liver["volume_error_ml"]["mean"] == pytest.approx(-10 / 3, abs=1e-5)
    json.dumps(found, allow_nan=False)


def test_worst_first():
    scores = {"a": {"liver": row(0.9)}, "b": {"liver": row(0.2), "spleen": EMPTY}}
    found = told(scores)["worst"]
    assert [(r["case"], r["class"]) for r in found] == [("b", "liver"), ("a", "liver")]
    assert len(told(scores, config=CONFIG.model_copy(update={"worst": 1}))["worst"]) == 1


def test_scans_of_one_patient_are_one():
    scores = {f"{p}{s}": {"liver": row(0.5 + 0.1 * p)} for p in range(4) for s in "abc"}
    patients = {case: case[0] for case in scores}
    found = told(scores, patients)
    assert (found["cases"], found["patients"]) == (12, 4)
    apart = told(scores)["classes"]["liver"]["dsc"]["interval"]
    joined = found["classes"]["liver"]["dsc"]["interval"]
    few = [told(scores, p)["classes"]["liver"] for p in (patients, {})]
    assert [(x["patients"], x["is_few"]) for x in few] == [(4, True), (12, False)]
    assert joined[1] - joined[0] > 1.4 * (apart[1] - apart[0])


def test_subgroups_have_their_n():
    scores = {f"{n}": {"liver": row(0.8 + 0.01 * n), "spleen": row(0.5)} for n in range(8)}
    patients = {"0": "p", "1": "p"}
    groups = {
        "sex": {str(n): "f" if n < 6 else "m" for n in range(7)},  # of one nothing is known
        "modality": dict.fromkeys(scores, "CT"),
    }
    rows = told(scores, patients, groups)["subgroups"]
    assert {r["attribute"] for r in rows} == {"sex"}  # all share the other
    (women,) = [r for r in rows if (r["value"], r["class"], r["metric"]) == ("f", "liver", "dsc")]
    assert (women["cases"], women["patients"], women["is_few"]) == (6, 5, False)
    assert women["mean"] == pytest.approx(0.825)
    (men,) = [r for r in rows if (r["value"], r["class"], r["metric"]) == ("m", "", "dsc")]
    assert (men["cases"], men["is_few"], men["interval"]) == (1, True, [None, None])
    assert men["mean"] == pytest.approx((0.86 + 0.5) / 2)


def test_bands():
    assert [band(x, (18, 40), " years") for x in (17, 18, 39.5, 40, "x", None, float("nan"))] == [
        "below 18 years", "18 to 40 years", "18 to 40 years", "40 years and more", "", "", "",
    ]  # fmt: skip


def test_groups_of_the_catalog():
    affine = np.diag([0.8, 0.8, 5.0, 1.0]).tolist()
    facts = {"sex": "F", "age": 63, "manufacturer": "ACME", "phase": "portal"}
    scan = Scan("a", "src", "p", "", "test", "CT", "", "", [4, 4, 4], [0.8, 0.8, 5.0], affine,
                facts=facts)  # fmt: skip
    found = groups_of_scans([scan], CONFIG)
    assert {name: table["a"] for name, table in found.items()} == {
        "sex": "F", "age": "60 to 80 years", "scanner": "ACME", "phase": "portal", "source": "src",
        "slice thickness": "5 mm and more", "modality": "CT",
    }  # fmt: skip


def test_a_table_of_subjects(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("Case,patient,Age,site\na.nii.gz,p,44,north\nb,p,,south\nc,,70,\n")
    found = read_subjects(path, CONFIG)
    assert found.patients == {"a": "p", "b": "p", "c": "c"}
    assert found.groups == {
        "age": {"a": "40 to 60 years", "c": "60 to 80 years"},
        "site": {"a": "north", "b": "south"},
    }
    for text, why in (("x,y\n1,2\n", "a column 'case'"), ("case\na\na\n", "twice")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=why):
            read_subjects(path, CONFIG)
    path.write_text("case,weight\n" + "".join(f"{n},{n}\n" for n in range(40)))
    with pytest.raises(ConfigError, match="want groups"):
        read_subjects(path, CONFIG)


def test_calibration_by_hand():
    """Four voxels at 0.2, one of them inside; five at 0.8, all inside."""
    probability = np.array([51] * 4 + [204] * 5, np.uint8)
    truth = np.array([1, 0, 0, 0, 1, 1, 1, 1, 1], bool)
    found = calibration.counts(probability, truth, 10)
    assert calibration.ece(found["bins"]) == pytest.approx((4 * 0.05 + 5 * 0.2) / 9)
    assert calibration.brier(found) == pytest.approx((0.64 + 3 * 0.04 + 5 * 0.04) / 9, abs=1e-4)
    twice = calibration.add([found, found])
    assert calibration.ece(twice["bins"]) == pytest.approx(calibration.ece(found["bins"]))
    assert np.isnan(calibration.ece(calibration.counts(probability[:0], truth[:0], 5)["bins"]))


def test_calibration_of_patients_together():
    part = calibration.counts(np.array([51] * 5, np.uint8), np.array([1, 0, 0, 0, 0], bool), 10)
    scores = {str(n): {"liver": row(0.5, calibration=part)} for n in range(4)}
    found = told(scores)["classes"]["liver"]["calibration"]
    assert (found["cases"], found["voxels"], found["ece"]) == (4, 20, 0.0)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02, None, 0.9]) == [0.04, None, 0.9]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_is_between(p_values):
    found = holm(p_values)
    assert all(
        p <= q <= min(1, len(found) * p) + 1e-12 for p, q in zip(p_values, found, strict=True)
    )
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(found)[order]) >= -1e-12)


def table(values):
    return {"dsc": {"liver": {str(n): v for n, v in enumerate(values)}}}


def test_a_clear_gain_is_significant_and_noise_is_not():
    rng = np.random.default_rng(0)
    before = rng.uniform(0.6, 0.9, 20)
    gain = rng.uniform(0.01, 0.03, 20)
    better = compare(table(before + gain), table(before), {}, CONFIG, seed=0)
    assert all(t["is_significant"] for t in better)
    assert better[0]["effect"] == 1
    assert better[0]["p"] == pytest.approx(2 / 2**20)  # of 2^20 patterns of signs
    noise = compare(table(before + rng.normal(0, 0.02, 20)), table(before), {}, CONFIG, seed=0)
    assert not any(t["is_significant"] for t in noise)
    same = compare(table(before), table(before), {}, CONFIG, seed=0)
    assert [(t["p"], t["effect"], t["is_significant"]) for t in same] == [(1.0, None, False)] * 2


def test_five_patients_are_never_significant():
    before = np.linspace(0.1, 0.5, 5)
    found = compare(table(before + 0.4), table(before), {}, CONFIG, seed=0)
    assert not any(t["is_significant"] for t in found)
    before = np.linspace(0.1, 0.5, 12)
    two = {str(n): f"p{n // 3}" for n in range(12)}  # twelve scans of four patients
    found = compare(table(before + 0.4), table(before), two, CONFIG, seed=0)
    assert found[0]["n"] == 4
    assert not any(t["is_significant"] for t in found)


def test_only_what_both_have_is_compared():
    now = {"dsc": {"liver": {"a": 0.9, "b": 0.8}, "spleen": {"a": 0.5}}}
    old = {"dsc": {"liver": {"a": 0.8, "c": 0.1}, "colon": {"a": 0.3}}}
    found = compare(now, old, {}, CONFIG, seed=0)
    assert [(t["class"], t["n"]) for t in found] == [("", 1), ("liver", 1)]
    assert found[0]["mean"] == pytest.approx(0.1)
    assert found[0]["p"] is None


def test_rank_biserial_by_hand():
    assert rank_biserial(np.array([0.1, 0.2, -0.3])) == pytest.approx(0)
    assert rank_biserial(np.array([0.3, 0.2, -0.1, 0.0])) == pytest.approx(4 / 6)
    assert np.isnan(rank_biserial(np.zeros(3)))


@pytest.mark.parametrize(("level", "said"), [(0.6, "below"), (0.8, "within"), (0.95, "above")])
def test_agreement_with_people(level, said):
    rng = np.random.default_rng(0)
    people = next(c for c in VOCABULARY if c.id == "liver").model_copy(
        update={"inter_annotator_dsc": 0.8}
    )
    vocabulary = type(VOCABULARY)([people])
    scores = {str(n): {"liver": row(float(level + rng.normal(0, 0.03)))} for n in range(20)}
    found = summarise(scores, CONFIG, vocabulary, patients={}, groups={}, seed=0)
    assert found["classes"]["liver"]["two_people"] == {"dsc": 0.8, "model_is": said}
