"""The description of a source: where its scans, masks and reports lie, and what its labels mean.

A path pattern is a relative glob with named fields: ``{case}/segmentations/{class}.nii.gz``. A
field matches one path component or a part of one, ``*`` the same without a name, ``**`` any number
of components. A scan's pattern gives it its fields; the patterns of masks and reports are filled
with the same fields, so that ``{case}`` links a mask to its scan.
In a DICOM source every series is a scan whose fields come from its header: ``{series_uid}``,
``{study_uid}``, ``{patient_id}``, ``{accession}`` and ``{folder}`` (the series' folder, relative).
"""

import codecs
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from voxcurate.config import Config, build, read_yaml, shipped
from voxcurate.errors import ConfigError, SourceError

TODO = "TODO"  # what a drafted description says where a person must decide
BACKGROUND = "background"  # a label value, or a mask file, that is of no interest
IGNORE = "ignore"  # a label value whose voxels are unknown for every class of the map
FILE_NAME = "dataset.yaml"

_FIELD = re.compile(r"\{([a-z_]+)\}")


class MaskSource(Config):
    """Masks of one pattern: one file per class (``{class}`` in the path) or one label map.

    A value may stand for several classes (``2: [liver, liver_tumor]``), several values for one
    class. Values named ``background`` are passed over, the voxels of ``ignore`` are unknown.
    """

    path: str
    labels: dict[int, str | tuple[str, ...]] = Field(
        default_factory=dict, description="label map: value -> class or classes"
    )
    classes: dict[str, str] = Field(
        default_factory=dict,
        description="file's {class} -> our class (background: pass over); others by alias",
    )

    @field_validator("path")
    @classmethod
    def _relative(cls, value: str) -> str:
        return check_relative(value)

    @property
    def is_map(self) -> bool:
        """One file holds several classes as integers."""
        return "{class}" not in self.path

    def classes_of(self, value: int) -> tuple[str, ...] | None:
        """The classes that a value of the map stands for; None if nothing is said about it."""
        named = self.labels.get(value)
        return (named,) if isinstance(named, str) else named


ReportKey = Literal[
    "report_id", "case", "series_uid", "study_uid", "accession", "patient_id", "date", "time"
]
LinkRule = Literal["series_uid", "accession", "study_uid", "case", "patient_date"]
LINK_RULES: tuple[LinkRule, ...] = ("series_uid", "accession", "study_uid", "case", "patient_date")
TABLES = (".csv", ".tsv", ".psv", ".jsonl", ".ndjson", ".json", ".parquet", ".pq")


class ReportSource(Config):
    """Reports: tables (CSV, TSV, JSONL, JSON, Parquet), or files of text or DICOM SR.

    A `path` with a table's suffix, or without fields and wildcards, is a table of many reports;
    any other names files of one report each, whose fields (``{accession}/{date}.txt``) stand for
    the columns. `keys` maps what identifies a row to the table's column. The first rule of `link`
    that finds scans decides; see ``docs/data.md``. `known` names columns whose values must be gone
    from the text.
    """

    path: str
    text: str | tuple[str, ...] = Field(
        "report", description="column, or columns joined under their names as headings"
    )
    keys: dict[ReportKey, str] = Field(default_factory=dict)
    facts: dict[Literal["age", "sex", "modality", "exam", "birth_date"], str] = Field(
        default_factory=dict, description="what else the row tells -> column"
    )
    known: dict[
        Literal["names", "physicians", "ids", "accessions", "dates", "institutions", "others"],
        str | tuple[str, ...],
    ] = Field(default_factory=dict, description="kind of identifier -> column or columns")
    date_format: str | tuple[str, ...] = Field((), description="strptime forms; empty: common ones")
    day_first: bool | None = Field(None, description="03/04/2020 is 3 April; None: not to be read")
    link: tuple[LinkRule, ...] = Field(LINK_RULES, description="rules in order; empty: no linking")
    window_days: int = Field(1, ge=0, description="patient_date: days between scan and report")
    scans_of: tuple[str, ...] = Field(
        (), description="sources whose scans may be meant; empty: its own, else every source's"
    )
    delimiter: str = Field("", max_length=1, description="of a CSV; empty: , ; tab or |")
    encoding: str = Field("", description="empty: UTF-8 or, cell by cell, Windows-1252")

    @field_validator("path")
    @classmethod
    def _relative(cls, value: str) -> str:
        return check_relative(value)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            codecs.lookup(value or "utf-8")
        except LookupError:
            raise ValueError("want an encoding that Python knows, as utf-8 or cp1252") from None
        return value

    @property
    def is_table(self) -> bool:
        """One file holds many reports."""
        if self.path.lower().endswith(TABLES):
            return not _FIELD.search(self.path)
        return not (_FIELD.search(self.path) or "*" in self.path)

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of the text."""
        return (self.text,) if isinstance(self.text, str) else self.text

    @property
    def date_formats(self) -> tuple[str, ...]:
        """The forms of a date."""
        return (self.date_format,) if isinstance(self.date_format, str) else self.date_format


class SourceConfig(Config):
    """A source, as ``dataset.yaml`` beside the data or ``configs/sources/<name>.yaml`` says it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    layout: Literal["files", "dicom"] = "files"
    scans: str = Field("", description="pattern of the scans; unused for DICOM")
    masks: tuple[MaskSource, ...] = ()
    reports: tuple[ReportSource, ...] = ()
    patient: str = Field(
        "{case}",
        description="what makes two scans one patient, from the fields; DICOM: {patient_id}",
    )
    patients: str = Field(
        "",
        description="CSV with columns case, patient, and optionally sex, age, phase, date, "
        "accession, study_uid, series_uid",
    )
    modality: str = "CT"
    complete: tuple[str, ...] = Field((), description="classes whose absence means: not there")
    ids: Literal["hashed", "public"] = "hashed"
    gold: bool = Field(False, description="labels drawn voxel by voxel by experts")
    hu_offset: float = 0.0
    licence: str = "unknown"

    @field_validator("scans", "patients")
    @classmethod
    def _relative(cls, value: str) -> str:
        return check_relative(value)

    @model_validator(mode="after")
    def _has_something(self) -> "SourceConfig":
        if self.layout == "files" and not self.scans and not self.reports:
            raise ValueError("want `scans`, or `layout: dicom`, or `reports`")
        return self


