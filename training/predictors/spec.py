"""What a model of the zoo is: one YAML file, its kind decides which settings it has."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from voxcurate.classes import Vocabulary
from voxcurate.config import Config, build, read_yaml, shipped
from voxcurate.errors import ConfigError

FOLDER_VARIABLE = "VOXCURATE_MODELS"
Triple = tuple[float, float, float]
Shape = tuple[int, int, int]


class PredictorSpec(Config):
    """What all kinds have in common."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    kind: str
    description: str = ""
    licence: str = Field(min_length=1, description="of the weights; recorded with predictions")
    weights: str = Field(
        "", description="file or folder; relative to the model folder (docs/models.md)"
    )
    classes: dict[str, str] = Field(
        default_factory=dict,
        description="their name, channel or label value to our class id; empty: left out. "
        "Names that the vocabulary knows need no line",
    )
    modality: str = Field("CT", description="scans that it can read; any: all")
    trained_on: Literal["unknown", "elsewhere"] | tuple[str, ...] = Field(
        "unknown",
        description="case ids that trained it; elsewhere: none of this workspace, vouched for "
        "by who wrote the file; unknown: every case counts as trained on",
    )
    time_limit_s: float = Field(1800.0, gt=0, description="per case, for tools that hang")
    memory_limit_mb: float | None = Field(
        None, gt=0, description="per case, of the process and all that it starts"
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(k): "" if v is None else v for k, v in value.items()}
        return value


class SlidingSpec(PredictorSpec):
    """Kinds whose network runs here, in windows; what is None is taken from the model itself."""

    overlap: float | None = Field(None, ge=0, lt=0.9, description="share of a window's side")
    body_only: bool = Field(True, description="no windows where there is no body (CT)")
    floor: float = Field(0.02, ge=0, le=0.5, description="lower probabilities are stored as 0")
    device: Literal["auto", "cpu", "cuda"] = "auto"


class BundleSpec(SlidingSpec):
    """A MONAI bundle: ours, or anyone's with a network, preprocessing and a sliding window."""

    kind: Literal["bundle"] = "bundle"
    weights: str = Field(min_length=1, description="the bundle's folder")
    activation: Literal["softmax", "sigmoid"] | None = None
    patch: Shape | None = None


class NetworkSpec(SlidingSpec):
    """A bare MONAI network with a state dict, and how its input is made."""

    kind: Literal["network"] = "network"
    weights: str = Field(min_length=1, description="a state dict, or a checkpoint that holds one")
    architecture: str = Field(description="class of monai.networks.nets")
    arguments: dict[str, Any] = Field(default_factory=dict, description="of that class")
    state_key: str = Field("", description="where a checkpoint keeps its state dict; empty: found")
    prefix: str = Field("module.", description="dropped from the names of the weights")
    spacing_mm: Triple = (1.5, 1.5, 1.5)
    orientation: str = Field("RAS", pattern=r"^[RLAPSI]{3}$")
    window: tuple[float, float] = Field((-175.0, 250.0), description="HU that become `scaled_to`")
    scaled_to: tuple[float, float] = (0.0, 1.0)
    patch: Shape = (96, 96, 96)
    activation: Literal["softmax", "sigmoid"] = "sigmoid"
    channels: tuple[str, ...] = Field(
        (), description="their names in order; empty: the keys of `classes` are channel numbers"
    )


class NnUNetSpec(SlidingSpec):
    """A trained nnU-Net v2: the folder with ``plans.json``, ``dataset.json`` and ``fold_*``."""

    kind: Literal["nnunet"] = "nnunet"
    weights: str = Field(min_length=1)
    folds: tuple[int | str, ...] = Field((), description="empty: all that are there")
    checkpoint: str = "checkpoint_final.pth"
    mirroring: bool = Field(False, description="test-time mirroring: up to 8 times the time")


