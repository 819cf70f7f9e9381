"""Cropped masks: what two of one volume share."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeling.structures import NOWHERE, Structure, common_mask, common_voxels
from tests.conftest import oblique_affine

SHAPE = (6, 5, 4)


def test_what_two_boxes_share_by_hand():
    a, b = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, bool)
    a[0:3, 1:4, 0:2] = 7
    b[2:5, 3:5, 1:4] = True
    one, two = (Structure.of("x", mask, oblique_affine()) for mask in (a, b))
    shared, place = common_mask(a[one.box], one.box, b[two.box], two.box)
    assert place == (slice(2, 3), slice(3, 4), slice(1, 2))
    assert shared.tolist() == [[[True]]]
    far = (slice(5, 6), slice(0, 1), slice(0, 1))
    shared, place = common_mask(a[one.box], one.box, np.ones((1, 1, 1)), far)
    assert (shared.size, place) == (0, NOWHERE)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.3), st.floats(0.0, 0.3))
def test_it_is_what_whole_volumes_share(seed, p, q):
    rng = np.random.default_rng(seed)
    a, b = rng.random(SHAPE) < p, rng.random(SHAPE) < q
    one, two = (Structure.of("x", mask, oblique_affine()) for mask in (a, b))
    shared, place = common_mask(one.mask, one.box, two.mask, two.box)
    whole = np.zeros(SHAPE, bool)
    whole[place] = shared
    np.testing.assert_array_equal(whole, a & b)
    assert common_voxels(one, two) == np.count_nonzero(a & b)
