"""The search is exact: against all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates.search import BITS, chunk_widths, close_pairs, dealt


def planted(n, radius, seed):
    """Random codes, half of them near another, some equal."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (n, 32)).astype(np.uint8)
    for at in range(n // 2):
        bits = np.unpackbits(codes[rng.integers(n // 2, n)])
        bits[rng.choice(256, int(rng.integers(0, radius + 3)), replace=False)] ^= 1
        codes[at] = np.packbits(bits)
    codes[rng.integers(0, n, n // 8)] = codes[0]
    return codes[rng.permutation(n)]


def all_pairs(codes, radius, known=0):
    distance = np.bitwise_count(codes[:, None] ^ codes[None]).sum(axis=2)
    first, second = np.nonzero(np.triu(distance <= radius, 1))
    keep = second >= known
    return list(zip(first[keep], second[keep], distance[first, second][keep], strict=True))


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 120), st.integers(0, 60), st.integers(0, 10**6), st.floats(0, 1))
def test_close_pairs_against_all_pairs(n, radius, seed, share):
    codes, known = planted(n, radius, seed), int(share * n)
    found = close_pairs(codes, radius, known=known, threads=1)
    got = list(zip(found.first, found.second, found.distance, strict=True))
    assert got == all_pairs(codes, radius, known)


def test_against_faiss_on_clustered_codes():
    import faiss

    rng = np.random.default_rng(4)
    base = rng.integers(0, 2, (40, 256)).astype(np.uint8)
    codes = np.packbits(base[rng.integers(0, 40, 3000)] ^ (rng.random((3000, 256)) < 0.05), axis=1)
    index = faiss.IndexBinaryFlat(256)
    index.add(codes)
    limits, _, hits = index.range_search(codes, 24)
    query = np.repeat(np.arange(3000), np.diff(limits.astype(np.int64)))
    want = sorted((a, b) for a, b in zip(query.tolist(), hits.tolist(), strict=True) if a < b)
    found = close_pairs(codes, 23)
    assert len(want) > 10_000
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == want


@pytest.mark.parametrize("radius", range(0, 128, 7))
def test_some_chunk_of_codes_within_the_radius_differs_by_at_most_one_bit(radius):
    widths = chunk_widths(radius)
    assert widths.sum() == BITS
    assert widths.max() <= 32
    per_word = len(widths) // 4
    assert (widths.reshape(4, per_word).sum(axis=1) == 64).all()
    assert radius // 4 // per_word <= 1


def test_dealing_bits_moves_each_to_its_own_place():
    for radius in (7, 23, 40):
        one_bit = np.packbits(np.eye(256, dtype=np.uint8), axis=1)
        words = dealt(one_bit, radius)
        assert np.bitwise_count(words).sum() == 256
        assert (np.bitwise_count(np.bitwise_or.reduce(words, axis=0)) == 64).all()


def test_many_equal_codes_cost_no_more_than_their_number_if_so_wanted():
    codes = np.zeros((500, 32), np.uint8)
    codes[490:] = np.random.default_rng(0).integers(0, 256, (10, 32))
    codes[499] = codes[0]
    codes[499, 0] = 1  # one bit away from all
    found = close_pairs(codes, 10, max_equal=64)
    assert len(found) == 489 + 1
    assert set(found.first.tolist()) == {0}
    assert len(close_pairs(codes, 10)) == 490 * 489 // 2 + 490


def test_few_codes_and_impossible_radii():
    assert len(close_pairs(np.zeros((0, 32), np.uint8), 5)) == 0
    assert len(close_pairs(np.zeros((1, 32), np.uint8), 5)) == 0
    assert len(close_pairs(np.zeros((3, 32), np.uint8), 5, known=3)) == 0
    with pytest.raises(ValueError, match="radius"):
        close_pairs(np.zeros((3, 32), np.uint8), 128)