def check_relative(value: str) -> str:
    """The pattern, if it stays inside the source's folder.

    Raises:
        ValueError: it is absolute or climbs out.
    """
    if value.startswith("/") or ".." in value.split("/"):
        raise ValueError("want a relative pattern")
    return value


class Pattern:
    """A path pattern with named fields.

    Args:
        text: as in `SourceConfig`; a field that occurs twice must match the same text twice.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.fields: tuple[str, ...] = tuple(dict.fromkeys(_FIELD.findall(text)))
        self._regex = re.compile(_expression(text), re.DOTALL)

    def match(self, path: str) -> dict[str, str] | None:
        """The fields of a relative path; None if it does not fit."""
        found = self._regex.fullmatch(path)
        return found.groupdict() if found else None

    def fill(self, fields: Mapping[str, str]) -> "Pattern":
        """The pattern with known fields written in; unknown ones stay."""

        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            return _quote(fields[name]) if name in fields else match.group()

        return Pattern(_FIELD.sub(value, self.text))

    def select(self, paths: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
        """Those of the *sorted* paths that fit, with their fields; looks only where they can be."""
        prefix = _unquote(re.split(r"[*{]", self.text, maxsplit=1)[0])
        for index in range(bisect_left(paths, prefix), len(paths)):
            if not paths[index].startswith(prefix):
                return
            fields = self.match(paths[index])
            if fields is not None:
                yield paths[index], fields


# Wildcard characters of real file names are kept apart by private-use characters while filling.
_QUOTES = {"{": "\ue000", "}": "\ue001", "*": "\ue002"}


def _quote(text: str) -> str:
    return "".join(_QUOTES.get(char, char) for char in text)


def _unquote(text: str) -> str:
    for char, stand_in in _QUOTES.items():
        text = text.replace(stand_in, char)
    return text


def _expression(text: str) -> str:
    pieces: list[str] = []
    seen: set[str] = set()
    for token in re.split(r"(\{[a-z_]+\}|\*\*/|\*\*|\*)", text):
        field = _FIELD.fullmatch(token)
        if field and field.group(1) in seen:
            pieces.append(f"(?P={field.group(1)})")
        elif field:
            seen.add(field.group(1))
            pieces.append(f"(?P<{field.group(1)}>[^/]+)")
        elif token == "**/":
            pieces.append("(?:[^/]+/)*")
        elif token == "**":
            pieces.append(".*")
        elif token == "*":
            pieces.append("[^/]*")
        else:
            pieces.append(re.escape(_unquote(token)))
    return "".join(pieces)


def load_source(path: Path) -> SourceConfig:
    """A description from its file.

    Raises:
        SourceError: it is wrong, or a line of a draft still waits for a person.
    """
    try:
        data = read_yaml(path)
        waiting = unfinished(data)
        if waiting:
            raise SourceError(
                f"{path.name} still says {TODO} at: {', '.join(waiting)}; "
                "edit it, then run 'voxcurate ingest' again"
            )
        return build(SourceConfig, data)
    except ConfigError as error:
        raise SourceError(f"{path.name}: {error}") from None


def shipped_sources() -> list[str]:
    """Names of the descriptions in ``configs/sources``."""
    return sorted(path.stem for path in shipped("sources").glob("*.yaml"))


def unfinished(data: Any, where: str = "") -> list[str]:
    """Dotted places where a drafted description still says ``TODO``."""
    if isinstance(data, Mapping):
        parts = [unfinished(v, f"{where}.{k}" if where else str(k)) for k, v in data.items()]
        keys = [f"{where}.{k}" for k in data if k == TODO]
        return keys + [place for part in parts for place in part]
    if isinstance(data, (list, tuple)):
        return [place for i, v in enumerate(data) for place in unfinished(v, f"{where}[{i}]")]
    return [where] if data == TODO else []
