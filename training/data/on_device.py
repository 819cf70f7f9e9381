"""Augmentation on the device: turned, scaled and varied where the network is.

The host only copies the block of voxels that a sample needs, as it lies on the disk. Poses and
intensities are drawn as on the host, so that both ways show the same; only the noise is drawn by
the device (same distribution, other numbers).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from training.data.batches import Batch, Loader
from training.data.cases import LOWEST_HU
from training.data.patches import Strength, positions, random_pose, strength
from training.mix.sampling import Draw

PLAIN = ("labelled", "selective", "replay", "gold")  # kinds that need nothing of the host


class Block(NamedTuple):
    """One sample before it is turned.

    Attributes:
        hu: int16 ``(X, Y, Z)``, with room for the turned patch as far as the case goes.
        bits: uint8 ``(bytes, X, Y, Z)``, masks as in `PreparedCase`; `known` likewise.
        position: ``(3, I, J, K)`` of the patch.
        affine: ``(3, 4)`` from the patch's voxels to the case's; the block begins at `start` of
            the case, which has `size` voxels.
        weight: ``(classes,)``; 0 where there is no label.
    """

    hu: torch.Tensor
    bits: torch.Tensor
    known: torch.Tensor | None
    position: torch.Tensor
    affine: torch.Tensor
    start: tuple[int, ...]
    size: tuple[int, ...]
    weight: torch.Tensor
    is_mirrored: bool
    strength: Strength
    seed: int

    def changed(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "Block":
        """With its tensors somewhere else."""
        return self._replace(
            hu=change(self.hu),
            bits=change(self.bits),
            known=None if self.known is None else change(self.known),
            position=change(self.position),
            affine=change(self.affine),
            weight=change(self.weight),
        )


@dataclass(frozen=True, eq=False)
class Blocks:
    """A step's samples: blocks to be turned, and those that the host has made ready."""

    blocks: dict[int, Block]
    ready: Batch | None
    draws: tuple[Draw, ...]
    swap: npt.NDArray[np.int64] | None
    windows: tuple[tuple[float, float], ...]

    def pinned(self) -> "Blocks":
        """With voxels in memory from which a GPU reads by itself."""
        blocks = {n: b.changed(lambda t: t.pin_memory()) for n, b in self.blocks.items()}
        return Blocks(blocks, self.ready, self.draws, self.swap, self.windows)

    def on(self, device: torch.device) -> Batch:
        """The batch, on a device."""
        plain = {n: _turned(b, self.swap, self.windows, device) for n, b in self.blocks.items()}
        others = iter(range(len(self.draws) - len(plain)))
        rows = [
            plain[n] if n in plain else self._host(next(others), device)
            for n in range(len(self.draws))
        ]
        shape = np.broadcast_shapes(*(tuple(row[2].shape) for row in rows))
        return Batch(
            image=torch.stack([row[0] for row in rows]),
            target=torch.stack([row[1] for row in rows]),
            weight=torch.stack([row[2].expand(shape) for row in rows]),
            original=torch.stack([row[3] for row in rows]),
            hidden=torch.stack([row[4] for row in rows]),
            draws=self.draws,
        )

    def _host(self, n: int, device: torch.device) -> tuple[torch.Tensor, ...]:
        assert self.ready is not None
        b = self.ready
        parts = (b.image, b.target, b.weight, b.original, b.hidden)
        return tuple(part[n].to(device, non_blocking=True) for part in parts)


class DeviceLoader(Loader):
    """A loader that leaves turning and varying to the device."""

    def blocks(
        self, step: int, draws: Sequence[Draw], positions_of: Sequence[int] | None = None
    ) -> Blocks:
        """The drawn samples of a step; see `Loader.cut`."""
        wanted = range(len(draws)) if positions_of is None else positions_of
        made, ready, placed = {}, [], []
        for row, position in enumerate(wanted):
            draw = draws[position]
            if draw.kind not in PLAIN:
                ready.append(position)
                placed.append(draw)
                continue
            (generator,) = self._sampler.generator(step, position).spawn(1)
            draw = self._placed(draw, self._cases[draw.case], generator)
            made[row] = self._block(draw, generator)
            placed.append(draw)
        host = self.cut(step, draws, ready) if ready else None
        told = iter(host.draws if host is not None else ())
        final = tuple(d if d.kind in PLAIN else next(told) for d in placed)
        return Blocks(made, host, final, self._swap, tuple(self._config.grid.windows))

    def _block(self, draw: Draw, generator: np.random.Generator) -> Block:
        config, case = self._config, self._cases[draw.case]
        pose = random_pose(
            draw.centre, case.spacing, config.augment, self._swap is not None, generator
        )
        affine = pose.affine(config.patch)
        start, stop = _reach(affine, config.patch, case.image.shape)
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        known = case.known_packed
        return Block(
            hu=torch.from_numpy(case.image[box].copy()),
            bits=torch.from_numpy(case.packed[(slice(None), *box)].copy()),
            known=None if known is None else torch.from_numpy(known[(slice(None), *box)].copy()),
            position=torch.from_numpy(
                positions(case.image.shape, case.spacing, pose, config.patch)
            ),
            affine=torch.from_numpy(affine),
            start=start,
            size=case.image.shape,
            weight=torch.from_numpy((case.weight * case.known).astype(np.float32)),
            is_mirrored=pose.is_mirrored,
            strength=strength(config.augment, generator),
            seed=int(generator.integers(2**62)),
        )


