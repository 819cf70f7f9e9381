"""Losses: what is unknown costs nothing, and values known on paper."""

import math

import numpy as np
import pytest
import torch

from training.trainer.losses import (
    deep_loss,
    exclusion_penalty,
    masked_bce,
    masked_dice,
    pooled,
    reconstruction_loss,
    segmentation_loss,
    with_exclusion,
)

SHAPE = (2, 3, 4, 5, 6)


def some(seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(SHAPE, generator=generator)
    target = (torch.rand(SHAPE, generator=generator) < 0.3).float()
    return logits, target, torch.ones(2, 3, 1, 1, 1)


def test_unknown_class_costs_nothing_and_teaches_nothing():
    logits, target, weight = some()
    weight[:, 1] = 0
    changed = target.clone()
    changed[:, 1] = 1 - changed[:, 1]
    logits.requires_grad_()
    loss, _ = segmentation_loss(logits, target, weight)
    other, _ = segmentation_loss(logits, changed, weight)
    assert loss.item() == other.item()
    loss.backward()
    assert torch.count_nonzero(logits.grad[:, 1]) == 0
    assert torch.count_nonzero(logits.grad[:, 0]) > 0


def test_unknown_voxels_cost_nothing():
    logits, target, weight = some()
    weight = weight.expand(SHAPE).clone()
    weight[..., :3] = 0
    changed = target.clone()
    changed[..., :3] = 1 - changed[..., :3]
    loss, _ = segmentation_loss(logits, target, weight)
    other, _ = segmentation_loss(logits, changed, weight)
    assert loss.item() == other.item()


def test_a_sample_s_loss_is_that_of_the_classes_it_knows():
    logits, target, weight = some()
    weight[0, 1] = 0.5
    weight[1, 1:] = 0
    _, details = segmentation_loss(logits, target, weight)
    every = masked_bce(logits, target, torch.ones(2, 3, 1, 1, 1))
    expected = torch.stack([masked_bce(logits, target, weight)[0].mean(), every[1, 0]])
    torch.testing.assert_close(details["losses"], expected)
    _, nothing = segmentation_loss(logits, target, weight * 0)
    assert nothing["losses"].isnan().all()


def test_nothing_known_is_zero_with_a_gradient():
    logits, target, weight = some()
    logits.requires_grad_()
    loss, _ = segmentation_loss(logits, target, weight * 0)
    loss.backward()
    assert loss.item() == 0
    assert torch.count_nonzero(logits.grad) == 0


def test_dice_by_hand():
    probability = torch.tensor([1.0, 1.0, 0.0, 0.5]).reshape(1, 1, 4, 1, 1)
    target = torch.tensor([1.0, 0.0, 1.0, 1.0]).reshape(1, 1, 4, 1, 1)
    dice, seen = masked_dice(probability, target, torch.ones(1, 1, 1, 1, 1))
    assert dice.item() == pytest.approx((2 * 1.5 + 1) / (3 + 2.5 + 1))
    assert seen.tolist() == [True]


def test_class_without_foreground_is_not_seen():
    dice, seen = masked_dice(torch.rand(SHAPE), torch.zeros(SHAPE), torch.ones(2, 3, 1, 1, 1))
    assert seen.tolist() == [False] * 3
    assert bool(torch.isfinite(dice).all())


def test_cross_entropy_weighs_foreground_by_the_root_of_its_rarity():
    """One foreground voxel of four: share 1/4, weight 1/sqrt(1/4) = 2; all logits 0: ln 2 each."""
    target = torch.tensor([1.0, 0.0, 0.0, 0.0]).reshape(1, 1, 4, 1, 1)
    found = masked_bce(torch.zeros(1, 1, 4, 1, 1), target, torch.ones(1, 1, 1, 1, 1))
    assert found.item() == pytest.approx(math.log(2) * (2 + 3) / 4)


@pytest.mark.parametrize(("dice", "rarity"), [(0.0, 2.0), (0.35, 2.0**0.5), (0.7, 1.0), (0.9, 1.0)])
def test_a_class_that_is_found_is_no_longer_drawn_too_large(dice, rarity):
    target = torch.tensor([1.0, 0.0, 0.0, 0.0]).reshape(1, 1, 4, 1, 1)
    known = torch.ones(1, 1, 1, 1, 1)
    found = masked_bce(torch.zeros(1, 1, 4, 1, 1), target, known, torch.tensor([dice]))
    assert found.item() == pytest.approx(math.log(2) * (rarity + 3) / 4)


def test_lower_weight_teaches_less():
    logits, target, weight = some()
    light, _ = segmentation_loss(logits, target, weight * 0.5)
    full, _ = segmentation_loss(logits, target, weight)
    assert light.item() < full.item()


def test_reconstruction_counts_hidden_voxels_only():
    image, rebuilt = torch.zeros(1, 1, 2, 2, 2), torch.ones(1, 1, 2, 2, 2) * 3
    hidden = torch.zeros(1, 1, 2, 2, 2)
    hidden[..., 0] = 1
    assert reconstruction_loss(rebuilt, image, hidden).item() == pytest.approx(3.0)
    assert reconstruction_loss(rebuilt, image, hidden * 0).item() == 0
    assert np.isfinite(reconstruction_loss(rebuilt, image, hidden).item())


def test_scales_weigh_one_half_and_a_quarter():
    logits, target, weight = some()
    coarse = torch.randn(2, 3, 2, 3, 3)
    whole, _ = deep_loss([logits, coarse], target, weight)
    small, known = pooled(target, weight, (2, 3, 3))
    expected = segmentation_loss(logits, target, weight)[0] * 2 / 3
    expected = expected + segmentation_loss(coarse, small, known)[0] / 3
    assert whole.item() == pytest.approx(expected.item(), rel=1e-6)
    alone, details = deep_loss([logits], target, weight)
    assert alone.item() == pytest.approx(segmentation_loss(logits, target, weight)[0].item())
    assert set(details) == {"dice", "seen", "losses"}


def test_pooling_keeps_the_volume_and_counts_known_voxels_only():
    """Of 8 voxels 6 are known and 3 of these foreground: target 1/2, weight 6/8."""
    target = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]).reshape(1, 1, 2, 2, 2)
    weight = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]).reshape(1, 1, 2, 2, 2)
    small, known = pooled(target, weight, (1, 1, 1))
    assert (small.item(), known.item()) == (pytest.approx(0.5), pytest.approx(0.75))
    whole = pooled(target, torch.ones(1, 1, 1, 1, 1), (1, 1, 1))
    assert (whole[0].item(), whole[1].item()) == (pytest.approx(3 / 8), 1.0)


