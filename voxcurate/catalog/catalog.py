"""Reading and writing the catalog. Reads go through `Catalog`, changes through a `Writer` (one
transaction)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from voxcurate.catalog.database import WRITES, open_database
from voxcurate.catalog.records import Assembly, Decision, Label, Scan
from voxcurate.catalog.schema import TABLES
from voxcurate.catalog.statements import (
    column_values,
    conditions,
    insert,
    insert_new,
    later,
    newest_pointers,
    plain,
    select_rows,
    upsert,
)
from voxcurate.errors import CatalogError
from voxcurate.ids import content_id

R = TypeVar("R")
MANY = 2000  # lines: a search through fewer costs less than to look how many there are


class Catalog:
    """The catalog of a workspace.

    Rows come in the same order from every database: sorted here, by the bytes of their keys, for a
    server sorts by the rules of its language.

    Args:
        url: SQLAlchemy URL, SQLite or PostgreSQL. Migrations that are missing are applied on
            opening, all of them or none.

    Raises:
        CatalogError: the database cannot be opened, or was written by a newer version.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = open_database(url)

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def rows(self, kind: type[R], **where: Any) -> list[R]:
        """Records of one table in primary-key order; a list, tuple or set as value means "one
        of"."""
        with self.engine.connect() as connection:
            return select_rows(connection, kind, where)

    def one(self, kind: type[R], **where: Any) -> R | None:
        """The single record that fits, or None.

        Raises:
            CatalogError: several fit.
        """
        found = self.rows(kind, **where)
        if len(found) > 1:
            raise CatalogError(f"want one {kind.__name__.lower()}, found {len(found)}")
        return found[0] if found else None

    def count(self, kind: type[Any], **where: Any) -> int:
        """How many records fit."""
        table = TABLES[kind]
        with self.engine.connect() as connection:
            return sum(
                int(
                    connection.execute(
                        sa.select(sa.func.count()).select_from(table).where(*wanted)
                    ).scalar_one()
                )
                for wanted in conditions(table, where)
            )

    def columns(self, kind: type[Any], *names: str, **where: Any) -> list[tuple[Any, ...]]:
        """Some columns of the records that fit, in no order: for tables too large to read whole."""
        table = TABLES[kind]
        found: list[tuple[Any, ...]] = []
        with self.engine.connect() as connection:
            for wanted in conditions(table, where):
                query = sa.select(*(table.c[name] for name in names)).where(*wanted)
                found += [tuple(row) for row in connection.execute(query)]
        return found

    def learn(self, kind: type[Any], n: int) -> None:
        """Let a server look anew at a table that `n` lines are to be searched in: planned for the
        empty one that it remembers, a search for some hundred lines goes through all."""
        if n >= MANY and self.engine.dialect.name == "postgresql":
            with self.engine.begin() as connection:
                connection.exec_driver_sql(f"ANALYZE {TABLES[kind].name}")

    def stream(
        self, kind: type[Any], *names: str, batch: int = 1000, **where: Any
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Some columns of the records that fit, `batch` rows at a time, in the order that the
        database gives their keys: a table of any size in little memory, whose beginning comes at
        once.

        Each batch is a query of its own, so that a writer may work meanwhile; rows that are added
        behind or taken out ahead of the reader are not seen. Meant for all or most of a table:
        where an index finds few rows, `columns` is faster.
        """
        table = TABLES[kind]
        fixed = {name for name, value in where.items() if isinstance(value, (str, int))}
        key = [column for column in table.primary_key if column.name not in fixed]
        columns = [*key, *(table.c[name] for name in names)]
        for wanted in conditions(table, where):
            query = sa.select(*columns).where(*wanted).order_by(*key).limit(batch)
            rows: Sequence[Any] = [()] * batch
            while len(rows) == batch:
                further = [later(key, rows[-1])] if rows[-1] else []
                with self.engine.connect() as connection:
                    rows = connection.execute(query.where(*further)).fetchall()
                if rows:
                    yield [tuple(row[len(key) :]) for row in rows]

    def current(
        self, round_number: int | None = None, **where: Any
    ) -> dict[tuple[str, str], Assembly]:
        """The label pointers as of a round (default: now), by (case, class)."""
        found: list[Assembly] = []
        with self.engine.connect() as connection:
            for wanted in conditions(TABLES[Assembly], where):
                query = newest_pointers(wanted, round_number)
                found += [Assembly(**row) for row in connection.execute(query).mappings()]
        found.sort(key=lambda pointer: (pointer.case_id, pointer.class_id))
        return {(pointer.case_id, pointer.class_id): pointer for pointer in found}

    @contextmanager
    def write(self) -> Iterator["Writer"]:
        """One transaction: everything in it happens, or nothing.

        Raises:
            CatalogError: the database cannot take it (disk full, locked by another program).
        """
        try:
            connection = self.engine.connect().execution_options(**{WRITES: True})
            with connection, connection.begin():
                yield Writer(connection)
        except sa.exc.OperationalError as error:
            raise CatalogError(f"the catalog cannot be written: {error.orig}") from None


class Writer:
    """Changes within one transaction. What is immutable can be added, not altered."""

    def __init__(self, connection: sa.Connection) -> None:
        self._bare = connection
        self._points: list[bool] = []  # open savepoints: whether the database knows of them

    @property
    def _connection(self) -> sa.Connection:
        """Where statements go; savepoints that were opened before are set first."""
        for depth, is_set in enumerate(self._points):
            if not is_set:
                self._bare.exec_driver_sql(f"SAVEPOINT part_{depth}")
                self._points[depth] = True
        return self._bare

    def rows(self, kind: type[R], **where: Any) -> list[R]:
        """As `Catalog.rows`, inside the transaction."""
        return select_rows(self._connection, kind, where)

    def add(self, record: Any) -> None:
        """Add a record; adding an equal one again does nothing.

        Raises:
            CatalogError: another record has its key.
        """
        table = _written(type(record))
        statement = insert_new(table, self._connection.dialect.name)
        if self._connection.execute(statement, column_values(record)).rowcount == 1:
            return
        key = {c.name: getattr(record, c.name) for c in table.primary_key}
        (old,) = select_rows(self._connection, type(record), key)
        if _comparable(old) != _comparable(record):
            raise CatalogError(
                f"{table.name} {'/'.join(map(str, key.values()))} exists and differs"
            )

    def put(self, record: Any) -> None:
        """Add a record or replace the one with its key. Labels and decisions are refused.

        Raises:
            CatalogError: the record is of an immutable kind.
        """
        self.put_all([record])

    def put_all(self, records: Sequence[Any]) -> None:
        """As `put`, for many records of one kind, in few statements.

        Raises:
            CatalogError: the records are of an immutable kind.
        """
        if not records:
            return
        kind = type(records[0])
        if issubclass(kind, (Label, Decision)):
            raise CatalogError(f"a {kind.__name__.lower()} is immutable")
        dialect = self._connection.dialect.name
        self._connection.execute(
            upsert(_written(kind), dialect), [column_values(record) for record in records]
        )

    def insert(self, kind: type[Any], rows: Sequence[tuple[Any, ...]]) -> None:
        """Add many rows as `packed` makes them, unseen by SQLAlchemy: several times as fast.

        Raises:
            CatalogError: the records are of an immutable kind.
        """
        if issubclass(kind, (Label, Decision)):
            raise CatalogError(f"a {kind.__name__.lower()} is immutable")
        if rows:
            statement = insert(TABLES[kind], self._connection.dialect)
            self._connection.exec_driver_sql(statement, list(rows))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction that can fail alone: an error undoes its changes only.

        The database is told with the part's first statement: most ledger items have none.
        """
        depth = len(self._points)
        self._points.append(False)
        try:
            yield
        except BaseException:
            if self._points.pop():
                self._bare.exec_driver_sql(f"ROLLBACK TO SAVEPOINT part_{depth}")
                self._bare.exec_driver_sql(f"RELEASE SAVEPOINT part_{depth}")
            raise
        if self._points.pop():
            self._bare.exec_driver_sql(f"RELEASE SAVEPOINT part_{depth}")

    def decide(self, decision: Decision) -> Decision:
        """Record a decision; its id comes from its content, so that saying it twice records it
        once."""
        made = _with_id(decision)
        self.add(made)
        return made

    def decide_all(self, decisions: Sequence[Decision]) -> None:
        """As `decide`, for many, in few statements."""
        made = {decision.decision_id: decision for decision in map(_with_id, decisions)}
        table = TABLES[Decision]
        for wanted in conditions(table, {"decision_id": list(made)}):
            query = sa.select(table.c.decision_id).where(*wanted)
            for (known,) in self._connection.execute(query):
                del made[known]
        if made:
            rows = [column_values(decision) for decision in made.values()]
            self._connection.execute(table.insert(), rows)

    def flag(self, label_id: str, decision: Decision, **flags: bool) -> None:
        """Raise or lower a label version: ``gold``, ``confirmed``, ``retired``, with its decision.

        Raises:
            CatalogError: no such label, or another flag is named.
        """
        table = TABLES[Label]
        if not flags or set(flags) - {"gold", "confirmed", "retired"}:
            raise CatalogError(f"want gold, confirmed or retired, found {sorted(flags)}")
        changed = self._connection.execute(
            table.update().where(table.c.label_id == label_id).values(**flags)
        )
        if changed.rowcount != 1:
            raise CatalogError(f"no label {label_id}")
        self.decide(decision)

    def point(self, pointer: Assembly) -> None:
        """Move a pointer to a label version.

        Test labels are never mended (contract 1): a test scan's pointer only goes to an original
        label.

        Raises:
            CatalogError: no such label or scan, or the label is of another case.
        """
        self.point_all([pointer])

    def point_all(self, pointers: Sequence[Assembly]) -> None:
        """As `point`, for many, in few statements: all are moved, or the transaction fails."""
        about = ("label_id", "case_id", "class_id", "origin")
        ids = {pointer.label_id for pointer in pointers}
        labels = {row[0]: row[1:] for row in self._columns(Label, about, label_id=ids)}
        cases = {pointer.case_id for pointer in pointers}
        splits = dict(self._columns(Scan, ("case_id", "split"), case_id=cases))
        for pointer in pointers:
            if pointer.label_id not in labels or pointer.case_id not in splits:
                raise CatalogError(f"no label {pointer.label_id} or no scan {pointer.case_id}")
            case_id, class_id, origin = labels[pointer.label_id]
            if (case_id, class_id) != (pointer.case_id, pointer.class_id):
                raise CatalogError(f"label {pointer.label_id} is of another case or class")
            if splits[case_id] == "test" and origin != "original":
                raise CatalogError("a test scan's labels are never mended", case_id=case_id)
        self.put_all(pointers)

    def _columns(self, kind: type[Any], names: Sequence[str], **where: Any) -> list[Any]:
        table = TABLES[kind]
        columns = [table.c[name] for name in names]
        return [
            tuple(row)
            for wanted in conditions(table, where)
            for row in self._connection.execute(sa.select(*columns).where(*wanted))
        ]

    def forget(self, kind: type[Any], **where: Any) -> int:
        """Delete derived records (measures, findings, readings, pairs); never labels, decisions or
        scans."""
        if kind.__name__ not in {"Measure", "FindingRow", "Reading", "ScanPair"}:
            raise CatalogError(f"a {kind.__name__.lower()} is never deleted")
        table = TABLES[kind]
        return sum(
            self._connection.execute(table.delete().where(*wanted)).rowcount
            for wanted in conditions(table, where)
        )


def now() -> str:
    """UTC time, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _with_id(decision: Decision) -> Decision:
    values = dict(vars(decision))
    for volatile in ("decision_id", "created", "cost"):
        values.pop(volatile)
    made = content_id("decision", values)
    # to the microsecond: of two answers within a second the later one counts
    when = decision.created or datetime.now(UTC).isoformat(timespec="microseconds")
    return replace(decision, decision_id=made, created=when)


def _written(kind: type[Any]) -> sa.Table:
    """The table that records of a kind are written to."""
    if kind not in TABLES:
        raise CatalogError(f"a {kind.__name__} holds only a part of its row: read all to write it")
    return TABLES[kind]


def _comparable(record: Any) -> dict[str, Any]:
    """What must agree when a record is added again: all but times, costs and flags raised since."""
    values = asdict(record)
    for volatile in ("created", "cost", "gold", "confirmed", "retired", "updated"):
        values.pop(volatile, None)
    return {name: plain(value) for name, value in values.items()}
