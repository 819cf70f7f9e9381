"""Backbones: MONAI's networks, made to give features at one or several scales.

Each gives features ``(B, settings.features, I, J, K)``; in training, with ``deep_supervision``, a
sequence of them: full scale first, coarser ones after it. Nothing of ours is imported here, so
that this file can travel inside a bundle.
"""

from typing import TYPE_CHECKING

import torch
from monai.networks.blocks import Convolution
from monai.networks.blocks.dynunet_block import UnetResBlock
from monai.networks.nets import DynUNet, MedNeXt, SegResNet, SegResNetDS, SwinUNETR, UNet
from torch import nn

if TYPE_CHECKING:
    from training.config import NetworkConfig

MEDNEXT_LEVELS = 4  # its depth is fixed
INSTANCE = ("INSTANCE", {"affine": True})
LEAKY = ("LEAKYRELU", {"negative_slope": 0.01, "inplace": True})


class SupervisedDynUNet(DynUNet):  # type: ignore[misc]  # MONAI has no types
    """DynUNet whose coarse outputs stay coarse.

    MONAI's blows them up to full size, which costs more than the network's last layers.
    """

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Full scale first; only it outside training."""
        found = self.output_block(self.skip_layers(image))
        return [found, *self.heads] if self.training and self.deep_supervision else [found]


class ResEnc(nn.Module):
    """A deep residual encoder and a light decoder, after nnU-Net's ResEnc (arXiv:2404.09556).

    Each encoder stage is `blocks` residual blocks, the first of which halves the sides; each
    decoder stage one convolution behind a transposed one.

    Args:
        widths: of the stages, finest first.
        blocks: residual blocks per stage.
        features: width of what is given at each scale.
        coarser: scales beside the full one that are given in training.
    """

    def __init__(
        self,
        in_channels: int,
        widths: tuple[int, ...],
        blocks: tuple[int, ...],
        features: int,
        coarser: int,
    ) -> None:
        super().__init__()
        if len(blocks) != len(widths) or not 0 <= coarser < len(widths) - 1:
            raise ValueError(
                f"want blocks of {len(widths)} stages and fewer than {len(widths) - 1} coarser "
                f"scales, found {len(blocks)} and {coarser}"
            )
        self.stem = _convolution(in_channels, widths[0])
        self.stages = nn.ModuleList()
        before = widths[0]
        for level, (width, n) in enumerate(zip(widths, blocks, strict=True)):
            self.stages.append(
                nn.Sequential(
                    _residual(before, width, 1 if level == 0 else 2),
                    *(_residual(width, width, 1) for _ in range(n - 1)),
                )
            )
            before = width
        self.ups, self.joins, self.outs = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(widths) - 1)):
            self.ups.append(nn.ConvTranspose3d(widths[level + 1], widths[level], 2, stride=2))
            self.joins.append(_convolution(2 * widths[level], widths[level]))
            is_given = level <= coarser
            self.outs.append(nn.Conv3d(widths[level], features, 1) if is_given else nn.Identity())
        self.coarser = coarser

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Full scale first; only it outside training."""
        skips = [self.stem(image)]
        for stage in self.stages:
            skips.append(stage(skips[-1]))
        deep = skips.pop()
        found: list[torch.Tensor] = []
        last = len(self.ups) - 1
        for n, (up, join, out) in enumerate(zip(self.ups, self.joins, self.outs, strict=True)):
            deep = join(torch.cat([up(deep), skips.pop()], dim=1))
            if n == last or (self.training and last - n <= self.coarser):
                found.append(out(deep))
        return found[::-1]


def build_backbone(settings: "NetworkConfig", in_channels: int) -> nn.Module:
    """The backbone of a configuration.

    Raises:
        ValueError: the settings do not fit together.
    """
    if settings.deep_supervision and settings.architecture not in SUPERVISED:
        raise ValueError(f"no deep supervision; only of {', '.join(SUPERVISED)}")
    return BACKBONES[settings.architecture](settings, in_channels)


