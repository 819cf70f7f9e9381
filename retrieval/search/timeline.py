"""SQL over the reports of a patient in the order of time: what is new, larger or smaller.

CROSS JOIN keeps SQLite to the order of the tables: it would take another, many times slower.
"""

from typing import Any

from retrieval.search.query import Condition
from retrieval.search.schema import CHANGES, NO, NUMBER, YES

Part = tuple[str, tuple[Any, ...]]


def new_reports(question: int, proven: str) -> Part:
    """Reports of a patient's first day with a yes, after a day with a no.

    A report that itself calls the finding larger, smaller or the same has seen it before.
    """
    days = (
        "SELECT u.patient, MIN(CASE a.value WHEN ? THEN u.day END) AS found,"
        " MIN(CASE a.value WHEN ? THEN u.day END) AS denied"
        " FROM answer a CROSS JOIN unit u ON u.id = a.report"
        f" WHERE a.question = ? AND a.value IN (?, ?){proven} AND u.patient > 0"
        " AND u.day IS NOT NULL GROUP BY u.patient"
    )
    text = (
        f"SELECT a.report FROM ({days}) d CROSS JOIN unit u ON u.patient = d.patient"
        " AND u.patient > 0 AND u.day = d.found CROSS JOIN answer a ON a.report = u.id"
        " WHERE a.question = ? AND a.value = ? AND a.change IN (?, ?)"
        f"{proven} AND d.denied < d.found"
    )
    changes = (CHANGES[""], CHANGES["new"])
    return text, (YES, NO, question, YES, NO, question, YES, *changes)


def changed_reports(size: int, change: str, condition: Condition, proven: str) -> Part:
    """Reports of a day whose largest size differs enough from that of the measured day before."""
    differs = "now.mm - now.earlier" if change == "larger" else "now.earlier - now.mm"
    text = (
        f"SELECT a.report FROM ({measured_days(proven)}) now"
        " CROSS JOIN unit u ON u.patient = now.patient AND u.patient > 0 AND u.day = now.day"
        " CROSS JOIN answer a ON a.report = u.id WHERE a.question = ? AND a.value = ?"
        f"{proven} AND {differs} >= ? AND {differs} >= ? * now.earlier AND {differs} > 0"
    )
    bounds = (condition.by_mm, condition.by_percent / 100)
    return text, (size, NUMBER, size, NUMBER, *bounds)


def measured_days(proven: str) -> str:
    """SQL: patient, day, the day's largest size and that of the measured day before."""
    return (
        "SELECT patient, day, mm, LAG(mm) OVER (PARTITION BY patient ORDER BY day) AS earlier"
        " FROM (SELECT u.patient, u.day, MAX(a.number) AS mm"
        " FROM answer a CROSS JOIN unit u ON u.id = a.report"
        f" WHERE a.question = ? AND a.value = ?{proven} AND u.patient > 0 AND u.day IS NOT NULL"
        " GROUP BY u.patient, u.day)"
    )
