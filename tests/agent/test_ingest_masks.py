"""Masks as sources bring them: values and places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from agent.ingest.masks import (
    binary,
    count_values,
    known_part,
    split_map,
    unnamed_values,
    whole_numbers,
)
from tests.agent.ingest_fixture import LIVER
from voxcurate.errors import VolumeReadError


@given(
    arrays(
        st.sampled_from([np.uint8, np.int16, np.int32]),
        array_shapes(min_dims=3, max_dims=3, max_side=5),
        elements=st.integers(0, 9) | st.integers(0, 127),
    )
)
def test_counts_are_those_of_numpy(array):
    values, counts = np.unique(array, return_counts=True)
    expected = dict(zip(values.tolist(), counts.tolist(), strict=True))
    assert {v: n for v, n in count_values(array).items() if n} == expected


def test_counts_of_far_apart_values():
    array = np.array([[[-(2**31), 2**31 - 1, 0]]], np.int64)
    assert count_values(array) == {-(2**31): 1, 0: 1, 2**31 - 1: 1}


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, bool])
def test_one_value_besides_zero_is_a_mask(dtype):
    array = LIVER.astype(dtype) * dtype(1 if dtype is bool else 5)
    assert np.array_equal(binary(array), LIVER)
    assert not binary(np.zeros_like(array)).any()


@pytest.mark.parametrize("values", [(1, 2), (0.5, 0.6), (-1, 1)])
def test_several_values_are_no_mask_of_one_class(values):
    array = np.zeros((3, 3, 3), np.float32)
    array[0, 0, :2] = values
    with pytest.raises(VolumeReadError, match="several values"):
        binary(array)


def test_fractions_are_no_label_map():
    assert whole_numbers(np.array([[[1.0, 2.0]]], np.float32)).dtype == np.int16
    with pytest.raises(VolumeReadError, match="fractions"):
        whole_numbers(np.array([[[1.5]]], np.float32))


def test_a_map_is_split_by_its_names():
    array = np.array([[[0, 1, 2, 3, 4, 9]]], np.uint8)
    labels = {
        1: ("liver",),
        2: ("liver", "tumor"),
        3: ("background",),
        4: ("ignore",),
        5: ("aorta",),
    }
    present = count_values(array)
    found = {name: mask.ravel().tolist() for name, mask in split_map(array, labels, present)}
    assert found == {
        "liver": [False, True, True, False, False, False],
        "tumor": [False, False, True, False, False, False],
    }
    assert known_part(array, labels, present).ravel().tolist() == [1, 1, 1, 1, 0, 1]
    assert known_part(array[..., :3], labels, {0: 1, 1: 1, 2: 1}) is None
    assert unnamed_values(labels, present).startswith("no class for value 9 (1 voxels)")
    assert unnamed_values(labels, {0: 3, 1: 1}) == ""
