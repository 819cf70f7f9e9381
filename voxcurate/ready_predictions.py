"""Predictions that other tools wrote, as classes on one grid, checked against it.

Read are a file per class (mask, one-hot, probabilities), a label map, a file with a channel for
each class (4-D NIfTI, channels last; nnU-Net's ``.npz``), and our own ``.vxp``. Probabilities are
floats from 0 to 1, or whole numbers that are 255 times that. Files whose axes run in another order
or direction are turned, never resampled. Arrays keep the order in memory that their file has, for
NIfTI the first axis fastest; turning is a view.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from voxcurate import _kernels
from voxcurate.case_files import CaseFiles
from voxcurate.channels import channels_of_nifti, channels_of_npz, n_channels, whole
from voxcurate.errors import CurationError, GeometryError, PredictionError, VolumeReadError
from voxcurate.geometry import OPPOSITE, reorient
from voxcurate.labelmaps import Sparse, read_sparse
from voxcurate.masks import label_boxes
from voxcurate.predictions import EMPTY_BOX, Prediction, ProbabilityBox, open_prediction, tight_box
from voxcurate.volume import Affine, Box, Volume, orientation_of

Values = Literal["auto", "mask", "labels", "probabilities"]
Classes = dict[str, ProbabilityBox]
Each = Callable[[Callable[[str], Any], list[str]], Iterable[Any]]
SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".npz")
AFFINE_TOLERANCE_MM = 0.1
MANY = 10  # names told in an error


@dataclass(frozen=True, eq=False)
class Grid:
    """Where a prediction has to lie.

    Attributes:
        shape: ``(I, J, K)``.
        affine: voxel to RAS+ mm.
        owner: whose grid it is, for messages.
    """

    shape: tuple[int, int, int]
    affine: Affine
    owner: str = "the scan"

    @classmethod
    def of(cls, volume: Volume) -> "Grid":
        """A scan's."""
        return cls(volume.shape, volume.affine)


@dataclass(frozen=True, eq=False)
class _Part:
    """One class: bytes in a box ``(I, J, K)`` of `own`; `kind` is what the values are like.

    ``ones``: 0 and 1, a mask or next to nothing; ``lone``: 0 and one other value, of which only
    classes beside it can tell what it means; ``graded``: others than 0 and 255; ``hard``.
    """

    box: Box
    array: npt.NDArray[np.uint8]
    own: Grid
    kind: Literal["ones", "lone", "graded", "hard"]


def read_prediction(
    files: CaseFiles,
    model_id: str,
    *,
    grid: Grid | None = None,
    values: Values = "auto",
    each: Each = map,
) -> Prediction:
    """One model's prediction of a case; ``meta`` counts the voxels of values without a name
    (``unnamed``).

    Args:
        files: of the case; their classes' names are kept.
        model_id: what the model is called.
        grid: of the scan or of another model; None: that of the first file.
        values: what the files hold; ``auto`` tells by the values.
        each: maps the reading over the classes; a thread pool's ``map`` reads them side by side.

    Raises:
        VolumeReadError: a file is broken; names the class.
        PredictionError: a file holds no prediction; names the class.
        GeometryError: a file does not lie on the grid, or the classes do not share one.
    """
    if files.soft is not None:
        found = open_prediction(files.soft)
        own = grid or Grid(found.shape, found.affine)
        there = Grid(found.shape, found.affine)
        boxes = {}
        for name in found.classes:
            box = found.box(name)
            box_, array = _placed(box.box, box.array, there, own, f"class {name}")
            boxes[name] = ProbabilityBox(box_, array)
        return Prediction(boxes, own.shape, own.affine, model_id, out_of_fold=False)
    unnamed: dict[int, int] = {}
    if files.label_map is not None:
        names = files.names
        boxes, own = read_joint_file(
            files.label_map, names, grid=grid, values=values, strict=False, left_out=unnamed
        )
    else:
        boxes, own = read_class_files(files.masks, grid=grid, values=values, each=each)
    meta = {"unnamed": {str(n): voxels for n, voxels in unnamed.items()}} if unnamed else {}
    return Prediction(boxes, own.shape, own.affine, model_id, out_of_fold=False, meta=meta)


