"""Weighing without a workspace, what is unknown, and how sure the result is."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.config import LabelingConfig
from labeling.expert.calibration import KNOTS, calibrated
from labeling.expert.examine import OF_VALUES, Subject, examine, frame_of
from labeling.expert.features import FEATURES, features
from labeling.expert.suspicion import Suspicion, mended_numbers, weigh_results
from labeling.rules import load_anatomy
from labeling.structures import Structure
from tests.labeling.conftest import AFFINE, CLASSES, SHAPE, phantom, soft, swap_kidneys
from voxcurate.classes import load_vocabulary
from voxcurate.predictions import Prediction, probability_box

VOCABULARY, CONFIG = load_vocabulary(), LabelingConfig()
ANATOMY = load_anatomy(VOCABULARY, CONFIG.rules.anatomy)
FACTS = {"label_id": "", "origin": "original", "gold": False, "confirmed": False}
N = 8


def looked_at(n, *, scan=True, models=1, change=lambda masks: masks, known=None):
    volume, masks = phantom(n)
    labels = {c: Structure.of(c, m, AFFINE) for c, m in change(dict(masks)).items()}
    predictions = [
        Prediction(
            {c: probability_box(soft(m, 10 * n + k)) for c, m in masks.items()},
            SHAPE, AFFINE, f"m{k}", True,
        )
        for k in range(models)
    ]  # fmt: skip
    known = {c: Structure.of(c, m, AFFINE) for c, m in (known or {}).items()}
    case = Subject(labels, volume if scan else None, predictions,
                   facts=dict.fromkeys(labels, FACTS), known=known)  # fmt: skip
    return examine(case, ANATOMY, CONFIG, VOCABULARY, CLASSES)


def weighed(results):
    found, usual = weigh_results(results, CONFIG, VOCABULARY, frozenset(results))
    return {(s.case_id, s.row["class_id"]): s for s in found}, usual


@pytest.fixture(scope="module")
def results():
    return {f"c{n}": looked_at(n, change=swap_kidneys if n == 2 else dict) for n in range(N)}


def test_a_swap_is_found_without_a_workspace(results):
    found, usual = weighed(results)
    suspects = {k for k, s in found.items() if s.probability >= CONFIG.detect.threshold}
    assert suspects == {("c2", "kidney_left"), ("c2", "kidney_right")}
    assert usual.agreement["kidney_left"].n == N
    assert usual.profiles["kidney_left"].n == N - 1  # the wrong one is not learned from
    assert found["c2", "kidney_left"].chance > 0.9


def test_the_order_of_cases_changes_nothing(results):
    one, _ = weighed(results)
    other, _ = weighed(dict(reversed(results.items())))
    for key, s in one.items():
        assert s.probability == pytest.approx(other[key].probability, abs=1e-9)


def test_without_scans_shape_is_learned_of_what_masks_tell():
    results = {f"c{n}": looked_at(n, scan=False, models=0) for n in range(N)}
    row = results["c0"]["rows"][0]
    unknown = {f for f, v in zip(FEATURES, row["features"], strict=True) if v is None}
    assert {"hu_median", "hu_border", "log_contrast", "place_r"} <= unknown
    assert "log_ml" not in unknown
    found, usual = weighed(results)
    assert set(usual.profiles) == set(CLASSES)
    assert usual.blank["liver"].sum() == len(unknown)
    assert all(0 < usual.shape_distance(s.row) < 2 for s in found.values())

    def shrunk(masks):
        return {**masks, "liver": masks["liver"] & (np.arange(SHAPE[2]) > 14)}

    small = {**results, "c1": looked_at(1, scan=False, models=0, change=shrunk)}
    found, _ = weighed(small)
    worst = max(found, key=lambda k: found[k].parts.get("shape", 0.0))
    assert worst == ("c1", "liver")
    assert "log_ml" in found["c1", "liver"].oddities


def test_one_case_without_a_scan_is_held_against_those_with_scans(results):
    mixed = {**results, "c7": looked_at(7, scan=False)}
    found, usual = weighed(mixed)
    assert not usual.blank
    assert found["c7", "liver"].probability < CONFIG.detect.threshold
    assert not {"hu_median", "log_contrast"} & set(found["c7", "liver"].oddities)


def test_features_of_another_version_are_unknown(results):
    row = results["c0"]["rows"][0]
    old = {**results["c0"], "rows": [{**row, "features": row["features"][:-2]}]}
    found, usual = weighed({**results, "c0": old})
    assert usual.profiles["kidney_left"].n == N - 2  # one of the rest is swapped
    assert found["c0", row["class_id"]].oddities.keys() <= set(FEATURES)


def test_every_feature_of_the_values_is_unknown_without_a_scan():
    _, masks = phantom(0)
    s = Structure.of("liver", masks["liver"], AFFINE)
    frame = frame_of(None, SHAPE, AFFINE)
    rng = np.random.default_rng(0)
    one, two = (features(s, rng.normal(50, 40, SHAPE), frame) for _ in range(2))
    differing = {f for f, a, b in zip(FEATURES, one, two, strict=True) if a != b and a == a}
    assert differing <= set(OF_VALUES)


def test_a_label_is_compared_where_it_speaks():
    def cut(masks):
        return {**masks, "liver": masks["liver"] & (np.arange(SHAPE[2]) > 12)}

    known = np.zeros(SHAPE, bool)
    known[:, :, 13:] = True
    (whole,) = (r for r in looked_at(0, change=cut)["rows"] if r["class_id"] == "liver")
    (part,) = (
        r for r in looked_at(0, change=cut, known={"liver": known})["rows"]
        if r["class_id"] == "liver"
    )  # fmt: skip
    assert whole["comparison"]["dsc"] < 0.8 < 0.9 < part["comparison"]["dsc"]
    assert part["doubt"][1] < whole["doubt"][1]
    assert part["difference"]["lost_ml"] < whole["difference"]["lost_ml"]


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_probability_grows_with_the_evidence(one, other):
    low, high = sorted((one, other))
    assert 0 <= calibrated(low) <= calibrated(high) <= 1


def test_the_written_points():
    assert [calibrated(at) for at, _ in KNOTS] == pytest.approx([share for _, share in KNOTS])
    s = Suspicion("c", {}, {"rules": 0.5, "shape": 0.2})
    assert s.probability == pytest.approx(0.6)
    assert s.chance == pytest.approx(dict(KNOTS)[0.6])


def test_a_label_that_this_round_retires_is_not_counted_twice():
    """It is among the round's own results; those of earlier rounds are not."""
    retired = [
        SimpleNamespace(label_id=name, class_id="liver", case_id=name, ml=9.0)
        for name in ("before", "now")
    ]
    lines = [(1, 0.2, {"label_id": "before"}), (1, 0.3, {"label_id": "now"}),
             (2, 0.3, {"label_id": "now"})]  # fmt: skip
    catalog = SimpleNamespace(rows=lambda *_, **__: retired, columns=lambda *_, **__: lines)
    told = mended_numbers(SimpleNamespace(round=2, classes=("liver",), catalog=catalog))
    assert told["liver"].tolist() == [[0.2, 9.0]]
    later = mended_numbers(SimpleNamespace(round=3, classes=("liver",), catalog=catalog))
    assert later["liver"].tolist() == [[0.2, 9.0], [0.3, 9.0]]
