"""Models on disk: a MONAI bundle, and beside it what makes its predictions traceable."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from training.config import NetworkConfig, TrainingConfig
from training.networks import COORDINATES, SegmentationNet, build_network
from voxcurate.config import build
from voxcurate.errors import TrainingError
from voxcurate.workspace import write_text

FORMAT = 1
FILES = ("configs/metadata.json", "configs/inference.json", "models/model.pt", "classes.json")


@dataclass(frozen=True)
class BundleFacts:
    """What a bundle says about its model.

    Attributes:
        spacing: of the network's grid, mm, to the right, the front and the head.
        training_cases: every case that its weights have learnt from, ancestors' included.
        training_patients: their patients, by keyed hash.
        prior: foreground share per class that the heads started from.
    """

    name: str
    model_id: str
    classes: tuple[str, ...]
    spacing: tuple[float, float, float]
    network: NetworkConfig
    training: TrainingConfig
    training_cases: tuple[str, ...]
    training_patients: tuple[str, ...]
    prior: tuple[float, ...]
    licence: str = "unknown"
    fold: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    modality: str = "CT"

    @property
    def in_channels(self) -> int:
        """Windows and coordinates."""
        return len(self.training.grid.windows) + COORDINATES


def weights_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of names, shapes and bytes of all tensors: the same weights, the same hash."""
    import hashlib

    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write_bundle(folder: Path, facts: BundleFacts, state: Mapping[str, torch.Tensor]) -> None:
    """Write a bundle's folder; one that is there is replaced.

    ``inference.json`` can be read by MONAI's own ``ConfigParser``: ``network_def`` builds the
    network, ``load`` fills in the weights.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "models").mkdir(parents=True)
    torch.save({k: v.contiguous() for k, v in state.items()}, folder / "models" / "model.pt")
    _write(folder / "configs" / "metadata.json", _metadata(facts))
    _write(folder / "configs" / "inference.json", _inference(facts))
    _write(folder / "classes.json", {"classes": list(facts.classes), "threshold": 0.5})
    _write(
        folder / "preprocessing.json",
        {
            "orientation": "RAS",
            "spacing_mm": list(facts.spacing),
            "patch": list(facts.training.patch),
            "grid": facts.training.grid.model_dump(mode="json"),
            "coordinates": COORDINATES,
        },
    )
    _write(
        folder / "training.json",
        {
            "cases": sorted(facts.training_cases),
            "patients": sorted(facts.training_patients),
            "config": facts.training.model_dump(mode="json"),
            "prior": list(facts.prior),
            "fold": facts.fold,
            **facts.extra,
        },
    )
    write_text(folder / "LICENSE", f"Trained on data under: {facts.licence}\n")


def load_bundle(folder: Path) -> tuple[BundleFacts, SegmentationNet]:
    """A bundle's facts and its network with weights, on the CPU.

    Raises:
        TrainingError: a file is missing, or it is no bundle of ours.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise TrainingError(f"not a bundle: no {', '.join(missing)}")
    facts = read_facts(folder)
    network = build_network(facts.network, facts.in_channels, facts.prior)
    state = torch.load(folder / "models" / "model.pt", map_location="cpu", weights_only=True)
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise TrainingError("the bundle's weights do not fit its network") from None
    return facts, network


def read_facts(folder: Path) -> BundleFacts:
    """What a bundle says about itself, without its weights.

    Raises:
        TrainingError: no bundle of ours.
    """
    try:
        metadata, classes, shape, training = (
            json.loads((folder / name).read_text())
            for name in (
                "configs/metadata.json",
                "classes.json",
                "preprocessing.json",
                "training.json",
            )
        )
        return BundleFacts(
            name=metadata["name"],
            model_id=metadata["model_id"],
            classes=tuple(classes["classes"]),
            spacing=tuple(shape["spacing_mm"]),
            network=build(NetworkConfig, metadata["network"]),
            training=build(TrainingConfig, training["config"]),
            training_cases=tuple(training["cases"]),
            training_patients=tuple(training["patients"]),
            prior=tuple(training["prior"]),
            licence=metadata["data_licence"],
            fold=training["fold"],
            modality=metadata["network_data_format"]["inputs"]["image"]["modality"],
        )
    except (OSError, KeyError, TypeError, ValueError):
        raise TrainingError("not a bundle of ours, or a damaged one") from None


def _metadata(facts: BundleFacts) -> dict[str, Any]:
    import monai
    import numpy as np

    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/"
        "0.8.1/meta_schema_20240725.json",
        "version": "1.0.0",
        "changelog": {"1.0.0": "first"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {},
        "name": facts.name,
        "task": f"segmentation of structures in {facts.modality}",
        "description": "Made by voxcurate; one sigmoid channel per class, classes may overlap.",
        "authors": "",
        "copyright": "",
        "data_source": f"{len(facts.training_cases)} scans of a curated workspace",
        "data_licence": facts.licence,
        "image_classes": "HU windows and the position in the body",
        "label_classes": "binary masks",
        "pred_classes": "one probability per class",
        "eval_metrics": {},
        "intended_use": "Research only; not a medical device.",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "hounsfield" if facts.modality == "CT" else "magnitude",
                    "modality": facts.modality,
                    "num_channels": facts.in_channels,
                    "spatial_shape": list(facts.training.patch),
                    "dtype": "float32",
                    "value_range": [-1, 1],
                    "is_patch_data": True,
                    "channel_def": {str(n): f"input {n}" for n in range(facts.in_channels)},
                }
            },
            "outputs": {
                "pred": {
                    "type": "logits",
                    "format": "segmentation",
                    "num_channels": len(facts.classes),
                    "spatial_shape": list(facts.training.patch),
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": True,
                    "channel_def": {str(n): c for n, c in enumerate(facts.classes)},
                }
            },
        },
        "voxcurate_format": FORMAT,
        "model_id": facts.model_id,
        "network": facts.network.model_dump(mode="json"),
    }


def _inference(facts: BundleFacts) -> dict[str, Any]:
    return {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "network_def": {
            "_target_": "training.networks.build_network",
            "config": facts.network.model_dump(mode="json"),
            "in_channels": facts.in_channels,
            "prior": list(facts.prior),
        },
        "load": "$@network_def.load_state_dict("
        "torch.load(@bundle_root + '/models/model.pt', map_location='cpu', weights_only=True))",
        "network": "$@network_def.to(@device)",
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(facts.training.patch),
            "overlap": 0.35,
            "mode": "gaussian",
        },
    }


def _write(path: Path, values: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(values, indent=1, sort_keys=True) + "\n")


def adopt_bundle(source: Path, target: Path) -> None:
    """Move a finished bundle into place; what was there goes. Both on one file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    source.rename(target)


def shares(counts: Sequence[float], voxels: float) -> tuple[float, ...]:
    """Foreground share per class, kept within what a sigmoid starts from well."""
    return tuple(round(min(0.5, max(1e-4, c / max(voxels, 1.0))), 6) for c in counts)
