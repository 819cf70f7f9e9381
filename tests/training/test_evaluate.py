"""Evaluation: scores by hand, written rules for empty masks, intervals."""

import numpy as np
import pytest

from tests.training.conftest import AFFINE, SHAPE
from training.config import EvaluateConfig
from training.evaluate import interval, score_case
from voxcurate.nifti import write_nifti
from voxcurate.predictions import Prediction, probability_box, write_prediction
from voxcurate.volume import Volume


def scored(tmp_path, probability, truth, tolerance=2.0, threshold=0.5):
    path = ""
    if truth.any():
        path = "truth.nii.gz"
        write_nifti(tmp_path / path, Volume(truth.astype(np.uint8), AFFINE))
    made = Prediction(
        {"liver": probability_box(probability.astype(np.float32))}, SHAPE, AFFINE, "m", True
    )
    write_prediction(tmp_path / "p.vxp", made)
    payload = {
        "root": str(tmp_path),
        "prediction": str(tmp_path / "p.vxp"),
        "shape": list(SHAPE),
        "affine": AFFINE.tolist(),
        "threshold": threshold,
        "labels": {"liver": (path, tolerance)},
    }
    return score_case(payload)["liver"]


def cube(start, stop):
    mask = np.zeros(SHAPE, bool)
    mask[start:stop, 5:9, 5:9] = True
    return mask


def test_dsc_by_hand(tmp_path):
    found = scored(tmp_path, cube(4, 8) * 0.9, cube(6, 10))
    assert found["dsc"] == pytest.approx(0.5)


def test_threshold_is_where_it_says(tmp_path):
    assert scored(tmp_path, cube(4, 8) * 0.49, cube(4, 8))["dsc"] == 0
    assert scored(tmp_path, cube(4, 8) * 0.51, cube(4, 8))["dsc"] == 1
    assert scored(tmp_path, cube(4, 8) * 0.51, cube(4, 8), threshold=0.6)["dsc"] == 0


def test_tolerance_is_never_below_a_voxel_diagonal(tmp_path):
    diagonal = np.sqrt(7**2 + 8**2 + 9**2)
    found = scored(tmp_path, cube(4, 8) * 1.0, cube(5, 9), tolerance=2.0)
    assert found["tolerance_mm"] == pytest.approx(diagonal)
    assert found["nsd"] == pytest.approx(1.0)
    assert scored(tmp_path, cube(4, 8) * 1.0, cube(4, 8), tolerance=30.0)["tolerance_mm"] == 30


def test_empty_masks(tmp_path):
    nothing = np.zeros(SHAPE, bool)
    both = scored(tmp_path, nothing * 0.0, nothing)
    assert both["dsc"] is None
    assert both["nsd"] is None
    assert scored(tmp_path, cube(4, 8) * 1.0, nothing)["dsc"] == 0
    missed = scored(tmp_path, nothing * 0.0, cube(4, 8))
    assert missed["dsc"] == missed["nsd"] == 0


def test_interval_holds_the_mean_and_narrows():
    generator = np.random.default_rng(0)
    few, many = generator.random(10), generator.random(1000)
    config = EvaluateConfig(bootstrap=500)
    low, high = interval(few, config, 1)
    assert low < few.mean() < high
    assert (low, high) == interval(few, config, 1)
    assert np.diff(interval(many, config, 1)) < high - low


def test_interval_without_cases():
    assert np.isnan(interval(np.array([]), EvaluateConfig(), 1)).all()
