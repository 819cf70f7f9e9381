"""The cases of a DICOM tree: a series is a scan; its segmentations are linked by the header."""

import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agent.ingest.facts import from_header
from agent.ingest.identities import storable
from agent.ingest.records import Case, MaskInput, id_of
from voxcurate.classes import Vocabulary
from voxcurate.dicom import Series, find_series, identifiers, quiet_pydicom
from voxcurate.dicom_file import open_dicom
from voxcurate.errors import VolumeReadError
from voxcurate.ids import case_id
from voxcurate.layouts import our_class
from voxcurate.sources import SourceConfig

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = (".dcm", ".ima")


@dataclass
class _Others:
    """DICOM files that are no image: segmentations by the series they refer to, and broken ones."""

    segmentations: dict[str, list[tuple[str, dict[int, tuple[str, ...]]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    broken: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def dicom_cases(
    source: SourceConfig, root: Path, files: Sequence[str], vocabulary: Vocabulary, key: bytes
) -> list[Case]:
    """A case for each series of images (localizers left out), with its DICOM segmentations.

    Files that are called DICOM and cannot be read make one failing case per folder.
    """
    every = find_series(root)
    images = [s for s in every if "LOCALIZER" not in s.fields.get("ImageType", "").upper()]
    read = {os.path.relpath(path, root) for series in every for path in series.files}
    others = _others(source, root, files, read, vocabulary)
    cases = []
    for series in images:
        masks = [
            MaskInput(f"segmentation {n}", os.fspath(root / path), "", labels, True)
            for n, (path, labels) in enumerate(others.segmentations[series.series_uid], start=1)
        ]
        cases.append(replace(_dicom_case(source, root, series, key), masks=tuple(masks)))
    for folder, paths in others.broken.items():
        cases.append(
            Case(
                case_id=case_id(source.name, f"unreadable:{storable(folder)}", key),
                source=source,
                root=root,
                path=folder,
                fields={"folder": folder},
                files=tuple(os.fspath(root / path) for path in paths),
                modality="",
                error=f"{len(paths)} DICOM file(s) of a folder cannot be read",
            )
        )
    return cases


def _others(
    source: SourceConfig,
    root: Path,
    files: Sequence[str],
    read: Collection[str],
    vocabulary: Vocabulary,
) -> _Others:
    named = {name: ours for mask in source.masks for name, ours in mask.classes.items()}
    folders = {os.path.dirname(path) for path in read}  # noqa: PTH120
    found = _Others()
    with quiet_pydicom():
        for path in files:
            if path in read:
                continue
            is_dicom = _has_magic(root / path)
            folder = os.path.dirname(path)  # noqa: PTH120
            if not (is_dicom or path.lower().endswith(SUFFIXES)) and not (
                folder in folders and _without_suffix(path)
            ):
                continue
            try:
                header = _header(root / path)
            except ValueError:
                found.broken[folder].append(path)
                continue
            if header.get("Modality") == "SEG":
                labels = _segments(header, named, vocabulary)
                for series_uid in _referenced(header):
                    found.segmentations[series_uid].append((path, labels))
    return found


def _has_magic(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _without_suffix(path: str) -> bool:
    """Named as exports name their slices: no suffix, or a number (the end of a UID)."""
    name = PurePosixPath(path)
    is_number = name.suffix[1:].isdigit()
    return (not name.suffix or is_number) and name.name not in ("DICOMDIR", "LOCKFILE", "VERSION")


def _header(path: Path) -> "Dataset":
    """The header of a DICOM file that is no image.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        header = open_dicom(path, stop_before_pixels=True)
    except VolumeReadError:
        raise ValueError("no readable DICOM") from None
    if "SOPClassUID" not in header and "MediaStorageSOPClassUID" not in header.file_meta:
        raise ValueError("no readable DICOM")
    return header


def _referenced(header: "Dataset") -> list[str]:
    items = header.get("ReferencedSeriesSequence") or []
    return list(dict.fromkeys(str(item.get("SeriesInstanceUID", "")) for item in items))


def _segments(
    header: "Dataset", named: Mapping[str, str], vocabulary: Vocabulary
) -> dict[int, tuple[str, ...]]:
    """Our class of each segment, by its label, else by its coded meaning; unknown ones left out."""
    labels: dict[int, tuple[str, ...]] = {}
    for item in header.get("SegmentSequence") or []:
        codes = item.get("SegmentedPropertyTypeCodeSequence") or []
        names = [str(item.get("SegmentLabel", ""))]
        names += [str(code.get("CodeMeaning", "")) for code in codes]
        found = (named.get(name) or our_class(name, vocabulary) for name in names if name)
        class_id = next(filter(None, found), None)
        if class_id is not None:
            labels[int(item.SegmentNumber)] = (class_id,)
    return labels


def _dicom_case(source: SourceConfig, root: Path, series: Series, key: bytes) -> Case:
    folder = os.path.relpath(os.path.commonpath([path.parent for path in series.files]), root)
    fields = {
        "series_uid": series.series_uid,
        "study_uid": series.study_uid,
        "patient_id": series.patient_id,
        "accession": series.accession,
        "folder": folder,
    }
    return Case(
        case_id=id_of(source, series.series_uid, fields, key),
        source=source,
        root=root,
        path=folder,
        fields=fields,
        files=tuple(os.fspath(path) for path in series.files),
        modality=series.modality or source.modality,
        day=series.study_date,
        facts=from_header(series),
        known=identifiers(series),
        series_uid=series.series_uid,
    )