def read_class_files(
    files: Mapping[str, Path],
    *,
    grid: Grid | None = None,
    values: Values = "auto",
    each: Each = map,
) -> tuple[Classes, Grid]:
    """A file for each class: the classes, and the grid on which they lie.

    Files that hold 0 and 1 only are masks, but not beside files of the same model with values
    between: there 1 is 1/255. A single value other than 1 and 255 is a probability there, and
    refused elsewhere.
    """
    if not files:
        raise VolumeReadError("no class")
    names = list(files)

    def read(name: str) -> _Part:
        return _class(_stored(files[name], f"class {name}"), values, f"class {name}")

    parts = list(each(read, names))
    at = grid or replace(parts[0].own, owner=f"class {names[0]}")
    is_soft = values != "mask" and any(part.kind == "graded" for part in parts)
    classes = {}
    for name, part in zip(names, parts, strict=True):
        array = part.array
        if part.kind == "lone" and not is_soft:
            raise _lone(part, f"class {name}")
        if part.kind == "ones" and not is_soft and values != "probabilities":
            array = array * np.uint8(255)
        box, array = _placed(part.box, array, part.own, at, f"class {name}")
        classes[name] = ProbabilityBox(box, array)
    return classes, at


def read_joint_file(
    path: Path,
    names: Mapping[int, str],
    *,
    grid: Grid | None = None,
    values: Values = "auto",
    strict: bool = True,
    left_out: dict[int, int] | None = None,
) -> tuple[Classes, Grid]:
    """The classes of a label map, or of a file with a channel for each class.

    Args:
        path: the file.
        names: label or channel to class; an empty name leaves it out. None given: each is called
            by its number, and channel 0 is background. As many channels as the largest label:
            there is no background channel, and channel n is label n + 1. Of channels with the
            same name the probabilities are added.
        grid: as in `read_prediction`; a ``.npz`` needs one.
        values: ``mask`` or ``probabilities`` with a single name: the file is that class.
        strict: refuse labels without a name; else they are left out.
        left_out: is filled with these labels and their voxels.
    """
    if path.name.lower().endswith(".npz"):
        if grid is None:
            raise GeometryError("a .npz does not say where it lies: it needs its scan")
        return _channels(channels_of_npz(path, grid.shape, grid.affine), names, None, grid, values)
    n = n_channels(path)
    if n > 1:
        return _channels(channels_of_nifti(path), names, n, grid, values)
    stored = _stored(path, "label map")
    wanted = [name for name in names.values() if name]
    if values in {"mask", "probabilities"} and len(wanted) == 1:
        part = _class(stored, values, f"class {wanted[0]}")
        at = grid or part.own
        box, array = _placed(part.box, part.array, part.own, at, f"class {wanted[0]}")
        return {wanted[0]: ProbabilityBox(box, array)}, at
    return _labels(stored, names, grid, None if strict else {} if left_out is None else left_out)


def _labels(
    stored: Sparse, names: Mapping[int, str], grid: Grid | None, left_out: dict[int, int] | None
) -> tuple[Classes, Grid]:
    labels = stored.array
    if labels.dtype.kind == "f":
        labels = labels.astype(np.int32)
        if not np.array_equal(labels, stored.array):
            raise PredictionError(
                "want whole numbers in a label map, found fractions; soft values need a file or a "
                "channel per class"
            )
    if labels.dtype.kind == "i" and labels.min(initial=0) < 0:
        raise PredictionError(f"want labels of 0 and more, found {int(labels.min())}")
    own = Grid(stored.shape, stored.affine)
    at = grid or own
    boxes = label_boxes(labels) if labels.size else {}
    unknown = sorted(set(boxes) - set(names)) if names else []
    if unknown and left_out is None:
        told = some(unknown)
        raise PredictionError(f"its label map holds values that `classes` does not name: {told}")
    if left_out is not None:
        left_out |= {n: int(np.count_nonzero(labels[boxes[n]] == n)) for n in unknown}
    joined: dict[str, list[int]] = {}
    for label in names or boxes:
        name = names[label] if names else str(label)
        if name and label:
            joined.setdefault(name, []).append(label)
    classes: Classes = {}
    for name, numbers in joined.items():
        there = [boxes[n] for n in numbers if n in boxes]
        if not there:
            classes[name] = _nothing()
            continue
        k, j, i = (
            slice(min(b[n].start for b in there), max(b[n].stop for b in there)) for n in range(3)
        )
        inside = labels[k, j, i] == numbers[0]
        for number in numbers[1:]:
            inside |= labels[k, j, i] == number
        moved = tuple(
            slice(side.start + outer.start, side.stop + outer.start)
            for side, outer in zip((k, j, i), stored.box, strict=True)
        )
        array = inside.view(np.uint8).T * np.uint8(255)
        box, array = _placed(moved[::-1], array, own, at, "label map")  # type: ignore[arg-type]
        classes[name] = ProbabilityBox(box, array)
    _placed(EMPTY_BOX, _nothing().array, own, at, "label map")  # checked even if it is empty
    return classes, at


