"""Prediction with a trained bundle: sliding window over the body, back in the scan's geometry."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from training.bundle import load_bundle
from training.cases import grid_image
from training.config import PredictConfig
from training.grid import Grid, from_grid
from training.loop import pick_device, use_threads
from training.networks import SegmentationNet, place
from training.patches import channels, positions, straight
from voxcurate.predictions import ProbabilityBox, probability_box
from voxcurate.volume import Box, Volume

Floats = npt.NDArray[np.float32]


class BundlePredictor:
    """A `Predictor` over a bundle's folder.

    Args:
        folder: of the MONAI bundle.
        config: overlap of the windows, and what is too faint to keep.
        modality: of the scans; CT is cropped to the body.

    Raises:
        TrainingError: not a bundle of ours, or a part of it is missing.
    """

    def __init__(
        self, folder: Path, config: PredictConfig | None = None, *, modality: str = "CT"
    ) -> None:
        self.config = config or PredictConfig()
        self.facts, self.network = load_bundle(folder)
        self.modality = modality
        self.model_id = self.facts.model_id
        self.classes = self.facts.classes
        self.training_cases = frozenset(self.facts.training_cases)
        self.licence = self.facts.licence
        self.device = pick_device(self.facts.training.device)
        self.network = place(self.network, self.device).eval()

    def predict(self, volume: Volume) -> dict[str, Floats]:
        """Probability per class over the whole scan, float32 ``(I, J, K)``."""
        result = {}
        for class_id, box, values in self._parts(volume):
            full = np.zeros(volume.shape, dtype=np.float32)
            full[box] = values
            result[class_id] = full
        return result

    def predict_boxes(self, volume: Volume) -> dict[str, ProbabilityBox]:
        """The same, quantised and cropped, one class at a time: needs no whole float volumes."""
        result = {}
        for class_id, box, values in self._parts(volume):
            part = probability_box(values, floor=self.config.floor)
            i, j, k = (
                slice(outer.start + inner.start, outer.start + inner.stop) if inner.stop else inner
                for outer, inner in zip(box, part.box, strict=True)
            )
            result[class_id] = ProbabilityBox((i, j, k), part.array)
        return result

    def _parts(self, volume: Volume) -> Iterator[tuple[str, Box, Floats]]:
        """One class after the other: a faint one may fill the whole scan."""
        use_threads()
        settings = self.facts.training.grid
        grid, image = grid_image(volume, self.modality, self.facts.spacing, settings)
        probability = slide(
            self.network,
            image,
            grid,
            self.facts.training.patch,
            settings.windows,
            overlap=self.config.overlap,
            device=self.device,
        )
        for n, class_id in enumerate(self.classes):
            found = _occupied(probability[n], self.config.floor)
            yield class_id, *from_grid(probability[n], grid, found)


@torch.no_grad()
def slide(
    network: SegmentationNet,
    image: Floats,
    grid: Grid,
    patch: tuple[int, int, int],
    windows: tuple[tuple[float, float], ...],
    *,
    overlap: float,
    device: torch.device,
) -> Floats:
    """Probabilities ``(classes, I, J, K)`` on the grid, windows blended with Gaussian weights.

    Args:
        image: HU on the grid.
        overlap: of neighbouring windows, share of a window's side.
    """
    sides = [max(n, p) for n, p in zip(image.shape, patch, strict=True)]
    hu = np.full(sides, -1024.0, dtype=np.float32)
    hu[tuple(slice(0, n) for n in image.shape)] = image
    starts = [_starts(n, p, overlap) for n, p in zip(sides, patch, strict=True)]
    bell = _bell(patch)
    total = np.zeros((network.head.out_channels, *sides), dtype=np.float32)
    weight = np.zeros(sides, dtype=np.float32)
    middle = (np.array(patch) - 1) / 2
    for corner in product(*starts):
        box = tuple(slice(c, c + p) for c, p in zip(corner, patch, strict=True))
        centre = np.array(corner) + middle
        where = positions(image.shape, grid.spacing, straight(list(centre)), patch)
        batch = torch.from_numpy(channels(hu[box], where, windows))[None].to(
            device, memory_format=torch.channels_last_3d
        )
        found = torch.sigmoid(network(batch))[0].cpu().numpy()
        total[(slice(None), *box)] += found * bell
        weight[box] += bell
    total /= weight
    return np.ascontiguousarray(total[(slice(None), *(slice(0, n) for n in image.shape))])


def _starts(n: int, patch: int, overlap: float) -> list[int]:
    """Evenly spread first voxels of windows that cover `n` voxels."""
    if n <= patch:
        return [0]
    step = max(1, int(patch * (1 - overlap)))
    count = -(-(n - patch) // step) + 1
    return [round(k * (n - patch) / (count - 1)) for k in range(count)]


def _bell(patch: tuple[int, int, int]) -> Floats:
    lines = [np.exp(-0.5 * ((np.arange(p) - (p - 1) / 2) / (p / 4)) ** 2) for p in patch]
    bell = lines[0][:, None, None] * lines[1][:, None] * lines[2]
    floored: Floats = np.maximum(bell, 1e-3).astype(np.float32)
    return floored


def _occupied(probability: Floats, floor: float) -> Box:
    """Box of what is above a floor, with a voxel around it; empty if nothing is."""
    above = probability >= max(floor / 2, 1e-3)
    if not above.any():
        return slice(0, 0), slice(0, 0), slice(0, 0)
    spans = []
    for axis in range(3):
        line = np.flatnonzero(above.any(axis=tuple(a for a in range(3) if a != axis)))
        spans.append(slice(max(0, int(line[0]) - 1), min(above.shape[axis], int(line[-1]) + 2)))
    return spans[0], spans[1], spans[2]
