"""Parts of a batch, for a device that cannot hold the whole."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from training.batches import Batch
from training.config import Shape
from voxcurate.atomic import write_text

DIVISORS = (32, 16, 8)  # of a patch's sides, as networks ask for them
PORTION = "portion.json"
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

    def smaller(self, batch: int) -> "Portion | None":
        """The next smaller one: single samples first, then smaller patches; None: there is none."""
        if self.parts < batch:
            return Portion(min(batch, 2 * self.parts), self.patch)
        shared = math.gcd(*self.patch)
        divisor = next((d for d in DIVISORS if shared % d == 0), shared)
        least = FEWEST * divisor
        i, j, k = (max(min(n, least), n * 3 // 4 // divisor * divisor) for n in self.patch)
        return Portion(self.parts, (i, j, k)) if (i, j, k) != self.patch else None


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
    moved = {name: value.to(device, non_blocking=True) for name, value in _tensors(batch).items()}
    return replace(batch, **moved)


def pinned(batch: Batch) -> Batch:
    """Its tensors in memory from which a GPU reads by itself."""
    return replace(batch, **{name: value.pin_memory() for name, value in _tensors(batch).items()})


def _tensors(batch: Batch) -> dict[str, torch.Tensor]:
    named = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: value for name, value in named.items() if isinstance(value, torch.Tensor)}


def _samples(batch: Batch, those: slice) -> Batch:
    changed = {name: value[those] for name, value in _tensors(batch).items()}
    return replace(batch, **changed, draws=batch.draws[those])


def _around_middle(batch: Batch, patch: Sequence[int]) -> Batch:
    whole = batch.image.shape[2:]
    if tuple(whole) == tuple(patch):
        return batch
    starts = [(n - m) // 2 for n, m in zip(whole, patch, strict=True)]
    cut = (..., *(slice(s, s + m) for s, m in zip(starts, patch, strict=True)))
    changed = {
        name: value[cut] for name, value in _tensors(batch).items() if value.shape[-3:] == whole
    }
    return replace(batch, **changed)


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
