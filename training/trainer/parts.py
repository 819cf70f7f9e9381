"""Parts of a batch, for a device that cannot hold the whole."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from training.config import Shape
from training.data.batches import Batch
from voxcurate.atomic import write_text

DIVISORS = (32, 16, 8)  # of a patch's sides, as networks ask for them
PORTION = "portion.json"
LAST_KEPT = "exp_avg_sq"  # of what AdamW makes for a weight at its first step
# short memory that is no OutOfMemoryError: of the host, and of CUDA's libraries
SHORT = ("not enough memory", "allocate memory", "STATUS_ALLOC_FAILED")
FEWEST = 2  # times the divisor: a side of a patch is not cut shorter


@dataclass(frozen=True)
class Portion:
    """How much of a batch the device gets at a time.

    Attributes:
        parts: pieces that a batch is learnt in, their gradients added up.
        patch: what is kept of each sample, around its middle.
    """

    parts: int
    patch: Shape

    def or_smaller(self, other: "Portion") -> "Portion":
        """The smaller of two portions of the same run."""
        return min(self, other, key=lambda one: (math.prod(one.patch), -one.parts))

    def smaller(self, batch: int) -> "Portion | None":
        """The next smaller one: single samples first, then smaller patches; None: there is none."""
        if self.parts < batch:
            return Portion(min(batch, 2 * self.parts), self.patch)
        shared = math.gcd(*self.patch)
        divisor = next((d for d in DIVISORS if shared % d == 0), shared)
        least = FEWEST * divisor
        i, j, k = (max(min(n, least), n * 3 // 4 // divisor * divisor) for n in self.patch)
        return Portion(self.parts, (i, j, k)) if (i, j, k) != self.patch else None


def is_memory_short(error: RuntimeError) -> bool:
    """Whether it says that the device or the host has too little memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in SHORT)


def forget_unfinished(optimizer: torch.optim.Optimizer) -> None:
    """Drop what AdamW's first step has begun to keep of a weight before its memory ran out."""
    for weight in [w for w, kept in optimizer.state.items() if LAST_KEPT not in kept]:
        del optimizer.state[weight]


def portions(batch: Batch, portion: Portion) -> list[Batch]:
    """A batch in so many parts, as even as can be."""
    size = len(batch.draws)
    middle = _around_middle(batch, portion.patch)
    if portion.parts == 1 or size == 1:
        return [middle]
    step = -(-size // min(size, portion.parts))
    return [_samples(middle, slice(n, n + step)) for n in range(0, size, step)]


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Its tensors on a device, asynchronously where their memory is pinned."""
    return _changed(batch, lambda tensor: tensor.to(device, non_blocking=True))


def pinned(batch: Batch) -> Batch:
    """Its tensors in memory from which a GPU reads by itself."""
    return _changed(batch, lambda tensor: tensor.pin_memory())


def _changed(
    batch: Batch, change: Callable[[torch.Tensor], torch.Tensor], those: slice = slice(None)
) -> Batch:
    """A batch of some of the samples, whatever else its fields are."""
    changed: dict[str, Any] = {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        changed[field.name] = change(value) if isinstance(value, torch.Tensor) else value[those]
    return Batch(**changed)


def _samples(batch: Batch, those: slice) -> Batch:
    return _changed(batch, lambda tensor: tensor[those], those)


def _around_middle(batch: Batch, patch: Sequence[int]) -> Batch:
    whole = batch.image.shape[2:]
    if tuple(whole) == tuple(patch):
        return batch
    starts = [(n - m) // 2 for n, m in zip(whole, patch, strict=True)]
    i, j, k = (slice(s, s + m) for s, m in zip(starts, patch, strict=True))

    def middle(tensor: torch.Tensor) -> torch.Tensor:
        return tensor[..., i, j, k] if tensor.shape[-3:] == whole else tensor

    return _changed(batch, middle)


def write_portion(folder: Path, portion: Portion) -> None:
    """Leave a portion for the processes that start next."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / PORTION, json.dumps([portion.parts, list(portion.patch)]))


def read_portion(folder: Path) -> Portion | None:
    """The portion that was left; None if none was."""
    path = folder / PORTION
    if not path.is_file():
        return None
    parts, (i, j, k) = json.loads(path.read_text())
    return Portion(parts, (i, j, k))
