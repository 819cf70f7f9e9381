"""What the reports say about a lesion: yes, no, uncertain or nothing; and which finding does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voxcurate.catalog import Catalog, FindingRow

AT_ONCE = 500  # cases
Key = tuple[str, str]  # case, class


@dataclass(frozen=True)
class Asked:
    """The questions about a lesion class.

    Attributes:
        yes: questions whose yes says that there is such a lesion: on the class and narrower ones.
        no: questions whose no says that there is none: the broadest on the class, and broader ones.
    """

    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """What the reports of a scan say together.

    Attributes:
        value: yes, no, uncertain, or nothing.
        finding: what decided, as plain data; empty with no value. It names the report and the span
            of the sentence, not the text: decisions are exported.
        sentence: that decided, for people who review.
    """

    value: str = ""
    finding: Mapping[str, Any] | None = None
    sentence: str = ""


def said_of(
    catalog: Catalog, asked: Mapping[str, Asked], cases: Sequence[str], confidence: float
) -> dict[Key, Said]:
    """What the reports of some scans say of some classes; where they say nothing, no entry.

    Of several reports and findings a yes counts most, then uncertain, then no: a tumour that one
    report names is there. An unsupported finding says nothing; a no below the confidence is
    uncertain.

    Args:
        catalog: with findings.
        asked: class to its questions.
        cases: the scans.
        confidence: that a no needs.
    """
    wanted = sorted({q for a in asked.values() for q in (*a.yes, *a.no)})
    found: dict[Key, Said] = {}
    if not wanted:
        return found
    ranks = ("", "no", "uncertain", "yes")
    for row in _rows(catalog, wanted, cases):
        for class_id, questions in asked.items():
            value = _value(row, questions, confidence)
            best = found.get((row.case_id, class_id), Said())
            if ranks.index(value) > ranks.index(best.value):
                found[row.case_id, class_id] = Said(value, _plain(row), row.sentence)
    return found


def _rows(catalog: Catalog, questions: Sequence[str], cases: Sequence[str]) -> Iterator[FindingRow]:
    names = sorted(cases)
    for first in range(0, len(names), AT_ONCE):
        where: dict[str, Any] = {"case_id": names[first : first + AT_ONCE], "question": questions}
        rows = catalog.rows(FindingRow, **where)
        yield from sorted(rows, key=lambda r: (r.case_id, r.report_id, r.question))


def _value(row: FindingRow, asked: Asked, confidence: float) -> str:
    if not row.supported:
        return ""
    if row.question in asked.yes and row.value in ("yes", "uncertain"):
        return row.value
    if row.question in asked.no and row.value == "no":
        return "no" if row.confidence >= confidence else "uncertain"
    return ""


def _plain(row: FindingRow) -> dict[str, Any]:
    return {
        "report_id": row.report_id,
        "question": row.question,
        "value": row.value,
        "start": row.start,
        "stop": row.stop,
        "confidence": row.confidence,
        "reader": row.reader,
    }
