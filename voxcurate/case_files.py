"""What lies in a folder of labels or predictions: cases, and the files of their classes.

Recognised by names alone: a folder per case with one file per class (AbdomenAtlas
``<case>/segmentations``, Label Critic and Touchstone ``<case>/predictions``, soft predictions,
TotalSegmentator's ``<case>/<class>``), one file per case with all classes (nnU-Net, MSD; in the
case's folder under any name, if the labels' names are given), one @@
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError, SourceError
from voxcurate.layouts import SCAN_NAMES, stem

Kind = Literal["auto", "masks", "maps"]
SUFFIXES = (".nii.gz", ".nii")
INNER = ("segmentations", "predictions", "soft_pred", "labels", "masks")
MAPS = ("combined_labels", "labels", "segmentation", "seg", "label", "prediction")
NAME_FILES = ("dataset.json", "labels.json")
SOFT = "prediction.vxp"
_CARET = (0, 30)  # NIfTI's codes of the extension; TotalSegmentator writes 0
_LABEL = re.compile(r'<Label Key="(\d+)"[^>]*>\s*<!\[CDATA\[([^\]]*)\]\]>')
ONE_CASE = "case"  # what a single pair of files or folders is called


@dataclass(frozen=True)
class CaseFiles:
    """One case: a file per class, or one file with all of them.

    Attributes:
        case: its name.
        masks: class to its file; empty if there is a `label_map`.
        label_map: the file with all classes.
        names: label in the map to class; empty: the labels are called by their number.
        soft: our own file with the probabilities of all classes, which then counts instead.
    """

    case: str
    masks: Mapping[str, Path] = field(default_factory=dict)
    label_map: Path | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    soft: Path | None = None

    def state(self) -> list[Any]:
        """What a result made from these files depends on: names, sizes, times, as ``make`` does."""
        paths = {"": self.label_map} if self.label_map else dict(self.masks)
        paths |= {"soft": self.soft} if self.soft else {}
        stats = {name: path.stat() for name, path in sorted(paths.items())}
        return [
            sorted(self.names.items()),
            {name: [s.st_size, s.st_mtime_ns] for name, s in stats.items()},
        ]


def find_cases(
    root: Path,
    vocabulary: Vocabulary,
    *,
    names: Mapping[int, str] | None = None,
    kind: Kind = "auto",
) -> dict[str, CaseFiles]:
    """The cases below a folder, by name; a single file or folder of masks is one case.

    Args:
        root: folder or file.
        vocabulary: for the classes' other names.
        names: label to class, for label maps; not given: ``dataset.json`` or ``labels.json`` in
            the folder or the one above, else the file's own label table.
        kind: what files directly in the folder are; ``auto``: masks of one case if most of them
            are called like classes, else one label map per case.

    Raises:
        SourceError: nothing there.
        ConfigError: the file of names is wrong.
    """
    if root.is_file():
        named = _named(root.parent, names, vocabulary)
        own = named or _table_names(root, vocabulary)
        return {ONE_CASE: CaseFiles(ONE_CASE, label_map=root, names=own)}
    if not root.is_dir():
        raise SourceError("want a file or a folder of label maps or masks: there is none")
    named = _named(root, names, vocabulary)
    files = _volumes(root)
    inner = [root / name for name in INNER if _volumes(root / name)]
    if inner and not any(_is_case(folder) for folder in _folders(root) if folder not in inner):
        return {ONE_CASE: CaseFiles(ONE_CASE, _masks(inner[0], vocabulary))}
    if files:
        known = sum(vocabulary.resolve(stem(path.name)) is not None for path in files)
        if kind == "masks" or (kind == "auto" and 2 * known > len(files)):
            return {ONE_CASE: CaseFiles(ONE_CASE, _masks(root, vocabulary))}
        return {
            stem(path.name): CaseFiles(
                stem(path.name), label_map=path, names=named or _table_names(path, vocabulary)
            )
            for path in files
        }
    found = {}
    for folder in _folders(root):
        case = _case(folder, named, vocabulary)
        if case is not None:
            found[case.case] = case
    if not found:
        raise SourceError(
            f"found no label map (*.nii.gz), no <case>/<class>.nii.gz and no "
            f"<case>/{{{','.join(INNER)}}}/<class>.nii.gz"
        )
    return found


def read_names(path: Path, vocabulary: Vocabulary) -> dict[int, str]:
    """Label to class from a JSON or YAML file: ``{"liver": 1}`` or ``{1: "liver"}``, alone or under
    ``labels``, as ``dataset.json`` has it. Background is left out.

    Raises:
        ConfigError: it cannot be read, or two classes share a label.
    """
    try:
        data: Any = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError):
        raise ConfigError(f"{path.name}: want JSON or YAML with the labels' names") from None
    labels = data.get("labels", data) if isinstance(data, Mapping) else None
    if not isinstance(labels, Mapping):
        raise ConfigError(f"{path.name}: want a mapping of labels and names")
    result: dict[int, str] = {}
    for key, value in labels.items():
        number, name = (key, value) if str(key).lstrip("-").isdigit() else (value, key)
        if isinstance(number, (list, tuple)):
            raise ConfigError(f"{path.name}: {name}: regions of several labels are not supported")
        if not str(number).lstrip("-").isdigit():
            raise ConfigError(f"{path.name}: want a number and a name, found {key!r}: {value!r}")
        if int(number) == 0:
            continue
        if int(number) in result:
            raise ConfigError(f"{path.name}: label {number} has two names")
        result[int(number)] = vocabulary.resolve(str(name)) or str(name)
    return result


def _named(folder: Path, names: Mapping[int, str] | None, vocabulary: Vocabulary) -> dict[int, str]:
    if names is not None:
        return {n: vocabulary.resolve(name) or name for n, name in names.items()}
    for place in (folder, folder.parent):
        for name in NAME_FILES:
            if (place / name).is_file():
                try:
                    data = json.loads((place / name).read_text())
                except (OSError, ValueError):
                    raise ConfigError(f"{name}: want JSON") from None
                if isinstance(data, Mapping) and (name != "dataset.json" or "labels" in data):
                    return read_names(place / name, vocabulary)
    return {}


def _table_names(path: Path, vocabulary: Vocabulary) -> dict[int, str]:
    """Names of the label table that some tools (TotalSegmentator, Connectome Workbench) write into
    a NIfTI file's header; none if there is no such table."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        extensions: Any = nibabel.load(path).header.extensions
        parts = [e.get_content() for e in extensions if e.get_code() in _CARET]
        text = b"".join(part for part in parts if isinstance(part, bytes))
    except (OSError, ValueError, EOFError, ImageFileError, AttributeError, TypeError):
        return {}  # whoever reads it says what is wrong
    found = {}
    for key, name in _LABEL.findall(text.decode("utf-8", errors="replace")):
        if int(key) and name.strip():
            found[int(key)] = vocabulary.resolve(name) or name.strip()
    return found


