"""Patches: what lies where, what mirroring does, what the network is told."""

from dataclasses import replace

import numpy as np
import pytest

from training.config import AugmentConfig
from training.data.cases import PreparedCase
from training.data.patches import (
    Pose,
    channels,
    cut,
    mirror_swap,
    positions,
    random_pose,
    straight,
    vary,
)
from voxcurate.classes import load_vocabulary

SHAPE = (21, 17, 13)
STILL = AugmentConfig(rotation_deg=0, scale=0, shift_hu=0, contrast=0, noise_hu=0)


def case(masks=None, known=(True, True, True)):
    generator = np.random.default_rng(3)
    image = generator.integers(-200, 300, SHAPE).astype(np.int16)
    if masks is None:
        masks = generator.random((3, *SHAPE)) < 0.2
    return PreparedCase(
        "a", image, np.packbits(masks, axis=0), None, np.array(known),
        np.array([1.0, 0.5, 1.0], np.float32), masks.reshape(3, -1).sum(1),
        [np.argwhere(m).astype(np.int16) for m in masks], (3.0, 4.0, 5.0),
    ), masks  # fmt: skip


def test_straight_patch_is_the_slice():
    prepared, masks = case()
    shape = (8, 7, 5)
    corner = np.array([4, 5, 3])
    patch = cut(prepared, straight(corner + (np.array(shape) - 1) / 2), shape)
    box = tuple(slice(c, c + s) for c, s in zip(corner, shape, strict=True))
    np.testing.assert_array_equal(patch.hu, prepared.image[box])
    np.testing.assert_array_equal(patch.target, masks[(slice(None), *box)])


def test_outside_is_air_without_structures():
    prepared, _ = case()
    patch = cut(prepared, straight((-40.0, 8.0, 6.0)), (8, 8, 8))
    assert (patch.hu == -1024).all()
    assert not patch.target.any()


def test_unknown_class_and_label_weight():
    prepared, _ = case(known=(True, True, False))
    patch = cut(prepared, straight((9.0, 8.0, 6.0)), (8, 8, 8))
    assert patch.weight.ravel().tolist() == [1.0, 0.5, 0.0]


def test_known_mask_gives_weights_per_voxel():
    prepared, masks = case()
    speaks = np.ones_like(masks)
    speaks[1, :10] = False
    prepared = replace(prepared, known_packed=np.packbits(speaks, axis=0))
    patch = cut(prepared, straight((10.0, 8.0, 6.0)), SHAPE)
    assert patch.weight.shape == (3, *SHAPE)
    assert not patch.weight[1, :10].any()
    assert (patch.weight[1, 10:] == 0.5).all()
    assert (patch.weight[0] == 1).all()


def test_mirror_swaps_sides_and_coordinates():
    prepared, masks = case()
    middle = (np.array(SHAPE) - 1) / 2
    pose = Pose(tuple(middle), np.diag([-1.0, 1, 1]), is_mirrored=True)
    patch = cut(prepared, pose, SHAPE, np.array([1, 0, -1]))
    np.testing.assert_array_equal(patch.hu, prepared.image[::-1])
    np.testing.assert_array_equal(patch.target[0], masks[1][::-1])
    np.testing.assert_array_equal(patch.target[1], masks[0][::-1])
    assert patch.weight[:, 0, 0, 0].tolist() == [0.5, 1.0, 0.0]
    assert not patch.target[2].any()
    # what was on the left is shown, and told, to be on the right
    np.testing.assert_allclose(
        patch.position, cut(prepared, straight(middle), SHAPE).position, atol=1e-6
    )


def test_mirrored_place_is_on_the_other_side():
    pose = Pose((2.0, 8.0, 6.0), np.diag([-1.0, 1, 1]), is_mirrored=True)
    found = positions(SHAPE, (3.0, 4.0, 5.0), pose, (1, 1, 1))[0]
    assert found.item() == pytest.approx((10 - 2.0) * 3.0 / 200)
    assert positions(SHAPE, (3.0, 4.0, 5.0), straight((2, 8, 6)), (1, 1, 1))[0].item() < 0


def test_pose_without_augmentation_is_straight():
    pose = random_pose((5, 5, 5), (3, 4, 5), STILL, False, np.random.default_rng(0))
    np.testing.assert_allclose(pose.matrix, np.eye(3), atol=1e-12)


def test_rotation_is_rigid_in_millimetres():
    spacing = np.array([3.0, 4.0, 5.0])
    config = AugmentConfig(rotation_deg=20, scale=0)
    matrix = random_pose((5, 5, 5), spacing, config, False, np.random.default_rng(1)).matrix
    turn = np.diag(spacing) @ matrix @ np.diag(1 / spacing)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    assert not np.allclose(turn, np.eye(3), atol=1e-3)


def test_vary_without_strength_changes_nothing():
    hu = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    np.testing.assert_array_equal(vary(hu, STILL, np.random.default_rng(0)), hu)


def test_windows_by_hand():
    hu = np.array([-1000.0, -160.0, 40.0, 240.0, 3000.0], np.float32).reshape(5, 1, 1)
    found = channels(hu, np.zeros((3, 5, 1, 1), np.float32), ((-160.0, 240.0),))
    assert found.shape == (4, 5, 1, 1)
    assert found[0].ravel().tolist() == [-1, -1, 0, 1, 1]


@pytest.mark.parametrize(
    ("classes", "mirror", "expected"),
    [
        (("parotid_left", "parotid_right", "mandible"), None, [1, 0, 2]),
        (("parotid_left", "mandible"), None, [-1, 1]),
        (("liver", "spleen", "kidney_left", "kidney_right"), None, [-1, -1, 3, 2]),
        (("liver", "spleen", "stomach"), None, None),
        (("liver", "kidney_left", "kidney_right"), False, None),
        (("liver", "kidney_left", "kidney_right"), True, [0, 2, 1]),
    ],
)
def test_who_may_be_mirrored(classes, mirror, expected):
    found = mirror_swap(classes, load_vocabulary(), AugmentConfig(mirror=mirror))
    assert (None if found is None else found.tolist()) == expected
