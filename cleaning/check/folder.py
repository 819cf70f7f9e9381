"""All scans below some paths, each with a verdict, each in a process that may fail alone."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cleaning.check.config import CheckConfig
from cleaning.check.reasons import Reason
from cleaning.check.rules import Check
from cleaning.check.series import NO_IMAGES
from cleaning.check.vision import ask, with_opinion
from voxcurate.dicom import looks_like_dicom
from voxcurate.dicom_survey import FileFacts
from voxcurate.errors import ConfigError
from voxcurate.protocols import ChatEngine, Executor, Outcome, Task
from voxcurate.readers import SUFFIXES

log = logging.getLogger(__name__)
SURVEY_CHUNK = 256  # DICOM files whose headers one task reads
MASK_FOLDERS = {"segmentations", "masks", "labels", "labelstr", "labelsts", "segmentation", "mask"}
MASK_NAME = re.compile(r"(^|[_.\-])(mask|seg|segs|segmentation|label|labels|labelmap)([_.\-]|\d|$)")
SCAN_NAME = "ct.nii.gz"
RAW_SUFFIXES = (".raw", ".img", ".zraw", ".hdr")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True)
class Item:
    """One scan to be checked.

    Attributes:
        number: 1, 2, ... in the order of their paths.
        root: the path as the user typed it.
        inside: where below it, empty for the path itself; it may name a patient.
        kind: ``volume`` (a NIfTI, NRRD or MetaImage file) or ``dicom``.
        files: one volume file, or the files of a series.
    """

    number: int
    root: str
    inside: str
    kind: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Checked:
    """An item with what was found."""

    item: Item
    check: Check
    seconds: float = 0.0
    peak_mb: float = 0.0


@dataclass
class Listing:
    """What lies below the paths, before any of it is opened."""

    volumes: list[tuple[str, str, Path]] = field(default_factory=list)
    dicom: list[tuple[str, str, Path]] = field(default_factory=list)
    masks: int = 0
    others: int = 0


def list_files(paths: Sequence[Path], *, with_masks: bool = False) -> Listing:
    """Sort what lies below some paths by name and first bytes.

    Of a folder that holds ``ct.nii.gz`` no other volume counts; files whose name or folder says
    mask, segmentation or label are passed over unless `with_masks`. A path that is a file counts
    whatever its name.

    Raises:
        ConfigError: a path does not exist.
    """
    found = Listing()
    for path in paths:
        if path.is_dir():
            _walk(path, found, with_masks)
        elif path.exists():
            kind = found.volumes if path.name.lower().endswith(SUFFIXES) else found.dicom
            kind.append((str(path), "", path))
        else:
            raise ConfigError(f"no such file or folder: {path}")
    return found


def check_paths(
    listing: Listing,
    executor: Executor,
    *,
    modality: str = "CT",
    config: CheckConfig | None = None,
    pictures: Path | None = None,
    engine: ChatEngine | None = None,
) -> Iterator[Checked | int]:
    """First the number of items, then each as it is done.

    Args:
        listing: from `list_files`.
        executor: runs each item; its time limit is the caller's choice.
        modality: the wanted one; empty for any.
        config: limits.
        pictures: folder for evidence pictures of what is suspect or rejected, named by number.
        engine: a vision model that is asked on each scan that can be shown.
    """
    config = config or CheckConfig()
    items = find_items(listing, executor, config)
    yield len(items)
    by_number = {str(item.number): item for item in items}
    tasks = [_task(item, modality, config, pictures, views=engine is not None) for item in items]
    for outcome in executor.run("cleaning.check.examine:examine", tasks):
        item = by_number[outcome.key]
        found = _told(outcome, config)
        if engine is not None and outcome.ok and outcome.value["views"]:
            (reply,) = ask(engine, [outcome.value["views"]])
            found = with_opinion(found, reply, may_reject=config.model_may_reject)
        yield Checked(item, found, outcome.seconds, outcome.peak_mb)


def find_items(listing: Listing, executor: Executor, config: CheckConfig) -> list[Item]:
    """Volume files, and DICOM files by series; a broken one goes with the series of its folder."""
    groups: list[Group] = [
        (root, inside, "volume", (path,)) for root, inside, path in sorted(listing.volumes)
    ]
    groups += _series(listing, executor, config)
    groups.sort(key=lambda group: (group[0], group[1], str(group[3][0])))
    return [Item(n, *group) for n, group in enumerate(groups, start=1)]


Group = tuple[str, str, str, tuple[Path, ...]]


def _series(listing: Listing, executor: Executor, config: CheckConfig) -> list[Group]:
    where = {path: (root, inside) for root, inside, path in listing.dicom}
    facts = _surveyed(sorted(where), executor, config)
    by_series: dict[tuple[str, str, bool], list[Path]] = {}
    broken: list[Path] = []
    for path in sorted(facts):
        f = facts[path]
        if f.error:
            broken.append(path)
        else:
            # reports and masks that took over their scan's series UID are not part of it
            is_scan = f.texts.get("modality", "") not in NO_IMAGES
            key = where[path][0], f.texts.get("series_uid", ""), is_scan
            by_series.setdefault(key, []).append(path)
    lone: dict[Path, list[Path]] = {}
    for path in broken:
        home = [
            key for key, files in by_series.items() if any(f.parent == path.parent for f in files)
        ]
        if home:
            by_series[max(home, key=lambda key: len(by_series[key]))].append(path)
        else:
            lone.setdefault(path.parent, []).append(path)
    grouped = [(root, files) for (root, _, _), files in by_series.items()]
    grouped += [(where[files[0]][0], files) for files in lone.values()]
    return [
        (root, str(Path(where[files[0]][1]).parent) if where[files[0]][1] else "", "dicom",
         tuple(sorted(files)))
        for root, files in grouped
    ]  # fmt: skip


def _surveyed(
    paths: Sequence[Path], executor: Executor, config: CheckConfig
) -> dict[Path, FileFacts]:
    """Headers of all files; a file that stops its process is one that cannot be read."""
    chunks = [paths[at : at + SURVEY_CHUNK] for at in range(0, len(paths), SURVEY_CHUNK)]
    found: dict[Path, FileFacts] = {}
    while chunks:
        tasks = [
            Task(str(n), {"files": [str(p) for p in chunk], "memory": config.memory_mb})
            for n, chunk in enumerate(chunks)
        ]
        again: list[Sequence[Path]] = []
        for outcome in executor.run("cleaning.check.examine:survey_files", tasks):
            chunk = chunks[int(outcome.key)]
            if outcome.ok:
                found.update({f.path: f for f in outcome.value})
            elif len(chunk) == 1:
                found[chunk[0]] = FileFacts(chunk[0], 0, _stopped(outcome, config))
            else:
                size = max(1, len(chunk) // 16)
                again += [chunk[at : at + size] for at in range(0, len(chunk), size)]
        chunks = again
    return found


def _task(
    item: Item, modality: str, config: CheckConfig, pictures: Path | None, *, views: bool
) -> Task:
    files = [str(path) for path in item.files]
    return Task(
        str(item.number),
        {
            **({"path": files[0]} if item.kind == "volume" else {"files": files}),
            "modality": modality,
            "config": config.model_dump(),
            "memory": config.memory_mb,
            "picture": str(pictures / f"{item.number:05d}.png") if pictures else "",
            "views": views,
        },
    )


def _told(outcome: Outcome, config: CheckConfig) -> Check:
    """The worker's check, or that there is none and why."""
    if outcome.ok:
        found = outcome.value["check"]
        reasons = tuple(Reason(**reason) for reason in found["reasons"])
        return Check(found["verdict"], reasons, found["evidence"])
    text = _stopped(outcome, config)
    return Check("reject", (Reason("unreadable", "reject", 0, 0, text),), {})


