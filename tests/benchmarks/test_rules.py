"""The planted faults, the grids and the peer of the benchmark of rules."""

import numpy as np
import pytest

from benchmarks.peers.oncokit_rules import accused
from benchmarks.report_scores import wilson
from benchmarks.rule_faults import FAULTS, GRIDS, Labels, flipped, thick
from benchmarks.rules import recall
from labeling.rules import load_anatomy, shipped_anatomies
from tests.labeling.rules.bodies import ORGANS, STRAIGHT, VOCABULARY, masks_of

WHOLE = Labels("body", masks_of(), STRAIGHT)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_changes_what_it_says_and_nothing_else(kind):
    found = FAULTS[kind](WHOLE, np.random.default_rng(3))
    assert found is not None, kind
    masks, wrong = found
    changed = {c for c, m in WHOLE.masks.items() if not np.array_equal(m, masks[c])}
    assert changed
    assert changed <= wrong
    assert set(masks) == set(WHOLE.masks)
    assert FAULTS[kind](Labels("", {}, STRAIGHT), np.random.default_rng(3)) is None


@pytest.mark.parametrize("move", [flipped, thick])
def test_grids_stay_in_the_same_place_of_the_patient(move):
    masks, affine = move(WHOLE.masks, STRAIGHT)
    for c, m in WHOLE.masks.items():
        one = (np.argwhere(m) @ STRAIGHT[:3, :3].T + STRAIGHT[:3, 3]).mean(axis=0)
        two = (np.argwhere(masks[c]) @ affine[:3, :3].T + affine[:3, 3]).mean(axis=0)
        np.testing.assert_allclose(one, two, atol=1e-6 if move is flipped else 12)


def test_the_peer_sees_what_its_description_says():
    assert accused(masks_of()) == set()
    swapped = {"kidney_left": ORGANS["kidney_right"], "kidney_right": ORGANS["kidney_left"]}
    assert accused(masks_of(**swapped)) == {"kidney_left", "kidney_right"}
    assert accused(masks_of(prostate=((-20, 0, -60), (20, 30, -20)))) == {"prostate"}
    assert accused(masks_of(prostate=None)) == {"prostate"}  # in a woman, too
    both = masks_of()
    both["liver"] |= both["aorta"]
    assert accused(both) == {"liver", "aorta"}
    assert accused({"kidney_left": masks_of()["kidney_left"]}) == set()


def test_the_tally_counts_each_grid_and_the_interval_is_wilsons():
    anatomy = load_anatomy(VOCABULARY, shipped_anatomies())
    rows = recall({"bodies": [WHOLE]}, anatomy, 1, 1)
    assert {(r["fault"], r["grid"]) for r in rows} == {(f, g) for f in FAULTS for g in GRIDS}
    assert all(r["planted"] == 1 for r in rows)
    assert all(r["any"] == 1 for r in rows if r["grid"] != "every 3rd slice")
    low, high = wilson(5, 10)
    assert (round(low, 3), round(high, 3)) == (0.237, 0.763)
    assert wilson(0, 0) == (0.0, 1.0)
