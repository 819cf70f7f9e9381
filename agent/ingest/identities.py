"""The one private map: what a case id stands for. Only its owner can read it; nothing else holds
original paths, UIDs or names."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from agent.ingest.private import PrivateStore
from voxcurate.errors import WorkspaceError
from voxcurate.identifiers import Identifiers
from voxcurate.workspace import Workspace

FILE_NAME = "identities.sqlite"
_MANY = 10_000  # values in one statement
_TABLES = """
CREATE TABLE IF NOT EXISTS identity (
    case_id TEXT PRIMARY KEY, source TEXT NOT NULL, root TEXT NOT NULL, path TEXT NOT NULL,
    series_uid TEXT NOT NULL, patient TEXT NOT NULL, day TEXT NOT NULL, identifiers TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS source (root TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS anchor (patient TEXT PRIMARY KEY, day TEXT NOT NULL);
"""
_COLUMNS = ("case_id", "source", "root", "path", "series_uid", "patient", "day", "identifiers")


@dataclass(frozen=True)
class Identity:
    """Where a case came from and whom it shows. Never print, log or send one.

    Attributes:
        root: the source's folder; `path` is relative to it.
        patient: the patient's keyed hash.
        day: of the scan, ISO; empty if unknown.
        identifiers: all that headers, tables and names told.
    """

    case_id: str
    source: str
    root: str
    path: str
    series_uid: str = ""
    patient: str = ""
    day: str = ""
    identifiers: Identifiers = field(default_factory=Identifiers)


class Identities(PrivateStore):
    """The map of one workspace: ``private/identities.sqlite``, mode 600 in a folder of mode 700.

    A context manager; a change is on disk when its call returns.

    Args:
        workspace: whose map; the file is made if there is none.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, FILE_NAME, _TABLES, title="map of identities")

    def add(self, identities: Iterable[Identity]) -> None:
        """Add cases in one transaction; a known case is replaced."""
        marks = ", ".join("?" * len(_COLUMNS))
        rows = [
            (
                one.case_id,
                one.source,
                storable(one.root),
                storable(one.path),
                one.series_uid,
                one.patient,
                one.day,
                one.identifiers.model_dump_json(exclude_defaults=True),
            )
            for one in identities
        ]
        with self.connection:
            self.connection.executemany(f"REPLACE INTO identity VALUES ({marks})", rows)

    def lookup(self, case_id: str) -> Identity | None:
        """The case's origin; None if the id is unknown."""
        rows = self._select("WHERE case_id = ?", (case_id,))
        return next(rows, None)

    def all(self) -> Iterator[Identity]:
        """Every case in the order of ids, for leak scans."""
        return self._select("ORDER BY case_id", ())

    def known(self) -> dict[str, Identifiers]:
        """Identifiers by case id, for leak scans."""
        return {one.case_id: one.identifiers for one in self.all()}

    def describe(self, case_id: str) -> dict[str, Any]:
        """A case's origin as plain data, for its owner's eyes.

        Raises:
            WorkspaceError: no such case.
        """
        found = self.lookup(case_id)
        if found is None:
            raise WorkspaceError(f"no case {case_id!r} was ever ingested here")
        told = found.identifiers.model_dump(mode="json", exclude_defaults=True)
        return {
            "case_id": found.case_id,
            "source": found.source,
            "path": str(Path(found.root) / found.path),
            "series_uid": found.series_uid,
            "date": found.day,
            "identifiers": told,
        }

    def source_at(self, root: Path) -> str | None:
        """The name of the source that a folder was ingested as, without its own description."""
        row = self.connection.execute(
            "SELECT name FROM source WHERE root = ?", (storable(str(root)),)
        ).fetchone()
        return str(row[0]) if row else None

    def name_source(self, root: Path, name: str) -> None:
        """Remember which description belongs to a folder."""
        with self.connection:
            self.connection.execute(
                "REPLACE INTO source VALUES (?, ?)", (storable(str(root)), name)
            )

    def anchors(self, days: Iterable[tuple[str, date]]) -> dict[str, date]:
        """Each patient's day 0: the earliest day when the patient first came, never moved after.

        Args:
            days: (patient, day of a scan).
        """
        first: dict[str, date] = {}
        for patient, day in days:
            first[patient] = min(day, first.get(patient, day))
        self.add_anchors((patient, day.isoformat()) for patient, day in sorted(first.items()))
        return self.anchors_of(list(first))

    def add_anchors(self, days: Iterable[tuple[str, str]]) -> None:
        """Give each patient (once in `days`, ISO) a day 0, unless there is one."""
        with self.connection:
            self.connection.executemany("INSERT OR IGNORE INTO anchor VALUES (?, ?)", days)

    def anchors_of(self, patients: Sequence[str]) -> dict[str, date]:
        """Day 0 of each of these patients who has one."""
        found: dict[str, date] = {}
        for start in range(0, len(patients), _MANY):
            part = patients[start : start + _MANY]
            marks = ", ".join("?" * len(part))
            rows = self.connection.execute(
                f"SELECT patient, day FROM anchor WHERE patient IN ({marks})",
                tuple(part),
            )
            found.update({patient: date.fromisoformat(day) for patient, day in rows})
        return found

    def _select(self, where: str, values: tuple[str, ...]) -> Iterator[Identity]:
        names = ", ".join(_COLUMNS)
        for row in self.connection.execute(f"SELECT {names} FROM identity {where}", values):
            told: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
            told["identifiers"] = Identifiers.model_validate(json.loads(row[-1]))
            yield Identity(**told)


def storable(path: str) -> str:
    """A path as text, bytes that are no UTF-8 written as ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
