"""``voxcurate evaluate``: a round's table, or DSC and NSD of two folders of masks."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError, GeometryError
from voxcurate.workspace import Workspace

SUFFIX = ".nii.gz"


def round_table(workspace: Workspace, number: int) -> dict[str, Any]:
    """DSC and NSD per class of every model of a round, on the frozen test split.

    Raises:
        ConfigError: the round has not been evaluated.
    """
    path = workspace.round_path(number, "evaluation.json")
    if not path.is_file():
        raise ConfigError(f"round {number} has no evaluation yet")
    found: dict[str, Any] = json.loads(path.read_text())
    models = sorted(found["models"], key=lambda model: model["role"] != "flagship")
    columns = ["class", "n"]
    for model in models:
        columns += [f"{name} {model['name']}" for name in _shown_names(model)]
    classes = dict.fromkeys(c for model in models for c in model["classes"])
    rows = [[class_id, *_cells(models, class_id)] for class_id in classes]
    mean: list[Any] = ["mean", ""]
    for model in models:
        mean += [_shown(model["mean"][name.lower()]) for name in _shown_names(model)]
    title = f"round {number}: test split, against original labels ({found['implementation']})"
    return {"title": title, "columns": columns, "rows": [*rows, mean], "evaluation": found}


def folder_table(predictions: Path, truth: Path, vocabulary: Vocabulary) -> dict[str, Any]:
    """DSC and NSD per class of the masks that lie in both folders under the same relative name.

    A file's class is its name without suffix; the tolerance is the class's, else 2 mm, and never
    below one
    voxel diagonal. A mask in `truth` without its counterpart counts as an empty prediction; where
    both are
    empty, nothing is counted.

    Raises:
        ConfigError: a folder is missing or holds no mask.
        GeometryError: two masks do not lie on the same grid.
    """
    from voxcurate.metrics import dsc, nsd
    from voxcurate.nifti import read_nifti

    files = sorted(truth.rglob(f"*{SUFFIX}")) if truth.is_dir() else []
    if not predictions.is_dir() or not files:
        raise ConfigError("want two folders with .nii.gz masks of the same names")
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: {"dsc": [], "nsd": []})
    missing = 0
    for file in files:
        class_id = file.name.removesuffix(SUFFIX)
        reference = read_nifti(file)
        mask = reference.array > 0
        other = predictions / file.relative_to(truth)
        found = np.zeros_like(mask)
        if other.is_file():
            predicted = read_nifti(other)
            if predicted.shape != reference.shape or not np.allclose(
                predicted.affine, reference.affine, atol=1e-2
            ):
                raise GeometryError(f"mask {class_id}: want the same grid in both folders")
            found = predicted.array > 0
        else:
            missing += 1
        tolerance = vocabulary[class_id].tolerance_mm if class_id in vocabulary else 2.0
        tolerance = max(tolerance, float(np.linalg.norm(reference.spacing)))
        scores[class_id]["dsc"].append(dsc(found, mask))
        scores[class_id]["nsd"].append(nsd(found, mask, reference.spacing, tolerance))
    rows = [_folder_row(class_id, values) for class_id, values in scores.items()]
    title = f"{len(files)} masks, {missing} without prediction (voxcurate.metrics)"
    return {"title": title, "columns": ["class", "n", "DSC", "NSD"], "rows": rows}


def _shown_names(model: dict[str, Any]) -> tuple[str, ...]:
    """The flagship's DSC and NSD; of the others the DSC (JSON has it all)."""
    return ("DSC", "NSD") if model["role"] == "flagship" else ("DSC",)


def _cells(models: list[dict[str, Any]], class_id: str) -> list[Any]:
    entries = [model["classes"].get(class_id) for model in models]
    cells: list[Any] = [max((entry["dsc"]["n"] for entry in entries if entry), default=0)]
    for model, entry in zip(models, entries, strict=True):
        for name in _shown_names(model):
            cells.append(_shown(entry[name.lower()]["mean"] if entry else None))
    return cells


def _folder_row(class_id: str, values: dict[str, list[float]]) -> list[Any]:
    counted = [v for v in values["dsc"] if not np.isnan(v)]
    means = [float(np.nanmean(values[name])) if counted else None for name in ("dsc", "nsd")]
    return [class_id, len(counted), *(_shown(mean) for mean in means)]


def _shown(value: float | None) -> float | str:
    return "" if value is None else value
