"""Reports on standard input: the text of one, or a table as JSON lines."""

import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

from agent.ingest.report_text import clean_text
from agent.ingest.tables_cells import mended
from agent.ingest.tables_json import as_row
from agent.reading_files import Columns, sound
from retrieval.alone import Given
from voxcurate.errors import SourceError

_LOOK = 1000  # rows whose keys are the columns
_JSON = re.compile(r"\s*(\[\s*)?\{\s*[\"}]")
_WANTED = "want a JSON object"


def from_stdin(
    text_columns: Sequence[str], id_column: str
) -> tuple[int, Callable[[], Iterator[Given]]]:
    """How many reports (0: unknown) and each of them: JSON lines if the first line is an object.

    JSON lines are read as they come, so that they may be more than the memory holds.

    Raises:
        SourceError: columns are named and it is no JSON lines; it is JSON of another kind, which
            would be read as one report; the columns are not there.
    """
    stream = io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", "surrogateescape")
    first = next((line for line in stream if line.strip()), "")
    if isinstance(_value(first), dict):
        rows = enumerate(map(_row, filter(str.strip, chain([first], stream))), start=1)
        head = list(islice(rows, _LOOK))
        names = dict.fromkeys(name for _, row in head if not isinstance(row, str) for name in row)
        columns = Columns.of(list(names), text_columns, id_column)
        return 0, lambda: columns.reports(chain(head, rows))
    if text_columns or id_column:
        raise SourceError(
            "columns are named, and standard input is no JSON lines: want these, or the table as "
            "a file"
        )
    text = first + stream.read()
    if _JSON.match(text):
        raise SourceError("standard input is JSON: want an object per line, or a file")
    return 1, lambda: iter([_one(text)])


def _value(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _row(line: str) -> "dict[str, str] | str":
    data = _value(line)
    row = as_row(data) if isinstance(data, dict) else _WANTED
    return row if isinstance(row, str) else dict(row)


def _one(text: str) -> Given:
    try:
        return Given("stdin", sound(clean_text(mended(text))))
    except ValueError as error:
        return Given("stdin", error=f"no readable text: {error}")
