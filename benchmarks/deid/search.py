"""The benchmark's own search of written files: plain substrings in every encoding. It shares no
code with what is measured."""

import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

_ENCODINGS = (
    "utf-8",
    "latin-1",
    "utf-16-le",
    "utf-16-be",
    "shift_jis",
    "gb18030",
    "euc_kr",
    "iso2022_jp",
)
_MONTHS = [date(2000, month, 1).strftime("%B") for month in range(1, 13)]


def forms_of_name(name: str) -> Iterator[bytes]:
    """A name in lower, upper and title case, in every encoding."""
    for form in {name, name.lower(), name.upper(), name.title()}:
        for encoding in _ENCODINGS:
            try:
                yield form.encode(encoding)
            except UnicodeEncodeError:
                continue


def forms_of_day(day: date) -> Iterator[bytes]:
    """A date as DICOM, ISO and people write it."""
    month = _MONTHS[day.month - 1]
    for text in (
        f"{day:%Y%m%d}", f"{day:%Y-%m-%d}", f"{day:%Y.%m.%d}", f"{day:%d.%m.%Y}", f"{day:%m/%d/%Y}",
        f"{day:%d/%m/%Y}", f"{month} {day.day}, {day.year}", f"{day.day} {month[:3]} {day.year}",
        f"{day:%d-%m-%Y}", f"{day.day} {month} {day.year}", f"{day:%d%b%Y}",
    ):  # fmt: skip
        for form in {text, text.upper()}:
            yield form.encode()
            yield form.encode("utf-16-le")


def everything_in(path: Path) -> bytes:
    """A file's bytes, with those of a deflated data set inflated beside them."""
    data = path.read_bytes()
    if b"1.2.840.10008.1.2.1.99" in data[:1000]:
        for start in range(132, min(len(data), 1500)):
            try:
                return data + zlib.decompressobj(-15).decompress(data[start:])
            except zlib.error:
                continue
    return data


def left(content: bytes, needles: Iterator[bytes]) -> bool:
    """Whether any form is in the content."""
    return any(needle in content for needle in set(needles) if needle)
