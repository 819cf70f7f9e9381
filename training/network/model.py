"""The network: backbone, the voxel's place, heads of classes, and a head that rebuilds voxels.

Only its neighbours are imported here, so that this file can travel inside a bundle.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from training.network.backbones import build_backbone
from training.network.heads import Heads

if TYPE_CHECKING:
    from training.config import NetworkConfig

COORDINATES = 3  # channels that tell where a voxel lies in the body
PLACE_WIDTH = 16


class SegmentationNet(nn.Module):
    """Backbone, one sigmoid head per class, and a head that rebuilds masked voxels.

    Args:
        settings: a `NetworkConfig`, or its plain values as a bundle's ``inference.json`` has them.
        in_channels: windows plus coordinates.
        prior: share of foreground voxels per class.
        dimensions: of the classes' text vectors; 0: plain heads.

    Raises:
        ValueError: the backbone cannot be built as configured.
    """

    def __init__(
        self,
        settings: "NetworkConfig | dict[str, Any]",
        in_channels: int,
        prior: Sequence[float],
        dimensions: int = 0,
    ) -> None:
        super().__init__()
        own: Any = SimpleNamespace(**settings) if isinstance(settings, dict) else settings
        self.backbone = build_backbone(own, in_channels)
        self.place = nn.Sequential(
            nn.Conv3d(COORDINATES, PLACE_WIDTH, 1),
            nn.SiLU(),
            nn.Conv3d(PLACE_WIDTH, PLACE_WIDTH, 1),
            nn.SiLU(),
            nn.Conv3d(PLACE_WIDTH, own.features, 1),
        )
        self.activation = nn.LeakyReLU(0.01)
        self.heads = Heads(own.features, prior, dimensions)
        self.rebuild = nn.Conv3d(own.features, 1, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits ``(B, classes, I, J, K)`` of images ``(B, C, I, J, K)``, at full scale."""
        logits: torch.Tensor = self.heads(self.features(image)[0])
        return logits

    def features(self, image: torch.Tensor) -> list[torch.Tensor]:
        """What heads and `rebuild` see: ``(B, F, I, J, K)``, full scale first.

        Coarser scales follow in training where the backbone is deeply supervised. Instance
        normalisation takes a patch's mean place out of the backbone; the voxel's place therefore
        joins again below the heads.
        """
        where = image[:, -COORDINATES:]
        deeps = self.backbone(image)
        found = []
        for deep in [deeps] if torch.is_tensor(deeps) else deeps:
            if deep.shape[2:] != where.shape[2:]:
                i, j, k = deep.shape[2:]
                where = functional.adaptive_avg_pool3d(where, (i, j, k))
            found.append(self.activation(deep + self.place(where)))
        return found

    @torch.no_grad()
    def pooled(self, features: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
        """Each patch as one vector ``(B, 2 F)``: mean and spread of its full-scale features."""
        full = features if torch.is_tensor(features) else features[0]
        flat = full.float().flatten(2)
        return torch.cat([flat.mean(dim=2), flat.std(dim=2, correction=0)], dim=1)
