"""Several labels of a scan refined one after the other: they never grow into each other."""

import numpy as np

from labeling.config import LabelingConfig
from labeling.expert.layout import Layout
from labeling.expert.suspicion import Usual
from labeling.refine.config import RefineConfig
from labeling.refine.judged import Said
from labeling.refine.methods import make_refiner
from labeling.refine.work import note_accepted, refine_one
from labeling.rules import load_anatomy
from tests.labeling.refine.scenes import SHAPE, ball, scan, structure
from voxcurate.classes import load_vocabulary

TRUE = ball()
ANATOMY = load_anatomy(load_vocabulary(), ("abdomen",))
CONFIG = LabelingConfig(refine=RefineConfig())


def halves():
    """Two labels of one ball with a gap between them that both may grow into."""
    left, right = TRUE.copy(), TRUE.copy()
    left[12:], right[:17] = False, False
    return {"liver": structure(left), "stomach": structure(right, "stomach")}


def refined(class_id, labels, accepted):
    found = refine_one(
        class_id, labels, scan(TRUE), Usual({}, Layout({})), ANATOMY, CONFIG,
        make_refiner(CONFIG.refine), supports={}, accepted=accepted,
    )  # fmt: skip
    assert found is not None
    return found[0]


def test_what_one_label_has_grown_into_is_not_free_for_the_next():
    labels, accepted = halves(), {}
    first = refined("liver", labels, accepted)
    name = max(first.proposals, key=lambda n: first.proposals[n].voxels)
    note_accepted(accepted, first, Said(name, 1.0, ""))
    grown = first.proposals[name].full()
    alone = refined("stomach", labels, {})
    assert any((s.full() & grown).any() for s in alone.proposals.values())
    after = refined("stomach", labels, accepted)
    assert after.proposals
    assert not any((s.full() & grown).any() for s in after.proposals.values())


def test_what_a_label_has_left_is_not_taken_before_anybody_agrees():
    labels = halves()
    small = np.zeros(SHAPE, bool)
    small[9:11, 12:14, 9:11] = True
    after = refined("stomach", labels, {"liver": structure(small)})
    held = labels["liver"].full()
    assert not any((s.full() & held).any() for s in after.proposals.values())


def test_only_what_the_judge_accepts_is_remembered():
    accepted = {}
    note_accepted(accepted, refined("liver", halves(), {}), Said(None, 0.0, ""))
    assert accepted == {}
