"""What other tools write, as classes in the scan's geometry.

A file of one class (the name says which) is a mask or probabilities; a file without a class in its
name is a label map (3-D integers) or has a channel for each class (4-D NIfTI, channels last;
nnU-Net's ``.npz``, channels first). Probabilities are floats from 0 to 1, or uint8 times 255.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from training.predictors.spec import PredictorSpec, class_of
from voxcurate.classes import Vocabulary
from voxcurate.errors import CurationError, GeometryError, PredictionError
from voxcurate.geometry import reorient
from voxcurate.predictions import ProbabilityBox, probability_box
from voxcurate.volume import Volume

Values = Literal["auto", "mask", "labels", "probabilities"]
AFFINE_TOLERANCE_MM = 0.1
SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".npz")
MANY = 10  # names told in an error


def class_files(folder: Path, pattern: str) -> dict[str, Path]:
    """Their class name to the file, of the files that fit a pattern with ``{class}``."""
    before, _, after = pattern.partition("{class}")
    place = folder / before
    parent = place if before.endswith("/") or not before else place.parent
    start = "" if parent == place else place.name
    found = {}
    for path in sorted(parent.glob("*")):
        name = path.name
        if name.startswith(start) and name.endswith(after) and not name.startswith("."):
            found[name[len(start) : len(name) - len(after)]] = path
    return found


def read_class_files(
    files: Mapping[str, Path],
    spec: PredictorSpec,
    vocabulary: Vocabulary,
    scan: Volume,
    values: Values = "auto",
) -> Iterator[tuple[str, ProbabilityBox]]:
    """One class after the other; files of classes that nobody asked for are passed over.

    Raises:
        PredictionError: no file is of a class of ours, or one holds no prediction.
        GeometryError: a file does not lie on the scan's grid.
    """
    named = {theirs: class_of(spec, theirs, vocabulary) for theirs in files}
    if not any(named.values()):
        raise PredictionError(
            f"none of its classes is known; map them under `classes`: {_some(sorted(files))}"
        )
    for theirs, class_id in named.items():
        if class_id:
            array = _read(files[theirs], scan, class_id)
            yield class_id, probability_box(_soft(array, values, class_id))


def read_joint_file(
    path: Path,
    spec: PredictorSpec,
    vocabulary: Vocabulary,
    scan: Volume,
    values: Values = "auto",
) -> Iterator[tuple[str, ProbabilityBox]]:
    """The classes of a label map or of a file with a channel for each class.

    Raises:
        PredictionError: it holds values or channels that the spec does not name, or no numbers.
        GeometryError: it does not lie on the scan's grid.
    """
    if path.suffix == ".npz":
        yield from _channels(_npz(path, scan), spec, vocabulary)
        return
    if path.name.endswith((".nii", ".nii.gz")) and _n_channels(path) > 1:
        yield from _channels(_nifti_channels(path, scan), spec, vocabulary)
        return
    array = _read(path, scan, "label map")
    if values in {"mask", "probabilities"} and len(spec.classes) == 1:
        (class_id,) = spec.classes.values()
        yield class_id, probability_box(_soft(array, values, class_id))
        return
    yield from _labels(array, spec, vocabulary)


def _labels(
    array: npt.NDArray[Any], spec: PredictorSpec, vocabulary: Vocabulary
) -> Iterator[tuple[str, ProbabilityBox]]:
    if array.dtype.kind == "f":
        whole = np.rint(array)
        if not np.array_equal(whole, array):
            raise PredictionError("want whole numbers in a label map, found fractions")
        array = whole.astype(np.int32)
    found = {int(v) for v in _unique(array)} - {0}
    wanted = {int(key): class_of(spec, key, vocabulary) for key in spec.classes if _is_number(key)}
    unknown = sorted(found - wanted.keys())
    if unknown:
        raise PredictionError(
            f"its label map holds values that `classes` does not name: {_some(unknown)}"
        )
    joined: dict[str, list[int]] = {}
    for value, class_id in wanted.items():
        if class_id:
            joined.setdefault(class_id, []).append(value)
    for class_id, numbers in joined.items():
        mask = array == numbers[0]
        for number in numbers[1:]:
            mask |= array == number
        yield class_id, probability_box(mask.view(np.uint8) * np.uint8(255))


def _unique(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    low, high = int(array.min()), int(array.max())
    if low >= 0 and high < 1 << 16:
        return np.flatnonzero(np.bincount(array.ravel(order="K")))
    return np.unique(array)


def _channels(
    arrays: Sequence[npt.NDArray[Any]] | Iterator[npt.NDArray[Any]],
    spec: PredictorSpec,
    vocabulary: Vocabulary,
) -> Iterator[tuple[str, ProbabilityBox]]:
    is_known = False
    n = -1
    for n, array in enumerate(arrays):
        class_id = spec.classes.get(str(n), "")
        if class_id:
            is_known = True
            yield class_id, probability_box(_soft(array, "auto", class_id))
    if not is_known:
        raise PredictionError(
            f"none of its {n + 1} channels is known; map their numbers (from 0) under `classes`"
        )


def _soft(array: npt.NDArray[Any], values: Values, class_id: str) -> npt.NDArray[Any]:
    """One class as floats from 0 to 1, or as uint8 times 255."""
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise PredictionError(f"class {class_id}: it holds NaN or infinite values")
    if values == "mask":
        inside: npt.NDArray[np.uint8] = (array != 0).view(np.uint8) * np.uint8(255)
        return inside
    if array.dtype.kind == "f":
        if low < 0 or high > 1:
            raise PredictionError(f"class {class_id}: want 0 to 1, found {low:g} to {high:g}")
        return array
    if low >= 0 and high <= 1 and values == "auto":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint8:
        return array
    raise PredictionError(
        f"class {class_id}: want a mask of 0 and 1, or probabilities (float from 0 to 1, uint8 "
        f"times 255), found {array.dtype} from {low:g} to {high:g}"
    )


def _read(path: Path, scan: Volume, role: str) -> npt.NDArray[Any]:
    from voxcurate.readers import read_volume

    try:
        stored = read_volume(path, role=role, allow_nonfinite=True)
    except CurationError as error:
        raise PredictionError(str(error)) from None
    return _placed(stored, scan, role)


def _placed(stored: Volume, scan: Volume, role: str) -> npt.NDArray[Any]:
    """On the scan's grid; axes in another order or direction are turned back."""
    turned = reorient(stored, scan.orientation)
    if turned.shape != scan.shape:
        raise GeometryError(f"{role}: want the scan's shape {scan.shape}, found {turned.shape}")
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    corners[:, :3] *= np.array(scan.shape) - 1
    apart = np.abs(corners @ (turned.affine - scan.affine).T).max()
    if apart > max(AFFINE_TOLERANCE_MM, 0.1 * min(scan.spacing)):
        raise GeometryError(f"{role}: it lies {apart:.3g} mm away from the scan")
    return turned.array


