"""Phantoms with known scores, and scores made up."""

import numpy as np

from tests.conftest import oblique_affine
from training.evaluation.case import score_class
from training.evaluation.config import EvaluateConfig
from voxcurate.predictions import probability_box, tight_box
from voxcurate.volume import ML_PER_MM3

SHAPE = (48, 40, 34)
SPACING = (1.0, 1.5, 2.0)
AFFINE = oblique_affine(SPACING)
VOXEL_ML = float(np.prod(SPACING)) * ML_PER_MM3
CONFIG = EvaluateConfig(bootstrap=200)


def ball(centre_mm, radius_mm, shape=SHAPE, spacing=SPACING):
    """A ball, its centre in mm along the array's axes."""
    grid = np.meshgrid(*map(np.arange, shape), indexing="ij")
    away = [(g * s - c) ** 2 for g, s, c in zip(grid, spacing, centre_mm, strict=True)]
    return sum(away) <= radius_mm**2


def boxed(mask):
    """A mask as the truth of `score_class`."""
    return tight_box(mask.astype(np.uint8) * np.uint8(255))


def score(truth, probability, *, config=CONFIG, tolerance_mm=2.0, affine=AFFINE, **more):
    """`score_class` of whole arrays."""
    return score_class(
        boxed(truth), probability_box(np.asarray(probability, np.float32)), truth.shape, affine,
        config, tolerance_mm=tolerance_mm, **more,
    )  # fmt: skip


def row(dsc, *, nsd=None, hd95=1.0, state="scored", volume=0.0, **more):
    """Scores of a class as `score_class` gives them."""
    return {
        "state": state, "dsc": dsc, "nsd": dsc if nsd is None else nsd, "nsd_strict": dsc,
        "hd95": hd95, "volume_error_ml": volume, "volume_error": volume / 10, "tolerance_mm": 2.0,
        "truth_ml": 10.0, "predicted_ml": 10.0 + volume, "voxels": 1000, "predicted": 1000,
        "is_soft": False, **more,
    }  # fmt: skip


EMPTY = {**row(None), **dict.fromkeys(
    ("dsc", "nsd", "nsd_strict", "hd95", "volume_error_ml", "volume_error")
), "state": "both_empty", "voxels": 0, "predicted": 0}  # fmt: skip
