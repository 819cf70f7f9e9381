"""Dates and times of a report's row, read as its description says; two readings are none."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from voxcurate.scrub import parse_date

_NUMBERS = re.compile(r"\s*(\d{1,2})([/.\-\s])(\d{1,2})\2(\d{4}|\d\d)(?!\d)")
_CLOCK = re.compile(r"(?:^|[T\s])(\d{1,2}):(\d\d)(?::(\d\d))?\s*([ap]m)?", re.IGNORECASE)
_PACKED = re.compile(r"(\d{2})(\d{2})(\d{2})(?:\.\d+)?")  # DICOM times


@dataclass(frozen=True)
class Day:
    """A date cell: what it says, and all that it may say (for the scrubber).

    Attributes:
        day: None if it is empty, cannot be read, or may be two days.
        readings: of an ambiguous one both.
        problem: ``""``, ``"unreadable"`` or ``"ambiguous"``.
    """

    day: date | None = None
    readings: tuple[date, ...] = ()
    problem: str = ""


def read_day(text: str, formats: tuple[str, ...] = (), day_first: bool | None = None) -> Day:
    """The day that a cell names.

    ``03/04/2020`` is ambiguous unless `day_first` says how to read it; with points (``03.04.2020``)
    the day comes first.

    Args:
        text: the cell.
        formats: `strptime` forms; the first that fits counts, and no other form is read.
        day_first: how to read two numbers that may both be the month.
    """
    text = text.strip()
    if not text:
        return Day()
    if formats:
        return _by_formats(text, formats)
    found = _NUMBERS.match(text)
    if not found:
        day = parse_date(text)
        return Day(day, (day,)) if day else Day(problem="unreadable")
    if day_first is None and found.group(2) == ".":
        day_first = True
    one = parse_date(found.group(), day_first=True)
    other = parse_date(found.group(), day_first=False)
    if one == other or day_first is not None:
        day = one if day_first else other
        return Day(day, (day,)) if day else Day(problem="unreadable")
    return Day(None, tuple(d for d in (one, other) if d), "ambiguous")


def _by_formats(text: str, formats: tuple[str, ...]) -> Day:
    for form in formats:
        try:
            day = datetime.strptime(text, form).date()
        except ValueError:
            continue
        return Day(day, (day,))
    return Day(problem="unreadable")


def order_of(text: str) -> str:
    """Which number of ``3/25/2020`` is the day: ``"day"`` (the first), ``"month"``, ``"unclear"``,
    or empty where nothing depends on it."""
    found = _NUMBERS.match(text)
    if not found or found.group(2) == "." or found.group(1) == found.group(3):
        return ""
    first, second = int(found.group(1)), int(found.group(3))
    if first > 12 or second > 12:
        return "day" if first > 12 else "month"
    return "unclear"


def read_clock(text: str) -> str:
    """``HH:MM:SS`` of a time, or of the time that follows a date; empty if there is none."""
    found = _CLOCK.search(text)
    if found:
        hour, minute, second, half = found.groups()
        number = int(hour) % 12 + 12 * (half.lower() == "pm") if half else int(hour)
        return f"{number:02d}:{minute}:{second or '00'}"
    packed = _PACKED.fullmatch(text.strip())
    return ":".join(packed.groups()) if packed else ""
