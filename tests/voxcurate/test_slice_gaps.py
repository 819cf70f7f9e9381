"""One judgement of slice distances, by hand and for any even row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.valuerep import DSfloat

from voxcurate.slice_gaps import decimals_of, digit_along, judge_gaps, usual_gap


@pytest.mark.parametrize(
    ("gaps", "wanted"), [([2, 2, 2, 4], 2), ([5, 5, 7, 3, 5], 5), ([2, 4, 4, 4], 2)]
)
def test_the_usual_distance(gaps, wanted):
    assert usual_gap(np.array(gaps, float)) == wanted


def test_missing_repeated_and_uneven_by_hand():
    found = judge_gaps(np.array([0.0, 3, 6, 6, 9, 15, 18, 19.3, 21]))
    assert found.usual_mm == 3
    assert found.repeated.tolist() == [2]
    assert found.kept.tolist() == [0, 1, 2, 4, 5, 6, 7, 8]
    assert found.missing.tolist() == [3]  # 9 to 15
    assert found.n_missing == 1
    assert found.uneven.tolist() == [5, 6]


def test_all_at_one_place_and_a_single_slice():
    found = judge_gaps(np.array([7.0, 7.0, 7.0]))
    assert found.usual_mm == 0
    assert found.repeated.tolist() == [0, 1]
    assert judge_gaps(np.array([7.0])).repeated.size == 0


@given(
    st.floats(0.3, 10),
    st.floats(-500, 500),
    st.integers(4, 300),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
)
def test_any_even_row_is_even_however_it_is_rounded(step, start, n, decimals, seed):
    row = np.round(start + step * np.arange(n), decimals)
    found = judge_gaps(row, digit_mm=10.0**-decimals)
    assert found.uneven.size == found.missing.size == found.repeated.size == 0
    assert found.usual_mm == pytest.approx(step, abs=2 * 10.0**-decimals / (n - 1) + 1e-9)
    lost = int(np.random.default_rng(seed).integers(1, n - 1))
    if n > 6:
        assert judge_gaps(np.delete(row, lost), digit_mm=10.0**-decimals).n_missing == 1


def test_a_jump_of_the_table_is_not_explained_by_rounding():
    row = np.arange(20) * 3.0
    row[10:] += 1.0
    assert judge_gaps(row, digit_mm=0.1).uneven.tolist() == [9]
    one = np.arange(20) * 3.0
    one[10] += 1.0  # whole millimetres are written, and one of them is off the row
    assert judge_gaps(one, digit_mm=1.0).uneven.tolist() == [9, 10]


def test_decimals_as_they_are_written():
    assert decimals_of(["-12.50", "7", "1e-3"]) == (2, 0, 9)
    assert decimals_of([DSfloat("3.1"), 2.25]) == (1, 2)
    # dropped zeros: the most of any slice counts; the normal weighs x, y and z
    assert digit_along([(0, 0, 1), (0, 0, 2)], (0.0, 0.0, 1.0)) == pytest.approx(0.01)
    assert digit_along([(1, 1, 1)], (0.6, 0.0, 0.8)) == pytest.approx(0.14)
    assert digit_along([], (0.0, 0.0, 1.0)) == 0.0
