"""A table of what is said of each case: yes or no by its report, and whose scan it is."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voxcurate.errors import ConfigError

CASE = ("case", "case_id", "id", "name", "bdmap_id", "bdmap id", "scan")
SAID = ("report", "tumor", "tumour", "lesion", "value", "answer", "said", "positive", "label")
PATIENT = ("patient", "patient_id", "patient id")
WORDS = {
    "yes": "yes", "y": "yes", "1": "yes", "1.0": "yes", "true": "yes", "positive": "yes",
    "no": "no", "n": "no", "0": "no", "0.0": "no", "false": "no", "negative": "no",
    "uncertain": "uncertain", "u": "uncertain", "unknown": "uncertain", "nan": "", "na": "", "": "",
}  # fmt: skip


@dataclass(frozen=True)
class CaseTable:
    """What a table says.

    Attributes:
        said: case to yes, no, uncertain, or nothing.
        patient: case to patient, where the table has that column.
    """

    said: Mapping[str, str]
    patient: Mapping[str, str]


def read_case_table(path: Path, class_id: str = "") -> CaseTable:
    """A CSV, TSV or semicolon table with a line per case.

    Columns are known by their names: the case; yes or no in a column called as the class, or
    ``report``, ``tumor``, ``lesion``, ``value`` and the like; the patient, if there is one. A case
    that is told twice is a yes if either says so.

    Raises:
        ConfigError: it cannot be read, lacks a column, or holds another word than yes, no,
            uncertain, 1, 0 and their like.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path.name}: want a CSV table of UTF-8 text") from None
    first = text.split("\n", 1)[0]
    rows = list(csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=first.count)))
    names = {str(n).strip().lower(): n for n in (rows[0] if rows else {}) if n}
    if not rows:
        raise ConfigError(f"{path.name}: want a line of headings and a line per case, found none")
    case = _column(names, CASE, path, "the case")
    patient = next((names[n] for n in PATIENT if n in names), None)
    value = _column(names, (class_id.lower(), *SAID), path, "yes or no")
    said: dict[str, str] = {}
    patients: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        name = (row[case] or "").strip()
        word = (row[value] or "").strip().lower()
        if not name:
            continue
        if word not in WORDS:
            raise ConfigError(f"{path.name}: row {number}: want yes, no or uncertain in {value!r}")
        ranked = ("", "no", "uncertain", "yes")
        said[name] = max(said.get(name, ""), WORDS[word], key=ranked.index)
        if patient is not None and (row[patient] or "").strip():
            patients[name] = row[patient].strip()
    return CaseTable(said, patients)


def _column(names: Mapping[str, str], wanted: tuple[str, ...], path: Path, what: str) -> str:
    for name in wanted:
        if name and name in names:
            return names[name]
    shown = ", ".join(n for n in wanted if n)
    raise ConfigError(
        f"{path.name}: no column with {what}: want one of {shown}; found {', '.join(names)}"
    )
