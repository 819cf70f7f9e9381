"""Scores of one class on phantoms whose answers are known."""

import numpy as np
import pytest
import surface_distance

from tests.training.evaluation.worlds import AFFINE, CONFIG, SHAPE, SPACING, VOXEL_ML, ball, score
from training.evaluation.config import CaseConfig
from voxcurate.errors import ConfigError

NOTHING = np.zeros(SHAPE, bool)
ONE, TWO = ball((20, 28, 30), 10), ball((23, 28, 30), 10)


def test_balls_as_the_reference_has_them():
    found = score(ONE, TWO, tolerance_mm=3.0)
    distances = surface_distance.compute_surface_distances(ONE, TWO, SPACING)
    both = 2 * (ONE & TWO).sum() / (ONE.sum() + TWO.sum())
    assert found["dsc"] == pytest.approx(both)
    for name, at in (("nsd", 3.0), ("nsd_strict", 1.0)):
        wanted = surface_distance.compute_surface_dice_at_tolerance(distances, at)
        assert found[name] == pytest.approx(wanted)
    assert found["hd95"] == pytest.approx(surface_distance.compute_robust_hausdorff(distances, 95))
    assert found["state"] == "scored"


def test_balls_by_their_formula():
    """Two balls of radius r, d apart: DSC = 1 - 3d/4r + d^3/16r^3; HD95 is at most d."""
    found = score(ONE, TWO)
    assert found["dsc"] == pytest.approx(1 - 3 * 3 / 40 + 27 / 16000, abs=0.02)
    assert 2.0 <= found["hd95"] <= 3.0


def test_volume_error_has_a_sign():
    large = ball((20, 28, 30), 12)
    more, less = score(ONE, large), score(large, ONE)
    apart = (large.sum() - ONE.sum()) * VOXEL_ML
    assert more["volume_error_ml"] == pytest.approx(apart, abs=1e-5)
    assert less["volume_error_ml"] == pytest.approx(-apart, abs=1e-5)
    assert more["volume_error"] == pytest.approx(large.sum() / ONE.sum() - 1)
    assert more["truth_ml"] == pytest.approx(ONE.sum() * VOXEL_ML, abs=1e-5)


def test_empty_masks():
    both, missed, false = score(NOTHING, NOTHING), score(ONE, NOTHING), score(NOTHING, ONE)
    assert both["state"] == "both_empty"
    assert both["dsc"] is both["hd95"] is both["volume_error_ml"] is None
    for found, state in ((missed, "missed"), (false, "false")):
        assert found["state"] == state
        assert (found["dsc"], found["nsd"], found["nsd_strict"]) == (0, 0, 0)
        assert found["hd95"] is None
    assert missed["volume_error"] == -1
    assert false["volume_error"] is None


def test_threshold_is_where_it_says():
    assert score(ONE, ONE * 0.49)["dsc"] == 0
    assert score(ONE, ONE * 0.51)["dsc"] == 1
    strict = CaseConfig(threshold=0.6)
    assert score(ONE, ONE * 0.51, config=strict)["dsc"] == 0


def test_tolerance_is_never_below_a_voxel_diagonal():
    diagonal = float(np.linalg.norm(SPACING))
    assert score(ONE, TWO, tolerance_mm=0.5)["tolerance_mm"] == pytest.approx(diagonal, abs=1e-3)
    assert score(ONE, TWO, tolerance_mm=9.0)["tolerance_mm"] == 9.0
    own = CaseConfig(tolerance_mm=7.0)
    assert score(ONE, TWO, tolerance_mm=9.0, config=own)["tolerance_mm"] == 7.0


def test_where_the_truth_does_not_speak_nothing_counts():
    known = np.ones(SHAPE, bool)
    known[:, :, :8] = False
    wild = ONE | ball((20, 28, 6), 5)
    assert score(ONE, wild)["dsc"] < 1
    seen = score(ONE, wild, known=known)
    assert seen["dsc"] == 1
    assert seen["hd95"] == 0
    assert score(NOTHING, ball((20, 28, 6), 5), known=known)["state"] == "both_empty"
    for part, is_partial in ((known, True), (np.ones(SHAPE, bool), False), (None, False)):
        assert score(ONE, wild, known=part, is_lesion=True)["is_partial"] is is_partial


def test_memory_order_does_not_matter():
    from training.evaluation.case import score_class
    from voxcurate.predictions import ProbabilityBox

    whole = (slice(0, SHAPE[0]), slice(0, SHAPE[1]), slice(0, SHAPE[2]))
    parts = [mask.astype(np.uint8) * np.uint8(255) for mask in (ONE, TWO)]
    results = [
        score_class(
            *(ProbabilityBox(whole, np.asarray(p, order=order)) for p in parts), SHAPE, AFFINE,
            CONFIG, tolerance_mm=3.0,
        )
        for order in "CF"
    ]  # fmt: skip
    for name in ("dsc", "nsd", "nsd_strict", "hd95"):
        assert results[0][name] == pytest.approx(results[1][name])


def test_calibration_counts_the_band_alone():
    """Half right at 0.5 inside, nothing else: the band's voxels are counted and no others."""
    probability = ONE * 0.8
    found = score(ONE, probability, config=CaseConfig(calibration_band_mm=4.0))["calibration"]
    near = np.zeros(SHAPE, bool)
    points = np.argwhere(ONE) * SPACING
    from scipy.spatial import cKDTree

    grid = np.argwhere(np.ones(SHAPE, bool))
    far = cKDTree(points).query(grid * SPACING)[0]
    near[tuple(grid[far <= 4.0 + 1e-9].T)] = True
    n = sum(row[0] for row in found["bins"])
    assert n == near.sum()
    assert found["bins"][8] == [
        ONE.sum(),
        pytest.approx(204 / 255 * ONE.sum(), rel=1e-5),
        ONE.sum(),
    ]
    assert found["squares"] == pytest.approx(ONE.sum() * (1 - 204 / 255) ** 2, rel=1e-3)


def test_masks_have_no_calibration():
    assert "calibration" not in score(ONE, TWO)


def test_wrong_settings():
    from training.evaluation.config import EvaluateConfig
    from voxcurate.config import build

    with pytest.raises(ConfigError, match="edges that rise"):
        build(EvaluateConfig, {"age_edges": [60, 40]})
    with pytest.raises(ConfigError, match="fewest_pairs"):
        build(EvaluateConfig, {"fewest_pairs": 5})
