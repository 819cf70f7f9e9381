"""MONAI bundles: those that our training writes, and anyone's with a sliding window."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.bundle.folder import BundleFacts, load_bundle
from training.data.cases import grid_image
from training.data.patches import channels, positions, straight
from training.network import place
from training.predictors.listing import channel_names
from training.predictors.sliding import (
    Prepared,
    Recipe,
    SlidingPredictor,
    activated,
    axes_between,
    body_on_grid,
    cutter,
    device_of,
    read_state,
)
from training.predictors.spec import BundleSpec, ZooModel, class_of
from training.predictors.spool import axes_of
from training.predictors.windows import Corner, Shape, body_mask
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError, PredictionError
from voxcurate.volume import Volume

OUR_OVERLAP, THEIR_OVERLAP = 0.35, 0.5
AIR_HU = -1024.0
READERS = ("LoadImage", "EnsureChannelFirst", "AddChannel", "AsChannelFirst")


class BundlePredictor(SlidingPredictor):
    """A `Predictor` over a bundle's folder.

    Args:
        model: its spec and folder.
        vocabulary: for the classes of bundles that are not ours.
        modality: of the scans; CT is cropped to the body.
        scratch: folder for temporary files; None: the system\'s.

    Raises:
        TrainingError: a bundle of ours with a part missing.
        ConfigError: a bundle that we cannot use, and why.
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
        assert isinstance(spec, BundleSpec)
        assert folder is not None
        if is_ours(folder):
            recipe = _our_recipe(spec, folder, modality)
        else:
            recipe = _their_recipe(spec, folder, vocabulary, modality)
        super().__init__(recipe, scratch, floor=spec.floor)


def is_ours(folder: Path) -> bool:
    """Whether our training wrote a bundle."""
    return "voxcurate_format" in _json(folder / "configs" / "metadata.json")


def _our_recipe(spec: BundleSpec, folder: Path, modality: str) -> Recipe:
    facts, network = load_bundle(folder)
    device = device_of(spec)
    placed = place(network, device).eval()
    return Recipe(
        model_id=facts.model_id,
        classes=tuple(spec.classes.get(c, c) for c in facts.classes),
        licence=facts.licence,
        network=activated(placed, "sigmoid"),
        patch=facts.training.patch,
        overlap=OUR_OVERLAP if spec.overlap is None else spec.overlap,
        device=device,
        prepare=lambda volume: _our_input(volume, facts, modality, spec.body_only),
        training_cases=frozenset(facts.training_cases),
    )


def _our_input(volume: Volume, facts: BundleFacts, modality: str, body_only: bool) -> Prepared:
    settings, patch = facts.training.grid, facts.training.patch
    grid, image = grid_image(volume, modality, facts.spacing, settings)
    cut_hu = cutter(image[None], patch, AIR_HU)
    middle = (np.array(patch) - 1) / 2

    def cut(corner: Corner) -> Any:
        where = positions(image.shape, grid.spacing, straight(list(corner + middle)), patch)
        return channels(cut_hu(corner)[0], where, settings.windows)

    body = None
    if modality == "CT" and body_only:
        body = body_mask(image, grid.spacing, settings.body_hu)
    return Prepared(cut, grid.shape, axes_of(grid), body)


def _their_recipe(spec: BundleSpec, folder: Path, vocabulary: Vocabulary, modality: str) -> Recipe:
    parser = _parser(folder)
    names = channel_names(folder)
    classes = tuple(class_of(spec, name, vocabulary) for name in names)
    if not any(classes):
        raise ConfigError(
            f"model {spec.name}: none of its channels is a class of the vocabulary; map them "
            f"under `classes`: {', '.join(names) or 'the metadata name none'}"
        )
    kept = [n for n, class_id in enumerate(classes) if class_id]
    network = parser.get_parsed_content("network_def")
    weights = folder / "models" / "model.pt"
    if not weights.is_file():
        raise ConfigError(f"model {spec.name}: no models/model.pt in the bundle")
    try:
        network.load_state_dict(read_state(weights, "", "module."))
    except RuntimeError:
        raise ConfigError(f"model {spec.name}: the weights do not fit the network") from None
    device = device_of(spec)
    network.to(device).eval()
    inferer = _plain(parser, "inferer")
    patch = spec.patch or _patch(inferer.get("roi_size"), spec)
    overlap = spec.overlap
    if overlap is None:
        overlap = float(inferer.get("overlap", THEIR_OVERLAP))
    transform = _transform(parser, spec)
    return Recipe(
        model_id=f"{spec.name}-{spec.kind}",
        classes=tuple(classes[n] for n in kept),
        licence=spec.licence,
        network=activated(network, spec.activation or _activation(parser), kept),
        patch=patch,
        overlap=overlap,
        device=device,
        prepare=lambda volume: _their_input(
            volume, transform, patch, modality == "CT" and spec.body_only
        ),
    )


def _their_input(volume: Volume, transform: Any, patch: Shape, body_only: bool) -> Prepared:
    from monai.data import MetaTensor

    array = torch.from_numpy(np.ascontiguousarray(volume.array, dtype=np.float32)[None])
    given = {"image": MetaTensor(array, affine=torch.from_numpy(volume.affine.copy()))}
    made = transform(given)["image"]
    affine = np.asarray(made.affine, dtype=np.float64)
    image = np.ascontiguousarray(made.as_tensor().cpu().numpy(), dtype=np.float32)
    shape = (image.shape[1], image.shape[2], image.shape[3])
    axes = axes_between(volume, affine)
    body = body_on_grid(volume, axes, shape) if body_only else None
    return Prepared(cutter(image, patch, float(image.min())), shape, axes, body)


def _parser(folder: Path) -> Any:
    from monai.bundle import ConfigParser

    found = [p for p in sorted((folder / "configs").glob("inference.*")) if p.suffix != ".py"]
    if not found:
        raise ConfigError("not a bundle that can be used here: no configs/inference.json")
    parser = ConfigParser()
    parser.read_config(str(found[0]))
    parser["bundle_root"] = str(folder)
    for name in ("network_def", "preprocessing", "inferer"):
        if name not in parser.config:
            raise ConfigError(f"not a bundle that can be used here: no {name} in its inference")
    return parser


def _transform(parser: Any, spec: BundleSpec) -> Any:
    """The bundle's own preprocessing, without reading: it gets the scan in memory."""
    from monai.transforms import Compose

    content = parser.get_parsed_content("preprocessing")
    steps = getattr(content, "transforms", [content])
    kept = [s for s in steps if not type(s).__name__.startswith(READERS)]
    if any(not type(s).__name__.endswith("d") for s in kept):
        raise ConfigError(f"model {spec.name}: want preprocessing of dictionaries (keys: image)")
    return Compose(kept)


def _activation(parser: Any) -> str:
    text = json.dumps(parser.config.get("postprocessing", {}), default=str).lower()
    return "sigmoid" if '"sigmoid": true' in text else "softmax"


def _plain(parser: Any, name: str) -> dict[str, Any]:
    """A part of the config with its references resolved; nothing of it is built but values."""
    values = {}
    for key in ("roi_size", "overlap"):
        if key in parser.config[name]:
            values[key] = parser.get_parsed_content(f"{name}#{key}")
    return values


def _patch(sides: Any, spec: BundleSpec) -> Shape:
    if sides is None or len(sides) != 3:
        raise ConfigError(f"model {spec.name}: set patch: its inferer has no roi_size of 3 sides")
    i, j, k = (int(n) for n in sides)
    return i, j, k


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        raise PredictionError("not a MONAI bundle: no configs/metadata.json") from None
    return found if isinstance(found, dict) else {}
