"""JSON tables, streamed: an object per line, or one list of objects."""

import json
from collections.abc import Iterator, Mapping
from typing import IO, Any

from agent.ingest.tables_cells import as_text, mended
from voxcurate.errors import SourceError

Row = Mapping[str, str]
WANTED = "want a JSON object"
_CHUNK = 1 << 16  # characters
_DECODER = json.JSONDecoder()


def json_lines(stream: IO[str]) -> Iterator[tuple[int, Row | str]]:
    """An object per line; empty lines are passed over."""
    for number, line in enumerate(stream, start=1):
        if line.strip():
            try:
                yield number, as_row(json.loads(line))
            except json.JSONDecodeError:
                yield number, WANTED


def json_list(stream: IO[str], role: str) -> Iterator[tuple[int, Row | str]]:
    """The objects of one list, read piece by piece; a file of JSON lines will do too.

    Raises:
        SourceError: it is no list, or it breaks off.
    """
    start = stream.read(_CHUNK).lstrip("\ufeff \t\r\n")
    if start.startswith("{"):
        stream.seek(0)
        yield from json_lines(stream)
        return
    if not start.startswith("["):
        raise SourceError(f"the {role} table is no JSON list of objects")
    rest, size, number = start[1:], _CHUNK, 0
    while True:
        rest = rest.lstrip(" \t\r\n,")
        if rest.startswith("]"):
            return
        try:
            data, end = _DECODER.raw_decode(rest)
            if end == len(rest):  # a number may go on in the next piece
                raise json.JSONDecodeError("more", rest, end)
        except json.JSONDecodeError:
            more = stream.read(size)
            if not more:
                raise SourceError(
                    f"the {role} table: no readable JSON after item {number}"
                ) from None
            rest, size = rest + more, size * 2
            continue
        rest, size, number = rest[end:], _CHUNK, number + 1
        yield number, as_row(data)


def as_row(data: Any) -> Row | str:
    """An object's values as text; nested ones as JSON."""
    if not isinstance(data, dict):
        return WANTED
    try:
        return {mended(str(name)): mended(as_text(value)) for name, value in data.items()}
    except ValueError as error:
        return str(error)
