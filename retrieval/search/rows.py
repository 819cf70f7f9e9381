"""What the index keeps of a scan, a report and an answer, as numbers."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from retrieval.search.schema import CHANGES, FIRST_CHOICE, NUMBER, SIDES, VALUES
from voxcurate.stage import IN_COHORT

Row = Mapping[str, Any]
_PER_UNIT = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


@dataclass(frozen=True)
class ReportRows:
    """A report to index: its row, the row of its scan (if it has one) and its findings."""

    report: Row
    scan: Row | None = None
    findings: Sequence[Row] = ()
    state: int = 0


@dataclass(frozen=True)
class Answer:
    """One answer; a choice's or item's name is still in words."""

    question: str
    value: int
    name: str = ""
    number: float | None = None
    side: int = 0
    change: int = 0
    supported: bool = True


@dataclass(frozen=True)
class Facts:
    """What is known of a unit besides its answers; words are not yet made into numbers."""

    patient: str = ""
    live: bool = True
    day: float | None = None
    age: float | None = None
    slice_mm: float | None = None
    year: int | None = None
    words: Mapping[str, str] = field(default_factory=dict)


def scan_facts(scan: Row) -> Facts:
    """The facts of a scan's row."""
    known = _dict(scan.get("facts"))
    spacing: Sequence[float] = scan.get("spacing") or []
    status = str(scan.get("status") or "ok")
    thick = number(known.get("slice_thickness_mm"))
    return Facts(
        patient=str(scan.get("patient") or ""),
        live=status in IN_COHORT,
        day=number(known.get("day")),
        age=age(known.get("age")),
        slice_mm=thick if thick is not None else float(spacing[2]) if len(spacing) == 3 else None,
        year=_year(known),
        words={
            "source": str(scan.get("source") or ""),
            "modality": str(scan.get("modality") or ""),
            "split": str(scan.get("split") or ""),
            "sex": str(known.get("sex") or "")[:1].upper(),
            "phase": str(known.get("phase") or ""),
            "scanner": f"{known.get('manufacturer', '')} {known.get('model', '')}".strip(),
        },
    )


def report_facts(report: Row, scan: Row | None) -> Facts:
    """The facts of a report: its own, else those of its scan."""
    own = scan_facts({**report, "spacing": None, "status": "ok"})
    if scan is None:
        return own
    of_scan = scan_facts(scan)
    return Facts(
        patient=own.patient or of_scan.patient,
        day=of_scan.day if own.day is None else own.day,
        age=of_scan.age if own.age is None else own.age,
        slice_mm=of_scan.slice_mm,
        year=of_scan.year if own.year is None else own.year,
        words={name: word or of_scan.words[name] for name, word in own.words.items()},
    )


def answers(findings: Iterable[Row]) -> Iterator[Answer]:
    """The answers of a report's findings: a list is one answer for each of its items."""
    for row in findings:
        plain = Answer(
            str(row["question"]),
            VALUES.get(row["value"], FIRST_CHOICE),
            side=SIDES.get(row.get("side") or "", 0),
            change=CHANGES.get(row.get("change") or "", 0),
            supported=bool(row.get("supported", True)),
        )
        if plain.value == NUMBER:
            if row.get("number") is not None:
                yield replace(plain, number=float(row["number"]))
        elif plain.value != FIRST_CHOICE:
            yield plain
        else:
            names = [row.get("choice") or "", *(row.get("items") or ())]
            for name in dict.fromkeys(filter(None, names)):
                yield replace(plain, name=str(name))


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or value in (None, ""):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if abs(found) < float("inf") else None


def age(value: Any) -> float | None:
    """Years; a DICOM age ("064Y", or months, weeks and days) and "90+" are understood."""
    if isinstance(value, str):
        text = value.strip().upper().removesuffix("+")
        unit = _PER_UNIT.get(text[-1:])
        years = number(text[:-1] if unit else text)
        return None if years is None else years * (unit or 1.0)
    return number(value)


def state_of(*parts: Any) -> int:
    """A 64-bit hash of plain data, as SQLite's signed integer; never 0."""
    data = json.dumps(parts, sort_keys=True, default=str, separators=(",", ":"))
    return text_hash(data) or 1


def text_hash(text: str) -> int:
    """A 64-bit hash of a text, as SQLite's signed integer."""
    return int.from_bytes(
        blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), signed=True
    )


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _year(known: Mapping[str, Any]) -> int | None:
    told = str(known.get("year") or known.get("date") or "")[:4]
    return int(told) if told.isdigit() and len(told) == 4 else None