class CommandSpec(PredictorSpec):
    """Any command line: ``{input}`` is a NIfTI file, ``{output}`` a folder (or file) to write;
    ``{input_folder}`` and ``{output_folder}`` are the folders of both."""

    kind: Literal["command"] = "command"
    command: tuple[str, ...] = Field(min_length=1, description="a list, or one line; no shell")
    input_name: str = Field("ct.nii.gz", description="{case} is the case id")
    output_name: str = Field(
        "", description="what is read; empty: {output} is a folder, and all of it"
    )
    values: Literal["auto", "mask", "labels", "probabilities"] = "auto"
    environment: dict[str, str] = Field(default_factory=dict)
    inherit: tuple[str, ...] = Field(
        ("PATH", "HOME", "LANG", "LC_ALL", "USER", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"),
        description="variables that the command sees of ours; others may be secrets",
    )

    @field_validator("command", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if isinstance(value, str):
            import shlex

            return tuple(shlex.split(value))
        return value


class TotalSegmentatorSpec(PredictorSpec):
    """TotalSegmentator's command line in its own environment; its usage statistics are off."""

    kind: Literal["totalsegmentator"] = "totalsegmentator"
    program: str = Field("TotalSegmentator", description="a path if it is not on PATH")
    task: str = "total"
    fast: bool = Field(False, description="3 mm instead of 1.5 mm")
    device: str = Field("", description="gpu, cpu, gpu:1; empty: what it chooses")
    weights: str = Field("", description="its weights folder; empty: where it keeps them")
    environment: dict[str, str] = Field(default_factory=dict)


class FolderSpec(PredictorSpec):
    """Ready predictions: masks, one-hot, probabilities or label maps that lie in a folder."""

    kind: Literal["folder"] = "folder"
    weights: str = Field(min_length=1, description="the folder")
    files: tuple[str, ...] = Field(
        (
            "{case}/{class}.nii.gz",
            "{case}/predictions/{class}.nii.gz",
            "{case}/segmentations/{class}.nii.gz",
            "{case}.nii.gz",
            "{case}.npz",
        ),
        description="patterns, the first that finds something counts",
    )
    values: Literal["auto", "mask", "labels", "probabilities"] = "auto"
    cases: dict[str, str] = Field(default_factory=dict, description="our case id to their name")


KINDS: Mapping[str, type[PredictorSpec]] = {
    "bundle": BundleSpec,
    "network": NetworkSpec,
    "nnunet": NnUNetSpec,
    "totalsegmentator": TotalSegmentatorSpec,
    "folder": FolderSpec,
    "command": CommandSpec,
}


@dataclass(frozen=True)
class ZooModel:
    """A model by name: its settings, and where its weights lie (None: they are not there)."""

    spec: PredictorSpec
    weights: Path | None
    missing: str = ""


def make_spec(values: Mapping[str, Any], *, name: str = "") -> PredictorSpec:
    """A spec of plain values.

    Raises:
        ConfigError: an unknown kind, or a setting that does not fit it.
    """
    kind = str(values.get("kind", ""))
    if kind not in KINDS:
        raise ConfigError(f"model {name}: want kind: {', '.join(KINDS)}; found {kind!r}")
    try:
        return build(KINDS[kind], {"name": name}, values)
    except ConfigError as error:
        raise ConfigError(f"model {name}: {error}") from None


def read_model(path: Path, folder: Path | None = None) -> ZooModel:
    """A model of a YAML file, or of a bundle's or an nnU-Net's folder as it is.

    Args:
        path: the YAML file or the folder.
        folder: the model folder; None: ``VOXCURATE_MODELS``, else the file's own folder.
    """
    if path.is_dir():
        return ZooModel(_of_folder(path), path)
    spec = make_spec(read_yaml(path), name=path.name.removesuffix(".yaml"))
    base = folder or model_folder() or path.parent
    return ZooModel(spec, *_weights(spec, base))


def model_folder() -> Path | None:
    """The folder that ``VOXCURATE_MODELS`` names."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given) if given else None


def find_model(name: str, places: Sequence[Path] = (), folder: Path | None = None) -> ZooModel:
    """A model by its path, or by its name in the folders given, then among the shipped ones.

    Raises:
        ConfigError: there is none; the known names are listed.
    """
    path = Path(name)
    if path.exists() and (path.suffix in {".yaml", ".yml"} or path.is_dir()):
        return read_model(path, folder)
    known = listed(places)
    if name not in known:
        raise ConfigError(
            f"no model {name!r}: want a YAML file, a bundle's folder, or one of "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    return read_model(known[name], folder)


def listed(places: Sequence[Path] = ()) -> dict[str, Path]:
    """Name to YAML file, of the folders given and the shipped ones; earlier folders count more."""
    found: dict[str, Path] = {}
    for place in (*places, shipped("models")):
        for path in sorted(place.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def class_of(spec: PredictorSpec, theirs: str, vocabulary: Vocabulary) -> str:
    """Our class for their name; empty: it is left out, or nobody knows it."""
    if theirs in spec.classes:
        return spec.classes[theirs]
    return vocabulary.resolve(theirs) or ""


def check_classes(spec: PredictorSpec, vocabulary: Vocabulary) -> None:
    """Every class that a spec names is in the vocabulary.

    Raises:
        ConfigError: one is not.
    """
    unknown = sorted({c for c in spec.classes.values() if c and c not in vocabulary})
    if unknown:
        raise ConfigError(
            f"model {spec.name}: no class {', '.join(unknown)} in the vocabulary; add it to the "
            "workspace's classes.yaml"
        )


def _of_folder(path: Path) -> PredictorSpec:
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", path.resolve().name)
    if (path / "configs" / "metadata.json").is_file():
        licence, modality = _told(path / "configs" / "metadata.json")
        return BundleSpec(name=name, licence=licence, modality=modality, weights=str(path))
    if (path / "plans.json").is_file():
        return NnUNetSpec(name=name, licence="unknown", weights=str(path))
    raise ConfigError(
        "want a model: a YAML file, a MONAI bundle (configs/metadata.json) or a trained nnU-Net "
        "(plans.json)"
    )


def _told(metadata: Path) -> tuple[str, str]:
    """Licence and modality that a bundle's metadata tell."""
    import json

    try:
        told = json.loads(metadata.read_text())
        licence = str(told.get("data_licence") or "see the bundle's LICENSE")
        modality = str(told["network_data_format"]["inputs"]["image"].get("modality") or "CT")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "see the bundle's LICENSE", "CT"
    word = modality.upper()
    return licence, "MR" if word.startswith("MR") else word


def _weights(spec: PredictorSpec, base: Path) -> tuple[Path | None, str]:
    if not spec.weights:
        return None, ""
    path = base / Path(spec.weights).expanduser()
    if path.exists():
        return path, ""
    where = f"{FOLDER_VARIABLE}" if model_folder() else f"its folder (or set {FOLDER_VARIABLE})"
    return None, f"no {spec.weights} in {where}"
