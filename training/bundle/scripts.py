"""What a bundle brings along to run under plain MONAI: input, output and the run itself.

Everything here is cut out into the bundle's ``scripts/`` (`training.bundle.carried`) and works
there without this package, on what the same functions make for our own training and prediction.
"""

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform

from training.data.cases import grid_image
from training.data.grid import Grid, weights
from training.data.patches import channels, positions, straight
from training.network.model import SegmentationNet
from training.predictors.spool import Axis, axes_of

AIR_HU = -1024.0
GRID = "network_grid"  # of an image's metadata: how its grid lies in the scan, as JSON
ROOTS = {"training.bundle.scripts": ("OnGridd", "ToScand", "Probabilities", "Evaluator")}
Floats = npt.NDArray[np.float32]


class OnGridd(MapTransform):  # type: ignore[misc]  # MONAI has no types
    """A scan as the network reads it: on its grid, its windows, and where each voxel lies.

    Args:
        keys: of images ``(1, I, J, K)`` with their affine, in any orientation, in HU (CT).
        spacing_mm: of the grid, to the right, the front and the head.
        windows: HU, one channel each.
        body_hu: the body is the largest piece above it (CT).
        patch: the grid is filled up with air to at least these sides.
        modality: ``CT``; another one is scaled by its own percentiles.
    """

    def __init__(
        self,
        keys: Any,
        spacing_mm: Sequence[float],
        windows: Sequence[Sequence[float]],
        body_hu: float,
        patch: Sequence[int],
        modality: str = "CT",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.windows = tuple((float(low), float(high)) for low, high in windows)
        self.settings: Any = SimpleNamespace(windows=self.windows, body_hu=body_hu)
        self.spacing, self.patch, self.modality = tuple(spacing_mm), tuple(patch), modality

    def __call__(self, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """The data with images ``(windows + 3, grid)``."""
        made = dict(data)
        for key in self.key_iterator(made):
            made[key] = self._one(made[key])
        return made

    def _one(self, image: Any) -> Any:
        affine = np.asarray(image.affine, dtype=np.float64)
        array = np.asarray(image.as_tensor().cpu().numpy()[0])
        volume: Any = SimpleNamespace(array=array, affine=affine, shape=array.shape)
        grid, hu = grid_image(volume, self.modality, self.spacing, self.settings)
        sides = tuple(max(n, p) for n, p in zip(hu.shape, self.patch, strict=True))
        full = np.full(sides, AIR_HU, dtype=np.float32)
        full[tuple(slice(0, n) for n in hu.shape)] = hu
        pose = straight([(n - 1) / 2 for n in sides])
        where = positions(hu.shape, grid.spacing, pose, sides)
        values = {name: list(getattr(grid, name)) for name in Grid.__dataclass_fields__}
        meta = {**image.meta, GRID: json.dumps(values), "original_affine": affine}
        tensor = torch.from_numpy(channels(full, where, self.windows))
        return MetaTensor(tensor, affine=torch.from_numpy(affine @ _steps(grid)), meta=meta)


class ToScand(MapTransform):  # type: ignore[misc]
    """Probabilities on the grid as one label map in the scan's own geometry.

    A voxel gets the class of the highest probability from a half on, number 1 for the first class;
    a class that lies inside another wins over that one.

    Args:
        keys: of probabilities ``(1 + classes, grid)``, background first.
        ref_key: of the image that `OnGridd` made.
        inside: for each class the number of the class that contains it; 0: none.
    """

    def __init__(
        self,
        keys: Any,
        ref_key: str = "image",
        inside: Sequence[int] = (),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.ref_key, self.inside = ref_key, tuple(inside)

    def __call__(self, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """The data with label maps ``(1, I, J, K)`` uint8, uint16 from 256 classes on."""
        made = dict(data)
        meta = made[self.ref_key].meta
        values = json.loads(meta[GRID])
        grid = Grid(**{name: tuple(value) for name, value in values.items()})
        affine = torch.as_tensor(np.asarray(meta["original_affine"]))
        for key in self.key_iterator(made):
            labels = self._labels(np.asarray(torch.as_tensor(made[key]).cpu()), grid)
            found = torch.from_numpy(labels[None])
            kept = {k: v for k, v in meta.items() if k != GRID}
            made[key] = MetaTensor(found, affine=affine, meta={**kept, "affine": affine})
        return made

    def _labels(self, probabilities: Floats, grid: Grid) -> npt.NDArray[Any]:
        axes = axes_of(grid)
        n_classes = len(probabilities) - 1
        outer = (*self.inside, *(0 for _ in range(n_classes - len(self.inside))))
        labels = np.zeros(grid.source_shape, np.uint8 if n_classes < 256 else np.uint16)
        best = np.full(grid.source_shape, np.float32(0.5))
        box = tuple(slice(0, n) for n in grid.shape)
        for number in sorted(range(1, n_classes + 1), key=lambda n: _depth(n, outer)):
            found = back(probabilities[number][box], axes)
            around = (labels == outer[number - 1]) & (outer[number - 1] > 0)
            wins = np.where(around, found >= 0.5, found >= best)
            labels[wins] = number
            best[wins] = found[wins]
        return labels


class Probabilities(SegmentationNet):
    """The network as a bundle gives it to MONAI: probabilities, the background's first."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``(B, 1 + classes, I, J, K)``."""
        found = torch.sigmoid(super().forward(image))
        return torch.cat([1 - found.amax(dim=1, keepdim=True), found], dim=1)


class Evaluator:
    """A bundle's run: each scan of a dataset through network and postprocessing.

    In the place of MONAI's evaluator, which wants pytorch-ignite.
    """

    def __init__(
        self, dataset: Any, network: Any, inferer: Any, postprocessing: Any, device: Any
    ) -> None:
        self.dataset, self.network, self.inferer = dataset, network, inferer
        self.postprocessing, self.device = postprocessing, device

    def run(self) -> int:
        """How many scans were predicted."""
        self.network.to(self.device).eval()
        for n in range(len(self.dataset)):
            data = dict(self.dataset[n])
            image = data["image"].as_tensor()[None].to(self.device)
            with torch.inference_mode():
                data["pred"] = self.inferer(image, self.network)[0].cpu()
            self.postprocessing(data)
        return len(self.dataset)


def back(values: Floats, axes: Sequence[Axis]) -> Floats:
    """One class of the grid in the scan's own geometry, as `training.predictors.spool` gives it.

    Linear where the scan is finer, averaged where it is coarser; 0 beyond the grid.
    """
    for n, axis in enumerate(axes):
        reach, side = max(1.0, axis.ratio), values.shape[n]
        rows = weights(side, axis.position, axis.ratio)
        outside = (axis.position <= -reach) | (axis.position >= side - 1 + reach)
        moved = np.moveaxis(values, n, 0)
        flat = rows @ np.ascontiguousarray(moved, dtype=np.float32).reshape(side, -1)
        flat[outside] = 0.0
        values = np.moveaxis(flat.reshape(-1, *moved.shape[1:]), 0, n)
    return np.ascontiguousarray(values.transpose(np.argsort([axis.source for axis in axes])))


def _depth(number: int, outer: Sequence[int]) -> int:
    """How many classes lie around one: what contains comes first."""
    depth = 0
    while outer[number - 1] and depth < len(outer):
        number, depth = outer[number - 1], depth + 1
    return depth


def _steps(grid: Grid) -> npt.NDArray[np.float64]:
    """Matrix from a grid's voxels to the scan's."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    for axis in range(3):
        source = grid.axes[axis]
        ratio = grid.spacing[axis] / grid.source_spacing[axis]
        first = float(grid.index(axis)[0])
        n = grid.source_shape[source]
        matrix[source, axis] = -ratio if grid.flips[axis] else ratio
        matrix[source, 3] = n - 1 - first if grid.flips[axis] else first
    return matrix