def _case(folder: Path, names: Mapping[int, str], vocabulary: Vocabulary) -> CaseFiles | None:
    for place in [*(folder / name for name in INNER), folder]:
        masks = _masks(place, vocabulary)
        named = _named(folder, None, vocabulary) or names
        lone = [path for path in masks.values() if stem(path.name).lower() in MAPS]
        others = {c: path for c, path in masks.items() if path not in lone}
        if len(others) == 1 and named and not any(vocabulary.resolve(c) for c in others):
            lone, others = [*lone, *others.values()], {}  # not called like a class: it has several
        if others:
            return CaseFiles(folder.name, others, soft=_soft(place, others))
        if lone:
            own = named or _table_names(lone[0], vocabulary)
            return CaseFiles(folder.name, label_map=lone[0], names=own)
    return None


def _soft(folder: Path, masks: Mapping[str, Path]) -> Path | None:
    """What ``voxcurate predict --out`` wrote beside the masks, unless one was changed since."""
    path, made = folder / SOFT, folder / "made.json"
    if not path.is_file() or not made.is_file():
        return None
    written = made.stat().st_mtime_ns
    return path if all(p.stat().st_mtime_ns <= written for p in masks.values()) else None


def _masks(folder: Path, vocabulary: Vocabulary) -> dict[str, Path]:
    """Class to file; the first of two that mean the same class."""
    result: dict[str, Path] = {}
    for path in _volumes(folder):
        name = stem(path.name)
        result.setdefault(vocabulary.resolve(name) or name, path)
    return result


def _is_case(folder: Path) -> bool:
    return bool(_volumes(folder)) or any(_volumes(folder / name) for name in INNER)


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _volumes(folder: Path) -> list[Path]:
    """NIfTI files of a folder that are no scans."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(SUFFIXES)
        and not path.name.startswith(".")
        and stem(path.name).lower() not in SCAN_NAMES
    )
