"""The proofs of what was found: fetched for the hits alone, in batches."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from retrieval.search.compiling import quoted
from retrieval.search.find import Hit
from retrieval.search.proving import holds, prove, words
from retrieval.search.query import CohortQuery, Event, Group, Proof
from retrieval.search.schema import REPORT
from retrieval.search.tree import Tree

Row = Mapping[str, Any]
RowsOf = Callable[[Iterable[str], Iterable[str]], Iterable[Row]]  # of reports, on questions
_AT_ONCE = 400


@dataclass(frozen=True)
class _Told:
    """A report, its day and its answers by question."""

    name: str
    day: float | None
    answers: Mapping[str, Row]


@dataclass(frozen=True)
class _Reports:
    """The reports of some hits: of each unit, and of each patient in the order of time."""

    own: Mapping[int, Sequence[_Told]]
    of_patient: Mapping[int, Sequence[_Told]]


def proofs_of(
    connection: sqlite3.Connection,
    query: CohortQuery,
    hits: Sequence[Hit],
    tree: Tree,
    rows_of: RowsOf,
) -> list[tuple[Proof, ...]]:
    """The proofs of each hit: conditions met, then the events, then the sentence of a free text.

    Args:
        connection: the index the hits are from; ``origin`` names their reports.
        query: what was asked.
        hits: what was found.
        tree: of the questionnaire.
        rows_of: findings of some reports on some questions, from where they are kept.
    """
    found: list[tuple[Proof, ...]] = []
    for at in range(0, len(hits), _AT_ONCE):
        some = hits[at : at + _AT_ONCE]
        reports = _reports(connection, query, some, tree, rows_of)
        phases = _phases(connection, some)
        sentences = _sentences(connection, some)
        quoted_in = [_phrased(connection, some, words) for words in query.phrases]
        for hit in some:
            told = reports.own.get(hit.unit, ())
            proofs = [
                *_met(query, told, tree, phases.get(hit.unit, ""), unsupported=query.unsupported),
                *_earlier(query, hit, told, reports.of_patient.get(hit.patient, ()), tree),
                *_events(query, reports.of_patient.get(hit.patient, ()), tree),
                *sentences.get(hit.unit, ()),
                *(proofs[hit.unit] for proofs in quoted_in if hit.unit in proofs),
            ]
            found.append(tuple(dict.fromkeys(proofs)))
    return found


def _met(
    group: Group, told: Sequence[_Told], tree: Tree, phase: str, *, unsupported: bool
) -> Iterator[Proof]:
    """Proofs of the conditions that hold, nested ones too."""
    rows = [row for report in told for row in report.answers.values()]
    rows = rows if unsupported else [row for row in rows if row.get("supported", True)]
    for condition in group.conditions():
        proof = prove(condition, rows, tree, phase)
        if proof is not None:
            yield proof


def _earlier(
    query: CohortQuery, hit: Hit, told: Sequence[_Told], line: Sequence[_Told], tree: Tree
) -> Iterator[Proof]:
    """For each change asked for, what the patient's report before said."""
    day = min((r.day for r in told if r.day is not None), default=hit.day)
    if day is None:
        return
    for condition in query.conditions():
        if not condition.change:
            continue
        size = tree.size_of(condition.question)
        asked = size if size and condition.change != ("new",) else condition.question
        before = [r for r in line if r.day is not None and r.day < day and asked in r.answers]
        if before:
            yield _proof(before[-1], asked, "earlier")


def _events(query: CohortQuery, line: Sequence[_Told], tree: Tree) -> Iterator[Proof]:
    role: Literal["before", "after"]
    for role, event in (("before", query.before), ("after", query.after)):
        if event is None:
            continue
        for report in line:
            rows = list(report.answers.values())
            if report.day is not None and holds(event, rows, tree):
                met = _met(event, [report], tree, "", unsupported=query.unsupported)
                yield from (replace(proof, role=role, day=report.day) for proof in met)
                break


def _reports(
    connection: sqlite3.Connection,
    query: CohortQuery,
    hits: Sequence[Hit],
    tree: Tree,
    rows_of: RowsOf,
) -> _Reports:
    questions = _wanted(query, tree)
    is_long = bool(query.before or query.after or any(c.change for c in query.conditions()))
    lines: dict[int, list[tuple[str, float | None]]] = {}
    own: dict[int, list[tuple[str, float | None]]] = {}
    if questions:
        own = _own(connection, hits)
        lines = _lines(connection, {hit.patient for hit in hits if hit.patient}) if is_long else {}
    names = {name for items in (*own.values(), *lines.values()) for name, _ in items}
    answers: dict[str, dict[str, Row]] = {}
    for row in rows_of(sorted(names), sorted(questions)) if names else ():
        answers.setdefault(str(row["report_id"]), {})[str(row["question"])] = row

    def told(items: Mapping[int, Sequence[tuple[str, float | None]]]) -> dict[int, list[_Told]]:
        return {
            key: [_Told(name, day, answers.get(name, {})) for name, day in some]
            for key, some in items.items()
        }

    return _Reports(told(own), told(lines))


