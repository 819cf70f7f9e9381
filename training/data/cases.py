"""Training cases: what a scan and its labels become once, and are read from ever after.

A case is prepared in the workspace's cache under a name that comes from its content: HU on the
network's grid (int16), and all classes' masks packed into bits. Both are memory-mapped, so that a
step reads only its patches.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.config import GridConfig
from training.data.grid import Grid, body_box, full_grid, to_grid
from voxcurate.atomic import sync_folder
from voxcurate.errors import CurationError, GeometryError, TrainingError, VolumeReadError
from voxcurate.ids import content_id
from voxcurate.volume import Volume

VERSION = 1  # of what lies in the cache
CENTRES = 4096  # foreground voxels kept per class to draw patches around
LOWEST_HU, HIGHEST_HU = -1024, 3071


class CacheError(TrainingError):
    """The cache cannot be written: no fault of the case that was to go there."""


@dataclass(frozen=True)
class LabelSpec:
    """One label version as training sees it; an empty `path` is an empty mask (absolute paths)."""

    label_id: str
    path: str
    known_path: str
    origin: str
    right: float = 1.0  # the probability that it is


@dataclass(frozen=True)
class CaseSpec:
    """A training case: a scan and its current labels by class; a class not listed is unknown."""

    case_id: str
    path: str
    sha256: str
    modality: str
    labels: Mapping[str, LabelSpec] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case in memory maps.

    Attributes:
        image: int16 ``(I, J, K)``, HU on the grid.
        packed: uint8 ``(bytes, I, J, K)``: bit c (from the highest) is class c.
        known_packed: the same for where a label speaks; None where all do.
        known: bool ``(classes,)``: there is a label.
        weight: ``(classes,)``, by origin and by the probability that the label is right.
        counts: foreground voxels per class.
        centres: per class ``(n, 3)`` voxels.
    """

    case_id: str
    image: npt.NDArray[np.int16]
    packed: npt.NDArray[np.uint8]
    known_packed: npt.NDArray[np.uint8] | None
    known: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float32]
    counts: npt.NDArray[np.int64]
    centres: Sequence[npt.NDArray[np.int16]]
    spacing: tuple[float, float, float]

    def __getstate__(self) -> dict[str, Any]:
        """Memory maps by their place: another process opens them itself."""
        return {name: _place_of(value) for name, value in vars(self).items()}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update({name: _opened(value) for name, value in state.items()})


@dataclass(frozen=True)
class _Place:
    """Where a memory map lies."""

    path: str
    offset: int
    dtype: str
    shape: tuple[int, ...]


def _place_of(value: Any) -> Any:
    base: Any = getattr(value, "base", None)
    if isinstance(value, np.memmap) and isinstance(base, mmap):  # a view lies elsewhere
        return _Place(str(value.filename), value.offset, value.dtype.str, value.shape)
    return value


def _opened(value: Any) -> Any:
    if not isinstance(value, _Place):
        return value
    return np.memmap(value.path, value.dtype, "r", value.offset, value.shape)


def ensure_case(
    case: CaseSpec,
    classes: Sequence[str],
    spacing: Sequence[float],
    settings: GridConfig,
    cache: Path,
) -> tuple[Path, Path]:
    """Folders of the prepared image and labels; made if they are not there.

    Each class's mask is also kept by itself: where one label changes, the others are not read
    from their files again.

    Raises:
        CurationError: a file cannot be read, or its shape is not the scan's; names the case and
            the role.
        CacheError: the cache cannot be written.
    """
    window = () if case.modality == "CT" else (list(settings.windows[0]),)  # see `to_hu`
    key = content_id(VERSION, case.sha256, list(spacing), settings.body_hu, case.modality, *window)
    image = cache / "images" / key
    if not image.is_dir():
        _make(image, lambda folder: _prepare_image(folder, case, spacing, settings))
    wanted = [(c, case.labels[c].label_id if c in case.labels else "") for c in classes]
    labels = cache / "labels" / content_id(VERSION, key, wanted)
    if not labels.is_dir():
        grid = read_grid(image)
        masks = cache / "masks" / key
        _make(labels, lambda folder: _prepare_labels(folder, case, classes, grid, masks))
    return image, labels


