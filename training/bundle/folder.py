"""Models on disk: a MONAI bundle, and beside it what makes its predictions traceable."""

import json
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from training.config import NetworkConfig, TrainingConfig
from training.network import COORDINATES, SegmentationNet, build_network
from training.network.heads import GAIN, SEEN
from voxcurate.config import build
from voxcurate.errors import CurationError, TrainingError
from voxcurate.workspace import write_text

FORMAT = 3
WEIGHTS = "models/model.pt"
FILES = ("configs/metadata.json", "configs/inference.json", WEIGHTS, "classes.json")
UNREADABLE = "the bundle's weights cannot be read: the file is damaged"
CASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+=-]*")  # never a path, a name with spaces, a mail


@dataclass(frozen=True)
class BundleFacts:
    """What a bundle says about its model.

    Attributes:
        spacing: of the network's grid, mm, to the right, the front and the head.
        training_cases: every case that its weights have learnt from, ancestors' included.
        training_patients: their patients, by keyed hash.
        prior: foreground share per class that the heads started from.
        modality: of the scans it learnt from.
        embedder: that made the classes' text vectors (they are among the weights); empty: plain
            heads.
        texts: name and description per class, as the embedder read them.
        inside: class to the class that contains it, of the trained ones.
        metrics: what is known of its quality.
        extra: further facts of the training.
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
    modality: str = "CT"
    embedder: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

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
    """Write a bundle's folder, whole or not at all; one that is there is replaced.

    It runs under plain MONAI without this package (docs/training.md): its ``scripts/`` hold the
    code that network, input and output need.

    Raises:
        TrainingError: a case id that looks like a path or a person's name, or it cannot be written
            (a full disk).
    """
    bad = [case for case in facts.training_cases if not CASE_ID.fullmatch(case)]
    if bad:
        raise TrainingError(f"{len(bad)} training cases have ids that may name a file or a person")
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _fill(temporary, facts, state)
        adopt_bundle(temporary, folder)
    except (OSError, RuntimeError) as error:  # torch's own writer turns one into the other
        why = getattr(error, "strerror", None) or "the disk may be full"
        raise TrainingError(f"cannot write the bundle of model {facts.name}: {why}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(temporary: Path, facts: BundleFacts, state: Mapping[str, torch.Tensor]) -> None:
    from training.bundle.carried import carried
    from training.bundle.files import inference, metadata, readme
    from training.bundle.scripts import ROOTS

    dimensions = int(state["heads.text"].shape[1]) if "heads.text" in state else 0
    (temporary / "models").mkdir(parents=True)
    weights = {k: v.detach().cpu().contiguous() for k, v in state.items()}
    torch.save(weights, temporary / "models" / "model.pt")
    network = _pathless(facts)
    files: dict[str, Any] = {
        "configs/metadata.json": metadata(facts, network, FORMAT),
        "configs/inference.json": inference(facts, network, dimensions),
        "classes.json": {
            "classes": list(facts.classes),
            "threshold": 0.5,
            "inside": dict(facts.inside),
        },
        "preprocessing.json": {
            "orientation": "RAS",
            "modality": facts.modality,
            "spacing_mm": list(facts.spacing),
            "patch": list(facts.training.patch),
            "grid": facts.training.grid.model_dump(mode="json"),
            "coordinates": COORDINATES,
        },
        "text.json": {
            "embedder": facts.embedder,
            "dimensions": dimensions,
            "texts": dict(facts.texts),
            "vectors": weights["heads.text"].tolist() if dimensions else [],
        },
        "training.json": {
            "cases": sorted(facts.training_cases),
            "patients": sorted(facts.training_patients),
            "config": facts.training.model_dump(mode="json"),
            "prior": list(facts.prior),
            "fold": facts.fold,
            "metrics": dict(facts.metrics),
            **facts.extra,
        },
    }
    for name, values in files.items():
        write_text(temporary / name, json.dumps(values, indent=1, sort_keys=True) + "\n")
    write_text(temporary / "scripts" / "__init__.py", '"""What this bundle runs."""\n')
    for name, text in carried(ROOTS).items():
        write_text(temporary / "scripts" / name, text)
    write_text(temporary / "LICENSE", f"Trained on data under: {facts.licence}\n")
    write_text(temporary / "docs" / "README.md", readme(facts))


def load_bundle(folder: Path) -> tuple[BundleFacts, SegmentationNet]:
    """A bundle's facts and its network with weights, on the CPU; older formats too.

    Raises:
        TrainingError: a file is missing, or it is no bundle of ours.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise TrainingError(f"not a bundle: no {', '.join(missing)}")
    facts = read_facts(folder)
    check_weights(folder)
    try:
        state = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError):
        raise TrainingError(UNREADABLE) from None
    if not isinstance(state, Mapping):
        raise TrainingError(UNREADABLE)
    try:
        state = _brought_forward(state, _format(folder))
        text = state["heads.text"].numpy() if "heads.text" in state else None
        network = build_network(facts.network, facts.in_channels, facts.prior, text)
        network.load_state_dict(state)
    except (RuntimeError, KeyError, AttributeError):
        raise TrainingError("the bundle's weights do not fit its network") from None
    return facts, network