def _wanted(query: CohortQuery, tree: Tree) -> set[str]:
    """Questions whose answers prove something: those asked, the broader ones, the sizes."""
    asked = {c.question for c in query.conditions()}
    for event in (query.before, query.after):
        asked |= event.questions() if isinstance(event, Event) else set()
    wider = set(asked)
    while asked:
        asked = {name for q in asked for name in tree.broader.get(q, ())} - wider
        wider |= asked
    return wider | {tree.size_of(name) for name in wider} - {""}


def _own(
    connection: sqlite3.Connection, hits: Sequence[Hit]
) -> dict[int, list[tuple[str, float | None]]]:
    marks = ", ".join("?" * len(hits))
    column = "id" if hits and hits[0].report_id else "scan"
    rows = connection.execute(
        f"SELECT u.{column}, o.name, u.day FROM unit u JOIN origin o ON o.id = u.id"
        f" WHERE u.kind = ? AND u.{column} IN ({marks}) ORDER BY u.day, o.name",
        (REPORT, *(hit.unit for hit in hits)),
    )
    return _grouped(rows)


def _lines(
    connection: sqlite3.Connection, patients: Iterable[int]
) -> dict[int, list[tuple[str, float | None]]]:
    known = sorted(patients)
    rows = connection.execute(
        "SELECT u.patient, o.name, u.day FROM unit u JOIN origin o ON o.id = u.id"
        f" WHERE u.kind = ? AND u.patient > 0 AND u.patient IN ({', '.join('?' * len(known))})"
        " AND u.day IS NOT NULL ORDER BY u.day, o.name",
        (REPORT, *known),
    )
    return _grouped(rows)


def _grouped(rows: Iterable[tuple[int, str, float | None]]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for key, name, day in rows:
        found.setdefault(key, []).append((name, day))
    return found


def _phases(connection: sqlite3.Connection, hits: Sequence[Hit]) -> dict[int, str]:
    """The phases of the hits by their metadata."""
    rows = connection.execute(
        "SELECT u.id, t.text FROM unit u JOIN term t ON t.id = u.phase"
        f" WHERE u.id IN ({', '.join('?' * len(hits))})",
        [hit.unit for hit in hits],
    )
    return dict(rows)


def _sentences(connection: sqlite3.Connection, hits: Sequence[Hit]) -> dict[int, list[Proof]]:
    """The sentence of each hit that fits the free text best."""
    found: dict[int, list[Proof]] = {}
    query = (
        "SELECT s.text, o.start, r.name, u.day FROM occurrence o JOIN sentence s ON s.id = ?1"
        " JOIN unit u ON u.id = o.report JOIN origin r ON r.id = o.report"
        " WHERE o.sentence = ?1 AND {} = ?2 ORDER BY r.name LIMIT 1"
    )
    for hit in hits:
        if hit.sentence:
            column = "o.report" if hit.report_id else "u.scan"
            for text, start, name, day in connection.execute(
                query.format(column), (hit.sentence, hit.unit)
            ):
                found[hit.unit] = [Proof("text", "", text, name, start, start, "text", day)]
    return found


def _phrased(connection: sqlite3.Connection, hits: Sequence[Hit], phrase: str) -> dict[int, Proof]:
    """The first sentence of each hit in which some words stand."""
    column = "id" if hits and hits[0].report_id else "scan"
    rows = connection.execute(
        f"SELECT u.{column}, s.text, o.start, r.name, u.day FROM unit u"
        " JOIN occurrence o ON o.report = u.id JOIN sentence s ON s.id = o.sentence"
        f" JOIN origin r ON r.id = u.id WHERE u.kind = ? AND u.{column} IN"
        f" ({', '.join('?' * len(hits))}) AND s.id IN"
        " (SELECT rowid FROM lexical WHERE lexical MATCH ?) ORDER BY r.name, o.start",
        (REPORT, *(hit.unit for hit in hits), quoted(phrase)),
    )
    found: dict[int, Proof] = {}
    for unit, text, start, name, day in rows:
        found.setdefault(unit, Proof("text", "", text, name, start, start, "text", day))
    return found


def _proof(report: _Told, question: str, role: Literal["earlier"]) -> Proof:
    row = report.answers[question]
    return Proof(
        question, words(row), str(row["sentence"]), report.name,
        int(row.get("start") or 0), int(row.get("stop") or 0), role, report.day,
    )  # fmt: skip
