"""Reports in a folder that nobody described: tables by their columns, DICOM structured reports."""

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from agent.ingest.report_columns import guess_columns
from agent.ingest.report_dates import order_of
from agent.ingest.structured import is_dicom, is_structured
from agent.ingest.tables import are_headings, columns_of, iter_table
from voxcurate.errors import SourceError
from voxcurate.layouts import is_volume
from voxcurate.sources import TABLES, TODO

_WORDS = (
    "all and chest csv ct data dataset english export exports findings index info json jsonl list "
    "metadata mr ndjson notes parquet pq psv radiology report reports scans studies study table "
    "tables test text texts train tsv val valid validation"
)
_PLAIN_WORDS = frozenset(_WORDS.split())  # of a file's name that names nobody
_ROWS = 2000  # of a table, to see how its dates are written


def find_reports(
    root: Path, files: Sequence[str], *, peek: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Entries of `reports` for what looks like some, and notes on what a person must decide.

    Args:
        root: the folder.
        files: its files, relative, sorted.
        peek: tables looked into.
    """
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    for path in [path for path in files if path.lower().endswith(TABLES)][:peek]:
        try:
            columns = columns_of(root / path, "reports")
        except SourceError:
            continue
        guess = guess_columns(_pattern_of(path, files), columns)
        if columns and are_headings(columns) and guess.has_text:
            date_column = guess.data.get("keys", {}).get("date", TODO)
            order = _day_first(root / path, date_column) if date_column != TODO else None
            found.append(guess.data | ({} if order is None else {"day_first": order}))
            notes += [f"reports {len(found)}, {note}" for note in guess.notes]
    structured = _structured(root, files)
    if structured:
        pattern = "**/*.dcm" if structured.lower().endswith(".dcm") else "**"
        found.append({"path": pattern})
    return found, notes


def _pattern_of(path: str, files: Sequence[str]) -> str:
    """A table's path as a description may show it: a name that may be a patient's is a wildcard.

    Where other tables would fit the wildcard too, the path stays as it is.
    """
    if set(re.findall(r"[a-z]+", path.lower())) <= _PLAIN_WORDS:
        return path
    suffix = PurePosixPath(path).suffix
    alike = [file for file in files if file.endswith(suffix)]
    return path if len(alike) > 1 else f"*{suffix}"


def _day_first(path: Path, column: str) -> bool | str | None:
    """How the dates of a column are written, as far as its first rows tell.

    Returns:
        whether the day stands before the month; `TODO` if they do not tell or tell both; None if
        no date may be read in two ways.
    """
    orders = {
        order
        for _, row in islice(iter_table(path, "reports"), _ROWS)
        if not isinstance(row, str) and (order := order_of(row.get(column, "")))
    }
    if not orders:
        return None
    told = orders - {"unclear"}
    return told == {"day"} if len(told) == 1 else TODO


def _structured(root: Path, files: Sequence[str]) -> str:
    """The first file that is a DICOM structured report; empty if there is none."""
    for path in files:
        if is_volume(path) or path.lower().endswith((*TABLES, ".yaml", ".txt", ".json")):
            continue
        try:
            if is_dicom(root / path) and is_structured(root / path):
                return path
        except SourceError:
            continue
    return ""
