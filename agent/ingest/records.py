"""What ingest knows of a case while it still knows who it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from agent.ingest.identities import Identity
from voxcurate.identifiers import Identifiers
from voxcurate.ids import case_id, keyed
from voxcurate.sources import SourceConfig

MAX_PUBLIC = 48  # characters of a case's own name in a public id


@dataclass(frozen=True)
class MaskInput:
    """A mask's file: of one class, or a label map.

    Attributes:
        role: what messages call it: ``"mask liver"``, ``"label map"``.
        path: absolute.
        labels: for a label map: value -> classes; for a DICOM SEG: segment number -> classes.
    """

    role: str
    path: str
    class_id: str = ""
    labels: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    is_segmentation: bool = False

    @property
    def is_map(self) -> bool:
        """One file with the classes that `labels` names, and no others."""
        return bool(self.labels) and not self.is_segmentation

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that it can tell about."""
        if self.class_id:
            return (self.class_id,)
        return tuple(dict.fromkeys(c for named in self.labels.values() for c in named))


@dataclass(frozen=True)
class Case:
    """One scan of a source, linked. `fields` and `known` identify: keep them out of messages.

    Attributes:
        files: the scan's file, or the series' files in order; absolute.
        is_patient_told: a header or table tells the patient; else the name stands for one.
        error: why it cannot be ingested, known before it was opened.
    """

    case_id: str
    source: SourceConfig
    root: Path
    path: str
    fields: Mapping[str, str]
    files: tuple[str, ...]
    modality: str
    masks: tuple[MaskInput, ...] = ()
    patient: str = ""
    is_patient_told: bool = False
    day: date | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    known: Identifiers = field(default_factory=Identifiers)
    series_uid: str = ""
    error: str = ""

    @property
    def identity(self) -> Identity:
        """Its row of the private map."""
        day = self.day.isoformat() if self.day else ""
        return Identity(
            case_id=self.case_id,
            source=self.source.name,
            root=str(self.root),
            path=self.path,
            series_uid=self.series_uid,
            patient=self.patient,
            day=day,
            identifiers=self.known,
        )


def id_of(source: SourceConfig, identity: str, fields: Mapping[str, str], key: bytes) -> str:
    """A case id: keyed; or the case's public name, with a keyed tail where it had to change."""
    if source.ids == "hashed":
        return case_id(source.name, identity, key)
    own = "_".join(fields[n] for n in fields if n not in ("series_uid", "study_uid", "folder"))
    own = own or identity
    safe = re.sub(r"[^A-Za-z0-9-]+", "_", own).strip("_")[:MAX_PUBLIC]
    tail = "" if safe == own else "_" + keyed(f"public:{source.name}:{identity}", key, 6)
    return f"{source.name}_{safe}{tail}"
