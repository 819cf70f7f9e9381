"""Cropped masks: what two of one volume share."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeling.structures import NOWHERE, Structure, common_mask, common_voxels, further_pieces
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


def arms(ends, shape=(18, 20, 30), affine=None):
    """Columns along the last axis of 3x3 voxels: from and to, at places along the first axis."""
    mask = np.zeros(shape, bool)
    for n, (low, high) in enumerate(ends):
        mask[3 + 5 * n : 6 + 5 * n, 8:11, low:high] = True
    return Structure.of(
        "aorta", mask, oblique_affine((2.0, 2.0, 1.0)) if affine is None else affine
    )


def test_pieces_that_reach_the_same_face_may_join_outside_the_scan():
    assert further_pieces(arms([(5, 30), (10, 30)]), 0.0) == []
    assert further_pieces(arms([(5, 29), (10, 25)]), 0.0) == [2]
    assert further_pieces(arms([(0, 25), (20, 30)]), 0.0) == [2]  # other faces
    assert further_pieces(arms([(0, 22), (0, 20), (15, 23)]), 0.0) == [3]


def test_what_joins_what_joins_the_largest_is_no_further_piece():
    mask = np.zeros((12, 14, 30), bool)
    mask[4:10, 4:10, 0:20] = True  # the largest, at the lower end
    mask[0:2, 4:6, 0:8] = True  # there too, and at the side
    mask[0:2, 10:12, 22:26] = True  # at that side only
    s = Structure.of("aorta", mask, oblique_affine((2.0, 2.0, 1.0)))
    assert further_pieces(s, 0.0) == []
    mask[0:2, 4:6, 0:8] = False
    s = Structure.of("aorta", mask, s.affine)
    assert further_pieces(s, 0.0) == [2]


def test_the_border_is_met_in_millimetres():
    for spacing, gap, n in ((1.0, 3, 0), (1.0, 4, 1), (2.5, 1, 0), (2.5, 2, 1), (5.0, 1, 1)):
        affine = oblique_affine((2.0, 2.0, spacing))
        s = arms([(12, 30 - gap), (16, 30 - gap)], affine=affine)
        assert len(further_pieces(s, 0.0)) == n


def test_specks_at_the_border_are_further_pieces_where_some_millilitres_are_tolerated():
    s = arms([(5, 30), (28, 30)])
    assert further_pieces(s, 0.0) == []
    assert further_pieces(s, s.pieces[1][1] + 1e-9) == [2]