def load_case(
    case: CaseSpec,
    classes: Sequence[str],
    folders: tuple[Path, Path],
    weights: Mapping[str, float],
    *,
    floor: float = 1.0,
) -> PreparedCase:
    """A prepared case, its arrays memory-mapped.

    Args:
        weights: of labels by origin.
        floor: a label weighs at least so much of that, however likely it is wrong.
    """
    image, labels = folders
    facts = json.loads((labels / "facts.json").read_text())
    known = labels / "known.npy"
    with np.load(labels / "centres.npz") as stored:
        centres = [stored[f"c{n}"] for n in range(len(classes))]
    given = [case.labels.get(c) for c in classes]
    weight = [weights.get(x.origin, 1.0) * max(x.right, floor) if x else 0.0 for x in given]
    return PreparedCase(
        case_id=case.case_id,
        image=np.load(image / "image.npy", mmap_mode="r"),
        packed=np.load(labels / "labels.npy", mmap_mode="r"),
        known_packed=np.load(known, mmap_mode="r") if known.exists() else None,
        known=np.array([label is not None for label in given]),
        weight=np.array(weight, dtype=np.float32),
        counts=np.array(facts["counts"], dtype=np.int64),
        centres=centres,
        spacing=read_grid(image).spacing,
    )


def to_hu(volume: Volume, modality: str, settings: GridConfig) -> npt.NDArray[Any]:
    """CT clipped to what tissue and metal can be; other modalities fill the first window.

    An MR's 1st to 99th percentile goes to the first window's ends, so that one network input
    serves both.
    """
    if modality == "CT":
        clipped: npt.NDArray[Any] = np.clip(volume.array, LOWEST_HU, HIGHEST_HU)
        return clipped
    low, high = (float(v) for v in np.percentile(volume.array, (1, 99)))
    first, last = settings.windows[0]
    scaled = (volume.array.astype(np.float32) - low) / max(high - low, 1e-6)
    mapped: npt.NDArray[Any] = np.clip(first + scaled * (last - first), LOWEST_HU, HIGHEST_HU)
    return mapped


def grid_image(
    volume: Volume, modality: str, spacing: Sequence[float], settings: GridConfig
) -> tuple[Grid, npt.NDArray[np.float32]]:
    """A scan's HU on the network's grid, cropped to the body (CT only)."""
    wide = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    grid = full_grid(volume.shape, volume.affine, wide)
    image = to_grid(to_hu(volume, modality, settings), grid)
    if modality != "CT":
        return grid, image
    box = body_box(image, settings.body_hu)
    return grid.cropped(box), np.ascontiguousarray(image[box])


def read_grid(folder: Path) -> Grid:
    """The grid of a prepared image."""
    values = json.loads((folder / "grid.json").read_text())
    return Grid(**{name: tuple(value) for name, value in values.items()})


def spec_of(values: Mapping[str, Any]) -> CaseSpec:
    """A case from plain data (`dataclasses.asdict`)."""
    labels = {c: LabelSpec(**label) for c, label in values["labels"].items()}
    return CaseSpec(**{**values, "labels": labels})


def case_mark(values: Mapping[str, Any]) -> list[Any]:
    """What of a plain case decides a result: not where its files lie."""
    labels = {
        c: [label["label_id"], label["origin"], label.get("right", 1.0)]
        for c, label in values["labels"].items()
    }
    return [values["case_id"], values["sha256"], labels]


def _prepare_image(
    folder: Path, case: CaseSpec, spacing: Sequence[float], settings: GridConfig
) -> None:
    volume = _read(case, case.path, "ct")
    if volume.array.dtype.kind == "f" and not np.isfinite(volume.array).all():
        raise VolumeReadError("ct: some values are no numbers", case_id=case.case_id)
    if volume.array.min() == volume.array.max():
        raise VolumeReadError("ct: all voxels have the same value", case_id=case.case_id)
    grid, image = grid_image(volume, case.modality, spacing, settings)
    np.save(folder / "image.npy", np.rint(image).astype(np.int16))
    values = {name: list(getattr(grid, name)) for name in Grid.__dataclass_fields__}
    (folder / "grid.json").write_text(json.dumps(values))


