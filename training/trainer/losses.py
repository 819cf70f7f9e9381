"""Losses over partial labels: what a case does not know costs nothing."""

from collections.abc import Sequence

import torch
from torch.nn import functional

SMOOTH = 1.0  # voxels
RAREST = 1e-4  # smallest foreground share that is made up for
BALANCE = 0.5  # power of a class's share that makes up for its rarity until it is found
FOUND = 0.7  # Dice of a class from which on its voxels count as they are
BCE_SHARE = 1.0  # of the cross-entropy beside Dice


def masked_dice(
    probability: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Soft Dice per class over a whole batch, each voxel counted by its weight.

    Summing over the batch first keeps a patch with three voxels of a class from weighing as much
    as one with the whole organ.

    Args:
        probability: ``(B, C, I, J, K)``.
        target: same shape, 0 or 1.
        weight: broadcastable to it; 0 where the label is unknown.

    Returns:
        Dice ``(C,)``, and which classes have known foreground in the batch ``(C,)``: for the
        others Dice says nothing.
    """
    axes = (0, 2, 3, 4)
    both = (probability * target * weight).sum(axes)
    inside = (target * weight).sum(axes)
    total = inside + (probability * weight).sum(axes)
    return (2 * both + SMOOTH) / (total + SMOOTH), inside > 0


def masked_bce(
    logits: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor,
    learnt: torch.Tensor | None = None,
) -> torch.Tensor:
    """Binary cross-entropy per sample and class over the known voxels, ``(B, C)``.

    Foreground counts ``share ** -b`` times, `share` being its part of the known voxels. For a class
    that is not yet found b is `BALANCE`: in the first few hundred steps small organs are otherwise
    never found (measured, docs/LOG.md). But balance draws them too large, so b falls with the
    class's Dice, to 0 at `FOUND`. Zero where nothing is known.

    Args:
        learnt: running Dice of each class, ``(C,)``; None: no class is found yet.
    """
    axes = (2, 3, 4)
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    known = weight.expand_as(each).sum(axes).clamp_min(1e-6)
    inside = (target * weight).sum(axes)
    lacking = 1.0 if learnt is None else (1 - learnt / FOUND).clamp(0.0, 1.0)
    rarity = (inside / known).clamp(RAREST, 1.0) ** (-BALANCE * lacking)
    foreground = (each * target * weight).sum(axes)
    background = (each * (1 - target) * weight).sum(axes)
    return (foreground * rarity + background) / known


def segmentation_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor,
    learnt: torch.Tensor | None = None,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Dice of the classes that are in the batch plus cross-entropy of all that are known.

    Args:
        logits: ``(B, C, I, J, K)``.
        target: same shape, 0 or 1.
        weight: ``(B, C, 1, 1, 1)`` or full: label weight by origin, 0 where unknown.
        learnt: running Dice of each class, ``(C,)``; None: no class is found yet.

    Returns:
        the loss, and details without gradient: ``dice`` ``(C,)``, ``seen`` ``(C,)``, and
        ``losses`` ``(B,)``, the mean cross-entropy of the classes that a sample knows: one with
        few labels is no easier for it. NaN where it knows none.
    """
    dice, seen = masked_dice(torch.sigmoid(logits), target, weight)
    bce = masked_bce(logits, target, weight, learnt)
    strength = weight.amax(dim=(2, 3, 4))
    known = (strength > 0).float()
    overlap = ((1 - dice) * seen).sum() / seen.sum().clamp_min(1)
    pixelwise = (bce * strength).sum() / known.sum().clamp_min(1)
    losses = (bce * known).sum(dim=1) / known.sum(dim=1)
    details = {"dice": dice.detach(), "seen": seen, "losses": losses.detach()}
    return overlap + BCE_SHARE * pixelwise, details


def deep_loss(
    logits: Sequence[torch.Tensor],
    target: torch.Tensor,
    weight: torch.Tensor,
    learnt: torch.Tensor | None = None,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The segmentation loss at several scales, weighted 1, 1/2, 1/4, ... (together 1).

    Args:
        logits: the full scale first.
        learnt: running Dice of each class, ``(C,)``; None: no class is found yet.

    Returns:
        the loss, and the details of the full scale.
    """
    shares = [2.0**-n for n in range(len(logits))]
    loss, details = segmentation_loss(logits[0], target, weight, learnt)
    loss = loss * (shares[0] / sum(shares))
    for share, coarse in zip(shares[1:], logits[1:], strict=True):
        small, known = pooled(target, weight, coarse.shape[2:])
        loss = loss + share / sum(shares) * segmentation_loss(coarse, small, known, learnt)[0]
    return loss, details


def pooled(
    target: torch.Tensor, weight: torch.Tensor, shape: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Target and weight on a coarser grid.

    A coarse voxel's target is the share of its *known* part that is foreground: thin structures
    keep their volume (nearest neighbours would lose them, a maximum would thicken them), and what
    is unknown does not become background. Its weight is the mean weight.
    """
    i, j, k = shape
    size = (i, j, k)
    pool = functional.adaptive_avg_pool3d
    if weight.shape[2:] == (1, 1, 1):
        return pool(target, size), weight
    known = pool(weight, size)
    return pool(target * weight, size) / known.clamp_min(1e-6), known


def exclusion_penalty(probability: torch.Tensor, disjoint: torch.Tensor) -> torch.Tensor:
    """Share of the predicted volume that two disjoint classes both claim: sum of ``p_a * p_b``
    over the pairs, times two, over the sum of all ``p``. Zero where every voxel has one class.

    It needs no label: it also teaches classes that are unknown in a case.

    Args:
        probability: ``(B, C, I, J, K)``.
        disjoint: ``(C, C)``, symmetric, 1 for classes that share no voxel, 0 on the diagonal.
    """
    rivals = torch.einsum("ab,nb...->na...", disjoint, probability)
    return (probability * rivals).sum() / (probability.sum() + SMOOTH)


def with_exclusion(
    target: torch.Tensor, weight: torch.Tensor, disjoint: torch.Tensor
) -> torch.Tensor:
    """Weights in which the mask of a class is known background of the classes disjoint from it.

    Only where their own label says nothing; with the largest weight of the masks that say so.

    Args:
        target: ``(B, C, I, J, K)``, 0 or 1.
        weight: ``(B, C, 1, 1, 1)`` or full.
        disjoint: ``(C, C)``, see `exclusion_penalty`.

    Returns:
        weights ``(B, C, I, J, K)``. Targets stay: they are 0 where nothing is known.
    """
    drawn = target * weight
    result = weight.expand_as(target).clone()
    for class_index in range(len(disjoint)):
        others = torch.nonzero(disjoint[class_index]).flatten()
        if len(others):
            said = drawn[:, others].amax(dim=1)
            own = result[:, class_index]
            result[:, class_index] = torch.where(own > 0, own, said)
    return result


def reconstruction_loss(
    rebuilt: torch.Tensor, image: torch.Tensor, hidden: torch.Tensor
) -> torch.Tensor:
    """Mean absolute error over the hidden voxels; all arguments ``(B, 1, I, J, K)``."""
    return ((rebuilt - image).abs() * hidden).sum() / hidden.sum().clamp_min(1.0)
