"""JSON tables, streamed: an object per line, or one list of objects."""

import json
from collections.abc import Iterator, Mapping
from typing import IO, Any

from agent.ingest.tables_cells import SURROGATE, as_text, mended, whole
from voxcurate.errors import SourceError

Row = Mapping[str, str]
WANTED = "want a JSON object"
_CHUNK = 1 << 16  # characters
_MAX_DIGITS = 4300  # Python reads no longer number, and no table means one
_DEEP = "nested too deeply"


class _Twice(dict[str, Any]):
    """An object one of whose keys stands there twice: which of them holds the name?"""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    return data if len(data) == len(pairs) else _Twice(data)


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) < _MAX_DIGITS else digits


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole_number)


def json_lines(stream: IO[str]) -> Iterator[tuple[int, Row | str]]:
    """An object per line; empty lines are passed over."""
    for number, line in enumerate(stream, start=1):
        if line.strip():
            try:
                yield number, as_row(_DECODER.decode(line), line)
            except json.JSONDecodeError:
                yield number, WANTED
            except RecursionError:
                yield number, _DEEP


def json_list(stream: IO[str], role: str) -> Iterator[tuple[int, Row | str]]:
    """The objects of one list, read piece by piece; a file of JSON lines will do too.

    Raises:
        SourceError: it is no list, or it breaks off.
    """
    start = stream.read(_CHUNK).lstrip("\ufeff \t\r\n")
    if start.startswith("{"):
        if _is_spread(start):
            raise SourceError(
                f"the {role} table is one JSON object over several lines; want a list of objects, "
                "or JSON lines: an object per line"
            )
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
        except RecursionError:
            raise SourceError(f"the {role} table, item {number + 1}: {_DEEP}") from None
        raw, rest, size, number = rest[:end], rest[end:], _CHUNK, number + 1
        yield number, as_row(data, raw)


def _is_spread(start: str) -> bool:
    """Whether the first line is only the beginning of an object."""
    first, newline, rest = start.partition("\n")
    try:
        _DECODER.decode(first)
    except (ValueError, RecursionError):
        return bool(newline) and not rest.lstrip().startswith("{")
    return False


def as_row(data: Any, raw: str) -> Row | str:
    """An object's values as text, nested ones as JSON; or why it is no row.

    Args:
        data: as it was parsed.
        raw: what it was parsed from, which tells bytes that are no UTF-8 from broken escapes.
    """
    if not isinstance(data, dict):
        return WANTED
    if isinstance(data, _Twice):
        return "a key stands there twice"
    clean = mended if not raw.isascii() and SURROGATE.search(raw) else whole
    try:
        return {clean(str(name)): clean(as_text(value)) for name, value in data.items()}
    except RecursionError:
        return _DEEP
    except ValueError as error:
        return str(error)