def _prepare_labels(
    folder: Path, case: CaseSpec, classes: Sequence[str], grid: Grid, cached: Path
) -> None:
    masks = np.zeros((len(classes), *grid.shape), dtype=bool)
    speaks = np.ones((len(classes), *grid.shape), dtype=bool)
    for n, class_id in enumerate(classes):
        label = case.labels.get(class_id)
        if label is None:
            speaks[n] = False
            continue
        if label.path:
            masks[n] = _mask(case, label, class_id, grid, cached)
        if label.known_path:
            speaks[n] = _mask(case, label, class_id, grid, cached, is_known=True)
    masks &= speaks
    generator = np.random.default_rng(int(content_id(case.case_id, list(classes)), 16))
    centres = {f"c{n}": _centres(mask, generator) for n, mask in enumerate(masks)}
    np.save(folder / "labels.npy", np.packbits(masks, axis=0))
    if any(label.known_path for label in case.labels.values()):
        np.save(folder / "known.npy", np.packbits(speaks, axis=0))
    np.savez(folder / "centres.npz", **centres)  # type: ignore[arg-type]
    counts = masks.reshape(len(classes), -1).sum(axis=1).tolist()
    (folder / "facts.json").write_text(json.dumps({"counts": counts}))


def _mask(
    case: CaseSpec,
    label: LabelSpec,
    class_id: str,
    grid: Grid,
    cached: Path,
    *,
    is_known: bool = False,
) -> npt.NDArray[np.bool_]:
    """A label's mask on the grid, or where it speaks; from the cache if it is there."""
    path = label.known_path if is_known else label.path
    role = f"{class_id} (known)" if is_known else class_id
    folder = cached / content_id(VERSION, class_id, label.label_id, is_known)
    file = folder / "mask.npz"
    if not folder.is_dir():
        inside = _read_mask(case, path, role, grid)
        _make(folder, lambda own: np.savez_compressed(own / file.name, bits=np.packbits(inside)))
        return inside
    with np.load(file) as stored:
        bits = np.unpackbits(stored["bits"], count=int(np.prod(grid.shape)))
    found: npt.NDArray[np.bool_] = bits.reshape(grid.shape).astype(bool)
    return found


def _read_mask(case: CaseSpec, path: str, role: str, grid: Grid) -> npt.NDArray[np.bool_]:
    volume = _read(case, path, f"mask {role}")
    if volume.shape != grid.source_shape:
        raise GeometryError(
            f"mask {role}: want shape {grid.source_shape}, found {volume.shape}",
            case_id=case.case_id,
        )
    inside: npt.NDArray[np.bool_] = to_grid(volume.array > 0, grid) >= 0.5
    return inside


def _centres(mask: npt.NDArray[np.bool_], generator: np.random.Generator) -> npt.NDArray[np.int16]:
    flat = np.flatnonzero(mask)
    if flat.size > CENTRES:
        flat = np.sort(generator.choice(flat, CENTRES, replace=False))
    return np.stack(np.unravel_index(flat, mask.shape), axis=1).astype(np.int16)


def _read(case: CaseSpec, path: str, role: str) -> Volume:
    from voxcurate.nifti import read_nifti

    try:
        return read_nifti(Path(path))
    except VolumeReadError as error:
        raise VolumeReadError(f"{role}: {error}", case_id=case.case_id) from None


def _make(folder: Path, fill: Any) -> None:
    """Fill a folder under a temporary name and move it into place; the first one there stays.

    Its files are on disk before it has its name: a power cut would else leave maps full of zeros
    that count as prepared.
    """
    import os
    import threading

    own = f"{os.getpid()}.{threading.get_ident()}"
    temporary = folder.with_name(f".{folder.name}.{own}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        fill(temporary)
        for path in (*temporary.iterdir(), temporary):
            sync_folder(path)
        temporary.rename(folder)
        sync_folder(folder.parent)
    except CurationError:
        raise
    except OSError:
        if not folder.is_dir():
            raise CacheError("cannot write the training cache: is the disk full?") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
