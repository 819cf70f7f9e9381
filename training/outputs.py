"""What a network gives for a step, and what a step tells the sampler."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from training.sampling import Draw

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

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor, wants_classes: bool, wants_image: bool) -> Found:
        """Outputs for images ``(B, C, I, J, K)``."""
        found = self.network.features(image)
        features = list(found) if isinstance(found, list | tuple) else [found]
        with torch.autocast(image.device.type, enabled=False):
            features = [each.float() for each in features]
            heads = getattr(self.network, "heads", None) or self.network.head
            logits = [heads(each) for each in features] if wants_classes else []
            rebuilt = self.network.rebuild(features[0]) if wants_image else None
        return Found(features, logits, rebuilt)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a step gave, of all its samples.

    Attributes:
        norm: of the gradient, before it was clipped.
        dice: per class; it counts where `seen`: the class had foreground.
        losses: per sample; NaN for one without any label.
        features: mean of the finest features per sample, ``(samples, features)``.
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


def details_of(features: torch.Tensor, told: Details) -> Details:
    """What a part of a batch tells: `told` by the loss (empty: it has no label), and its
    features."""
    means = features.detach().mean(dim=(2, 3, 4))
    losses = told["bce"].mean(dim=1) if told else means.new_full((len(means),), torch.nan)
    return {**told, "losses": losses, "features": means}


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
    return total, counted.any(axis=0)