def check_weights(folder: Path) -> None:
    """Whether a bundle's weights are as they were written: torch reads flipped bits without a word.

    Raises:
        TrainingError: they are damaged, or not there.
    """
    try:
        with zipfile.ZipFile(folder / WEIGHTS) as parts:
            is_whole = parts.testzip() is None
    except FileNotFoundError:
        raise TrainingError(f"not a bundle: no {WEIGHTS}") from None
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile):
        is_whole = False
    if not is_whole:
        raise TrainingError(UNREADABLE)


def read_facts(folder: Path) -> BundleFacts:
    """What a bundle says about itself, without its weights.

    Raises:
        TrainingError: no bundle of ours, or of a format that this version does not know.
    """
    try:
        metadata, classes, shape, training = (
            json.loads((folder / name).read_text(encoding="utf-8"))
            for name in (
                "configs/metadata.json",
                "classes.json",
                "preprocessing.json",
                "training.json",
            )
        )
        found = int(metadata["voxcurate_format"])
        text = {} if found < 2 else json.loads((folder / "text.json").read_text(encoding="utf-8"))
        if found > FORMAT:
            raise TrainingError(f"the bundle has format {found}; this version reads up to {FORMAT}")
        plain = {} if found >= 2 else {"text": "none"}
        return BundleFacts(
            name=metadata["name"],
            model_id=metadata["model_id"],
            classes=tuple(classes["classes"]),
            spacing=tuple(shape["spacing_mm"]),
            network=build(NetworkConfig, {**metadata["network"], **plain}),
            training=build(TrainingConfig, training["config"]),
            training_cases=tuple(training["cases"]),
            training_patients=tuple(training["patients"]),
            prior=tuple(training["prior"]),
            licence=metadata["data_licence"],
            fold=training["fold"],
            modality=shape.get("modality", "CT"),
            embedder=text.get("embedder", ""),
            texts=text.get("texts", {}),
            inside=classes.get("inside", {}),
            metrics=training.get("metrics", {}),
        )
    except (OSError, KeyError, TypeError, ValueError):
        raise TrainingError("not a bundle of ours, or a damaged one") from None
    except TrainingError:
        raise
    except CurationError as error:
        raise TrainingError(f"the bundle's settings are of another version: {error}") from None


def adopt_bundle(source: Path, target: Path) -> None:
    """Move a finished bundle into place; what was there goes. Both on one file system.

    The old one is moved aside first: a reader finds the old, the new, or for a moment none, never
    half of one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sync(source)
    aside = target.with_name(f".{target.name}.{os.getpid()}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        target.rename(aside)
    source.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def shares(counts: Sequence[float], voxels: float) -> tuple[float, ...]:
    """Foreground share per class, kept within what a sigmoid starts from well."""
    return tuple(round(min(0.5, max(1e-4, c / max(voxels, 1.0))), 6) for c in counts)


def _pathless(facts: BundleFacts) -> NetworkConfig:
    """The network's settings without the folder that an embedder may lie in."""
    network = facts.network
    is_path = Path(network.text).name != network.text
    return network.model_copy(update={"text": facts.embedder}) if is_path else network


def _format(folder: Path) -> int:
    metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
    return int(metadata["voxcurate_format"])


def _brought_forward(state: Mapping[str, torch.Tensor], found: int) -> dict[str, torch.Tensor]:
    """Weights of older formats as today's network reads them.

    Format 1 had plain heads as a convolution, format 2 a controller without its scales: powers of
    two, so that the outputs are the same to the bit.
    """
    if found < 3:
        scales = {"heads.give.": 1 / GAIN, "heads.image.": 1 / SEEN}
        state = {
            name: value * next((s for start, s in scales.items() if name.startswith(start)), 1.0)
            for name, value in state.items()
        }
    if "head.weight" not in state:
        return dict(state)
    kept = {k: v for k, v in state.items() if not k.startswith("head.")}
    weight = state["head.weight"].flatten(1)
    return {**kept, "heads.weight": weight, "heads.bias": state["head.bias"]}


def _sync(folder: Path) -> None:
    """What lies in a folder survives a power cut."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