def test_an_unknown_class_costs_nothing_at_any_scale():
    logits, target, weight = some()
    weight[:, 1] = 0
    coarse = torch.randn(2, 3, 2, 3, 3, requires_grad=True)
    changed = target.clone()
    changed[:, 1] = 1 - changed[:, 1]
    one = deep_loss([logits, coarse], target, weight)[0]
    assert one.item() == deep_loss([logits, coarse], changed, weight)[0].item()
    one.backward()
    assert torch.count_nonzero(coarse.grad[:, 1]) == 0


APART = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


def test_exclusion_by_hand():
    """One voxel, p = 0.8, 0.5, 1.0; the first two exclude each other: 2 * 0.4 / (2.3 + 1)."""
    p = torch.tensor([0.8, 0.5, 1.0]).reshape(1, 3, 1, 1, 1)
    assert exclusion_penalty(p, APART).item() == pytest.approx(0.8 / 3.3)
    assert exclusion_penalty(p, APART * 0).item() == 0
    alone = torch.tensor([1.0, 0.0, 1.0]).reshape(1, 3, 1, 1, 1)
    assert exclusion_penalty(alone, APART).item() == 0


def test_exclusion_does_not_mind_the_order_of_classes():
    p = torch.rand(SHAPE)
    order = [2, 0, 1]
    turned = exclusion_penalty(p[:, order], APART[order][:, order])
    assert exclusion_penalty(p, APART).item() == pytest.approx(turned.item(), rel=1e-6)


def test_a_mask_is_background_of_unknown_classes_that_exclude_it():
    target = torch.zeros(1, 3, 1, 1, 4)
    target[0, 0, 0, 0, :2] = 1
    weight = torch.tensor([0.8, 0.0, 0.0]).reshape(1, 3, 1, 1, 1)
    found = with_exclusion(target, weight, APART)[0, :, 0, 0]
    np.testing.assert_allclose(found[0], [0.8] * 4)
    np.testing.assert_allclose(found[1], [0.8, 0.8, 0, 0])
    np.testing.assert_allclose(found[2], [0] * 4)


def test_what_a_label_says_itself_counts_before_exclusion():
    target = torch.zeros(1, 3, 1, 1, 2)
    target[0, 0] = 1
    target[0, 1] = 1
    weight = torch.tensor([1.0, 0.3, 1.0]).reshape(1, 3, 1, 1, 1)
    found = with_exclusion(target, weight, APART)
    np.testing.assert_allclose(found[0, 1].flatten(), [0.3] * 2, rtol=1e-6)
    assert weight.shape == (1, 3, 1, 1, 1)
