"""Ready files of a model of the zoo: which of them are of which class, by its spec."""

import re
from collections.abc import Mapping
from pathlib import Path

from training.predictors.spec import PredictorSpec, class_of
from voxcurate.classes import Vocabulary
from voxcurate.errors import PredictionError
from voxcurate.predictions import ProbabilityBox
from voxcurate.ready_predictions import Grid, Values, read_class_files, read_joint_file, some
from voxcurate.volume import Volume


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


def of_class_files(
    files: Mapping[str, Path],
    spec: PredictorSpec,
    vocabulary: Vocabulary,
    scan: Volume,
    values: Values,
) -> dict[str, ProbabilityBox]:
    """Their files by class; those of classes that nobody asked for are passed over.

    Raises:
        PredictionError: no file is of a class of ours, two are of one, or one holds no prediction.
        GeometryError: a file does not lie on the scan's grid.
    """
    ours: dict[str, Path] = {}
    for theirs, path in files.items():
        class_id = class_of(spec, theirs, vocabulary)
        if class_id in ours:
            raise PredictionError(f"two files are of class {class_id}: map one of them to nothing")
        if class_id:
            ours[class_id] = path
    if not ours:
        raise PredictionError(
            f"none of its classes is known; map them under `classes`: {some(sorted(files))}"
        )
    return read_class_files(ours, grid=Grid.of(scan), values=values)[0]


def of_joint_file(
    path: Path, spec: PredictorSpec, vocabulary: Vocabulary, scan: Volume, values: Values
) -> dict[str, ProbabilityBox]:
    """The classes of a label map or of a file with a channel for each class.

    Raises:
        PredictionError: it holds values or channels that the spec does not name, or no numbers.
        GeometryError: it does not lie on the scan's grid.
    """
    numbers = [key for key in spec.classes if re.fullmatch(r"-?\d+", key)]
    names = {int(key): class_of(spec, key, vocabulary) for key in numbers}
    if values in {"mask", "probabilities"} and len(spec.classes) == 1:
        names = dict(enumerate(spec.classes.values(), 1))
    return read_joint_file(path, names, grid=Grid.of(scan), values=values)[0]
