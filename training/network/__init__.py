"""The networks: backbones by configuration, heads from text, growth by class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from training.network.growth import Classes, Inheritance, Start, grow, inherit
from training.network.model import COORDINATES, SegmentationNet
from voxcurate.errors import TrainingError

if TYPE_CHECKING:
    from training.config import NetworkConfig

__all__ = [
    "COORDINATES",
    "Classes",
    "Inheritance",
    "SegmentationNet",
    "Start",
    "build_network",
    "count_parameters",
    "grow",
    "inherit",
    "place",
]


def build_network(
    config: "NetworkConfig | dict[str, Any]",
    in_channels: int,
    prior: Sequence[float],
    text: npt.NDArray[np.float32] | None = None,
) -> SegmentationNet:
    """A network with random weights.

    Args:
        config: the backbone; may be plain data.
        in_channels: windows plus coordinates.
        prior: share of foreground voxels per class.
        text: ``(classes, D)`` from `text.embed_classes`; None: plain heads.

    Raises:
        TrainingError: the backbone cannot be built as configured.
    """
    from training.config import NetworkConfig
    from voxcurate.config import build

    settings = build(NetworkConfig, config) if isinstance(config, dict) else config
    try:
        network = SegmentationNet(
            settings, in_channels, prior, 0 if text is None else int(text.shape[1])
        )
    except ValueError as error:
        raise TrainingError(f"no network {settings.architecture}: {error}") from None
    if text is not None:
        network.heads.text.copy_(torch.from_numpy(text))
    return network


def place(network: SegmentationNet, device: torch.device) -> SegmentationNet:
    """On a device, channels last (a tenth to a fifth faster on CPUs too)."""
    network.to(device)
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def count_parameters(network: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
