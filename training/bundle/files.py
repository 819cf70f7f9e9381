"""The files of a bundle by which MONAI knows it: metadata, the run, and words for people."""

from typing import TYPE_CHECKING, Any

import torch

from training.config import NetworkConfig

if TYPE_CHECKING:
    from training.bundle.folder import BundleFacts

SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
    "meta_schema_20240725.json"
)
OVERLAP = 0.35
USE = "Research only; not a medical device."


def metadata(facts: "BundleFacts", network: NetworkConfig, version: int) -> dict[str, Any]:
    """``metadata.json``. Channel 0 is the background, so that the number of a class in a label
    map is its channel, as MONAI Label expects."""
    import monai
    import numpy as np

    windows = [f"HU {low:g} to {high:g}" for low, high in facts.training.grid.windows]
    inputs = [*windows, "mm to the right / 200", "mm to the front / 200", "height in the body"]
    shape = list(facts.training.patch)
    return {
        "schema": SCHEMA,
        "version": "1.0.0",
        "changelog": {"1.0.0": "first"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"nibabel": _version("nibabel"), "scipy": _version("scipy")},
        "supported_apps": {},
        "name": facts.name,
        "task": f"segmentation of structures in {facts.modality}",
        "description": f"{len(facts.classes)} structures; made by voxcurate.",
        "authors": "",
        "copyright": "",
        "data_source": f"{len(facts.training_cases)} scans of a curated workspace",
        "data_type": "nibabel",
        "data_licence": facts.licence,
        "image_classes": "windows of the scan and the position in the body",
        "label_classes": "binary masks; a structure may lie inside another",
        "pred_classes": "one probability per class, the background's first",
        "eval_metrics": dict(facts.metrics),
        "intended_use": USE,
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "hounsfield" if facts.modality == "CT" else "magnitude",
                    "modality": facts.modality,
                    "num_channels": facts.in_channels,
                    "spatial_shape": shape,
                    "dtype": "float32",
                    "value_range": [-1, 1],
                    "is_patch_data": True,
                    "channel_def": {str(n): text for n, text in enumerate(inputs)},
                }
            },
            "outputs": {
                "pred": {
                    "type": "probabilities",
                    "format": "segmentation",
                    "num_channels": 1 + len(facts.classes),
                    "spatial_shape": shape,
                    "dtype": "float32",
                    "value_range": [0, 1],
                    "is_patch_data": True,
                    "channel_def": {
                        str(n): name for n, name in enumerate(("background", *facts.classes))
                    },
                }
            },
        },
        "voxcurate_format": version,
        "model_id": facts.model_id,
        "network": network.model_dump(mode="json"),
    }


def inference(facts: "BundleFacts", network: NetworkConfig, dimensions: int) -> dict[str, Any]:
    """``inference.json``: every scan of a folder becomes a label map in its own geometry."""
    place = {class_id: n + 1 for n, class_id in enumerate(facts.classes)}
    return {
        "imports": ["$import glob", "$import numpy as np", "$import torch"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/scans'",
        "output_dir": "$@bundle_root + '/eval'",
        "datalist": "$sorted(glob.glob(@dataset_dir + '/*.nii.gz'))",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "modality": facts.modality,
        "network_def": {
            "_target_": "scripts.scripts.Probabilities",
            "settings": network.model_dump(mode="json"),
            "in_channels": facts.in_channels,
            "prior": list(facts.prior),
            "dimensions": dimensions,
        },
        "load": "$@network_def.load_state_dict("
        "torch.load(@bundle_root + '/models/model.pt', map_location='cpu', weights_only=True))",
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "LoadImaged",
                    "keys": "image",
                    "image_only": True,
                    "ensure_channel_first": True,
                },
                {
                    "_target_": "scripts.scripts.OnGridd",
                    "keys": "image",
                    "spacing_mm": list(facts.spacing),
                    "windows": [list(window) for window in facts.training.grid.windows],
                    "body_hu": facts.training.grid.body_hu,
                    "patch": list(facts.training.patch),
                    "modality": "@modality",
                },
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': path} for path in @datalist]",
            "transform": "@preprocessing",
        },
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(facts.training.patch),
            "sw_batch_size": 1,
            "overlap": OVERLAP,
            "mode": "gaussian",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "scripts.scripts.ToScand",
                    "keys": "pred",
                    "ref_key": "image",
                    "inside": [place.get(facts.inside.get(c, ""), 0) for c in facts.classes],
                },
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_postfix": "seg",
                    "output_dtype": "$np.uint8" if len(facts.classes) < 256 else "$np.uint16",
                    "resample": False,
                    "separate_folder": False,
                    "print_log": False,
                },
            ],
        },
        "evaluator": {
            "_target_": "scripts.scripts.Evaluator",
            "dataset": "@dataset",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "device": "@device",
        },
        "run": ["$@load", "$@evaluator.run()"],
    }


def readme(facts: "BundleFacts") -> str:
    """``docs/README.md``."""
    listed = "\n".join(f"| {n} | {name} |" for n, name in enumerate(facts.classes, start=1))
    return f"""# {facts.name}

Segments {len(facts.classes)} structures in {facts.modality}. {USE}
Trained on {len(facts.training_cases)} scans under: {facts.licence}.

    python -m monai.bundle run --config_file configs/inference.json --meta_file \\
        configs/metadata.json --bundle_root . --dataset_dir SCANS --output_dir OUT

makes a label map of each `SCANS/*.nii.gz` (HU for CT), in its own geometry:

| value | structure |
|---|---|
{listed}
"""


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
