"""The compiled loops of the checks against plain numpy and scipy."""

import numpy as np
import pytest
from scipy import ndimage

from cleaning.check._kernels import block_sums, histogram, spot_ratios, survey
from cleaning.check.anatomy import block_means
from cleaning.check.texture import _extremes

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("larger", ["maximum", "minimum"])
def test_extremes_are_those_of_scipy(larger):
    plane = RNG.normal(size=(31, 17)).astype(np.float32)
    want = getattr(ndimage, f"{larger}_filter")(plane, 7)
    np.testing.assert_array_equal(_extremes(plane, getattr(np, larger)), want)


@pytest.mark.parametrize("order", ["C", "F"])
def test_block_means_are_those_of_numpy_in_any_memory(order):
    array = RNG.integers(-4000, 5000, (33, 29, 11)).astype(np.int16)
    got = block_means(np.asarray(array, order=order)[::-1], [4, 3])
    cut = np.clip(array[::-1][:32, :27].astype(np.float64), -2048, 3000)
    want = cut.reshape(8, 4, 9, 3, 11).mean(axis=(1, 3))
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert block_sums(array, (34, 1, 1), -1.0, 1.0).shape == (0, 29, 11)


@pytest.mark.parametrize("m", [5, 6])
def test_spot_ratios_are_medians(m):
    moves = np.abs(RNG.normal(size=(9, 40)).astype(np.float32)) * 50
    places, spots = np.array([4, 3, 2, 1, 5, 6, 7])[: m + 1], np.arange(3, 40, 2)
    usual, beside = spot_ratios(moves, places, spots, 4, 2.0)
    changes = moves[np.ix_(places, spots)]
    here = changes[0] + 2
    np.testing.assert_allclose(usual, here / (np.median(changes[1:], axis=0) + 2), rtol=1e-6)
    np.testing.assert_allclose(beside, here / (np.maximum(changes[1], changes[4]) + 2), rtol=1e-6)


def test_the_histogram_puts_what_lies_beyond_at_its_ends():
    values = RNG.integers(-50, 50, 1000).astype(np.int16)
    want = np.bincount(np.clip(values, -20, 19) + 20, minlength=40)
    np.testing.assert_array_equal(histogram(values, -20, 40), want)


def test_planes_have_one_hash_only_if_they_are_equal():
    """A swap of two voxels, two rows or two signs gives another hash."""
    array = RNG.integers(-9, 9, (6, 7, 8)).astype(np.int16)
    array[3] = array[1]
    array[4], array[5] = array[1][::-1], -array[1]
    _, _, hashes, _, _ = survey(array, 0, -1e3, 1e3)
    assert hashes[0, 3] == hashes[0, 1]
    assert np.unique(hashes[0, :6]).size == 5
    _, _, again, _, _ = survey(np.ascontiguousarray(array[:, :, ::-1]), 0, -1e3, 1e3)
    assert set(hashes[2, :8].tolist()) == set(again[2, :8].tolist())
