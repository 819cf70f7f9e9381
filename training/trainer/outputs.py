"""What a network gives for a step, and what a step tells the sampler."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from training.mix.sampling import Draw
from training.network import SegmentationNet

Details = dict[str, torch.Tensor]
Floats = npt.NDArray[np.float64]


class Found(NamedTuple):
    """Features and logits by scale, the full one first, and the rebuilt image if one is wanted."""

    features: list[torch.Tensor]
    logits: list[torch.Tensor]
    rebuilt: torch.Tensor | None


class Outputs(nn.Module):
    """All of a network that a step needs behind one `forward`, as several processes ask for.

    The heads work in full precision: a logit in bf16 has two to three digits.
    """

    def __init__(self, network: SegmentationNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor, wants_classes: bool, wants_image: bool) -> Found:
        """Outputs for images ``(B, C, I, J, K)``."""
        features = self.network.features(image)
        with torch.autocast(image.device.type, enabled=False):
            features = [each.float() for each in features]
            logits = [self.network.heads(each) for each in features] if wants_classes else []
            rebuilt = self.network.rebuild(features[0]) if wants_image else None
        return Found(features, logits, rebuilt)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a step gave, of all its samples.

    Attributes:
        norm: of the gradient, before it was clipped.
        dice: per class; it counts where `seen`: the class had foreground.
        losses: per sample; NaN for one without any label.
        features: pooled, per sample, ``(samples, features)``.
    """

    loss: float
    norm: float
    draws: Sequence[Draw]
    dice: Floats
    seen: npt.NDArray[np.bool_]
    losses: Floats
    features: Floats


def outcome_of(
    loss: float, norm: float, draws: Sequence[Draw], parts: Sequence[Details], n_classes: int
) -> Outcome:
    """The outcome of a batch that was learnt in `parts` (`details_of`), on the host."""
    dice = [part["dice"].double().cpu().numpy() for part in parts if "dice" in part]
    seen = [part["seen"].cpu().numpy() for part in parts if "seen" in part]
    mean, any_seen = _mean_dice(dice, seen, n_classes)
    losses = np.concatenate([part["losses"].double().cpu().numpy() for part in parts])
    features = np.concatenate([part["features"].double().cpu().numpy() for part in parts])
    return Outcome(loss, norm, draws, mean, any_seen, losses, features)


def details_of(pooled: torch.Tensor, told: Details) -> Details:
    """What a part of a batch tells: `told` by the loss (empty: it has no label), and its pooled
    features."""
    unknown = {"losses": pooled.new_full((len(pooled),), torch.nan)}
    return {**unknown, **told, "features": pooled}


def outcome_of_all(every: Sequence[Outcome]) -> Outcome:
    """The outcome of a step from those of all processes, of which each had every n-th sample."""
    dice, seen = _mean_dice([o.dice for o in every], [o.seen for o in every], len(every[0].dice))
    order = [(n, rank) for n in range(len(every[0].draws)) for rank in range(len(every))]
    return Outcome(
        float(np.mean([o.loss for o in every])),
        every[0].norm,
        [every[rank].draws[n] for n, rank in order],
        dice,
        seen,
        np.array([every[rank].losses[n] for n, rank in order]),
        np.array([every[rank].features[n] for n, rank in order]),
    )


def _mean_dice(
    dice: Sequence[Floats], seen: Sequence[npt.NDArray[np.bool_]], n_classes: int
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Mean over the parts in which a class was seen; 0 where it was in none."""
    if not dice:
        return np.zeros(n_classes), np.zeros(n_classes, dtype=bool)
    counted = np.array(seen)
    total: Floats = (np.array(dice) * counted).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
    any_seen: npt.NDArray[np.bool_] = np.any(counted, axis=0)
    return total, any_seen
