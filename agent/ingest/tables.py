"""Tables beside the data: CSV, TSV or JSON lines, read as rows of text."""

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

from voxcurate.errors import SourceError

Row = Mapping[str, str]
_MAX_FIELD = 10_000_000  # characters of one report
_HEADING = re.compile(r"(?!(?:\D*\d){3})[^\W\d][^,;:^\n]{0,39}")  # no name with a comma, no number


def read_table(path: Path, role: str) -> list[Row]:
    """The rows of a table; missing cells are empty text.

    CSV may be separated by comma, semicolon or tab; UTF-8 with or without mark, else Latin-1.

    Args:
        path: ``.csv``, ``.tsv``, ``.txt`` or ``.jsonl``.
        role: what the table is, for errors: ``"patients"``, ``"reports"``.

    Raises:
        SourceError: missing, unreadable, or a line is no JSON object.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SourceError(f"the {role} table cannot be read: {error.strerror}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return _json_lines(text, role) if path.suffix == ".jsonl" else _delimited(text, role)


def need_columns(rows: list[Row], columns: list[str], role: str) -> None:
    """Check that a table has its columns.

    Raises:
        SourceError: one is missing; those that are there are listed, unless the first line looks
            like data, which may name a patient.
    """
    if rows:
        missing = [name for name in columns if name not in rows[0]]
        if missing:
            is_head = all(_HEADING.fullmatch(name) for name in rows[0] if name)
            there = (
                f"there are: {', '.join(rows[0])}"
                if is_head
                else "its first line does not look like headings"
            )
            raise SourceError(
                f"the {role} table has no column {', '.join(map(repr, missing))}; {there}"
            )


def _delimited(text: str, role: str) -> list[Row]:
    csv.field_size_limit(_MAX_FIELD)
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    try:
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return [
            {str(k).strip(): str(v or "").strip() for k, v in row.items() if k is not None}
            for row in table
        ]
    except csv.Error:
        raise SourceError(f"the {role} table is no readable CSV (a quote never closed?)") from None


def _json_lines(text: str, role: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except json.JSONDecodeError:
            data = None
        if not isinstance(data, dict):
            raise SourceError(f"the {role} table, line {number}: want a JSON object")
        rows.append({str(k): "" if v is None else str(v).strip() for k, v in data.items()})
    return rows
