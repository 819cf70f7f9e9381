"""Tables beside the data, read as rows of text: CSV in any dialect, JSON lines, JSON, Parquet.

Rows come one by one, so that a table may be larger than the memory. A row that cannot be read is
handed on as a reason instead of a mapping; what follows it is read all the same. Numbers of rows
are those that a person would look for: a CSV's headings are row 1, as a spreadsheet shows them.
Of headings that are the same each gets a number, ``Name (1)``, ``Name (2)``: none hides another.
"""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from agent.ingest.tables_cells import mended
from agent.ingest.tables_json import json_lines, json_list
from agent.ingest.tables_parquet import parquet_rows
from voxcurate.errors import SourceError

Row = Mapping[str, str]
Numbered = tuple[int, Row | str]  # a row, or why there is none
DELIMITERS = ",;\t|"
_LOOK = 1000  # rows whose keys are the columns of a JSON table
_MAX_FIELD = 10_000_000  # characters of one cell
_WITHOUT_HEADINGS = (".jsonl", ".ndjson", ".json", ".parquet", ".pq")
_HEADING = re.compile(r"(?!(?:\D*\d){3})[^\W\d][^,;:^\n]{0,39}")  # no name with a comma, no number


class NoRowsError(SourceError):
    """A table without columns: an empty file, or one whose rows are no objects."""


def read_table(path: Path, role: str) -> list[Row]:
    """All rows of a small table; see `iter_table`.

    Raises:
        SourceError: missing, unreadable, or one of its rows is.
    """
    rows: list[Row] = []
    for number, row in iter_table(path, role):
        if isinstance(row, str):
            raise SourceError(f"the {role} table, row {number}: {row}")
        rows.append(row)
    return rows


def iter_table(
    path: Path, role: str, *, delimiter: str = "", encoding: str = ""
) -> Iterator[Numbered]:
    """The rows of a table with their numbers; missing cells are empty text.

    Args:
        path: by its suffix JSON lines, a JSON list, Parquet; anything else is CSV.
        role: what the table is, for errors: ``"patients"``, ``"reports"``.
        delimiter: of a CSV; empty: the one of comma, semicolon, tab and bar that its headings have.
        encoding: empty: UTF-8 (or UTF-16 by its mark); a cell that is no UTF-8 is Windows-1252.

    Raises:
        SourceError: the table is missing, or cannot be read at all.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".parquet", ".pq"):
            yield from parquet_rows(path, role)
            return
        with _open(path, encoding, role) as stream:
            if suffix in (".jsonl", ".ndjson"):
                yield from json_lines(stream)
            elif suffix == ".json":
                yield from json_list(stream, role)
            else:
                yield from _delimited(stream, role, delimiter)
    except OSError as error:
        raise SourceError(f"the {role} table cannot be read: {error.strerror}") from None
    except UnicodeError:
        raise SourceError(
            f"the {role} table is not in the encoding {encoding or 'of its mark'}; "
            "say `encoding:` (utf-8, cp1252, utf-16 ...)"
        ) from None


def columns_of(path: Path, role: str, *, delimiter: str = "", encoding: str = "") -> list[str]:
    """Names of the columns: of a CSV its headings, else the keys of the first readable rows.

    Raises:
        NoRowsError: there are none.
        SourceError: the table is missing, or cannot be read at all.
    """
    names: dict[str, None] = {}
    why = f"the {role} table is empty"
    for _, row in _first(iter_table(path, role, delimiter=delimiter, encoding=encoding), _LOOK):
        if isinstance(row, str):
            why = f"the {role} table has no readable row: {row}"
        else:
            names.update(dict.fromkeys(row))
    if not names and path.suffix.lower() not in _WITHOUT_HEADINGS:
        with _open(path, encoding, role) as stream:
            names = dict.fromkeys(_headings(stream, delimiter)[0])
    if not names:
        raise NoRowsError(why)
    return list(names)


def need_columns(there: Iterable[str], wanted: Sequence[str], role: str) -> None:
    """Check that a table has its columns.

    Raises:
        SourceError: one is missing; those that are there are listed, unless the first line looks
            like data, which may name a patient.
    """
    names = list(there)
    missing = [name for name in wanted if name not in names]
    if names and missing:
        shown = (
            f"there are: {', '.join(names)}"
            if are_headings(names)
            else "its first line does not look like headings"
        )
        raise SourceError(
            f"the {role} table has no column {', '.join(map(repr, missing))}; {shown}"
        )


def are_headings(names: Iterable[str]) -> bool:
    """Whether all of them look like names of columns, not like data."""
    return all(_HEADING.fullmatch(name) for name in names if name)


def numbered(names: Sequence[str]) -> list[str]:
    """Names of columns; those that stand there several times with their numbers, all of them."""
    times = Counter(names)
    seen: Counter[str] = Counter()
    shown = []
    for name in names:
        seen[name] += 1
        shown.append(f"{name} ({seen[name]})" if name and times[name] > 1 else name)
    return shown


def _first(rows: Iterator[Numbered], count: int) -> Iterator[Numbered]:
    for _, row in zip(range(count), rows, strict=False):
        yield row


def _open(path: Path, encoding: str, role: str) -> IO[str]:
    if encoding:
        return path.open(encoding=encoding, newline="")
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return path.open(encoding="utf-16", newline="")
    if b"\0" in start:
        raise SourceError(
            f"the {role} table is neither UTF-8 nor Windows-1252 text; say `encoding:` (utf-16 ...)"
        )
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _headings(stream: IO[str], delimiter: str) -> tuple[list[str], str]:
    start = stream.read(1 << 16)
    stream.seek(0)
    head = re.sub(r'"[^"]*"', "", start).split("\n", 1)[0]
    used = delimiter or max(DELIMITERS, key=head.count)
    row = next(csv.reader(stream, delimiter=used, strict=True), [])
    return numbered([mended(name).strip().lstrip("\ufeff") for name in row]), used


def _delimited(stream: IO[str], role: str, delimiter: str) -> Iterator[Numbered]:
    csv.field_size_limit(_MAX_FIELD)
    try:
        names, used = _headings(stream, delimiter)
    except UnicodeDecodeError:
        raise
    except (csv.Error, ValueError):
        raise SourceError(f"the {role} table's headings cannot be read") from None
    stream.seek(0)
    reader = csv.reader(stream, delimiter=used, strict=True)
    next(reader, None)
    number, is_lost = 1, False
    while True:
        number += 1
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            is_lost = True
            yield number, _why(error, first, reader.line_num)
            continue
        if is_lost and 0 < len(cells) < len(names):
            yield number, "too few cells after a row that cannot be read: perhaps a piece of it"
        elif cells:
            is_lost = False
            yield number, _row(names, cells)


def _why(error: csv.Error, first: int, last: int) -> str:
    """Why there is no row, and which lines went with it: good ones may be among them."""
    if "field limit" in str(error):
        what = f"a cell of more than {_MAX_FIELD // 1_000_000} million characters"
    else:
        what = "no readable CSV (a quote never closed?)"
    if last == first:
        return f"{what}, line {first}"
    return f"{what}, lines {first} to {last}: all {last - first + 1} lines are lost"


def _row(names: Sequence[str], cells: Sequence[str]) -> Row | str:
    extra = [cell for cell in cells[len(names) :] if cell.strip()]
    if extra:
        return f"{len(cells)} cells under {len(names)} headings (a delimiter without quotes?)"
    padded = [*cells, *[""] * (len(names) - len(cells))]
    try:
        return {n: mended(c).strip() for n, c in zip(names, padded, strict=False) if n}
    except ValueError as error:
        return str(error)
