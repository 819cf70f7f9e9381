"""Networks: a MONAI backbone, and above it one 1x1x1 convolution row per class."""

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.nets import DynUNet, MedNeXt, SegResNet, SwinUNETR, UNet
from torch import nn

from training.config import NetworkConfig
from voxcurate.config import build
from voxcurate.errors import TrainingError

COORDINATES = 3  # channels that tell where a voxel lies in the body
PLACE_WIDTH = 16


class SegmentationNet(nn.Module):
    """Backbone, one sigmoid head per class, and a head that rebuilds masked voxels.

    Args:
        config: the backbone.
        in_channels: windows plus coordinates.
        prior: share of foreground voxels per class; the heads start by predicting it, so that
            rare classes do not spend the first steps on learning that they are rare.
    """

    def __init__(self, config: NetworkConfig, in_channels: int, prior: Sequence[float]) -> None:
        super().__init__()
        self.backbone = BACKBONES[config.architecture](config, in_channels)
        self.place = nn.Sequential(
            nn.Conv3d(COORDINATES, PLACE_WIDTH, 1),
            nn.SiLU(),
            nn.Conv3d(PLACE_WIDTH, PLACE_WIDTH, 1),
            nn.SiLU(),
            nn.Conv3d(PLACE_WIDTH, config.features, 1),
        )
        self.activation = nn.LeakyReLU(0.01)
        self.head = nn.Conv3d(config.features, len(prior), 1)
        self.rebuild = nn.Conv3d(config.features, 1, 1)
        shares = torch.tensor(list(prior), dtype=torch.float32).clamp(1e-4, 0.5)
        with torch.no_grad():
            self.head.bias.copy_(torch.logit(shares))  # type: ignore[union-attr]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits ``(B, classes, I, J, K)`` of images ``(B, C, I, J, K)``."""
        logits: torch.Tensor = self.head(self.features(image))
        return logits

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """What the heads see: ``(B, features, I, J, K)``.

        Instance normalisation takes a patch's mean place out of the backbone; the voxel's place
        therefore joins again below the heads.
        """
        place = self.place(image[:, -COORDINATES:])
        found: torch.Tensor = self.activation(self.backbone(image) + place)
        return found


def build_network(
    config: NetworkConfig | dict[str, Any], in_channels: int, prior: Sequence[float]
) -> SegmentationNet:
    """A network; `config` may be plain data, as a MONAI bundle's ``inference.json`` has it.

    Raises:
        TrainingError: the backbone cannot be built as configured.
    """
    settings = build(NetworkConfig, config) if isinstance(config, dict) else config
    try:
        return SegmentationNet(settings, in_channels, prior)
    except ValueError as error:
        raise TrainingError(f"no network {settings.architecture}: {error}") from None


def place(network: SegmentationNet, device: torch.device) -> SegmentationNet:
    """On a device, channels last (a tenth to a fifth faster on CPUs too)."""
    network.to(device)
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def count_parameters(network: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def grow_head(state: dict[str, torch.Tensor], old: Sequence[str], new: Sequence[str]) -> None:
    """Fit a state's head to another class list, in place: rows move with their class.

    Rows of new classes are dropped in as zeros with a bias of -4 (about 2 % foreground).
    """
    weight, bias = state["head.weight"], state["head.bias"]
    rows = weight.new_zeros((len(new), *weight.shape[1:]))
    shifts = bias.new_full((len(new),), -4.0)
    for position, class_id in enumerate(new):
        if class_id in old:
            rows[position] = weight[old.index(class_id)]
            shifts[position] = bias[old.index(class_id)]
    state["head.weight"], state["head.bias"] = rows, shifts


def _unet(config: NetworkConfig, in_channels: int) -> nn.Module:
    network: nn.Module = UNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=config.features,
        channels=config.channels,
        strides=(2,) * (len(config.channels) - 1),
        num_res_units=config.blocks,
    )
    return network


def _dynunet(config: NetworkConfig, in_channels: int) -> nn.Module:
    levels = len(config.channels)
    network: nn.Module = DynUNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=config.features,
        kernel_size=(3,) * levels,
        strides=(1,) + (2,) * (levels - 1),
        upsample_kernel_size=(2,) * (levels - 1),
        filters=config.channels,
    )
    return network


def _segresnet(config: NetworkConfig, in_channels: int) -> nn.Module:
    width, levels = config.channels[0], len(config.channels)
    network: nn.Module = SegResNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=config.features,
        init_filters=width,
        norm=("GROUP", {"num_groups": min(8, width)}),
        blocks_down=(1,) + (max(1, config.blocks),) * (levels - 1),
        blocks_up=(1,) * (levels - 1),
    )
    return network


def _swinunetr(config: NetworkConfig, in_channels: int) -> nn.Module:
    network: nn.Module = SwinUNETR(
        in_channels=in_channels, out_channels=config.features, feature_size=config.channels[0]
    )
    return network


def _mednext(config: NetworkConfig, in_channels: int) -> nn.Module:
    blocks = (max(1, config.blocks),) * 4
    network: nn.Module = MedNeXt(
        in_channels=in_channels,
        out_channels=config.features,
        init_filters=config.channels[0],
        kernel_size=3,
        blocks_down=blocks,
        blocks_bottleneck=blocks[0],
        blocks_up=blocks,
        use_residual_connection=True,
    )
    return network


BACKBONES = {
    "unet": _unet,
    "dynunet": _dynunet,
    "segresnet": _segresnet,
    "swinunetr": _swinunetr,
    "mednext": _mednext,
}
