"""Counts over all findings, readings and decisions, made in SQL: there may be millions."""

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from voxcurate.catalog import Catalog, Decision, FindingRow, Reading
from voxcurate.catalog.schema import TABLES
from voxcurate.catalog.statements import conditions

FINDING, READING = TABLES[FindingRow].c, TABLES[Reading].c
Cases = Collection[str] | None  # None: all reports, whether a scan is linked or not


def answers(catalog: Catalog, cases: Cases = None) -> dict[str, Counter[str]]:
    """Reports per question and value."""
    counts: dict[str, Counter[str]] = {}
    for question, value, n in _grouped(catalog, (FINDING.question, FINDING.value), _where(cases)):
        counts.setdefault(question, Counter())[value] += n
    return counts


def choices(
    catalog: Catalog, questions: Sequence[str], cases: Cases = None
) -> dict[str, Counter[str]]:
    """Reports per choice, of questions that are answered by one."""
    where = {"question": questions, "value": "choice", **_where(cases)}
    counts: dict[str, Counter[str]] = {}
    for question, choice, n in _grouped(catalog, (FINDING.question, FINDING.choice), where):
        counts.setdefault(question, Counter())[choice] += n
    return counts


def numbers(
    catalog: Catalog, questions: Sequence[str], cases: Cases = None
) -> dict[str, tuple[str, "array[float]"]]:
    """Unit and values, in no order, of questions that are answered by a number."""
    where = {"question": questions, "value": "number", **_where(cases)}
    found: dict[str, tuple[str, array[float]]] = {}
    columns = (FINDING.question, FINDING.number, FINDING.unit)
    for question, number, unit in _selected(catalog, sa.select(*columns), where):
        if number is not None:
            found.setdefault(question, (unit, array("d")))[1].append(number)
    return found


def deciders(catalog: Catalog, round_number: int) -> Counter[tuple[str, str, str]]:
    """Decisions of a round per stage, actor and verdict."""
    table = TABLES[Decision].c
    key = (table.stage, table.actor, table.verdict)
    query = sa.select(*key, sa.func.count()).where(table.round == round_number).group_by(*key)
    with catalog.engine.connect() as connection:
        return Counter({(s, a, v): int(n) for s, a, v, n in connection.execute(query)})


def n_reports(catalog: Catalog, cases: Cases = None) -> int:
    """Reports with a finding."""
    query = sa.select(sa.func.count(FINDING.report_id.distinct()))
    return sum(n for (n,) in _selected(catalog, query, _where(cases)))


def readings(catalog: Catalog) -> list[tuple[str, str, int, int]]:
    """Status, reader, reports and their findings; the most common first."""
    query = sa.select(
        READING.status, READING.reader, sa.func.count(), sa.func.sum(READING.n_findings)
    ).group_by(READING.status, READING.reader)
    with catalog.engine.connect() as connection:
        rows = [(s, r, int(n), int(f)) for s, r, n, f in connection.execute(query)]
    return sorted(rows, key=lambda row: (-row[2], row))


def errors(catalog: Catalog, most: int) -> list[tuple[str, str, int]]:
    """Why reports could not be read: status, cause and reports, the most common causes first."""
    n = sa.func.count()
    query = (
        sa.select(READING.status, READING.error, n)
        .where(READING.status != "read")
        .group_by(READING.status, READING.error)
        .order_by(n.desc(), READING.status, READING.error)
        .limit(most)
    )
    with catalog.engine.connect() as connection:
        return [(status, error, int(n)) for status, error, n in connection.execute(query)]


def _where(cases: Cases) -> dict[str, Any]:
    return {} if cases is None else {"case_id": set(cases)}


def _grouped(catalog: Catalog, columns: Sequence[Any], where: dict[str, Any]) -> Iterator[Any]:
    return _selected(catalog, sa.select(*columns, sa.func.count()).group_by(*columns), where)


def _selected(catalog: Catalog, query: sa.Select[Any], where: dict[str, Any]) -> Iterator[Any]:
    with catalog.engine.connect() as connection:
        for wanted in conditions(TABLES[FindingRow], where):
            yield from connection.execute(query.where(*wanted))
