"""What all networks that run here share: prepare a scan, slide over it, give class after class."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from training.predictors.spec import SlidingSpec
from training.predictors.spool import Axis, Spool
from training.predictors.windows import Corner, Cut, Network, Shape, body_mask, slabs
from training.trainer.devices import pick_device, use_threads
from voxcurate.errors import ConfigError, PredictionError
from voxcurate.predictions import ProbabilityBox
from voxcurate.volume import Volume

Floats = npt.NDArray[np.float32]
BODY_HU = -300.0
GPU_BATCH = 4


@dataclass(frozen=True)
class Prepared:
    """A scan as a network sees it.

    Attributes:
        cut: the input of a window by its first voxel.
        shape: of the grid.
        axes: how the scan lies on it.
        body: where windows are wanted; None: everywhere.
    """

    cut: Cut
    shape: Shape
    axes: list[Axis]
    body: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Recipe:
    """How a network is used.

    Attributes:
        classes: one for each channel that `network` gives; empty: the channel is not kept.
        network: a window's input to its channels, activated unless `finish` does that.
        finish: activates blended channels.
        bell: weights of a window's voxels; None: MONAI's.
    """

    model_id: str
    classes: tuple[str, ...]
    licence: str
    network: Network
    patch: Shape
    overlap: float
    device: torch.device
    prepare: Callable[[Volume], Prepared]
    training_cases: frozenset[str] = frozenset()
    finish: Network | None = None
    bell: torch.Tensor | None = None


class SlidingPredictor:
    """A `Predictor` that follows a recipe.

    Args:
        recipe: of the model.
        scratch: folder for the spool; None: the system's for temporary files.
        floor: lower probabilities become 0.
    """

    def __init__(self, recipe: Recipe, scratch: Path | None = None, *, floor: float = 0.02) -> None:
        self.recipe, self.scratch, self.floor = recipe, scratch, floor
        self.model_id = recipe.model_id
        self.classes = tuple(c for c in recipe.classes if c)
        self.training_cases = recipe.training_cases
        self.licence = recipe.licence

    def predict(self, volume: Volume, case_id: str = "") -> Iterator[tuple[str, ProbabilityBox]]:
        """Class after class, quantised and cropped; the scan's own geometry.

        Raises:
            PredictionError: the network gives no probabilities, or another number of channels.
        """
        use_threads()
        recipe = self.recipe
        ready = recipe.prepare(volume)
        with Spool(self.scratch, ready.shape, len(recipe.classes), self.floor) as spool:
            for slab in slabs(
                recipe.network,
                ready.cut,
                ready.shape,
                recipe.patch,
                overlap=recipe.overlap,
                device=recipe.device,
                batch=GPU_BATCH if recipe.device.type == "cuda" else 1,
                body=ready.body,
                finish=recipe.finish,
                bell=recipe.bell,
            ):
                if len(slab.values) != len(recipe.classes):
                    raise PredictionError(
                        f"want {len(recipe.classes)} channels of the network, "
                        f"found {len(slab.values)}"
                    )
                spool.add(slab)
            for n, class_id in enumerate(recipe.classes):
                if class_id:
                    yield class_id, spool.back(n, ready.axes)


def device_of(spec: SlidingSpec) -> torch.device:
    """The device that a model runs on."""
    return pick_device(spec.device)


def cutter(image: Floats, patch: Shape, fill: float) -> Cut:
    """Cuts windows out of an image ``(C, I, J, K)``; beyond it there is `fill`."""

    def cut(corner: Corner) -> Floats:
        sides = [min(p, n - c) for c, p, n in zip(corner, patch, image.shape[1:], strict=True)]
        box = tuple(slice(c, c + side) for c, side in zip(corner, sides, strict=True))
        part = image[(slice(None), *box)]
        if tuple(sides) == patch:
            return np.ascontiguousarray(part)
        window = np.full((len(image), *patch), fill, dtype=np.float32)
        window[(slice(None), *(slice(0, side) for side in sides))] = part
        return window

    return cut


def activated(network: Network, kind: str, kept: list[int] | None = None) -> Network:
    """A network with softmax or sigmoid behind it; of its channels only those `kept`."""

    def run(image: torch.Tensor) -> torch.Tensor:
        outputs: Any = network(image)
        # deep supervision gives several: the first is the full one
        found = (outputs[0] if isinstance(outputs, (list, tuple)) else outputs).float()
        found = torch.softmax(found, dim=1) if kind == "softmax" else torch.sigmoid(found)
        return found if kept is None else found[:, kept]

    return run


def axes_between(scan: Volume, grid_affine: npt.NDArray[np.float64]) -> list[Axis]:
    """How a scan lies on a grid that runs along the scan's own axes in some order.

    Raises:
        PredictionError: the grid is turned against the scan.
    """
    matrix = np.linalg.inv(grid_affine) @ scan.affine
    turn = matrix[:3, :3]
    axes = []
    for row in range(3):
        source = int(np.argmax(np.abs(turn[row])))
        rest = np.delete(turn[row], source)
        if np.abs(rest).max() * max(scan.shape) > 0.5:
            raise PredictionError("the model's preprocessing turns the scan; want a plain grid")
        voxels = np.arange(scan.shape[source], dtype=np.float64)
        position = turn[row, source] * voxels + matrix[row, 3]
        axes.append(Axis(source, position, float(abs(turn[row, source]))))
    if sorted(axis.source for axis in axes) != [0, 1, 2]:
        raise PredictionError("the model's preprocessing turns the scan; want a plain grid")
    return axes


def body_on_grid(
    scan: Volume, axes: list[Axis], shape: Shape, threshold: float = BODY_HU
) -> npt.NDArray[np.bool_]:
    """The scan's body on a grid, nearest neighbour."""
    head = next(n for n, letter in enumerate(scan.orientation) if letter in "SI")
    body = body_mask(scan.array, scan.spacing, threshold, head_axis=head)
    turned = body.transpose([axis.source for axis in axes])
    picks = []
    for axis, n in zip(axes, shape, strict=True):
        order = np.argsort(axis.position)
        found = np.interp(np.arange(n), axis.position[order], order.astype(np.float64))
        picks.append(np.rint(found).astype(np.intp))
    on_grid: npt.NDArray[np.bool_] = turned[np.ix_(*picks)]
    return on_grid


def read_state(path: Path, key: str, prefix: str) -> dict[str, torch.Tensor]:
    """A state dict from a file that is one or holds one; nothing but tensors is unpickled.

    Raises:
        ConfigError: there is none, or the file wants more than tensors.
    """
    import pickle

    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError):
        raise ConfigError("the weights cannot be read: want a file of tensors") from None
    for name in [key] if key else ["state_dict", "net", "model", "network_weights"]:
        if isinstance(stored, dict) and isinstance(stored.get(name), dict):
            stored = stored[name]
            break
    else:
        if key:
            raise ConfigError(f"the weights have no part {key!r}")
    if not isinstance(stored, dict) or not all(torch.is_tensor(v) for v in stored.values()):
        raise ConfigError("the weights hold no state dict; set state_key")
    return {str(name).removeprefix(prefix): value for name, value in stored.items()}
