"""Reports on standard input: the text of one, or a table as JSON lines."""

import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import IO, cast

from agent.ingest.report_text import clean_text
from agent.ingest.tables_cells import mended
from agent.ingest.tables_json import json_lines
from agent.reading.files import Columns, sound
from retrieval.alone import Given
from voxcurate.errors import SourceError

_LOOK = 1000  # rows whose keys are the columns
_JSON = re.compile(r"\s*(\[\s*)?\{\s*[\"}]")


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
    lead: list[str] = []
    for line in stream:
        lead.append(line)
        if line.strip():
            break
    if _is_object(lead[-1] if lead else ""):
        lines = chain(lead, stream)  # all that is asked of the file is its lines
        rows = json_lines(cast(IO[str], lines))
        head = list(islice(rows, _LOOK))
        names = dict.fromkeys(name for _, row in head if not isinstance(row, str) for name in row)
        columns = Columns.of(list(names), text_columns, id_column)
        return 0, lambda: columns.reports(chain(head, rows))
    if text_columns or id_column:
        raise SourceError(
            "columns are named, and standard input is no JSON lines: want these, or the table as "
            "a file"
        )
    text = "".join(lead) + stream.read()
    if _JSON.match(text):
        raise SourceError("standard input is JSON: want an object per line, or a file")
    return 1, lambda: iter([_one(text)])


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _one(text: str) -> Given:
    try:
        return Given("stdin", sound(clean_text(mended(text))))
    except ValueError as error:
        return Given("stdin", error=f"no readable text: {error}")
