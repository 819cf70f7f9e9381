"""One cell of a table: as text, in the right encoding."""

import json
import re
from typing import Any

SURROGATE = re.compile("[\ud800-\udfff]")  # half a character: a broken escape, or a raw byte


def as_text(value: Any) -> str:
    """A value as a cell: nothing for null and not-a-number, whole floats without their point."""
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def mended(cell: str) -> str:
    """A cell whose bytes were no UTF-8 (read with ``surrogateescape``), as Windows-1252.

    Raises:
        ValueError: it is neither.
    """
    if cell.isascii() or not SURROGATE.search(cell):
        return cell
    try:
        return cell.encode("utf-8", "surrogateescape").decode("cp1252")
    except UnicodeError:
        raise ValueError("bytes that are neither UTF-8 nor Windows-1252") from None


def whole(cell: str) -> str:
    """A cell whose half characters (``\\ud83d`` of a JSON text cut in an emoji) became U+FFFD."""
    return cell if cell.isascii() else SURROGATE.sub("\ufffd", cell)
