"""One sigmoid head per class, made from the class's text and from what the patch shows.

ScaleMAI fuses image and text features, ``F_f = [F_i; F_t]``, and decodes them; CLIP-driven models
let a shared controller turn them into the parameters of each class's head. So here: a head is one
row of weights and a bias, the sum of

* a free part of the class's own, its bias starting at the class's share of the voxels, and
* what the controller gives for the patch's mean features and the class's text.

The controller's last layer starts at zero: a network begins as one with plain heads. Adam moves
each of its weights by about the learning rate in a step, and a head's parameter adds up `WIDTH` of
them: unscaled, heads would move some twenty times as fast as plain ones and be thrown about, at
some seeds for good. `GAIN` takes that back, and `SEEN` keeps what is shared by all classes and
jumps from patch to patch, the image's half, from drowning the text's (docs/training.md). We give
linear heads where CLIP-driven models give three layers, so that all classes are one product.
Nothing of ours is imported here, so that this file can travel inside a bundle.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

WIDTH = 64  # of the controller
BLOCK = 8  # classes at once outside training
GAIN = 1 / 8  # of what the controller gives: 1 / sqrt(WIDTH)
SEEN = 1 / 4  # of the image's half


class Heads(nn.Module):
    """Heads of classes.

    Outside training classes go through in blocks of `BLOCK`, filled up with zeros: kernels add up
    in another order for another number of rows, and a class's output would depend in its last
    bits on how many others there are.

    Args:
        features: width of what the heads read.
        prior: share of foreground voxels per class; the heads start by predicting it, so that
            rare classes do not spend the first steps on learning that they are rare.
        dimensions: of the classes' text vectors; 0: plain heads.
    """

    text: torch.Tensor

    def __init__(self, features: int, prior: Sequence[float], dimensions: int = 0) -> None:
        super().__init__()
        plain = nn.Conv3d(features, len(prior), 1)
        self.weight = nn.Parameter(plain.weight.detach().flatten(1))
        self.bias = nn.Parameter(prior_bias(prior))
        self.has_text = dimensions > 0
        if self.has_text:
            self.register_buffer("text", torch.zeros(len(prior), dimensions))
            self.norm = nn.LayerNorm(features)
            # one layer over [F_i; F_t], as the sum of its two halves
            self.image = nn.Linear(features, WIDTH)
            self.words = nn.Linear(dimensions, WIDTH, bias=False)
            self.give = nn.Linear(WIDTH, features + 1)
            nn.init.zeros_(self.give.weight)
            nn.init.zeros_(self.give.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits ``(B, classes, I, J, K)`` of features ``(B, F, I, J, K)`` of any scale."""
        if not self.training:
            return self._in_blocks(features)
        if not self.has_text:
            return _applied(features, self.weight, self.bias)
        weight, bias = self._made(features, self.weight, self.bias, self.text)
        flat = features.permute(0, 2, 3, 4, 1).flatten(1, 3)
        product = torch.baddbmm(bias[:, None], flat, weight.transpose(1, 2))
        return product.view(len(flat), *features.shape[2:], -1).permute(0, 4, 1, 2, 3)

    def _in_blocks(self, features: torch.Tensor) -> torch.Tensor:
        n = len(self.bias)
        samples = []
        for sample in torch.split(features, 1):
            found = []
            for first in range(0, n, BLOCK):
                own = slice(first, first + BLOCK)
                weight, bias = _filled(self.weight[own]), _filled(self.bias[own])
                if self.has_text:
                    made = self._made(sample, weight, bias, _filled(self.text[own]))
                    weight, bias = made[0][0], made[1][0]
                found.append(_applied(sample, weight, bias)[:, : min(BLOCK, n - first)])
            samples.append(torch.cat(found, dim=1))
        return torch.cat(samples)

    def _made(
        self, features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, text: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights ``(B, C, F)`` and biases ``(B, C)`` of the classes for each patch."""
        seen = SEEN * self.image(self.norm(features.mean(dim=(2, 3, 4))))
        hidden = functional.silu(seen[:, None] + self.words(text)[None])
        given = GAIN * self.give(hidden)
        return weight + given[..., :-1], bias + given[..., -1]


def prior_bias(prior: Sequence[float]) -> torch.Tensor:
    """Biases with which heads predict the classes' shares."""
    return torch.logit(torch.tensor(list(prior), dtype=torch.float32).clamp(1e-4, 0.5))


def _applied(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return functional.conv3d(features, weight[:, :, None, None, None], bias)


def _filled(rows: torch.Tensor) -> torch.Tensor:
    """Rows with zeros up to `BLOCK`."""
    missing = BLOCK - len(rows)
    return torch.cat([rows, rows.new_zeros((missing, *rows.shape[1:]))]) if missing else rows
