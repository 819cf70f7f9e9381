"""Borders drawn anew: towards the truth, never into others, nothing where nothing is wrong."""

import numpy as np
import pytest
from scipy import ndimage

from labeling.expert.support import Support
from labeling.refine._kernel import minimise
from labeling.refine.config import RefineConfig
from labeling.refine.geodesic import GeodesicRefiner, moved
from labeling.refine.methods import REFINERS, Refiner, make_refiner, refine, unlike
from labeling.refine.points import choose_points
from tests.labeling.refine.scenes import AFFINE, SHAPE, ball, border, frayed, scan, structure
from voxcurate.errors import ConfigError
from voxcurate.metrics import dsc
from voxcurate.volume import Volume

CONFIG = RefineConfig()
TRUE = ball()


def best(found):
    """The Dice of the best proposal with the truth."""
    return max(dsc(s.full(), TRUE) for s in found.proposals.values())


def run(mask, volume=None, config=CONFIG, **options):
    return refine(structure(mask), volume or scan(TRUE), make_refiner(config), config, **options)


@pytest.mark.parametrize("name", ["geodesic"])
def test_refiners_are_refiners(name):
    assert set(REFINERS) == {"geodesic", "sam"}
    assert isinstance(make_refiner(RefineConfig(method=name)), Refiner)
    with pytest.raises(ConfigError, match="geodesic"):
        make_refiner(RefineConfig(method="nothing"))


@pytest.mark.parametrize("wrong", [ball(11.0), ball(20.0), frayed(TRUE)])
def test_wrong_borders_come_nearer_to_the_truth(wrong):
    found = run(wrong)
    first = dsc(next(iter(found.proposals.values())).full(), TRUE)
    assert first > dsc(wrong, TRUE)
    assert best(found) > max(0.93, dsc(wrong, TRUE) + 0.1)


def test_the_result_is_the_same_again_and_inputs_stay():
    volume, wrong = scan(TRUE), frayed(TRUE)
    before = volume.array.copy()
    one, two = (run(wrong, volume) for _ in range(2))
    assert np.array_equal(volume.array, before)
    assert list(one.proposals) == list(two.proposals)
    for name in one.proposals:
        assert np.array_equal(one.proposals[name].full(), two.proposals[name].full())


def test_a_good_label_hardly_moves():
    found = run(TRUE)
    assert all(dsc(s.full(), TRUE) > 0.97 for n, s in found.proposals.items() if n == "as_drawn")


def test_turned_arrays_give_turned_results():
    wrong, volume = frayed(TRUE), scan(TRUE)
    turned = AFFINE.copy()
    turned[:, 0] *= -1
    turned[:3, 3] += AFFINE[:3, 0] * (SHAPE[0] - 1)
    from labeling.structures import Structure

    other = Structure.of("liver", wrong[::-1], turned)
    config = RefineConfig(moves_mm=(), reach_mm=0, points=2)
    straight = run(wrong, volume, config).proposals["as_drawn"]
    flipped = refine(
        other, Volume(volume.array[::-1].copy(), turned), make_refiner(config), config
    ).proposals["as_drawn"]
    assert dsc(straight.full(), flipped.full()[::-1]) > 0.97  # ties between neighbours


def test_other_structures_are_never_taken():
    rival = np.zeros(SHAPE, bool)
    rival[18:] = True
    label = ball(11.0) & ~rival
    found = run(label, others=[structure(rival, "stomach")])
    assert found.proposals
    assert not any((s.full() & rival).any() for s in found.proposals.values())


def test_what_the_label_shares_with_another_stays_its_own():
    rival = np.zeros(SHAPE, bool)
    rival[18:] = True
    made = border(TRUE, scan(TRUE), others=[structure(rival)])
    assert not (made.taken & made.mask).any()
    assert made.taken.any()


def test_probabilities_decide_where_the_scan_says_nothing():
    flat = scan(TRUE, step=0.0)
    chance = np.round(255 * ndimage.gaussian_filter(TRUE.astype(float), 0.8)).astype(np.uint8)
    support = Support((slice(0, SHAPE[0]), slice(0, SHAPE[1]), slice(0, SHAPE[2])), chance)
    config = RefineConfig(moves_mm=(), reach_mm=0)
    wrong = ball(18.0)
    alone, helped = (run(wrong, flat, config, support=s) for s in (None, support))
    label = structure(wrong)
    before, after = (dsc(f.proposals.get("as_drawn", label).full(), TRUE) for f in (alone, helped))
    assert after > max(before, dsc(wrong, TRUE)) + 0.05