def _blocks(settings: "NetworkConfig", n: int) -> tuple[int, ...]:
    """Blocks of `n` levels."""
    given = settings.blocks
    return (max(1, given),) * n if isinstance(given, int) else tuple(given)


def _one(settings: "NetworkConfig") -> int:
    return settings.blocks if isinstance(settings.blocks, int) else settings.blocks[0]


def _convolution(before: int, after: int) -> nn.Module:
    made: nn.Module = Convolution(3, before, after, kernel_size=3, norm=INSTANCE, act=LEAKY)
    return made


def _residual(before: int, after: int, stride: int) -> nn.Module:
    made: nn.Module = UnetResBlock(3, before, after, 3, stride, INSTANCE, act_name=LEAKY)
    return made


def _unet(settings: "NetworkConfig", in_channels: int) -> nn.Module:
    made: nn.Module = UNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=settings.features,
        channels=settings.channels,
        strides=(2,) * (len(settings.channels) - 1),
        num_res_units=_one(settings),
    )
    return made


def _dynunet(settings: "NetworkConfig", in_channels: int) -> nn.Module:
    levels, coarser = len(settings.channels), settings.deep_supervision
    made: nn.Module = SupervisedDynUNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=settings.features,
        kernel_size=(3,) * levels,
        strides=(1,) + (2,) * (levels - 1),
        upsample_kernel_size=(2,) * (levels - 1),
        filters=settings.channels,
        deep_supervision=coarser > 0,
        deep_supr_num=max(1, coarser),
    )
    return made


def _resenc(settings: "NetworkConfig", in_channels: int) -> nn.Module:
    widths = tuple(settings.channels)
    blocks = _blocks(settings, len(widths))
    return ResEnc(in_channels, widths, blocks, settings.features, settings.deep_supervision)


def _segresnet(settings: "NetworkConfig", in_channels: int) -> nn.Module:
    width, levels = settings.channels[0], len(settings.channels)
    shared = {
        "spatial_dims": 3,
        "in_channels": in_channels,
        "out_channels": settings.features,
        "init_filters": width,
        "norm": ("GROUP", {"num_groups": min(8, width)}),
        "blocks_down": (1, *_blocks(settings, levels)[1:]),
        "blocks_up": (1,) * (levels - 1),
    }
    coarser = settings.deep_supervision
    if coarser >= max(1, levels - 1):
        raise ValueError(f"want fewer than {levels - 1} coarser scales, found {coarser}")
    made: nn.Module = SegResNetDS(dsdepth=1 + coarser, **shared) if coarser else SegResNet(**shared)
    return made


def _swinunetr(settings: "NetworkConfig", in_channels: int) -> nn.Module:
    made: nn.Module = SwinUNETR(
        in_channels=in_channels, out_channels=settings.features, feature_size=settings.channels[0]
    )
    return made


def _mednext(settings: "NetworkConfig", in_channels: int) -> nn.Module:
    if settings.deep_supervision not in (0, MEDNEXT_LEVELS):
        raise ValueError(f"want 0 or all {MEDNEXT_LEVELS} coarser scales")
    blocks = _blocks(settings, MEDNEXT_LEVELS)
    made: nn.Module = MedNeXt(
        in_channels=in_channels,
        out_channels=settings.features,
        init_filters=settings.channels[0],
        kernel_size=3,
        blocks_down=blocks,
        blocks_bottleneck=blocks[0],
        blocks_up=blocks,
        use_residual_connection=True,
        deep_supervision=settings.deep_supervision > 0,
    )
    return made


BACKBONES = {
    "unet": _unet,
    "dynunet": _dynunet,
    "resenc": _resenc,
    "segresnet": _segresnet,
    "swinunetr": _swinunetr,
    "mednext": _mednext,
}
SUPERVISED = ("dynunet", "resenc", "segresnet", "mednext")
