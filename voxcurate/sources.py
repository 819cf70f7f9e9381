"""The description of a source: where its scans, masks and reports lie, and what its labels mean.

A path pattern is a relative glob with named fields: ``{case}/segmentations/{class}.nii.gz``. A
field
matches one path component or a part of one. A scan's pattern gives it its fields; the patterns of
masks and
reports are filled with the same fields, so that ``{case}`` links a mask to its scan.
In a DICOM source every series is a scan whose fields come from its header: ``{series_uid}``,
``{study_uid}``, ``{patient_id}``, ``{accession}`` and ``{folder}`` (the series' folder, relative).
"""

from typing import Literal

from pydantic import Field, field_validator

from voxcurate.config import Config


class MaskSource(Config):
    """Masks of one pattern: one file per class (``{class}`` in the path) or one label map."""

    path: str
    labels: dict[int, str] = Field(default_factory=dict, description="label map: value -> class")
    classes: dict[str, str] = Field(
        default_factory=dict, description="file's {class} -> our class; others by vocabulary alias"
    )


class ReportSource(Config):
    """Reports: one CSV/TSV/JSONL table, or one text file per scan when `path` has fields.

    `keys` maps what links a row to its scan to the table's column: any of ``case``, ``series_uid``,
    ``study_uid``, ``accession``, ``patient_id``, ``date``.
    """

    path: str
    text: str = "report"
    keys: dict[str, str] = Field(default_factory=dict)


class SourceConfig(Config):
    """A source, as ``dataset.yaml`` beside the data or ``configs/sources/<name>.yaml`` says it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    layout: Literal["files", "dicom"] = "files"
    scans: str = Field("", description="pattern of the scans; unused for DICOM")
    masks: tuple[MaskSource, ...] = ()
    reports: tuple[ReportSource, ...] = ()
    patient: str = Field("{case}", description="what makes two scans one patient, from the fields")
    patients: str = Field(
        "", description="CSV with columns case, patient, and optionally sex, age, phase, date"
    )
    modality: str = "CT"
    complete: tuple[str, ...] = Field((), description="classes whose absence means: not there")
    ids: Literal["hashed", "public"] = "hashed"
    gold: bool = Field(False, description="labels drawn voxel by voxel by experts")
    hu_offset: float = 0.0
    licence: str = "unknown"

    @field_validator("scans")
    @classmethod
    def _relative(cls, value: str) -> str:
        if value.startswith("/") or ".." in value.split("/"):
            raise ValueError("want a relative pattern")
        return value
