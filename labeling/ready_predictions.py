"""Predictions that some tool wrote as NIfTI: soft or hard, one file per class or all in one.

The arrays keep the files' order of axes ``(K, J, I)``, so that nothing is turned over in memory;
the equations do not care, and results are turned back as views.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.case_files import CaseFiles
from voxcurate.errors import GeometryError, VolumeReadError
from voxcurate.labelmaps import Sparse, read_sparse, same_affine
from voxcurate.masks import label_boxes
from voxcurate.nifti import read_nifti
from voxcurate.predictions import EMPTY_BOX, Prediction, ProbabilityBox
from voxcurate.volume import Affine

# axes reversed and back
TURN = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
Each = Callable[[Callable[[str], Any], list[str]], Iterable[Any]]


def read_prediction(files: CaseFiles, model_id: str, *, each: Each = map) -> Prediction:
    """One model's prediction of a case, axes ``(K, J, I)``.

    Values from 0 to 1 are probabilities, larger ones probabilities times 255; a label map, or a
    4-D file with one class after the other (one-hot or soft), gives a mask or a probability per
    label.

    Args:
        files: of the case.
        model_id: what the model is called.
        each: maps the reading over the classes; a thread pool's ``map`` reads them side by side.

    Raises:
        VolumeReadError: a file is broken, or holds no probabilities; names the class.
        GeometryError: the classes do not lie on one grid.
    """
    if files.label_map is not None:
        return _of_map(files.label_map, files.names, model_id)

    def read(name: str) -> Sparse:
        try:
            return read_sparse(files.masks[name])
        except VolumeReadError as error:
            raise VolumeReadError(f"class {name}: {error}") from None

    names = list(files.masks)
    classes: dict[str, ProbabilityBox] = {}
    first: Sparse | None = None
    for name, part in zip(names, each(read, names), strict=True):
        first = first or part
        if part.shape != first.shape or not same_affine(part.affine, first.affine):
            raise GeometryError(f"class {name} lies on another grid than {names[0]}")
        classes[name] = ProbabilityBox(part.box, quantised(part.array, name))
    if first is None:
        raise VolumeReadError("no class")
    return _prediction(classes, first.shape, first.affine, model_id)


def quantised(values: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    """Probabilities as bytes, whatever they were stored as.

    Raises:
        VolumeReadError: they go below 0, or above 255.
    """
    low, high = (float(values.min(initial=0)), float(values.max(initial=0)))
    if low < -1e-3 or high > 255 or not np.isfinite([low, high]).all():
        raise VolumeReadError(f"class {name}: want 0 to 1 or 0 to 255, found {low:g} to {high:g}")
    if values.dtype == np.uint8:
        return values if high > 1 else values * np.uint8(255)
    scale = 255.0 if high <= 1.001 else 1.0
    return np.rint(np.clip(values * scale, 0, 255)).astype(np.uint8)


def _of_map(path: Path, names: Mapping[int, str], model_id: str) -> Prediction:
    n_axes = _axes(path)
    if n_axes == 4:
        return _of_channels(path, names, model_id)
    volume = read_nifti(path)
    array = volume.array.T
    labels = array if array.dtype.kind in "bu" else array.astype(np.int32)
    if not np.array_equal(labels, array):
        raise VolumeReadError(
            "want whole numbers in a label map; soft values need a file per class"
        )
    classes = {}
    for label, box in label_boxes(labels).items():
        if not names or label in names:
            inside = (labels[box] == label).view(np.uint8) * np.uint8(255)
            classes[names.get(label, str(label))] = ProbabilityBox(box, inside)
    for name in names.values():
        classes.setdefault(name, ProbabilityBox(EMPTY_BOX, np.zeros((0, 0, 0), np.uint8)))
    return _prediction(classes, volume.shape, volume.affine, model_id)


def _of_channels(path: Path, names: Mapping[int, str], model_id: str) -> Prediction:
    """Channel `n` is label `n`; channel 0 is background."""
    import nibabel

    image: Any = nibabel.load(path)
    values = np.asarray(image.dataobj).T  # (C, K, J, I)
    classes = {}
    for label in range(1, len(values)):
        if names and label not in names:
            continue
        name = names.get(label, str(label))
        at = np.argwhere(values[label])
        k, j, i = (
            (slice(int(a), int(b) + 1) for a, b in zip(at.min(0), at.max(0), strict=True))
            if len(at)
            else EMPTY_BOX
        )
        inside = quantised(np.ascontiguousarray(values[label][k, j, i]), name)
        classes[name] = ProbabilityBox((k, j, i), inside)
    n_k, n_j, n_i = values.shape[1:]
    return _prediction(classes, (n_i, n_j, n_k), image.affine, model_id)


def _axes(path: Path) -> int:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image: Any = nibabel.load(path)
        return len(image.shape)
    except (ImageFileError, OSError, EOFError):
        raise VolumeReadError("not a NIfTI file, or a damaged one") from None


def _prediction(
    classes: Mapping[str, ProbabilityBox],
    shape: tuple[int, int, int],
    affine: Affine,
    model_id: str,
) -> Prediction:
    turned = np.asarray(affine) @ TURN
    return Prediction(classes, shape[::-1], turned, model_id, out_of_fold=False)
