"""What models there are, what they predict, and why one cannot be used; nothing heavy is loaded."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from training.predictors.spec import (
    BundleSpec,
    CommandSpec,
    FolderSpec,
    NetworkSpec,
    NnUNetSpec,
    PredictorSpec,
    TotalSegmentatorSpec,
    ZooModel,
    class_of,
    listed,
    read_model,
)
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError


@dataclass(frozen=True)
class Listed:
    """A line of the list; `why_not` is empty for a model that can be used."""

    name: str
    kind: str
    classes: tuple[str, ...]
    licence: str
    description: str = ""
    why_not: str = ""


def list_models(
    vocabulary: Vocabulary, places: Sequence[Path] = (), folder: Path | None = None
) -> list[Listed]:
    """Every model of the folders given and of the shipped ones; a wrong file is a line too."""
    found = []
    for name, path in sorted(listed(places).items()):
        try:
            found.append(describe(read_model(path, folder), vocabulary))
        except ConfigError as error:
            found.append(Listed(name, "?", (), "?", why_not=str(error)))
    return found


def describe(model: ZooModel, vocabulary: Vocabulary) -> Listed:
    """A model's line."""
    spec = model.spec
    classes = {class_of(spec, name, vocabulary) for name in (*spec.classes, *_own_names(model))}
    classes |= {spec.classes.get(name, name) for name in _our_classes(model)}
    return Listed(
        name=spec.name,
        kind=spec.kind,
        classes=tuple(sorted(classes - {""})),
        licence=spec.licence,
        description=spec.description,
        why_not=why_not(model),
    )


def why_not(model: ZooModel) -> str:
    """Why a model cannot be used here; empty if it can."""
    spec = model.spec
    if model.missing:
        return model.missing
    if isinstance(spec, NnUNetSpec) and find_spec("nnunetv2") is None:
        return "nnU-Net is not installed: pip install 'voxcurate[zoo]'"
    program = _program(spec)
    if program and shutil.which(program, path=_path(spec)) is None:
        return f"no program {Path(program).name!r} on this machine"
    return ""


def _program(spec: PredictorSpec) -> str:
    if isinstance(spec, TotalSegmentatorSpec):
        return spec.program
    return spec.command[0] if isinstance(spec, CommandSpec) else ""


def _path(spec: PredictorSpec) -> str:
    own = spec.environment if isinstance(spec, CommandSpec | TotalSegmentatorSpec) else {}
    return own.get("PATH", os.environ.get("PATH", ""))


def _own_names(model: ZooModel) -> list[str]:
    """The classes that a model names itself."""
    spec, folder = model.spec, model.weights
    if isinstance(spec, NetworkSpec):
        return list(spec.channels)
    if folder is None or isinstance(spec, FolderSpec):
        return []
    try:
        if isinstance(spec, NnUNetSpec):
            return list(json.loads((folder / "dataset.json").read_text())["labels"])
        if isinstance(spec, BundleSpec):
            return channel_names(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return []


def _our_classes(model: ZooModel) -> list[str]:
    """The classes of a bundle of ours, which keeps its own names of what the vocabulary lacks."""
    if not isinstance(model.spec, BundleSpec) or model.weights is None:
        return []
    try:
        metadata = json.loads((model.weights / "configs" / "metadata.json").read_text())
        return channel_names(model.weights)[1:] if "voxcurate_format" in metadata else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def channel_names(folder: Path) -> list[str]:
    """The output channels of a MONAI bundle, as its metadata names them; none: not named.

    Raises:
        OSError, ValueError: no metadata there.
    """
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    outputs = metadata.get("network_data_format", {}).get("outputs", {})
    named = outputs.get("pred", {}).get("channel_def", {})
    return [str(named[key]) for key in sorted(named, key=int)]
