"""Compiled loops against plain ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn
from scipy.ndimage import correlate1d, map_coordinates

from cleaning.duplicates._kernels import block_means, blur, extrema, patches, spectra

sides = st.lists(st.integers(1, 30), min_size=3, max_size=3)


@settings(deadline=None)  # compiles at first
@given(sides, st.integers(0, 99), st.booleans())
def test_block_means_against_plain_overlap(shape, seed, is_int):
    rng = np.random.default_rng(seed)
    array = rng.integers(-9, 9, shape).astype(np.int16) if is_int else rng.normal(size=shape)
    edges = [np.sort(rng.uniform(0, n, 5)) + np.arange(5) * 1e-3 for n in shape]
    edges = [np.clip(e, 0, n) * 0.99 for e, n in zip(edges, shape, strict=True)]
    found = block_means(array, *edges, -2.0, 2.0)
    weights = []
    for size, edge in zip(shape, edges, strict=True):
        voxel = np.arange(size)
        low = np.maximum(edge[:-1, None], voxel)
        overlap = np.clip(np.minimum(edge[1:, None], voxel + 1) - low, 0, None)
        weights.append(overlap / overlap.sum(axis=1, keepdims=True))
    want = np.einsum("ai,bj,ck,ijk->abc", *weights, np.clip(array, -2, 2))
    np.testing.assert_allclose(found, want, atol=2e-3)


@pytest.mark.parametrize("step", [1, 2, 4])
def test_block_means_of_some_planes_are_those_of_an_array_that_repeats_them(step):
    array = np.random.default_rng(0).normal(size=(13, 22, 9))
    middle = np.minimum(np.arange(13) // step * step + step // 2, 12)
    edges = [np.linspace(0.4, n - 0.3, 4) for n in array.shape]
    found = block_means(array, *edges, -2.0, 2.0, step)
    np.testing.assert_allclose(found, block_means(array[middle], *edges, -2.0, 2.0), atol=1e-5)


@pytest.mark.parametrize("shape", [(9, 7, 11), (3, 20, 4)])
def test_blur_against_scipy(shape):
    grid = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    taps = np.array([0.1, 0.2, 0.4, 0.2, 0.1], np.float32)
    want = grid
    for axis in range(3):
        want = correlate1d(want, taps, axis=axis, mode="nearest")
    np.testing.assert_allclose(blur(grid, taps), want, atol=1e-6)


def test_extrema_against_plain_loops():
    grid = np.random.default_rng(1).normal(size=(7, 8, 9)).astype(np.float32)
    want = []
    for at in np.ndindex(*grid.shape):
        if min(at) == 0 or any(a == n - 1 for a, n in zip(at, grid.shape, strict=True)):
            continue
        box = grid[tuple(slice(a - 1, a + 2) for a in at)]
        here = grid[at]
        if abs(here) >= 0.5 and ((box < here).sum() == 26 or (box > here).sum() == 26):
            want.append(at)
    want = [at for at in want if (grid[at] > 0) == (grid[at] >= grid[tuple(np.array(at) - 1)])]
    assert [tuple(at) for at in extrema(grid, 0.5).tolist()] == want


def test_patches_are_sampled_linearly_and_kept_apart():
    grid = np.random.default_rng(2).normal(size=(12, 13, 14)).astype(np.float32)
    places = np.array([[6.2, 6.5, 7.1], [6.3, 6.0, 7.0], [3.0, 9.0, 5.5]])
    offsets = np.array([-2.5, -0.5, 1.0, 2.0])
    taken, cubes = patches(grid, places, offsets, 9, 1.0, 99.0, 1.0)
    assert taken.tolist() == [0, 2]
    for n, p in enumerate(taken):
        at = np.meshgrid(*(places[p, axis] + offsets for axis in range(3)), indexing="ij")
        want = map_coordinates(grid, at, order=1, mode="nearest")
        np.testing.assert_allclose(cubes[n], want, atol=1e-5)
    assert patches(grid, places, offsets, 1, 1.0, 99.0, 1.0)[0].tolist() == [0]


def test_a_place_whose_surroundings_are_cut_off_in_the_body_is_passed_over():
    offsets = np.linspace(-4, 4, 10)
    for value, want in ((1.0, []), (0.0, [0])):  # body, air
        grid = np.full((12, 12, 12), value, np.float32)
        taken, _ = patches(grid, np.array([[1.0, 6.0, 6.0]]), offsets, 5, 1.0, 0.1, 0.05)
        assert taken.tolist() == want


def test_spectra_are_a_dct_of_the_windowed_cube():
    rng = np.random.default_rng(3)
    cubes = rng.normal(size=(3, 8, 8, 8)).astype(np.float32)
    window = rng.uniform(0.1, 1, (8, 8, 8)).astype(np.float32)
    n = np.arange(8)
    basis = (2 * np.cos(np.pi * (n[None] + 0.5) * n[:5, None] / 8)).astype(np.float32)
    found = spectra(cubes, window, basis)
    for cube, got in zip(cubes, found, strict=True):
        mean = (cube * window).sum() / window.sum()
        want = dctn((cube - mean) * window, type=2)[:5, :5, :5]
        np.testing.assert_allclose(got, want, atol=2e-3)
