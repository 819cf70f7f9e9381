"""DICOM dates moved by whole days; times of day stay."""

import re
from collections.abc import Callable
from datetime import date, timedelta

_DAY = re.compile(r"(\d{4})([.-]?)(\d\d)\2(\d\d)")
_MOMENT = re.compile(r"(\d{4,14})(\.\d{1,6})?([+-]\d{4})?")
_TIME = re.compile(r"\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?|\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?")
_AGE = re.compile(r"(\d{3})([DWMY])")
OLD_YEARS = 90
_YEARS = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


def shift_date(value: str, days: int) -> str:
    """A DA value, each of several and both ends of a range; ``""`` for what is no date."""
    return _each(value, lambda one: _range(one, days, _shifted_day))


def shift_moment(value: str, days: int) -> str:
    """A DT value; the offset from UTC goes, for it tells a place, as (0008,0201) does."""
    return _each(value, lambda one: _range(one, days, _shifted_moment))


def clean_time(value: str) -> str:
    """A TM value as it is; ``""`` for what is no time."""
    return _each(value, lambda one: one if all(map(_is_time, one.split("-"))) else "")


def clean_age(value: str) -> str:
    """An AS value; ages from 90 years on become ``090Y``."""
    return _each(value, _age)


def day_of(value: str) -> date | None:
    """The day that a DA or DT value begins with."""
    match = _DAY.match(value.strip(" \0"))
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return None


def age_at(born: date, day: date) -> str:
    """An AS value: days, months or years; ``""`` for a day before birth."""
    days = (day - born).days
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    if days < 0 or years > 130:
        return ""
    if days < 60:
        return f"{days:03d}D"
    if years < 2:
        return f"{int(days / 30.4375):03d}M"
    return _age(f"{years:03d}Y")


def _each(value: str, change: Callable[[str], str]) -> str:
    return "\\".join(change(one.strip(" \0")) for one in value.split("\\"))


def _range(one: str, days: int, shifted: Callable[[str, int], str]) -> str:
    whole = shifted(one, days)
    if whole or "-" not in one:
        return whole
    for at in (i for i, char in enumerate(one) if char == "-"):
        ends = [one[:at].strip(), one[at + 1 :].strip()]
        moved = [shifted(end, days) for end in ends]
        if any(moved) and all(m or not e for m, e in zip(moved, ends, strict=True)):
            return "-".join(moved)
    return ""


def _shifted_day(one: str, days: int) -> str:
    match = _DAY.fullmatch(one)
    if match is not None:
        return _moved(int(match[1]), int(match[3]), int(match[4]), days, "%Y%m%d")
    return _partial(one, days) if len(one) in (4, 6) else ""


def _shifted_moment(one: str, days: int) -> str:
    match = _MOMENT.fullmatch(one)
    if match is None or len(match[1]) % 2:
        return ""
    digits = match[1]
    if len(digits) < 8:
        return "" if match[2] else _partial(digits, days)
    day = _moved(int(digits[:4]), int(digits[4:6]), int(digits[6:8]), days, "%Y%m%d")
    is_time = not digits[8:] or _is_time(digits[8:])
    return f"{day}{digits[8:]}{match[2] or ''}" if day and is_time else ""


def _partial(digits: str, days: int) -> str:
    """Of a year or a month: that of its middle day, moved."""
    if not digits.isdigit():
        return ""
    month = int(digits[4:6] or 7)
    return _moved(int(digits[:4]), month, 15 if digits[4:] else 1, days, "%Y%m%d")[: len(digits)]


def _moved(year: int, month: int, day: int, days: int, form: str) -> str:
    try:
        moved = date(year, month, day) + timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return moved.strftime(form).rjust(8, "0")


def _is_time(one: str) -> bool:
    return not one or _TIME.fullmatch(one) is not None


def _age(one: str) -> str:
    match = _AGE.fullmatch(one.upper())
    if match is None:
        return ""
    return one.upper() if int(match[1]) / _YEARS[match[2]] < OLD_YEARS else f"{OLD_YEARS:03d}Y"
