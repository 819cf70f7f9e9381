"""Searching in the index: the units that fit a query, counted, ordered, and with their facts."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.search.compiling import Compiler, terms_of
from retrieval.search.query import CohortQuery
from retrieval.search.ranking import Dense, Ranked, ranked
from retrieval.search.schema import NUMBER, REPORT, SCAN
from retrieval.search.tree import Tree

TEXT_LIMIT = 1000  # how many a free text finds at most, where no limit is given
_AT_ONCE = 500
_DAYS = {"first": "day IS NULL, day", "last": "day IS NULL, day DESC"}


@dataclass(frozen=True)
class Hit:
    """A unit that fits: a scan, or a report (`case_id` is empty if it has no scan).

    `score` and `sentence` (id, place in the report) are of free text.
    """

    unit: int
    case_id: str
    report_id: str
    patient: int
    day: float | None
    age: float | None
    sex: str
    source: str
    scanner: str
    slice_mm: float | None
    score: float = 0.0
    sentence: int = 0


@dataclass(frozen=True)
class Found:
    """The hits of a query, in its order, as many as its limit allows, and how many fit in all."""

    total: int
    hits: tuple[Hit, ...]


def find(
    connection: sqlite3.Connection,
    query: CohortQuery,
    tree: Tree,
    *,
    dense: Dense | None = None,
) -> Found:
    """What fits a query.

    Args:
        connection: the index.
        query: what is wanted.
        tree: of the questionnaire; by an empty one no "no" is inherited and no growth is measured.
        dense: search by embeddings, fused with the lexical one where the query has `text`.
    """
    fill(connection, query, tree)
    total = int(connection.execute("SELECT COUNT(*) FROM temp.fits").fetchone()[0])
    if query.text.strip():
        best = ranked(
            connection,
            query.text,
            query.limit or TEXT_LIMIT,
            is_scan=query.of == "scans",
            dense=dense,
        )
        total = min(total, len(best)) if query.limit is None else len(best)
        order = [item.unit for item in best]
        if query.order != "case":
            order = _ordered(connection, query, tree, order)
        return Found(total, _hits(connection, order, {item.unit: item for item in best}))
    return Found(total, _hits(connection, _ordered(connection, query, tree), {}))


def fill(connection: sqlite3.Connection, query: CohortQuery, tree: Tree) -> None:
    """The ids of what fits, order, limit and free text aside, into the table ``temp.fits``."""
    kind = SCAN if query.of == "scans" else REPORT
    fits = Compiler(terms_of(connection), tree, kind, query.unsupported).query(query)
    sql = f"SELECT u.id FROM unit u WHERE {fits.text}"
    if query.per_patient:
        who = "CASE u.patient WHEN 0 THEN -u.id ELSE u.patient END"
        sql = (
            f"SELECT id FROM (SELECT u.id, ROW_NUMBER() OVER (PARTITION BY {who}"
            f" ORDER BY {_DAYS[query.per_patient]}, o.name) AS place"
            f" FROM unit u JOIN origin o ON o.id = u.id WHERE {fits.text}) WHERE place = 1"
        )
    connection.execute("DROP TABLE IF EXISTS temp.fits")
    connection.execute("CREATE TEMP TABLE fits (id INTEGER PRIMARY KEY)")
    connection.execute(f"INSERT INTO temp.fits {sql}", fits.values)


def _ordered(
    connection: sqlite3.Connection,
    query: CohortQuery,
    tree: Tree,
    among: Sequence[int] | None = None,
) -> list[int]:
    """Ids of `temp.fits`, or of some of them, in the query's order, up to its limit."""
    if among is not None:
        connection.execute("DELETE FROM temp.fits")
        connection.executemany("INSERT INTO temp.fits VALUES (?)", [(unit,) for unit in among])
    joined, values = "", tuple[int, ...]()
    keys = {"earliest": f"{_DAYS['first']}, ", "latest": f"{_DAYS['last']}, "}.get(query.order, "")
    if query.order in ("largest", "smallest"):
        joined, values = _sizes(connection, query, tree)
        keys = f"mm IS NULL, mm {'DESC' if query.order == 'largest' else 'ASC'}, "
    found = connection.execute(
        "SELECT f.id FROM temp.fits f JOIN unit u ON u.id = f.id JOIN origin o ON o.id = f.id"
        f" {joined} ORDER BY {keys}o.name LIMIT ?",
        (*values, -1 if query.limit is None else query.limit),
    )
    return [row[0] for row in found]


def _sizes(
    connection: sqlite3.Connection, query: CohortQuery, tree: Tree
) -> tuple[str, tuple[int, ...]]:
    """A join with each unit's largest size of what the query asks for first."""
    terms = terms_of(connection)
    sizes = (tree.size_of(c.question) or c.question for c in query.conditions())
    size = next((terms[name] for name in sizes if name in terms), 0)
    key = "scan" if query.of == "scans" else "report"
    return (
        f"LEFT JOIN (SELECT {key} AS unit, MAX(number) AS mm FROM answer"
        " WHERE question = ? AND value = ? GROUP BY 1) s ON s.unit = f.id",
        (size, NUMBER),
    )


def _hits(
    connection: sqlite3.Connection, units: Sequence[int], best: Mapping[int, Ranked]
) -> tuple[Hit, ...]:
    words = {key: text for text, key in terms_of(connection).items()}
    found: dict[int, Hit] = {}
    for at in range(0, len(units), _AT_ONCE):
        some = units[at : at + _AT_ONCE]
        rows = connection.execute(
            "SELECT u.id, u.kind, o.name, s.name, u.patient, u.day, u.age, u.sex, u.source,"
            " u.scanner, u.slice_mm FROM unit u JOIN origin o ON o.id = u.id"
            " LEFT JOIN origin s ON s.id = u.scan"
            f" WHERE u.id IN ({', '.join('?' * len(some))})",
            some,
        )
        for unit, kind, name, scan, patient, day, age, sex, source, scanner, slice_mm in rows:
            rank = best.get(unit)
            found[unit] = Hit(
                unit, name if kind == SCAN else scan or "", name if kind == REPORT else "",
                patient, day, age, words.get(sex, ""), words.get(source, ""),
                words.get(scanner, ""), slice_mm,
                rank.score if rank else 0.0, rank.sentence if rank else 0,
            )  # fmt: skip
    return tuple(found[unit] for unit in units if unit in found)