def _channels(
    channels: Iterator[Sparse],
    names: Mapping[int, str],
    n: int | None,
    grid: Grid | None,
    values: Values,
) -> tuple[Classes, Grid]:
    """All channels are stored alike: one that has other values than 0 and 1, background too, says
    that 1 is 1/255 in the others."""
    shift = 1 if n and names and max(names) == n and 0 not in names else 0
    found: dict[str, list[tuple[int, _Part]]] = {}
    at = grid
    count = 0
    is_soft = False
    for count, stored in enumerate(channels, 1):
        label = count - 1 + shift
        name = names.get(label, "") if names else (str(label) if label else "")
        if name:
            part = _class(stored, values, f"class {name}")
            at = at or part.own
            found.setdefault(name, []).append((label, part))
            is_soft |= part.kind == "graded" or (part.kind == "hard" and part.array.size > 0)
        elif stored.array.dtype.kind in "ui":
            is_soft |= bool(stored.array.max(initial=0) > 1)
    if not found or at is None:
        raise PredictionError(f"none of its {count} channels is known; name their numbers (from 0)")
    classes: Classes = {}
    for name, parts in found.items():
        boxes = []
        for label, part in parts:
            array = part.array
            if part.kind == "lone" and not is_soft:
                raise _lone(part, f"class {name}")
            if part.kind == "ones" and not is_soft and values != "probabilities":
                array = array * np.uint8(255)
            boxes.append(
                ProbabilityBox(*_placed(part.box, array, part.own, at, f"channel {label}"))
            )
        classes[name] = boxes[0] if len(boxes) == 1 else _added(boxes)
    return classes, at


def _added(parts: Sequence[ProbabilityBox]) -> ProbabilityBox:
    """The sum of classes that exclude each other, at most 1."""
    there = [part for part in parts if part.array.size]
    if not there:
        return _nothing()
    i, j, k = (
        slice(min(p.box[n].start for p in there), max(p.box[n].stop for p in there))
        for n in range(3)
    )
    total = np.zeros((k.stop - k.start, j.stop - j.start, i.stop - i.start), np.uint8).T
    for part in there:
        own = tuple(
            slice(side.start - outer.start, side.stop - outer.start)
            for side, outer in zip(part.box, (i, j, k), strict=True)
        )
        room = np.uint8(255) - total[own]
        total[own] += np.minimum(part.array, room)
    return ProbabilityBox((i, j, k), total)


def _lone(part: _Part, role: str) -> PredictionError:
    value = int(part.array.max())
    return PredictionError(
        f"{role}: it holds {value} alone; is it a mask, or the probability {value / 255:.2f}? "
        "Write masks as 0 and 1"
    )


def _stored(path: Path, role: str) -> Sparse:
    """What a file holds, axes ``(K, J, I)``."""
    from voxcurate.readers import read_volume

    try:
        if path.name.lower().endswith((".nii", ".nii.gz")):
            return read_sparse(path)
        volume = read_volume(path, role=role, allow_nonfinite=True)
    except CurationError as error:
        text = str(error).removeprefix(f"{role}: ")
        raise VolumeReadError(f"{role}: {text}") from None
    except OSError as error:
        raise VolumeReadError(f"{role}: cannot read the file: {error.strerror}") from None
    return whole(np.ascontiguousarray(volume.array.T), volume.affine)


