"""Reading and writing the catalog. Reads go through `Catalog`, changes through a `Writer` (one
transaction)."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from voxcurate.catalog.records import Assembly, Decision, Label, Scan
from voxcurate.catalog.schema import TABLES
from voxcurate.errors import CatalogError
from voxcurate.ids import content_id

R = TypeVar("R")
CHUNK = 500  # values in one IN (...) clause; SQLite's oldest limit is 999


class Catalog:
    """The catalog of a workspace.

    Args:
        url: SQLAlchemy URL, SQLite or PostgreSQL. Migrations that are missing are applied on
        opening.

    Raises:
        CatalogError: the database cannot be opened, or was written by a newer version.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url, json_serializer=_json)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _tune_sqlite)
        try:
            _migrate(self.engine)
        except sa.exc.SQLAlchemyError as error:
            raise CatalogError(f"cannot open the catalog: {type(error).__name__}") from None

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def rows(self, kind: type[R], **where: Any) -> list[R]:
        """Records of one table in primary-key order; a list, tuple or set as value means "one
        of"."""
        with self.engine.connect() as connection:
            return _rows(connection, kind, where)

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
        query = sa.select(sa.func.count()).select_from(table).where(*_conditions(table, where))
        with self.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def current(
        self, round_number: int | None = None, **where: Any
    ) -> dict[tuple[str, str], Assembly]:
        """The label pointers as of a round (default: now), by (case, class)."""
        newest: dict[tuple[str, str], Assembly] = {}
        for row in self.rows(Assembly, **where):
            if round_number is None or row.round <= round_number:
                newest[row.case_id, row.class_id] = row  # rows come ordered by round
        return newest

    @contextmanager
    def write(self) -> Iterator["Writer"]:
        """One transaction: everything in it happens, or nothing."""
        with self.engine.begin() as connection:
            yield Writer(connection)


class Writer:
    """Changes within one transaction. What is immutable can be added, not altered."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def rows(self, kind: type[R], **where: Any) -> list[R]:
        """As `Catalog.rows`, inside the transaction."""
        return _rows(self._connection, kind, where)

    def add(self, record: Any) -> None:
        """Add a record; adding an equal one again does nothing.

        Raises:
            CatalogError: another record has its key.
        """
        table = TABLES[type(record)]
        key = {c.name: getattr(record, c.name) for c in table.primary_key}
        old = _rows(self._connection, type(record), key)
        if not old:
            self._connection.execute(table.insert().values(**asdict(record)))
        elif _comparable(old[0]) != _comparable(record):
            raise CatalogError(
                f"{table.name} {'/'.join(map(str, key.values()))} exists and differs"
            )

    def put(self, record: Any) -> None:
        """Add a record or replace the one with its key. Labels and decisions are refused.

        Raises:
            CatalogError: the record is of an immutable kind.
        """
        if isinstance(record, (Label, Decision)):
            raise CatalogError(f"a {type(record).__name__.lower()} is immutable")
        table = TABLES[type(record)]
        same = [c == getattr(record, c.name) for c in table.primary_key]
        values = asdict(record)
        if self._connection.execute(table.update().where(*same).values(**values)).rowcount == 0:
            self._connection.execute(table.insert().values(**values))

    def decide(self, decision: Decision) -> Decision:
        """Record a decision; its id comes from its content, so that saying it twice records it
        once."""
        values = asdict(decision)
        for volatile in ("decision_id", "created", "cost"):
            values.pop(volatile)
        made = Decision(
            **{
                **asdict(decision),
                "decision_id": content_id("decision", values),
                "created": decision.created or now(),
            }
        )
        self.add(made)
        return made

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
        labels = self.rows(Label, label_id=pointer.label_id)
        scans = self.rows(Scan, case_id=pointer.case_id)
        if not labels or not scans:
            raise CatalogError(f"no label {pointer.label_id} or no scan {pointer.case_id}")
        label, scan = labels[0], scans[0]
        if (label.case_id, label.class_id) != (pointer.case_id, pointer.class_id):
            raise CatalogError(f"label {pointer.label_id} is of another case or class")
        if scan.split == "test" and label.origin != "original":
            raise CatalogError("a test scan's labels are never mended", case_id=scan.case_id)
        self.put(pointer)

    def forget(self, kind: type[Any], **where: Any) -> int:
        """Delete derived records (measures, findings); never labels, decisions or scans."""
        if kind.__name__ not in {"Measure", "FindingRow"}:
            raise CatalogError(f"a {kind.__name__.lower()} is never deleted")
        table = TABLES[kind]
        return self._connection.execute(table.delete().where(*_conditions(table, where))).rowcount


def now() -> str:
    """UTC time, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _rows(connection: sa.Connection, kind: type[R], where: dict[str, Any]) -> list[R]:
    table = TABLES[kind]
    query = sa.select(table).where(*_conditions(table, where)).order_by(*table.primary_key)
    names = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    return [kind(**{n: row[n] for n in names}) for row in connection.execute(query).mappings()]


def _conditions(table: sa.Table, where: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for name, value in where.items():
        column = table.c[name]
        if isinstance(value, (list, tuple, set, frozenset)):
            values: Sequence[Any] = sorted(value)
            parts = [column.in_(values[i : i + CHUNK]) for i in range(0, len(values), CHUNK)]
            conditions.append(sa.or_(*parts) if parts else sa.false())
        else:
            conditions.append(column == value)
    return conditions


def _comparable(record: Any) -> dict[str, Any]:
    """What must agree when a record is added again: all but times, costs and flags raised since."""
    values = asdict(record)
    for volatile in ("created", "cost", "gold", "confirmed", "retired", "updated"):
        values.pop(volatile, None)
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    import json

    return json.loads(_json(value))


def _json(value: Any) -> str:
    import json

    return json.dumps(value, sort_keys=True, default=_scalar)


def _scalar(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"not plain data: {type(value).__name__}")


def _tune_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(engine: sa.Engine) -> None:
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(__file__).parent))
    head = scripts.get_current_head()
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == head:
        return
    if current is not None and current not in {s.revision for s in scripts.walk_revisions()}:
        raise CatalogError(
            f"the catalog is of version {current}; this voxcurate knows up to {head}"
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", os.fspath(Path(__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