def _n_channels(path: Path) -> int:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        shape = nibabel.load(path).shape
    except (OSError, ValueError, EOFError, ImageFileError):
        return 1  # the reader says what is wrong with it
    return int(np.prod(shape[3:])) if len(shape) > 3 else 1


def _nifti_channels(path: Path, scan: Volume) -> Iterator[npt.NDArray[Any]]:
    import nibabel

    image = nibabel.load(path)
    if len(image.shape) != 4:
        raise PredictionError(f"want channels along the fourth axis, found shape {image.shape}")
    for n in range(image.shape[3]):
        array = np.asanyarray(image.dataobj[..., n])
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        yield _placed(Volume(array, image.affine), scan, f"channel {n}")


def _npz(path: Path, scan: Volume) -> Iterator[npt.NDArray[Any]]:
    import zipfile

    try:
        with np.load(path) as stored:
            name = "probabilities" if "probabilities" in stored else "softmax"
            if name not in stored:
                raise PredictionError("want an array `probabilities` in the .npz")
            everything = stored[name]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        raise PredictionError("the .npz cannot be read") from None
    for n, array in enumerate(everything):
        turned = array.transpose(2, 1, 0)
        if turned.shape != scan.shape:
            raise GeometryError(
                f"channel {n}: want the scan's shape {scan.shape}, found {turned.shape}"
            )
        yield np.ascontiguousarray(turned, dtype=np.float32)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None


def _some(names: Sequence[Any]) -> str:
    shown = ", ".join(str(name) for name in names[:MANY])
    return shown + (f" and {len(names) - MANY} more" if len(names) > MANY else "")
