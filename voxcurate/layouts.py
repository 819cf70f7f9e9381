"""Layouts that are recognised from the names of files alone, and a guess at any other.

What is recognised becomes the mapping of a `SourceConfig`; where a person must decide, it holds
``TODO``. Nothing here opens a file: the caller hands in names, a parsed ``dataset.json``, and which
files look like masks.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from voxcurate.classes import Vocabulary
from voxcurate.sources import BACKGROUND, IGNORE, TODO, Pattern

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
SCAN_NAMES = ("ct", "image", "img", "scan", "volume")
MAX_MASKS_SHOWN = 8
MANY_FILES = 3  # files of a folder per folder: more, and folders are kinds, not cases

_MASK_WORD = re.compile(
    r"(?:^|[^a-z])(?:seg(?:s|mentations?)?|masks?|labels?|gt|rois?|organs?|targets?|annotations?|"
    r"contours?|structures?|truth)(?:[^a-z]|tr|ts|$)|^labels?(?:tr|ts)$"
)


@dataclass(frozen=True)
class Layout:
    """A recognised layout.

    Attributes:
        kind: ``"nnunet"``, ``"msd"``, ``"cases"`` (a folder per case with ``segmentations``),
            ``"dicom"``, ``"scans"`` (nothing but scans) or ``"guess"``.
        data: a `SourceConfig` as a mapping, without its name; may hold ``TODO``.
        name: what the data call themselves; empty if they do not say.
    """

    kind: str
    data: Mapping[str, Any]
    name: str = ""


def is_volume(path: str) -> bool:
    """Whether a file is called like a scan or a mask (NIfTI, NRRD, MetaImage)."""
    return path.lower().endswith(SUFFIXES)


def stem(path: str) -> str:
    """A file's name without folder and volume suffix."""
    name = PurePosixPath(path).name
    suffix = next((s for s in SUFFIXES if name.lower().endswith(s)), PurePosixPath(name).suffix)
    return name[: len(name) - len(suffix)]


def named_like_mask(path: str) -> bool:
    """Whether the file's or its folder's name says that it is a mask."""
    parent = PurePosixPath(path).parent.name
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", f"{parent}/{stem(path)}")
    return any(_MASK_WORD.search(word.lower()) for word in words.split("/"))


def recognise(
    files: Sequence[str],
    vocabulary: Vocabulary,
    *,
    dataset_json: Mapping[str, Any] | None = None,
    masks: Collection[str] = (),
    has_dicom: bool = False,
) -> Layout | None:
    """The layout of a folder; None if there is neither a scan nor anything like one.

    Args:
        files: sorted relative paths.
        vocabulary: to find our classes behind other names.
        dataset_json: the folder's ``dataset.json``, if it has one.
        masks: files whose content or name looks like a mask.
        has_dicom: there are DICOM images.
    """
    volumes = [path for path in files if is_volume(path)]
    if dataset_json is not None:
        found = _challenge(volumes, dataset_json, vocabulary)
        if found is not None:
            return found
    found = _cases(volumes, vocabulary)
    if found is not None:
        return found
    if has_dicom:
        return Layout("dicom", {"layout": "dicom", "patient": "{patient_id}"})
    if volumes and not any(path in masks for path in volumes):
        return _bare(volumes)
    return _guess(volumes, masks) if volumes else None


def _challenge(
    volumes: Sequence[str], data: Mapping[str, Any], vocabulary: Vocabulary
) -> Layout | None:
    """nnU-Net raw data, or the Medical Segmentation Decathlon, whose ``dataset.json`` it shares."""
    channels = data.get("channel_names") or data.get("modality")
    images = [path for path in volumes if path.startswith(("imagesTr/", "imagesTs/"))]
    if not isinstance(channels, Mapping) or not isinstance(data.get("labels"), Mapping):
        return None
    if not images:
        return None
    ending = next(s for s in SUFFIXES if images[0].lower().endswith(s))
    is_nnunet = any(path.endswith(f"_0000{ending}") for path in images)
    scan = "images{part}/{case}" + ("_0000" if is_nnunet else "") + ending
    result: dict[str, Any] = {"scans": scan}
    if any(path.startswith(("labelsTr/", "labelsTs/")) for path in volumes):
        result["masks"] = [
            {
                "path": "labels{part}/{case}" + ending,
                "labels": _values(data["labels"], vocabulary),
            }
        ]
    result["modality"] = _modality(str(next(iter(channels.values()), "")))
    licence = data.get("licence") or data.get("license")
    if licence:
        result["licence"] = str(licence)
    return Layout("nnunet" if is_nnunet else "msd", result, str(data.get("name") or ""))


