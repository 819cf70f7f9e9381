"""A box-shaped patient on any grid: organs as boxes in world coordinates (RAS+ mm)."""

import numpy as np

from labeling.anatomy import AnatomyFile
from labeling.rules import Anatomy
from labeling.structures import Structure
from tests.conftest import oblique_affine
from voxcurate.classes import load_vocabulary

VOCABULARY = load_vocabulary()
SHAPE = (44, 31, 54)
SPACING = (9.0, 10.0, 8.0)
OBLIQUE = oblique_affine(SPACING, (0.05, -0.04, 0.06), (-190.0, -140.0, -220.0))
STRAIGHT = np.array([[9.0, 0, 0, -193], [0, 10.0, 0, -150], [0, 0, 8.0, -210], [0, 0, 0, 1]])
ORGANS = {  # from, to
    "liver": ((15, -40, 0), (110, 60, 90)),
    "spleen": ((-120, -60, 20), (-75, 0, 90)),
    "stomach": ((-75, 20, 10), (-20, 80, 80)),
    "kidney_left": ((-85, -80, -70), (-40, -40, 10)),
    "kidney_right": ((40, -80, -80), (85, -40, -5)),
    "aorta": ((-25, -45, -120), (0, -20, 190)),
    "lung_left": ((-120, -80, 100), (-45, 70, 200)),
    "lung_right": ((45, -80, 100), (120, 70, 200)),
    "bladder": ((-35, 0, -170), (35, 50, -120)),
    "femur_left": ((-120, -20, -210), (-70, 30, -150)),
    "femur_right": ((70, -20, -210), (120, 30, -150)),
    "prostate": ((-20, 0, -195), (20, 30, -172)),
}


def box_mask(low, high, affine=STRAIGHT, shape=SHAPE):
    """The voxels whose centres lie in a box of the world."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    points = index @ affine[:3, :3].T + affine[:3, 3]
    return ((points >= np.array(low) - 1e-6) & (points < np.array(high) - 1e-6)).all(-1)


def masks_of(affine=STRAIGHT, shape=SHAPE, **changed):
    """The patient's masks; `changed` replaces a class's box, None leaves it out, () is empty."""
    found = {}
    for name, box in {**ORGANS, **changed}.items():
        if box is not None:
            found[name] = box_mask(*box, affine, shape) if box else np.zeros(shape, bool)
    return found


def structures(masks, affine=STRAIGHT):
    """As the rules want them."""
    return {c: Structure.of(c, m, affine) for c, m in masks.items()}


def written(**content):
    """An anatomy with this alone."""
    return Anatomy([AnatomyFile.model_validate({"region": "r", **content})], VOCABULARY)


def of_rule(outcomes, rule, class_id=None):
    """The outcomes of a rule, of one class."""
    return [v for v in outcomes if v.rule == rule and class_id in (None, v.class_id)]


def states(outcomes, rule):
    """Class to the state of one rule's outcome; the worst of several."""
    rank = {"holds": 0, "unknown": 1, "broken": 2}
    found = {}
    for v in of_rule(outcomes, rule):
        found[v.class_id] = max(v.state, found.get(v.class_id, v.state), key=rank.get)
    return found
