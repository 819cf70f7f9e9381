"""What predictions of scans alone become: a file per class, or one label map per case.

``made.json`` comes last in a case's folder (label maps: ``.made/<case>.json``): all of it is there.
It names the files from before the first is written: only these are ever replaced.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.output_folder import FILES, claim, read_case_file
from voxcurate.atomic import adopt_file, write_text
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError
from voxcurate.nifti import write_nifti
from voxcurate.predictions import Prediction, open_prediction
from voxcurate.volume import Volume

THRESHOLD = 128  # of 255
NAMES = "labels.json"  # class to its number in label maps
MADE, SOFT = "made.json", "prediction.vxp"
LOCK = ".lock"


@contextmanager
def claimed(place: Path, cases: Iterable[str]) -> Iterator[None]:
    """A model's cases are this call's alone until it ends; calls for other cases go on beside it.

    Each case is a byte of one lock file: thousands need no more open files than one, and a killed
    call lets go of its own.

    Raises:
        ConfigError: another call is at one of them, or nothing can be written there.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        stream = (place / LOCK).open("a")
    except OSError as error:
        raise ConfigError(f"--out: nothing can be written there: {error.strerror}") from None
    with stream:
        for case in cases:
            byte = int.from_bytes(hashlib.sha256(case.encode("utf-8", "replace")).digest()[:7])
            try:
                fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except (BlockingIOError, PermissionError):
                raise ConfigError(
                    f"another voxcurate predict is at {case} in this --out: wait until it has "
                    "ended, or want another --out"
                ) from None
        yield


def work_of(place: Path, case: str) -> Path:
    """A case's folder while it is being predicted."""
    return place / f".{case}.work"


def is_made(place: Path, case: str, mark: str) -> bool:
    """Whether a case was predicted from the same scan by the same model in the same form, and its
    files are still there."""
    for folder, name in (_folder_of(place, case), _map_of(place, case)):
        made = read_case_file(folder / name)
        if made and made.get("mark") == mark:
            return all((folder / file).is_file() for file in made.get(FILES, ()))
    return False


def check_room(place: Path, case: str, classes: Sequence[str], *, label_map: bool) -> None:
    """Whether a case's files would replace what this command did not write.

    Raises:
        ConfigError: a scan or a label of somebody is there.
    """
    folder, name = (_map_of if label_map else _folder_of)(place, case)
    own = {*_own(folder, name)}
    wanted = [f"{case}.nii.gz"] if label_map else [f"{class_id}.nii.gz" for class_id in classes]
    if any((folder / file).exists() for file in wanted if file not in own):
        raise ConfigError(
            "--out holds scans or masks that would be overwritten, made by something else: want "
            "another one"
        )


def is_own(path: Path) -> bool:
    """Whether a file is a prediction that this command wrote: it is no scan."""
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    places = ((path.parent, MADE), _map_of(path.parent, name))
    return any(path.name in _own(folder, made) for folder, made in places)


def number_classes(place: Path, classes: Sequence[str]) -> None:
    """Write what the values of label maps mean; a model has the same in every call.

    Raises:
        ConfigError: the model does not tell its classes, or the label maps that are there already
            have other values.
    """
    if not classes:
        raise ConfigError("--label-map wants a model that tells its classes")
    numbers = {class_id: n for n, class_id in enumerate(sorted(classes), start=1)}
    text = json.dumps({"labels": {"background": 0, **numbers}}, indent=1) + "\n"
    path = place / NAMES
    if path.exists() and path.read_bytes() != text.encode():
        raise ConfigError(
            f"--out has a {NAMES} of other classes, by which the label maps there are read: want "
            "another one"
        )
    write_text(path, text)


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

    Raises:
        ConfigError: a file of such a name is there that this command did not write.
    """
    prediction = open_prediction(temporary)
    classes = list(prediction.classes)
    licence = prediction.meta["licence"]
    names = [f"{case}.nii.gz"] if label_map else [f"{class_id}.nii.gz" for class_id in classes]
    folder, made = (_map_of if label_map else _folder_of)(place, case)
    for other, name in (_folder_of(place, case), _map_of(place, case)):
        _forget(other, name)
    claim(folder, made, names)
    if label_map:
        numbers = json.loads((place / NAMES).read_text())["labels"]
        painted = paint(prediction, numbers, vocabulary)
        write_nifti(place / names[0], Volume(painted, prediction.affine))
    else:
        for class_id, name in zip(classes, names, strict=True):
            values = prediction.full(class_id)
            if not soft:
                values = (values >= THRESHOLD).view(np.uint8)
            write_nifti(folder / name, Volume(values, prediction.affine))
        adopt_file(temporary, folder / SOFT)
    licence = prediction.meta["licence"]
    facts = {"mark": mark, "model": prediction.model_id, "licence": licence, FILES: names}
    write_text(folder / made, json.dumps(facts, indent=1) + "\n")
    shutil.rmtree(temporary.parent, ignore_errors=True)
    return classes


def _folder_of(place: Path, case: str) -> tuple[Path, str]:
    """Where a case's masks lie, and the file there that names them."""
    return place / case, MADE


def _map_of(place: Path, case: str) -> tuple[Path, str]:
    """The same of a label map."""
    return place, f".made/{case}.json"


def _own(folder: Path, made: str) -> list[str]:
    """The files that an earlier call wrote; of a version that did not list them, all masks."""
    found = read_case_file(folder / made)
    if found is None:
        return []
    if FILES in found or "mark" not in found:
        return [str(name) for name in found.get(FILES, ())]
    if made != MADE:
        return [f"{Path(made).stem}.nii.gz"]
    return sorted(path.name for path in folder.glob("*.nii.gz") if path.name != "ct.nii.gz")


def _forget(folder: Path, made: str) -> None:
    """Remove what an earlier call wrote of a case; what others put beside it stays."""
    own = _own(folder, made)
    if not (folder / made).is_file():
        return
    claim(folder, made, (), old=own)
    if made == MADE:
        (folder / SOFT).unlink(missing_ok=True)
    (folder / made).unlink()
    with suppress(OSError):  # not empty
        (folder / made).parent.rmdir()


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
