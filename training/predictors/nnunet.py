"""Trained nnU-Net v2 folders: nnU-Net's own preprocessing and network, our windows in slabs.

nnU-Net keeps the logits of all classes of the whole scan in memory, some 20 GB for 25 classes of a
large one; here they go through the spool. Logits are blended and then activated, as nnU-Net does;
its Gaussian, its steps and its mean over folds and mirrors are the same. We depart from it in that
probabilities, not logits, are resampled to the scan.
"""

import itertools
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.predictors.sliding import (
    Prepared,
    Recipe,
    SlidingPredictor,
    body_on_grid,
    cutter,
    device_of,
)
from training.predictors.spec import NnUNetSpec, ZooModel, class_of
from training.predictors.spool import Axis
from training.predictors.windows import Network, Shape
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError
from voxcurate.geometry import reorient
from voxcurate.volume import Volume

EXTRA = "nnU-Net is not installed: pip install 'voxcurate[zoo]'"
OVERLAP = 0.5
REORIENTS = "NibabelIOWithReorient"


class NnUNetPredictor(SlidingPredictor):
    """A `Predictor` over a folder with ``plans.json``, ``dataset.json`` and ``fold_*``.

    Args:
        model: its spec and folder.
        vocabulary: for the names of its labels.
        modality: of the scans; CT is searched for the body.
        scratch: folder for temporary files; None: the system\'s.

    Raises:
        ConfigError: nnU-Net is not installed, or it is a model that we cannot run (2-D, cascade,
            several input channels).
    """

    def __init__(
        self,
        model: ZooModel,
        vocabulary: Vocabulary,
        *,
        modality: str = "CT",
        scratch: Path | None = None,
    ) -> None:
        spec, folder = model.spec, model.weights
        assert isinstance(spec, NnUNetSpec)
        assert folder is not None
        if find_spec("nnunetv2") is None:
            raise ConfigError(f"model {spec.name}: {EXTRA}")
        device = device_of(spec)
        trained = _load(spec, folder, device)
        manager = trained.label_manager
        names = [_name(trained.dataset_json, label) for label in _heads(manager)]
        classes = tuple(class_of(spec, name, vocabulary) for name in names)
        if not any(classes):
            raise ConfigError(
                f"model {spec.name}: none of its labels is a class of the vocabulary; map them "
                f"under `classes`: {', '.join(filter(None, names))}"
            )
        i, j, k = (int(n) for n in trained.configuration_manager.patch_size)
        patch = (i, j, k)
        body_only = modality == "CT" and spec.body_only
        recipe = Recipe(
            model_id=f"{spec.name}-{spec.kind}",
            classes=classes,
            licence=spec.licence,
            network=_network(trained, spec, device),
            patch=patch,
            overlap=OVERLAP if spec.overlap is None else spec.overlap,
            device=device,
            prepare=lambda volume: _prepare(volume, trained, patch, body_only),
            finish=torch.sigmoid if manager.has_regions else _softmax,
            bell=_bell(patch, device),
        )
        super().__init__(recipe, scratch, floor=spec.floor)


def _softmax(values: torch.Tensor) -> torch.Tensor:
    return torch.softmax(values, dim=1)


def _bell(patch: Shape, device: torch.device) -> torch.Tensor:
    """nnU-Net's own weights; in float32: in its float16 a window's corners weigh nothing."""
    module: Any = import_module("nnunetv2.inference.sliding_window_prediction")
    weights: torch.Tensor = module.compute_gaussian(patch, dtype=torch.float32, device=device)
    return weights


