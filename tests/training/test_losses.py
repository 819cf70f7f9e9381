"""Losses: what is unknown costs nothing, and values known on paper."""

import math

import numpy as np
import pytest
import torch

from training.losses import masked_bce, masked_dice, reconstruction_loss, segmentation_loss

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