def test_only_the_band_changes():
    config = RefineConfig(moves_mm=(), reach_mm=0)
    wrong = frayed(TRUE)
    found = run(wrong, config=config).proposals["as_drawn"].full()
    depth = border(wrong, scan(TRUE)).depth
    changed = (found != wrong)[border(wrong, scan(TRUE)).box]
    assert np.abs(depth[changed]).max() <= config.band_mm + 1e-3


def test_a_border_in_the_right_place_is_not_moved_as_a_whole():
    right, small = (border(m, scan(TRUE)) for m in (TRUE, ball(10.0)))
    assert moved(right, 10.0, 0.15) is right.mask
    there = moved(small, 10.0, 0.15)
    assert dsc(there, TRUE[small.box]) > dsc(small.mask, TRUE[small.box]) + 0.1
    assert moved(small, 0.0, 0.15) is small.mask


@pytest.mark.parametrize("mask", [ball(0.5), TRUE | True, ball(9.0, (0.0, 0.0, 0.0))])
def test_specks_whole_scans_and_corners_do_no_harm(mask):
    found = run(mask)
    assert all(not s.is_empty for s in found.proposals.values())
    assert all(s.shape == SHAPE for s in found.proposals.values())


def test_nothing_is_refined_of_an_empty_label():
    assert run(TRUE & False) is None


def test_constant_and_extreme_values():
    for value in (0, 31743, -1024):
        found = run(frayed(TRUE), Volume(np.full(SHAPE, value, np.int32), AFFINE))
        assert all(np.isfinite(s.ml) for s in found.proposals.values())


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_values_that_are_no_numbers_are_air(modality):
    array = scan(TRUE).array.astype(np.float32)
    array[:, :3] = np.nan
    array[:, 3] = np.inf
    found = run(frayed(TRUE), Volume(array, AFFINE), modality=modality)
    assert best(found) > dsc(frayed(TRUE), TRUE)
    assert np.isfinite(border(TRUE, Volume(array, AFFINE), modality=modality).values).all()


def test_another_modality_is_scaled():
    volume = scan(TRUE)
    other = Volume(volume.array.astype(np.float32) * 0.01 + 7.0, AFFINE)
    wrong = ball(12.0)
    found = run(wrong, other, modality="MR")
    assert best(found) > dsc(wrong, TRUE) + 0.1


def test_alike_proposals_are_one():
    label, other = structure(TRUE), structure(ball(11.0))
    found = unlike(label, {"a": label, "b": other, "c": other, "d": structure(TRUE & False)}, 0.02)
    assert list(found) == ["b"]


def test_the_cut_is_minimal_by_hand():
    """Five voxels in a row, the ends fixed: the border falls where it is cheapest."""
    free = np.zeros((3, 3, 7), bool)
    free[1, 1, 2:5] = True
    cost = np.zeros((3, 3, 7), np.float32)
    weights = np.zeros((3, 3, 3, 7), np.float32)
    weights[2, 1, 1, 1:5] = [1.0, 1.0, 0.1, 1.0]  # cheap between voxels 3 and 4
    start = np.zeros((3, 3, 7), np.float32)
    start[1, 1, :2] = 1.0
    strides = np.array(free.strides, np.int64)
    flat = np.flatnonzero(free)
    edges = np.unique(np.concatenate([flat, *(flat - s for s in strides)]))
    u = minimise(
        cost.ravel(), weights.reshape(3, -1), free.ravel(), edges, strides, start.ravel(), 400, 0.5
    ).reshape(free.shape)
    assert (u[1, 1, 1:6] > 0.5).tolist() == [True, True, True, False, False]
    assert u[1, 1, 1] == 1.0
    assert u[1, 1, 5] == 0.0


def test_points_are_hard_constraints():
    made = border(ball(11.0), scan(TRUE))
    points = choose_points(made)
    config = RefineConfig(moves_mm=(), reach_mm=0)
    found = GeodesicRefiner(config).refine(made, points)["as_drawn"]
    assert found[points.mask(made, positive=True)].all()
    assert not found[points.mask(made)].any()
