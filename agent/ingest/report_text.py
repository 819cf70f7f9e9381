"""The text of a report, as tables and files hold it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.ingest.tables_cells import mended
from voxcurate.errors import SourceError

_NO_VALUE = frozenset({"nan", "none", "null", "n/a", "na", "<na>"})


def is_no_value(cell: str) -> bool:
    """Whether a cell says that there is nothing: what exports write for a missing value."""
    return cell.strip().lower() in _NO_VALUE


def joined_text(row: Mapping[str, str], columns: Sequence[str]) -> str:
    """A report's text: one column as it is, several under their names as headings."""
    if len(columns) == 1:
        return clean_text(row.get(columns[0], ""))
    pieces = []
    for column in columns:
        text = clean_text(row.get(column, ""))
        heading = _heading(column)
        if text and re.match(rf"{re.escape(heading)}\s*:", text, re.IGNORECASE):
            pieces.append(text)
        elif text:
            pieces.append(f"{heading}:\n{text}")
    return "\n\n".join(pieces)


def clean_text(text: str) -> str:
    """The text with plain line ends; those that an export wrote as ``\\n`` or HL7's ``\\.br\\``."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("_x000D_", "")
    text = text.replace("\\.br\\", "\n").replace("\x0b", "\n").replace("\x0c", "\n")
    if "\n" not in text and "\\n" in text:
        text = text.replace("\\r\\n", "\n").replace("\\n", "\n")
    text = text.strip()
    return "" if is_no_value(text) else text


def _heading(column: str) -> str:
    """``"ClinicalHistory"``, ``"clinical_history"``, ``"Clinical history_EN"``: all the same."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"_EN$", "", column))
    return re.sub(r"[\s_]+", " ", words).strip().upper()


def read_text(path: Path) -> str:
    """The text of a file: UTF-8, UTF-16 by its mark, else Windows-1252.

    Raises:
        SourceError: it cannot be read, or is no text.
    """
    try:
        raw = path.read_bytes()
    except OSError:
        raise SourceError("a report's file cannot be read") from None
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding, errors = "utf-16", "strict"
    else:
        encoding, errors = "utf-8-sig", "surrogateescape"
    try:
        text = raw.decode(encoding, errors)
        if "\0" in text:
            raise ValueError("a report's file is no text")
        return clean_text(mended(text))
    except ValueError as error:
        raise SourceError(
            str(error) if "file" in str(error) else f"a report's file: {error}"
        ) from None
