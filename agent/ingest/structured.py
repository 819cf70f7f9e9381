"""DICOM structured reports (SR) as plain text with headings.

The tree of containers becomes headings, texts, codes and measurements their lines. Who observed
what, and references to images, stay out of the text; their names and UIDs go to the scrubber.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxcurate.dicom import Series, identifiers, quiet_pydicom
from voxcurate.dicom_file import UNREADABLE, open_dicom
from voxcurate.errors import SourceError, VolumeReadError
from voxcurate.identifiers import Identifiers

if TYPE_CHECKING:
    from pydicom import Dataset

_SR = "1.2.840.10008.5.1.4.1.1.88."  # SOP classes of structured reports begin so
_KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"  # a list of images, no report
_EVIDENCE = (
    "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence",
)
_SAID_ELSEWHERE = ("121049", "121046")  # language and country of the text
_CONTEXT = ("HAS OBS CONTEXT", "HAS ACQ CONTEXT")
_MAX_DEPTH = 30
_BROKEN: tuple[type[Exception], ...] = (*UNREADABLE, VolumeReadError)


@dataclass(frozen=True)
class Structured:
    """A structured report; `keys`, `known` and `text` identify."""

    text: str
    keys: Mapping[str, str]
    facts: Mapping[str, str]
    known: Identifiers


def is_dicom(path: Path) -> bool:
    """Whether a file has DICOM's mark.

    Raises:
        SourceError: it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        raise SourceError("a report's file cannot be read") from None


def is_structured(path: Path) -> bool:
    """Whether a DICOM file is a structured report, by its header's class.

    Raises:
        SourceError: its header cannot be read.
    """
    try:
        with quiet_pydicom():
            header = open_dicom(path, specific_tags=["SOPClassUID"], stop_before_pixels=True)
            kind = str(header.get("SOPClassUID", ""))
    except _BROKEN:
        raise SourceError("a DICOM file cannot be read") from None
    return kind.startswith(_SR) and kind != _KEY_OBJECTS


def read_structured(path: Path) -> Structured | None:
    """A structured report; None if the DICOM file is none (an image, a key object selection).

    Raises:
        SourceError: it is broken.
    """
    if not is_structured(path):
        return None
    try:
        with quiet_pydicom():
            return _report(open_dicom(path))
    except _BROKEN:
        raise SourceError("a DICOM structured report cannot be read") from None


def _report(header: "Dataset") -> Structured:
    fields = {
        element.keyword: "\\".join(map(str, value)) if _is_list(value) else str(value)
        for element in header
        if element.VR != "SQ" and element.keyword and (value := element.value) is not None
    }
    series = Series(
        series_uid=fields.get("SeriesInstanceUID", ""),
        study_uid=fields.get("StudyInstanceUID", ""),
        modality="SR",
        files=(),
        fields=fields,
    )
    keys = {
        "report_id": fields.get("SOPInstanceUID", ""),
        "series_uid": "\\".join(_evidence(header)),
        "study_uid": series.study_uid,
        "accession": series.accession,
        "patient_id": series.patient_id,
        "date": fields.get("StudyDate") or fields.get("ContentDate", ""),
        "time": fields.get("ContentTime") or fields.get("StudyTime", ""),
    }
    age = series.age_years
    facts = {
        "sex": series.sex,
        "age": str(int(age)) if age is not None else "",
        "exam": fields.get("StudyDescription", ""),
    }
    names, ids = _observers(header)
    known = identifiers(series)
    return Structured(
        text="\n".join(_lines(header)).strip(),
        keys={name: value.strip() for name, value in keys.items() if value.strip()},
        facts={name: value for name, value in facts.items() if value},
        known=known.model_copy(
            update={
                "physicians": (*known.physicians, *names),
                "ids": tuple(dict.fromkeys((*known.ids, *ids, keys["report_id"]))),
            }
        ),
    )


def _is_list(value: object) -> bool:
    from pydicom.multival import MultiValue

    return isinstance(value, MultiValue)


def _evidence(header: "Dataset") -> list[str]:
    """The series that the report says it is about."""
    found: dict[str, None] = {}
    for keyword in _EVIDENCE:
        for study in header.get(keyword) or []:
            for series in study.get("ReferencedSeriesSequence") or []:
                found[str(series.get("SeriesInstanceUID", ""))] = None
    return [uid for uid in found if uid]


def _observers(header: "Dataset") -> tuple[list[str], list[str]]:
    """Names and UIDs anywhere in the tree that are no text of the report."""
    names, ids = [], []
    for item, _, _ in _walk(header):
        kind = item.get("ValueType")
        if kind == "PNAME":
            names.append(str(item.get("PersonName", "")))
        elif kind == "UIDREF":
            ids.append(str(item.get("UID", "")))
        elif item.get("RelationshipType") in _CONTEXT and "name" in _name(item).lower():
            names.append(str(item.get("TextValue", "")))
    return [n for n in names if n], [i for i in ids if i]


def _walk(
    item: "Dataset", heading: str = "", depth: int = 0
) -> "Iterator[tuple[Dataset, str, int]]":
    """Items of the tree in order, each with the heading above it."""
    yield item, heading, depth
    if depth < _MAX_DEPTH:
        own = _name(item) if item.get("ValueType") == "CONTAINER" and depth else heading
        for child in item.get("ContentSequence") or []:
            yield from _walk(child, own, depth + 1)


def _lines(header: "Dataset") -> Iterator[str]:
    waiting = ""  # a heading is written once something stands below it
    for item, heading, depth in _walk(header):
        if not depth or item.get("RelationshipType") in _CONTEXT:
            continue
        kind, name = str(item.get("ValueType")), _name(item)
        if kind == "CONTAINER":
            waiting = name or waiting
            continue
        value = "" if _code(item) in _SAID_ELSEWHERE else _value(item, kind)
        if value:
            if waiting:
                yield from ("", f"{waiting.upper()}:")
            waiting = ""
            same = not name or _stem(name) == _stem(heading)
            yield value if same else f"{name}: {value}"


def _code(item: "Dataset") -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].get("CodeValue", "")) if names else ""


def _value(item: "Dataset", kind: str) -> str:
    """What an item says in words; empty for references, names and coordinates."""
    if kind == "TEXT":
        return _unbroken(str(item.get("TextValue", "")))
    if kind == "CODE":
        return _meaning(item.get("ConceptCodeSequence"))
    if kind == "NUM":
        for measured in item.get("MeasuredValueSequence") or []:
            unit = measured.get("MeasurementUnitsCodeSequence") or []
            short = str(unit[0].get("CodeValue", "")) if unit else ""
            text = str(measured.get("NumericValue", ""))
            return text if short in ("", "1") or short.startswith("{") else f"{text} {short}"
    if kind in ("DATE", "DATETIME", "TIME"):
        return str(item.get(kind.title() if kind != "DATETIME" else "DateTime", ""))
    return ""


def _unbroken(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()


def _name(item: "Dataset") -> str:
    return _meaning(item.get("ConceptNameCodeSequence"))


def _meaning(codes: "list[Dataset] | None") -> str:
    return str(codes[0].get("CodeMeaning", "")).strip() if codes else ""


def _stem(name: str) -> str:
    return name.lower().rstrip("s")
