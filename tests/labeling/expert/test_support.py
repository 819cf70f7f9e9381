"""What probabilities say of masks, what doubt is usual, and repairs made from a label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labeling.expert.doubts import usual_doubts
from labeling.expert.repairs import Surroundings, repairs, smoothed, trimmed
from labeling.expert.support import supports
from labeling.expert.suspicion import sure_witnesses
from labeling.structures import Structure, dice
from tests.labeling.conftest import AFFINE, SHAPE, phantom, soft
from voxcurate.predictions import Prediction, probability_box

MASKS = phantom(0)[1]
ML = abs(np.linalg.det(AFFINE[:3, :3])) / 1000


def structure(mask, class_id="liver"):
    return Structure.of(class_id, mask, AFFINE)


def predictions(*probabilities, class_id="liver"):
    return [
        Prediction({class_id: probability_box(p)}, SHAPE, AFFINE, f"m{n}", True)
        for n, p in enumerate(probabilities)
    ]


def test_support_is_the_mean_over_the_whole_volume():
    one, two = soft(MASKS["liver"], 1), np.roll(soft(MASKS["spleen"], 2), 1, axis=2)
    found = supports(predictions(one, two), ["liver", "spleen"])
    assert set(found) == {"liver"}
    mean = (np.rint(one * 255) + np.rint(two * 255)) / 2 / 255
    whole = found["liver"].within(tuple(slice(0, n) for n in SHAPE)) / 255
    np.testing.assert_allclose(whole, mean, atol=0.51 / 255)
    s = structure(MASKS["liver"])
    doubt = found["liver"].doubt(s)
    assert doubt.inside == pytest.approx((1 - whole)[MASKS["liver"]].sum() * ML)
    assert doubt.outside == pytest.approx(whole[~MASKS["liver"]].sum() * ML)
    assert doubt.sharp_inside < doubt.inside
    assert doubt.sharp_outside < doubt.outside
    assert found["liver"].mean(s) == pytest.approx(whole[MASKS["liver"]].mean())


def test_nothing_predicted_doubts_all_of_a_label():
    (found,) = supports(predictions(np.zeros(SHAPE, np.float32)), ["liver"]).values()
    s, empty = structure(MASKS["liver"]), structure(np.zeros(SHAPE, bool))
    assert found.doubt(s).inside == pytest.approx(s.ml)
    assert found.doubt(s).sharp_inside == pytest.approx(s.ml)
    assert found.doubt(empty).listed() == [0.0] * 4
    assert found.step(s) == found.step(empty) == found.mean(empty) == 0.0


def test_the_probability_falls_most_across_the_true_border():
    true = MASKS["liver"]
    (found,) = supports(predictions(soft(true, 3)), ["liver"]).values()
    best = found.step(structure(true))
    wrong = (
        ndimage.binary_dilation(true),
        ndimage.binary_erosion(true),
        np.roll(true, 1, axis=0),
        MASKS["spleen"],
    )
    assert 0.4 < best <= 1
    assert all(found.step(structure(mask)) < best for mask in wrong)
    hard = supports(predictions(true.astype(np.float32)), ["liver"])["liver"]
    assert hard.step(structure(true)) == pytest.approx(1.0)


@given(st.lists(st.floats(0.05, 0.3), min_size=5, max_size=9), st.floats(0.1, 3))
def test_more_doubt_is_more_unusual_on_any_scale(shares, scale):
    ml = 100.0 * scale
    rows = [("a", ml, [x * ml, x * ml, x * ml / 2, x * ml / 2]) for x in shares]
    usual = usual_doubts([*rows, ("a", 0.0, [1, 1, 1, 1]), ("a", ml, None)], minimum_n=5)["a"]
    assert usual.n == len(shares)
    middle = float(np.median(shares)) * ml
    near, far = usual.z([middle, middle, middle / 2, middle / 2]), usual.z([ml, ml, ml, ml])
    assert near == pytest.approx((0, 0), abs=0.3)
    assert far[0] > near[0]
    assert far[1] > near[1]
    assert usual_doubts(rows[:4], minimum_n=5) == {}


def test_a_swap_is_repaired_by_exchange():
    left, right = structure(MASKS["kidney_left"]), structure(MASKS["kidney_right"])
    wrong = structure(MASKS["kidney_right"], "kidney_left")
    found = dict(repairs(wrong, Surroundings(pair=structure(MASKS["kidney_left"]))))
    assert dice(found["exchanged"], left) == 1.0
    assert found["exchanged"].class_id == "kidney_left"
    empty = structure(np.zeros(SHAPE, bool), "kidney_left")
    assert [name for name, _ in repairs(empty, Surroundings(pair=right))] == ["exchanged"]
    assert repairs(empty, Surroundings()) == []


def test_stray_pieces_merged_neighbours_and_cut_parts_are_repaired():
    true, other = structure(MASKS["liver"]), structure(MASKS["spleen"], "spleen")
    predicted = structure(ndimage.binary_dilation(MASKS["liver"]))
    around = Surroundings(predicted=predicted, others={"spleen": other})
    merged = dict(repairs(structure(MASKS["liver"] | MASKS["spleen"]), around))
    assert dice(merged["without_neighbours"], true) == 1.0
    stray = MASKS["liver"].copy()
    stray[:8, :6, :6] = True
    found = dict(repairs(structure(stray), around))
    assert dice(found["largest_piece"], true) == 1.0
    cut = MASKS["liver"] & (np.indices(SHAPE)[2] > np.argwhere(MASKS["liver"])[:, 2].mean())
    filled = dict(repairs(structure(cut), Surroundings(predicted=true)))["filled"]
    assert dice(filled, true) == 1.0


def test_repairs_are_unlike_each_other_and_the_label():
    label = structure(MASKS["liver"] | MASKS["spleen"])
    around = Surroundings(
        predicted=structure(MASKS["liver"]), others={"s": structure(MASKS["spleen"])}
    )
    found = repairs(label, around)
    everything = [label, *(s for _, s in found)]
    assert len({name for name, _ in found}) == len(found)
    for n, one in enumerate(everything):
        assert not one.is_empty
        assert all(dice(one, two) < 0.98 for two in everything[n + 1 :])


def test_smoothing_evens_a_frayed_border():
    rng = np.random.default_rng(0)
    ball = ((np.indices((40, 40, 40)) - 20) ** 2).sum(0) <= 14**2
    shell = ndimage.binary_dilation(ball, iterations=2) & ~ndimage.binary_erosion(
        ball, iterations=2
    )
    frayed = np.where(shell, rng.random(ball.shape) < 0.5, ball)
    true = Structure.of("liver", ball, np.eye(4))
    rough = Structure.of("liver", frayed, np.eye(4))
    assert dice(smoothed(rough), true) > dice(rough, true) + 0.03


def test_witnesses_of_one_kind_count_once():
    models = {"tot_outlier": 0.9, "tot_no_overlap": 0.9, "doubt": 0.9}
    assert sure_witnesses(models, 0.8) == {"models"}
    assert sure_witnesses({**models, "rules": 0.85, "shape": 0.79}, 0.8) == {"models", "rules"}
    assert sure_witnesses({"doubt": 0.7, "shape": 0.9}, 0.8) == {"shape"}
    assert sure_witnesses({}, 0.8) == set()


def test_a_disputed_border_goes_to_the_sound_neighbour():
    s = structure(MASKS["liver"])
    edge = MASKS["liver"] & (np.indices(SHAPE)[0] > np.argwhere(MASKS["liver"])[:, 0].max() - 1)
    rival = structure(edge, "spleen")
    assert trimmed(s, [rival]).voxels == s.voxels - edge.sum()
    assert trimmed(s, [structure(MASKS["liver"], "spleen")]) is s
    assert trimmed(s, []) is s