def _class(stored: Sparse, values: Values, role: str) -> _Part:
    """One class's values as bytes, cropped.

    Raises:
        PredictionError: they are no mask and no probabilities.
    """
    array = stored.array
    if values == "mask":
        array = (array != 0).view(np.uint8) * np.uint8(255)
    elif array.dtype.kind == "f":
        array = _of_floats(array, role)
    elif array.dtype != np.uint8:
        low, high = int(array.min(initial=0)), int(array.max(initial=0))
        if low < 0 or high > 255:
            raise PredictionError(_wrong(role, low, high))
        array = array.astype(np.uint8)
    seen = np.zeros(256, np.uint8)
    _kernels.labels_present(np.ascontiguousarray(array).reshape(-1), seen)
    there = (np.flatnonzero(seen[1:]) + 1).tolist()
    is_whole = stored.array.dtype.kind != "f" or values == "mask"
    kind: Literal["ones", "lone", "graded", "hard"] = "hard"
    if there == [1] and is_whole:
        kind = "ones"
    elif values == "auto" and is_whole and len(there) == 1 and there[0] < 255:
        kind = "lone"
    elif set(there) - {255}:
        kind = "graded"
    part = tight_box(array)
    box = tuple(
        slice(side.start + outer.start, side.stop + outer.start)
        for side, outer in zip(part.box, stored.box, strict=True)
    )
    own = Grid(stored.shape, stored.affine)
    if not part.array.size:
        return _Part(EMPTY_BOX, part.array, own, kind)
    return _Part(box[::-1], part.array.T, own, kind)  # type: ignore[arg-type]


def _of_floats(array: npt.NDArray[Any], role: str) -> npt.NDArray[np.uint8]:
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise PredictionError(f"{role}: it holds NaN or infinite values")
    if 1.001 < high <= 255 and low >= 0:
        found = array.astype(np.uint8)
        if np.array_equal(found, array):
            return found
    out = np.empty(array.shape, np.uint8)
    flat = np.ascontiguousarray(array, dtype=np.float32).reshape(-1)
    if not _kernels.quantise(flat, 1, out.reshape(-1)):
        raise PredictionError(_wrong(role, low, high))
    return out


def _wrong(role: str, low: float, high: float) -> str:
    return (
        f"{role}: want a mask of 0 and 1, or probabilities (from 0 to 1, or whole numbers up to "
        f"255), found {low:g} to {high:g}"
    )


def _placed(
    box: Box, array: npt.NDArray[np.uint8], own: Grid, grid: Grid, role: str
) -> tuple[Box, npt.NDArray[np.uint8]]:
    """A class of one grid on another: the same, or with axes turned.

    Raises:
        GeometryError: they differ in more than the order and direction of their axes.
    """
    if own is grid:
        return box, array
    have, wanted = orientation_of(own.affine), orientation_of(grid.affine)
    outline = Volume(np.broadcast_to(np.uint8(0), own.shape), own.affine)
    turned = reorient(outline, wanted)
    if turned.shape != grid.shape:
        raise GeometryError(f"{role}: want {grid.owner}'s shape {grid.shape}, found {turned.shape}")
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    corners[:, :3] *= np.array(grid.shape) - 1
    apart = np.abs(corners @ (turned.affine - grid.affine).T).max()
    spacing = np.linalg.norm(grid.affine[:3, :3], axis=0)
    if apart > max(AFFINE_TOLERANCE_MM, 0.1 * float(spacing.min())):
        raise GeometryError(f"{role}: it lies {apart:.3g} mm away from {grid.owner}")
    if have == wanted or not array.size:
        return box, array
    axes = [have.index(x) if x in have else have.index(OPPOSITE[x]) for x in wanted]
    array = array.transpose(axes)
    sides = [box[axis] for axis in axes]
    for new, old in enumerate(axes):
        if have[old] != wanted[new]:
            n = grid.shape[new]
            sides[new] = slice(n - sides[new].stop, n - sides[new].start)
            array = np.flip(array, new)
    return (sides[0], sides[1], sides[2]), array


def _nothing() -> ProbabilityBox:
    return ProbabilityBox(EMPTY_BOX, np.zeros((0, 0, 0), np.uint8))


def some(names: Sequence[Any]) -> str:
    """The first of some names, for a message."""
    shown = ", ".join(str(name) for name in names[:MANY])
    return shown + (f" and {len(names) - MANY} more" if len(names) > MANY else "")
