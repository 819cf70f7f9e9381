"""What predictions of scans alone become: a file per class, or one label map per case.

``made.json`` comes last in a case's folder (label maps: ``.made/<case>.json``): all of it is there.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxcurate.atomic import adopt_file, write_text
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError
from voxcurate.nifti import write_nifti
from voxcurate.predictions import Prediction, open_prediction
from voxcurate.volume import Volume

THRESHOLD = 128  # of 255
NAMES = "labels.json"  # class to its number in label maps


def work_of(place: Path, case: str) -> Path:
    """A case's folder while it is being predicted."""
    return place / f".{case}.work"


def is_made(place: Path, case: str, mark: str) -> bool:
    """Whether a case was predicted from the same scan by the same model in the same form."""
    for path in (place / case / "made.json", place / ".made" / f"{case}.json"):
        try:
            if json.loads(path.read_text())["mark"] == mark:
                return True
        except (OSError, ValueError, KeyError):
            continue
    return False


def number_classes(place: Path, classes: Sequence[str]) -> None:
    """Write what the values of label maps mean; a model has the same in every call.

    Raises:
        ConfigError: the model does not tell its classes.
    """
    if not classes:
        raise ConfigError("--label-map wants a model that tells its classes")
    numbers = {class_id: n for n, class_id in enumerate(sorted(classes), start=1)}
    write_text(place / NAMES, json.dumps({"labels": {"background": 0, **numbers}}, indent=1) + "\n")


def finish(
    temporary: Path,
    place: Path,
    case: str,
    mark: str,
    vocabulary: Vocabulary,
    *,
    soft: bool = False,
    label_map: bool = False,
) -> list[str]:
    """Write a case's files and say which classes it has.

    Args:
        temporary: the prediction in the case's work folder, which goes.
        place: of the model's cases.
        mark: of scan, model and form.
        vocabulary: what lies inside what, for label maps.
        soft: probabilities times 255 instead of masks.
        label_map: one file instead of one per class.
    """
    prediction = open_prediction(temporary)
    classes = list(prediction.classes)
    licence = prediction.meta["licence"]
    facts = json.dumps({"mark": mark, "model": prediction.model_id, "licence": licence}, indent=1)
    shutil.rmtree(place / case, ignore_errors=True)
    (place / ".made" / f"{case}.json").unlink(missing_ok=True)
    if label_map:
        numbers = json.loads((place / NAMES).read_text())["labels"]
        painted = paint(prediction, numbers, vocabulary)
        write_nifti(place / f"{case}.nii.gz", Volume(painted, prediction.affine))
        write_text(place / ".made" / f"{case}.json", facts + "\n")
    else:
        for class_id in classes:
            values = prediction.full(class_id)
            if not soft:
                values = (values >= THRESHOLD).view(np.uint8)
            write_nifti(place / case / f"{class_id}.nii.gz", Volume(values, prediction.affine))
        adopt_file(temporary, place / case / "prediction.vxp")
        write_text(place / case / "made.json", facts + "\n")
    shutil.rmtree(temporary.parent, ignore_errors=True)
    return classes


def paint(
    prediction: Prediction, numbers: Mapping[str, int], vocabulary: Vocabulary
) -> npt.NDArray[np.uint8 | np.uint16]:
    """One label map: the most probable class of each voxel, a lesion before the organ around it.

    Args:
        prediction: classes may overlap.
        numbers: class to value.
        vocabulary: a class that lies inside another one is painted over it.
    """
    kind = np.uint8 if max(numbers.values()) < 256 else np.uint16
    painted: npt.NDArray[np.uint8 | np.uint16] = np.zeros(prediction.shape, kind)
    by_depth: dict[int, list[str]] = {}
    for class_id in prediction.classes:
        by_depth.setdefault(_depth(class_id, vocabulary), []).append(class_id)
    for depth in sorted(by_depth):
        best = np.full(prediction.shape, THRESHOLD - 1, np.uint8)
        for class_id in by_depth[depth]:
            values = prediction.full(class_id)
            more = values > best
            painted[more] = numbers[class_id]
            best[more] = values[more]
    return painted


def _depth(class_id: str, vocabulary: Vocabulary) -> int:
    """How many classes lie around it; a lesion lies in something, though nobody says in what."""
    if class_id not in vocabulary:
        return 0
    return len(vocabulary.containers(class_id)) or int(vocabulary[class_id].lesion)
