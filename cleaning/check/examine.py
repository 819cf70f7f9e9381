"""One item (a file, or the files of a DICOM series) from bytes to verdict; made for a worker.

Whatever is wrong becomes a reason, never an exception: a scan that cannot be read is a finding.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cleaning.check.config import CheckConfig
from cleaning.check.nifti_file import nifti_rules
from cleaning.check.reasons import Reason, worst
from cleaning.check.rules import Check, check
from cleaning.check.series import series_rules
from voxcurate.dicom import read_series
from voxcurate.dicom_file import UNREADABLE
from voxcurate.dicom_survey import FileFacts, survey
from voxcurate.errors import CurationError
from voxcurate.nifti import read_nifti
from voxcurate.readers import NIFTI, read_volume
from voxcurate.volume import Volume

# what `read_series` says first, by the code that the headers' rules use
READER_CODES = {
    "missing slices": "missing_slices",
    "duplicate slices": "repeated_positions",
    "uneven slices": "uneven_slices",
    "the slices' positions": "crooked_stack",
    "the series mixes": "mixed_series",
    "want grey values": "secondary_capture",
    "a slice has no position": "no_position",
    "impossible spacing": "spacing",
    "too large": "too_large",
    "truncated": "truncated",
}
DAMAGED_FILES: tuple[type[Exception], ...] = (*UNREADABLE, CurationError)


def examine(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: the check of one item, as plain data.

    Args:
        payload: `path` (a volume file) or `files` (of one DICOM series); `modality`, `config`;
            `picture`, where to write one if it does not pass, or empty; `views`, whether a model
            is to see it; `memory`, limit in MB or 0.
    """
    config = CheckConfig(**payload["config"])
    with limited_memory(int(payload.get("memory", 0))):
        files = [Path(path) for path in payload.get("files", ())]
        path = Path(payload["path"]) if payload.get("path") else None
        found, volume = examine_item(path or files, payload["modality"], config)
        if volume is not None and payload.get("picture") and found.verdict != "pass":
            from cleaning.check.pictures import evidence_picture

            Path(payload["picture"]).write_bytes(evidence_picture(volume, found))
        views: list[bytes] = []
        if volume is not None and payload.get("views"):
            from cleaning.check.vision import views_of

            views = views_of(volume)
    return {"check": found.as_dict(), "views": views}


def survey_files(payload: Mapping[str, Any]) -> list[FileFacts]:
    """Worker: the headers of some DICOM files."""
    with limited_memory(int(payload.get("memory", 0))):
        return survey([Path(path) for path in payload["files"]])


def examine_item(
    item: Path | Sequence[Path], modality: str, config: CheckConfig
) -> tuple[Check, Volume | None]:
    """The check of a volume file, or of the files of one DICOM series; and the volume, if any.

    Args:
        item: a NIfTI, NRRD or MetaImage file; or the series' files.
        modality: the wanted one; empty: whatever the header says, CT where it says nothing.
        config: the limits.
    """
    evidence: dict[str, float] = {}
    if isinstance(item, Path) and _is_volume_file(item):
        reasons, volume = _file(item, config, evidence)
        kind = modality or "CT"
    else:
        files = survey([item] if isinstance(item, Path) else list(item))
        reasons, volume = _series(files, modality, config, evidence)
        told = next((f.texts["modality"] for f in files if "modality" in f.texts), "")
        kind = told or modality or "CT"
    if volume is None:
        return Check(worst(reasons), tuple(reasons), _plain(evidence)), None
    found = check(volume, kind, config)
    reasons = [*reasons, *(r for r in found.reasons if r.code not in {x.code for x in reasons})]
    return Check(worst(reasons), tuple(reasons), _plain({**evidence, **found.evidence})), volume


def _file(
    path: Path, config: CheckConfig, evidence: dict[str, float]
) -> tuple[list[Reason], Volume | None]:
    is_nifti = path.name.lower().endswith(NIFTI)
    reasons = list(nifti_rules(path, config, evidence)) if is_nifti else []
    limit = int(config.max_gib * 2**30)
    if any(r.code in ("unreadable", "too_large", "impossible_shape", "four_d") for r in reasons):
        return reasons, None
    try:
        if is_nifti:
            return reasons, read_nifti(path, allow_nonfinite=True, max_bytes=limit)
        return reasons, read_volume(path, role="scan", allow_nonfinite=True)
    except DAMAGED_FILES as error:
        return _unreadable(reasons, error), None


def _series(
    files: Sequence[FileFacts], modality: str, config: CheckConfig, evidence: dict[str, float]
) -> tuple[list[Reason], Volume | None]:
    reasons = list(series_rules(files, modality, config, evidence))
    hopeless = {"not_an_image", "secondary_capture", "too_large", "no_pixels"}
    if any(r.code in hopeless for r in reasons) or all(f.error for f in files):
        return reasons, None
    good = _one_of_each([f for f in files if not f.error])
    try:
        return reasons, read_series([f.path for f in good])
    except DAMAGED_FILES as error:
        return _unreadable(reasons, error), _loose(good)


def _one_of_each(files: Sequence[FileFacts]) -> list[FileFacts]:
    kept: dict[str, FileFacts] = {}
    for n, f in enumerate(files):
        kept.setdefault(f.texts.get("instance_uid") or str(n), f)
    return list(kept.values())


def _unreadable(reasons: list[Reason], error: Exception) -> list[Reason]:
    """The reader's complaint, unless it was said already and better."""
    known = {r.code for r in reasons if r.severity == "reject"}
    # messages of ours name no path and no value that identifies; others are not told
    text = str(error) if isinstance(error, CurationError) else f"damaged ({type(error).__name__})"
    text = text.removeprefix("scan: ")
    if isinstance(error, MemoryError):
        text = "more memory is wanted than one scan may take"
    code = next((code for start, code in READER_CODES.items() if text.startswith(start)), "")
    code = code or "unreadable"
    if known and code != "unreadable":
        return reasons
    return [*reasons, Reason(code, "reject", 0, 0, text)] if not known else reasons


def _loose(files: Sequence[FileFacts]) -> Volume | None:
    """The slices that fit together, evenly stacked, so that a picture and the rules on values have
    something to look at. Not for use as a scan."""
    from voxcurate.dicom_slices import loose_stack

    try:
        return loose_stack([f.path for f in files])
    except DAMAGED_FILES:
        return None


def _is_volume_file(path: Path) -> bool:
    from voxcurate.readers import SUFFIXES

    return path.name.lower().endswith(SUFFIXES)


def _plain(evidence: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in evidence.items() if np.isfinite(value)}


def joined(found: Check, more: Iterable[Reason]) -> Check:
    """The check with further reasons, and the verdict that they make."""
    reasons = (*found.reasons, *more)
    return replace(found, verdict=worst(reasons), reasons=reasons)


@contextmanager
def limited_memory(megabytes: int) -> Iterator[None]:
    """An address space of so many MB more than now, so that a blow-up is an error and no swap.

    0: no limit. Where the system has no such limit, none is set.
    """
    if not megabytes:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _address_space() + megabytes * 2**20
    try:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, before[1]))
    except (ValueError, OSError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _address_space() -> int:
    try:
        with Path("/proc/self/statm").open() as stream:
            import resource

            return int(stream.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 0
