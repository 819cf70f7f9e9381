"""Reports in a folder that nobody described: tables by their columns, DICOM structured reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.ingest.report_columns import guess_columns
from agent.ingest.structured import is_dicom, is_structured
from agent.ingest.tables import are_headings, columns_of
from voxcurate.errors import SourceError
from voxcurate.layouts import is_volume
from voxcurate.sources import TABLES

_DICOM_SUFFIXES = (".dcm", ".ima", ".sr")


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
        guess = guess_columns(path, columns)
        if columns and are_headings(columns) and guess.has_text:
            found.append(guess.data)
            notes += [f"reports {len(found)}, {note}" for note in guess.notes]
    structured = _structured(root, files)
    if structured:
        pattern = "**/*.dcm" if structured.lower().endswith(".dcm") else "**"
        found.append({"path": pattern})
    return found, notes


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