def _reach(
    affine: npt.NDArray[np.float64], patch: Sequence[int], size: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The part of a case that a patch's voxels and their neighbours lie in; never empty."""
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in patch], indexing="ij")).reshape(3, -1)
    places = affine[:, :3] @ ends + affine[:, 3:]
    last = np.asarray(size) - 1
    low = np.clip(np.floor(places.min(axis=1)), 0, last).astype(int)
    high = np.clip(np.ceil(places.max(axis=1)), 0, last).astype(int)
    return tuple(low.tolist()), tuple((high + 1).tolist())


def _turned(
    block: Block,
    swap: npt.NDArray[np.int64] | None,
    windows: Sequence[tuple[float, float]],
    device: torch.device,
) -> tuple[torch.Tensor, ...]:
    """Image, target, weight, original and hidden of one sample."""
    block = block.changed(lambda tensor: tensor.to(device, non_blocking=True))
    at = _places(block)
    size = torch.tensor(block.size, dtype=at.dtype, device=device)
    outside = ((at < -0.5 - 1e-6) | (at > size - 0.5 + 1e-6)).any(dim=-1)
    start = torch.tensor(block.start, dtype=at.dtype, device=device)
    within = torch.minimum(at.clamp_min(0.0), size - 1) - start
    hu = _linear(block.hu, within).masked_fill(outside, LOWEST_HU)
    target = _nearest(block.bits, within, outside, len(block.weight))
    weight = block.weight[:, None, None, None]
    if block.known is not None:
        weight = weight * _nearest(block.known, within, outside, len(block.weight))
    if block.is_mirrored and swap is not None:
        order = torch.from_numpy(swap).to(device)
        learnt = (order >= 0).float()[:, None, None, None]
        target, weight = target[order] * learnt, weight[order] * learnt
    hu = hu * block.strength.gain + block.strength.level
    if block.strength.noise:
        generator = torch.Generator(device).manual_seed(block.seed)
        noise = torch.randn(hu.shape, generator=generator, device=device)
        hu = hu + noise * block.strength.noise
    scaled = [((hu - a) * (2 / (b - a)) - 1).clamp(-1, 1) for a, b in windows]
    image = torch.cat([torch.stack(scaled), block.position])
    return image, target, weight, image[:1].clone(), torch.zeros_like(image[:1])


def _places(block: Block) -> torch.Tensor:
    """Where each voxel of the patch lies in the case, ``(I, J, K, 3)``."""
    shape = block.position.shape[1:]
    axes = [torch.arange(n, dtype=torch.float64, device=block.affine.device) for n in shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    return grid @ block.affine[:, :3].T + block.affine[:, 3]


def _linear(source: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    last = torch.tensor(source.shape, dtype=at.dtype, device=at.device) - 1
    scaled = 2 * at / last.clamp_min(1) - 1  # an axis of one voxel: its only centre
    grid = scaled.flip(-1).float()[None]  # x is the last axis
    values = source[None, None].float()
    found = functional.grid_sample(
        values, grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return found[0, 0]


def _nearest(
    packed: torch.Tensor, at: torch.Tensor, outside: torch.Tensor, n_classes: int
) -> torch.Tensor:
    """Masks ``(classes, I, J, K)`` of packed bits; halves go up, as on the host."""
    _, height, depth = packed.shape[1:]
    i, j, k = (at + 0.5).long().unbind(-1)
    bits = packed.flatten(1)[:, (i * height + j) * depth + k]
    bits = bits.masked_fill(outside, 0)
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=bits.device)
    single = (bits[:, None] >> shifts[None, :, None, None, None]) & 1
    return single.flatten(0, 1)[:n_classes].float()