def _values(labels: Mapping[str, Any], vocabulary: Vocabulary) -> dict[int, Any]:
    """Value -> our class or classes, from either way in which ``dataset.json`` writes it."""
    named: dict[int, list[str]] = defaultdict(list)
    for key, value in labels.items():
        if str(key).lstrip("-").isdigit():  # {"1": "liver"}
            named[int(key)].append(str(value))
        else:  # {"liver": 1} or a region {"kidney": [1, 2]}
            for one in value if isinstance(value, (list, tuple)) else [value]:
                named[int(one)].append(str(key))
    result: dict[int, Any] = {}
    for value in sorted(named):
        classes = [our_class(name, vocabulary) or TODO for name in named[value]]
        if value == 0 and classes == [BACKGROUND]:
            continue
        result[value] = classes[0] if len(classes) == 1 else classes
    return result


def our_class(name: str, vocabulary: Vocabulary) -> str | None:
    """Our id for a label's name, ``background`` or ``ignore``; None if unknown."""
    if name.lower() in (BACKGROUND, IGNORE):
        return name.lower()
    return vocabulary.resolve(name)


def _modality(name: str) -> str:
    word = name.lower()
    if "ct" in re.split(r"[^a-z]+", word):
        return "CT"
    return "MR" if re.search(r"\bmri?\b|mri|t1|t2|flair|adc|dwi", word) else TODO


def _cases(volumes: Sequence[str], vocabulary: Vocabulary) -> Layout | None:
    """A folder per case with the scan and ``segmentations/<class>``: AbdomenAtlas and many more."""
    scans = [p for p in volumes if stem(p) == "ct" and "/" in p]
    masks = [p for p in volumes if PurePosixPath(p).parent.name == "segmentations"]
    if not scans or not masks:
        return None
    scan_end, mask_end = (sorted({_suffix(p) for p in paths}) for paths in (scans, masks))
    before_scan = {_before(p, 2) for p in scans}
    before_mask = {_before(p, 3) for p in masks}
    if len(scan_end) > 1 or len(mask_end) > 1:
        return None
    if len(before_scan) == 1 and len(before_mask) == 1:
        places = [before_scan.pop(), before_mask.pop()]
    elif before_mask <= before_scan and all(b.count("/") == 1 for b in before_scan):
        places = ["{part}/", "{part}/"]
    else:
        return None
    mask: dict[str, Any] = {"path": places[1] + "{case}/segmentations/{class}" + mask_end[0]}
    unknown = sorted({stem(p) for p in masks if our_class(stem(p), vocabulary) is None})
    if unknown:
        mask["classes"] = dict.fromkeys(unknown, TODO)
    return Layout("cases", {"scans": places[0] + "{case}/ct" + scan_end[0], "masks": [mask]})


def _before(path: str, levels: int) -> str:
    """What stands before the last `levels` components, with its slash; may be empty."""
    head = path.split("/")[:-levels]
    return "".join(f"{part}/" for part in head)


def _suffix(path: str) -> str:
    return next(s for s in SUFFIXES if path.lower().endswith(s))


def _bare(volumes: Sequence[str]) -> Layout:
    pattern = common_pattern(volumes)
    if pattern is None:
        return Layout("guess", {"scans": TODO})
    patient = "{folder}" if "{folder}" in pattern else "{case}"
    return Layout("scans", {"scans": pattern, "patient": patient, "modality": TODO})


def common_pattern(paths: Sequence[str]) -> str | None:
    """One pattern that fits all paths: ``{case}`` for what varies; None if they are too unlike.

    Either the file's name is the case (``images/{case}.nii.gz``) or, where all files have the same
    name, their folder is (``{case}/ct.nii.gz``). Another varying folder becomes ``{folder}``.
    """
    split = [path.split("/") for path in paths]
    if len({len(parts) for parts in split}) != 1 or len({_suffix(p) for p in paths}) != 1:
        return None
    columns = [{parts[i] for parts in split} for i in range(len(split[0]))]
    varying = [i for i, column in enumerate(columns[:-1]) if len(column) > 1]
    names = columns[-1]
    pattern = [next(iter(column)) for column in columns]
    ending = _suffix(paths[0])
    if len(names) == 1 and varying:
        pattern[varying.pop()] = "{case}"
    elif len(names) == 1 and len(split[0]) > 1:
        pattern[-2] = "{case}"  # a single case in its folder
    else:
        pattern[-1] = "{case}" + _common_tail(sorted(map(stem, names))) + ending
    if len(varying) > 1 or any("{" in column for column in pattern if column in names):
        return None
    for i in varying:
        pattern[i] = "{folder}"
    return "/".join(pattern)