def _stopped(outcome: Outcome, config: CheckConfig) -> str:
    if outcome.error_kind == "ItemTimeoutError":
        return f"unreadable (time): more than {config.time_limit_s:g} s"
    if outcome.error_kind == "MemoryError":
        return f"unreadable (memory): more than {config.memory_mb} MB"
    if outcome.error_kind == "WorkerCrashError":
        return "unreadable (memory): its process was stopped"
    log.warning("unexpected error in a check", extra={"item": outcome.key, "why": outcome.error})
    return f"unreadable: {outcome.error}"


def _walk(root: Path, found: Listing, with_masks: bool) -> None:
    for folder, names in _folders(root):
        has_scan = SCAN_NAME in {name.lower() for name in names}
        is_masks = bool(MASK_FOLDERS & {part.lower() for part in folder.relative_to(root).parts})
        for name in names:
            path, low = folder / name, name.lower()
            inside = path.relative_to(root).as_posix()
            if low.endswith(SUFFIXES):
                stem = next(low.removesuffix(end) for end in SUFFIXES if low.endswith(end))
                is_mask = is_masks or bool(MASK_NAME.search(stem))
                if (is_mask or (has_scan and low != SCAN_NAME)) and not with_masks:
                    found.masks += 1
                else:
                    found.volumes.append((str(root), inside, path))
            elif _may_be_dicom(path, low):
                found.dicom.append((str(root), inside, path))
            else:
                found.others += 1


def _folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders with their files' names, sorted; links to folders are not followed."""
    import os

    for folder, folders, names in os.walk(root):
        folders.sort()
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield Path(folder), sorted(name for name in names if not name.startswith("."))


def _may_be_dicom(path: Path, name: str) -> bool:
    if name == "dicomdir" or name.endswith(RAW_SUFFIXES):
        return False
    return name.endswith(DICOM_SUFFIXES) or looks_like_dicom(path) is not None


def as_json(checked: Checked, *, with_paths: bool) -> Mapping[str, Any]:
    """What is printed of one item. Paths below what the user typed only if asked for."""
    item, found = checked.item, checked.check
    shown: dict[str, Any] = {"number": item.number, "path": item.root}
    if with_paths and item.inside:
        shown["inside"] = item.inside
    regions = {
        name.removeprefix("region_").removesuffix("_mm"): mm
        for name, mm in found.evidence.items()
        if name.startswith("region_") and mm > 0
    }
    return {
        **shown,
        "kind": item.kind,
        "files": len(item.files),
        "verdict": found.verdict,
        "reasons": [_reason(reason) for reason in found.reasons],
        "regions_mm": regions,
        "evidence": {name: float(f"{value:.6g}") for name, value in found.evidence.items()},
        "seconds": round(checked.seconds, 3),
    }


def _reason(reason: Reason) -> dict[str, Any]:
    shown = {**vars(reason), "measured": float(reason.measured), "limit": float(reason.limit)}
    if reason.planes is None:
        del shown["planes"]
    return shown
