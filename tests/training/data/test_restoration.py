"""Self-supervision: what is spoiled, what stays, what the mask says."""

import numpy as np
import pytest

from training.config import RestorationConfig
from training.data.restoration import CHANGED, blocks, curve, spoil

SHAPE = (5, 24, 18, 30)  # two windows, three coordinates
ALL = {"blocks": 0.0, "curve": 0.0, "shuffle": 0.0, "paint": 0.0}


def image(seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype(np.float32)


def only(**settings):
    return RestorationConfig(**{**ALL, **settings})


def spoiled(config, seed=0):
    given = image()
    kept = given.copy()
    made, hidden = spoil(given, 2, config, np.random.default_rng(seed))
    np.testing.assert_array_equal(given, kept)  # input unchanged
    return given, made, hidden


@pytest.mark.parametrize(
    "config",
    [
        RestorationConfig(genesis=0.0),
        only(curve=1.0),
        only(shuffle=1.0),
        only(paint=1.0, inner=1.0),
        only(paint=1.0, inner=0.0),
        RestorationConfig(blocks=0.0),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_coordinates_stay_and_the_mask_is_what_changed(config, seed):
    given, made, hidden = spoiled(config, seed)
    np.testing.assert_array_equal(made[2:], given[2:])
    changed = np.abs(made[:2] - given[:2]).max(axis=0) > CHANGED
    assert hidden.shape == (1, *SHAPE[1:])
    assert not (changed & ~hidden[0].astype(bool)).any()
    if config.blocks == 0:
        np.testing.assert_array_equal(hidden[0].astype(bool), changed)
    assert hidden.any()
    assert np.abs(made[:2]).max() <= 1
    again = spoil(given, 2, config, np.random.default_rng(seed))
    np.testing.assert_array_equal(again[0], made)


def test_blocks_are_whole_and_as_many_as_asked():
    hidden = blocks((64, 48, 32), 8, 0.3, np.random.default_rng(1))
    cells = hidden.reshape(8, 8, 6, 8, 4, 8).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 512)
    assert set(cells.mean(axis=1)) == {0.0, 1.0}
    assert abs(hidden.mean() - 0.3) < 0.15


def test_hidden_blocks_show_nothing_in_any_window():
    _, made, hidden = spoiled(RestorationConfig(genesis=0.0))
    assert not made[:2][:, hidden[0].astype(bool)].any()


def test_a_curve_is_monotonic_and_falls_half_of_the_time():
    signs = []
    for seed in range(60):
        steps = np.diff(curve(np.random.default_rng(seed)))
        assert (steps >= 0).all() or (steps <= 0).all()
        signs.append(steps.sum() > 0)
    assert 15 < sum(signs) < 45


def test_the_same_curve_for_all_windows():
    given = image()
    given[1] = given[0]
    made, _ = spoil(given, 2, only(curve=1.0), np.random.default_rng(3))
    np.testing.assert_array_equal(made[0], made[1])


def test_shuffling_moves_voxels_together_and_only_nearby():
    given, made, hidden = spoiled(only(shuffle=1.0, shuffled=1.0))
    assert hidden.mean() > 0.5
    np.testing.assert_array_equal(np.sort(made[0].ravel()), np.sort(given[0].ravel()))
    where = {value: place for place, value in np.ndenumerate(given[0])}
    for place in np.argwhere(hidden[0] > 0)[::50]:
        came_from = where[made[0][tuple(place)]]
        assert np.abs(np.array(came_from) - place).max() <= max(SHAPE) // 10
        assert made[1][tuple(place)] == given[1][came_from]


def test_outer_painting_keeps_a_piece_and_inner_painting_keeps_most():
    for seed in range(5):
        outer = spoiled(only(paint=1.0, inner=0.0), seed)[2].mean()
        inner = spoiled(only(paint=1.0, inner=1.0), seed)[2].mean()
        assert 0.2 < outer < 0.98
        assert 0.001 < inner < 0.2


def test_tiny_patches():
    given = np.zeros((1, 1, 2, 1), np.float32)
    for seed in range(20):
        made, hidden = spoil(given, 1, RestorationConfig(), np.random.default_rng(seed))
        assert made.shape == given.shape
        assert hidden.shape == (1, 1, 2, 1)


def test_some_way_is_needed():
    with pytest.raises(ValueError, match="share"):
        RestorationConfig(blocks=0.0, genesis=0.0)