def _common_tail(stems: Sequence[str]) -> str:
    """The words that all names end with (``_ct``), from a separator on; empty for one name."""
    if len(stems) < 2:
        return ""
    tail = stems[0]
    for other in stems[1:]:
        while not other.endswith(tail):
            tail = tail[1:]
    found = re.search(r"[_.-][A-Za-z].*$", tail)
    return found.group() if found and all(len(s) > len(found.group()) for s in stems) else ""


@dataclass
class _Group:
    """Files that share a pattern; `keys` are their cases."""

    pattern: str
    paths: list[str]
    keys: set[str] = field(default_factory=set)


def _guess(volumes: Sequence[str], masks: Collection[str]) -> Layout:
    """Patterns of what look like scans, and of the masks that share their cases."""
    groups = _groups(volumes)
    is_mask = {g.pattern: sum(p in masks for p in g.paths) * 2 > len(g.paths) for g in groups}
    scans = [g for g in groups if not is_mask[g.pattern]]
    if not scans:
        return Layout("guess", {"scans": TODO, "masks": [_todo_mask(g) for g in groups]})
    main = max(scans, key=lambda g: (len(g.paths), _scan_like(g.pattern), g.pattern))
    found = [g for g in groups if is_mask[g.pattern]]
    linked = _linked(main, found)
    if not linked:
        short = _without_prefix(main)
        linked = _linked(short, [_without_prefix(g) for g in found])
        main = short if linked else main
    data: dict[str, Any] = {"scans": main.pattern, "modality": TODO}
    if found:
        data["masks"] = [_todo_mask(g) for g in (linked or found)[:MAX_MASKS_SHOWN]]
        if not linked:
            for mask in data["masks"]:
                mask["path"] = TODO
    return Layout("guess", data)


def _linked(scans: _Group, masks: Sequence[_Group]) -> list[_Group]:
    return [g for g in masks if g.keys and len(g.keys & scans.keys) * 2 >= len(g.keys)]


def _todo_mask(group: _Group) -> dict[str, Any]:
    return {"path": group.pattern, "labels": TODO}


def _scan_like(pattern: str) -> bool:
    return any(word in SCAN_NAMES for word in re.split(r"[^a-z]+", pattern.lower()))


def _groups(volumes: Sequence[str]) -> list[_Group]:
    """By name where a name recurs in several folders (a folder per case), else by folder.

    ``images/`` beside ``labels/`` also share their names: folders called like that, and a few
    folders with many files each, are taken folder by folder.
    """
    by_name: dict[tuple[int, str], list[str]] = defaultdict(list)
    in_folder: dict[str, list[str]] = defaultdict(list)
    for path in volumes:
        by_name[path.count("/"), PurePosixPath(path).name].append(path)
        in_folder[str(PurePosixPath(path).parent)].append(path)
    flat = {
        folder
        for folder, paths in in_folder.items()
        if _names_a_kind(folder) or len(paths) > MANY_FILES * len(in_folder)
    }
    lots: list[list[str]] = []
    rest: dict[tuple[str, str], list[str]] = defaultdict(list)
    for paths in by_name.values():
        own = [path for path in paths if str(PurePosixPath(path).parent) not in flat]
        if len(own) > 1:
            lots.append(own)
        for path in paths if len(own) < 2 else [p for p in paths if p not in own]:
            rest[str(PurePosixPath(path).parent), _suffix(path)].append(path)
    lots += rest.values()
    return sorted(filter(None, map(_group, lots)), key=lambda g: g.pattern)


def _names_a_kind(folder: str) -> bool:
    """Whether a folder's name says what is in it (scans, or masks) rather than whose it is."""
    word = PurePosixPath(folder).name.lower()
    word = word.removesuffix("tr").removesuffix("ts").rstrip("s_-")
    return word in SCAN_NAMES or bool(_MASK_WORD.search(PurePosixPath(folder).name.lower()))


def _group(paths: list[str]) -> _Group | None:
    text = common_pattern(paths)
    if text is None:
        return None
    found = (Pattern(text).match(path) for path in paths)
    return _Group(text, sorted(paths), {f["case"] for f in found if f and "case" in f})


def _without_prefix(group: _Group) -> _Group:
    """The same files with the letters that all their cases begin with (``img``, ``label``) cut."""
    ordered = sorted(group.keys)
    same = next(
        (i for i, (a, b) in enumerate(zip(ordered[0], ordered[-1], strict=False)) if a != b), 0
    )
    found = re.match(r"[A-Za-z]+[_-]?", ordered[0][:same]) if len(ordered) > 1 else None
    if found is None:
        return group
    cut = found.group()
    keys = {key.removeprefix(cut) for key in group.keys}
    return _Group(group.pattern.replace("{case}", cut + "{case}"), group.paths, keys)
