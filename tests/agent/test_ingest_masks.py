"""Masks as sources bring them: values and places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from agent.ingest.masks import (
    binary,
    count_values,
    fit,
    known_part,
    shift_voxels,
    split_map,
    unnamed_values,
    whole_numbers,
)
from cleaning.standardise import standardise, to_ras
from tests.agent.ingest_fixture import LIVER, scan_array
from tests.conftest import oblique_affine
from voxcurate.errors import CurationError, GeometryError, VolumeReadError
from voxcurate.volume import Volume

RAW = Volume(scan_array(0), oblique_affine())


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


@given(st.permutations(range(3)), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_any_axis_order_of_the_same_voxels_fits(order, flips):
    array, affine = LIVER.transpose(order), oblique_affine()[:, [*order, 3]]
    for axis, flip in enumerate(flips):
        if flip:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
    found = fit(Volume(array, affine), RAW, standardise(RAW))
    assert np.array_equal(found, to_ras(Volume(LIVER, RAW.affine))[0])


@pytest.mark.parametrize("voxels", [0.05, 0.2])
def test_a_tenth_of_a_voxel_is_the_limit(voxels):
    affine = oblique_affine()
    affine[:3, 3] += affine[:3, 0] * voxels
    mask = Volume(LIVER, affine)
    assert shift_voxels(affine, RAW.affine, RAW.shape) == pytest.approx(voxels, rel=1e-6)
    if voxels < 0.1:
        fit(mask, RAW, standardise(RAW))
    else:
        with pytest.raises(GeometryError, match=r"0\.2 voxels off"):
            fit(mask, RAW, standardise(RAW))


def test_a_rotation_about_the_first_voxel_shows_at_the_corners():
    affine = oblique_affine(angles=(0.1, -0.15, 0.26))
    with pytest.raises(CurationError, match="another place"):
        fit(Volume(LIVER, affine), RAW, standardise(RAW))
