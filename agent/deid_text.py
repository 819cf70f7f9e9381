"""Texts to scrub out of any file, each with what its row or a table beside it tells of people."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.ingest.report_columns import Told, guess_columns, id_column
from agent.ingest.report_rows import merged
from agent.ingest.report_text import joined_text
from agent.ingest.tables import columns_of, iter_table, need_columns
from agent.reading.files import STDIN, TABLES, Columns, open_source, sound
from voxcurate.errors import ConfigError, SourceError
from voxcurate.identifiers import Identifiers
from voxcurate.ids import keyed
from voxcurate.scrub import NOTHING_KNOWN, Scrubbed, Scrubber, parse_date
from voxcurate.sources import ReportSource

ONE_FOR_ALL = ""  # key of what is known of every text


@dataclass(frozen=True)
class Note:
    """A text to scrub, or why there is none (`error`).

    Attributes:
        key: names it for its owner; `place` says where it stands without naming anybody.
        patient: the patient's id, whose dates move together; empty if nothing tells it.
    """

    key: str
    text: str = ""
    error: str = ""
    place: str = ""
    known: Identifiers = NOTHING_KNOWN
    patient: str = ""


@dataclass(frozen=True)
class Notes:
    """Where texts come from: how many (0: unknown) and each of them."""

    total: int
    notes: Callable[[], Iterator[Note]]


def open_notes(file: str, text_columns: list[str], id_name: str) -> Notes:
    """The texts of a file, folder or ``-``; a table's rows tell what is known of each.

    Columns such as ``patient_name``, ``mrn``, ``dob``, ``referring_physician`` are identifiers of
    their row's text, as in ``voxcurate ingest``.

    Raises:
        SourceError: see `agent.reading.files.open_source`.
    """
    path = Path(file)
    is_table = path.suffix.lower() in TABLES or bool(text_columns or id_name)
    if file == STDIN or path.is_dir() or not (path.is_file() and is_table):
        source = open_source(file, text_columns, id_name)
        return Notes(
            source.total,
            lambda: (Note(g.key, g.text, g.error, g.place) for g in source.reports()),
        )
    names = columns_of(path, "texts")
    if not names:
        raise SourceError("the table of texts holds no row")
    columns = Columns.of(names, text_columns, id_name)
    total = sum(1 for _ in iter_table(path, "texts"))
    return Notes(total, lambda: _rows(path, names, columns))


def _rows(path: Path, names: list[str], columns: Columns) -> Iterator[Note]:
    people = _People(names, tuple(columns.texts))
    for number, row in iter_table(path, "texts"):
        place = f"row {number}"
        if isinstance(row, str):
            yield Note(place, error=row, place=place)
            continue
        key = sound(row.get(columns.key, "").strip()) or place
        text = sound(joined_text(row, columns.texts))
        yield Note(key, text, place=place, known=people(row), patient=people.patient(row))


class _People:
    """What the rows of a table tell about people."""

    def __init__(self, names: list[str], texts: tuple[str, ...]) -> None:
        keys = guess_columns("", names).data.get("keys", {})
        told = {kind: name for kind, name in keys.items() if name in names and name not in texts}
        self._patient = told.get("patient_id", "")
        self._told = Told(ReportSource(path="table", text=texts or "report", keys=told), names)

    def __call__(self, row: Mapping[str, str]) -> Identifiers:
        """Its identifiers; a date that can be read two ways is looked for both ways."""
        self._told.notice(row)
        cells = [row.get(name, "") for name in self._told.date_columns]
        return self._told(row, [day for cell in cells for day in _readings(cell)])

    def patient(self, row: Mapping[str, str]) -> str:
        """The patient's id; empty if no column tells it."""
        return row.get(self._patient, "").strip()


def _readings(cell: str) -> list[date]:
    found = (parse_date(cell, day_first=first) for first in (False, True))
    return list(dict.fromkeys(day for day in found if day))


def read_known(path: Path) -> dict[str, Identifiers]:
    """What is known, by the id of the text; `ONE_FOR_ALL` stands for every text.

    A ``.json`` file that is one object holds the fields of `Identifiers` and counts for every text.
    Anything else is a table with a column of ids (of reports, files or exams) and columns of
    identifiers.

    Raises:
        SourceError: it cannot be read, or has no column of ids.
        ConfigError: the object has other fields.
    """
    if path.suffix.lower() == ".json" and (one := _object(path)) is not None:
        try:
            return {ONE_FOR_ALL: Identifiers.model_validate(one)}
        except ValidationError as error:
            fields = sorted({".".join(map(str, item["loc"])) for item in error.errors()})
            wanted = ", ".join(Identifiers.model_fields)
            raise ConfigError(
                f"--known: want lists called {wanted}; not so: {', '.join(fields)}"
            ) from None
    names = columns_of(path, "known identifiers")
    key = id_column(names)
    need_columns(names, [key] if key else ["report_id"], "known identifiers")
    people = _People(names, ())
    known: dict[str, Identifiers] = {}
    for _, row in iter_table(path, "known identifiers"):
        if not isinstance(row, str) and (name := row.get(key, "").strip()):
            known[name] = merged(known.get(name, NOTHING_KNOWN), people(row))
    return known


def _object(path: Path) -> Any:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SourceError(f"--known cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise SourceError("--known is not JSON") from None
    return found if isinstance(found, dict) else None


def scrub_note(
    scrubber: Scrubber, note: Note, known: Mapping[str, Identifiers], key: bytes
) -> Scrubbed:
    """A text scrubbed by what its row, the table of known ones and patterns tell.

    The dates of a patient move by as many days as those of the DICOM files that the same key
    de-identifies. A text without a patient's id is a patient of its own.
    """
    told = note.known
    for name in (ONE_FOR_ALL, note.key):
        if name in known:
            told = merged(told, known[name])
    who = f"patient::{note.patient}" if note.patient else f"text:{note.key}"
    return scrubber.scrub(note.text, told, patient=keyed(who, key) if key else "")


def shown(note: Note, scrubbed: Scrubbed) -> dict[str, Any]:
    """One text as JSON: scrubbed text, and where the source text held what; never a value.

    Counts are of `spans`; a span that is not `sure` is one to review.
    """
    spans = [
        {"kind": hit.kind, "start": hit.start, "end": hit.end, "sure": hit.sure}
        for hit in scrubbed.replacements
    ]
    return {"place": note.place, "text": scrubbed.text, "spans": spans}
