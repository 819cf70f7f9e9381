"""The old model as a teacher: what a new case does not say of the old classes, it says.

Learning without forgetting (Li and Hoiem, ECCV 2016) for partial labels: the case of a new round
is labelled with the round's classes alone, and without a word on the others their heads drift with
the features below them. The old model's probabilities stand in there, in the same loss as labels,
with a weight of their own.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from training.bundle.folder import BundleFacts, load_bundle

log = logging.getLogger(__name__)
FLOOR = 0.1  # lower probabilities are background: a haze over the patch is no structure


class Teacher:
    """An old model, frozen.

    Args:
        network: gives logits ``(B, old classes, I, J, K)``.
        old: its classes.
        new: those of the network that learns.
        weight: of what it says against a label's 1.
    """

    def __init__(
        self, network: nn.Module, old: Sequence[str], new: Sequence[str], weight: float
    ) -> None:
        self._network = network.eval().requires_grad_(False)
        shared = [class_id for class_id in new if class_id in old]
        self._theirs = [old.index(class_id) for class_id in shared]
        self._ours = [new.index(class_id) for class_id in shared]
        self._weight = weight

    def to(self, device: torch.device) -> "Teacher":
        """On a device, channels last."""
        self._network.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        return self

    @torch.no_grad()
    def fill(
        self, image: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Targets and weights with the teacher's word where a labelled sample has none.

        It speaks of classes that it knows and of which the sample says nothing at all; what a
        label leaves out (an ignore region) stays open, and so do samples without any label, whose
        image was spoiled for self-supervision.

        Args:
            image: ``(B, channels, I, J, K)``.
            target: ``(B, C, I, J, K)``, 0 or 1.
            weight: ``(B, C, 1, 1, 1)`` or full.

        Returns:
            both, new where they differ.
        """
        says = (weight.amax(dim=(2, 3, 4)) > 0).cpu()
        silent = torch.zeros_like(says)
        silent[:, self._ours] = ~says[:, self._ours]
        silent &= says.any(dim=1, keepdim=True)
        samples = torch.nonzero(silent.any(dim=1)).flatten()
        if not len(samples):
            return target, weight
        logits = self._network(image[samples.to(image.device)])
        told = torch.sigmoid(logits.float())
        told = torch.where(told < FLOOR, 0.0, told)
        target, weight = target.clone(), weight.clone()
        for row, sample in enumerate(samples.tolist()):
            for theirs, ours in zip(self._theirs, self._ours, strict=True):
                if silent[sample, ours]:
                    target[sample, ours] = told[row, theirs]
                    weight[sample, ours] = self._weight
        return target, weight


def load_teacher(folder: str, facts: BundleFacts, weight: float) -> Teacher | None:
    """The model before as a teacher of a new one; None if it knows none of its classes, or sees
    scans on another grid.

    Args:
        folder: of its bundle; empty: there is none.
        facts: of the new model.
        weight: 0: no teacher.
    """
    if not folder or not weight:
        return None
    old, network = load_bundle(Path(folder))
    grids = [(f.spacing, f.training.grid.windows) for f in (old, facts)]
    if grids[0] != grids[1] or not set(old.classes) & set(facts.classes):
        log.warning("the model before is no teacher: it sees another grid, or knows no class here")
        return None
    return Teacher(network, old.classes, facts.classes, weight)