def _load(spec: NnUNetSpec, folder: Path, device: torch.device) -> Any:
    kind: Any = import_module("nnunetv2.inference.predict_from_raw_data").nnUNetPredictor
    trained = kind(device=device, verbose=False, allow_tqdm=False)
    try:
        trained.initialize_from_trained_model_folder(
            str(folder), spec.folds or None, spec.checkpoint
        )
    except (OSError, KeyError, RuntimeError, IndexError) as error:
        why = f"its folder cannot be read ({type(error).__name__})"
        raise ConfigError(f"model {spec.name}: {why}") from None
    if len(trained.configuration_manager.patch_size) != 3:
        raise ConfigError(f"model {spec.name}: want a 3-D nnU-Net, found a 2-D one")
    if trained.configuration_manager.previous_stage_name is not None:
        raise ConfigError(f"model {spec.name}: a cascade's second stage is not supported")
    channels = trained.dataset_json.get("channel_names", {"0": "CT"})
    if len(channels) != 1:
        raise ConfigError(f"model {spec.name}: want one input channel, found {len(channels)}")
    return trained


def _network(trained: Any, spec: NnUNetSpec, device: torch.device) -> Network:
    """The mean of the logits over folds and mirrored inputs; one fold's weights stay loaded."""
    network = trained.network.to(device).eval()
    folds = trained.list_of_parameters
    axes = tuple(a + 2 for a in trained.allowed_mirroring_axes or ()) if spec.mirroring else ()
    flips = [c for n in range(len(axes) + 1) for c in itertools.combinations(axes, n)]

    def run(image: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor | None = None
        for weights in folds:
            if len(folds) > 1:
                network.load_state_dict(weights)
            for flip in flips:
                found = network(torch.flip(image, flip) if flip else image)
                found = torch.flip(found, flip) if flip else found
                total = found if total is None else total + found
        assert total is not None
        return total / (len(folds) * len(flips))

    return run


def _prepare(volume: Volume, trained: Any, patch: Shape, body_only: bool) -> Prepared:
    plans, settings = trained.plans_manager, trained.configuration_manager
    reader = trained.dataset_json.get("overwrite_image_reader_writer", "")
    turns = REORIENTS in (reader, plans.image_reader_writer_class.__name__)
    seen = reorient(volume, "RAS") if turns else volume
    facts: dict[str, Any] = {"spacing": list(seen.spacing[::-1])}
    made = settings.preprocessor_class(verbose=False).run_case_npy(
        seen.array.transpose(2, 1, 0)[None], None, facts, plans, settings, trained.dataset_json
    )
    image = np.ascontiguousarray(made[0], dtype=np.float32)
    grid = image.shape[1:]
    axes, pads = [], []
    for row, turned in enumerate(plans.transpose_forward):
        letter = 2 - turned  # nnU-Net's arrays run z, y, x
        start, stop = facts["bbox_used_for_cropping"][row]
        ratio = grid[row] / (stop - start)
        source, voxels = _source(volume, seen, letter)
        pads.append((max(0, patch[row] - grid[row]) // 2, 0))
        pads[-1] = (pads[-1][0], max(0, patch[row] - grid[row]) - pads[-1][0])
        position = (voxels - start + 0.5) * ratio - 0.5
        axes.append(Axis(source, position + pads[-1][0], ratio))
    if any(map(any, pads)):
        image = np.pad(image, [(0, 0), *pads])
    shape = (image.shape[1], image.shape[2], image.shape[3])
    body = body_on_grid(volume, axes, shape) if body_only else None
    return Prepared(cutter(image, patch, 0.0), shape, axes, body)


def _source(volume: Volume, seen: Volume, axis: int) -> tuple[int, Any]:
    """The scan's axis behind an axis of the reoriented one, and its voxels' places along that."""
    matrix = np.linalg.inv(seen.affine) @ volume.affine
    source = int(np.argmax(np.abs(matrix[axis, :3])))
    voxels = np.arange(volume.shape[source], dtype=np.float64)
    return source, np.rint(matrix[axis, source] * voxels + matrix[axis, 3])


def _heads(manager: Any) -> list[Any]:
    """The label (or region) of each output channel, background first where it has one."""
    return list(manager.foreground_regions if manager.has_regions else manager.all_labels)


def _name(dataset: Any, label: Any) -> str:
    """The name of a label value or region; empty for the background."""
    wanted = tuple(label) if isinstance(label, (list, tuple)) else label
    for name, value in dataset["labels"].items():
        if (tuple(value) if isinstance(value, (list, tuple)) else value) == wanted:
            return "" if value == 0 else str(name)
    return ""
