"""SQL that is the same for SQLite and PostgreSQL: conditions, row order, upserts, values."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from itertools import product
from math import isfinite, isnan
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from voxcurate.catalog.records import Assembly
from voxcurate.catalog.schema import TABLES

R = TypeVar("R")
_NAMES = {kind: tuple(item.name for item in fields(kind)) for kind in TABLES}
CHUNK = 10_000  # values in one statement; SQLite takes 32,766, PostgreSQL's protocol 65,535


def select_rows(connection: sa.Connection, kind: type[R], where: dict[str, Any]) -> list[R]:
    """Records that fit, in the order of their keys, whatever the database's language."""
    table = table_of(kind)
    columns = [table.c[item.name] for item in fields(kind) if item.init]  # type: ignore[arg-type]
    found: list[R] = []
    for wanted in conditions(table, where):
        query = sa.select(*columns).where(*wanted)
        found += [kind(**row) for row in connection.execute(query).mappings()]
    key = attrgetter(*(column.name for column in table.primary_key))
    return sorted(found, key=key)


def table_of(kind: type[Any]) -> sa.Table:
    """The table that a kind of record is read from."""
    return next(TABLES[base] for base in kind.__mro__ if base in TABLES)


def conditions(table: sa.Table, where: Mapping[str, Any]) -> Iterator[list[sa.ColumnElement[bool]]]:
    """The conditions of one statement or, where a list is longer than a statement may have values,
    of several whose results do not overlap."""
    lists: list[list[sa.ColumnElement[bool]]] = []
    single: list[sa.ColumnElement[bool]] = []
    for name, value in where.items():
        column = table.c[name]
        if isinstance(value, (list, tuple, set, frozenset)):
            values = sorted({_scalar_or_same(v) for v in value})
            lists.append([column.in_(values[i : i + CHUNK]) for i in range(0, len(values), CHUNK)])
        else:
            single.append(column == _scalar_or_same(value))
    for parts in product(*lists):
        yield [*single, *parts]


def newest_pointers(
    wanted: Sequence[sa.ColumnElement[bool]], round_number: int | None = None
) -> sa.Select[Any]:
    """The pointers that fit and that no later one, up to a round, stands in for."""
    table = TABLES[Assembly]
    after = table.alias()
    upto = [] if round_number is None else [table.c.round <= round_number]
    stands_in = [after.c.case_id == table.c.case_id, after.c.class_id == table.c.class_id]
    stands_in += [after.c.round > table.c.round]
    if round_number is not None:
        stands_in.append(after.c.round <= round_number)
    return sa.select(table).where(*wanted, *upto, ~sa.exists().where(*stands_in))


@cache
def upsert(table: sa.Table, dialect: str) -> Any:
    """Insert, or replace the row with the same key, as one statement."""
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    key = [column.name for column in table.primary_key]
    rest = {c.name: statement.excluded[c.name] for c in table.c if c.name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=rest)


@cache
def insert_new(table: sa.Table, dialect: str) -> Any:
    """Insert, or do nothing where there is a row with the same key, as one statement."""
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    return statement.on_conflict_do_nothing(index_elements=[*table.primary_key])


def insert(table: sa.Table, dialect: sa.Dialect) -> str:
    """Insert rows of all columns in their order, as the database's driver takes it."""
    quote = dialect.identifier_preparer.quote
    names = ", ".join(quote(column.name) for column in table.c)
    mark = "?" if dialect.paramstyle == "qmark" else "%s"
    marks = ", ".join([mark] * len(table.c))
    return f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})"


def packed(record: Any) -> tuple[Any, ...]:
    """A record as the drivers take it: plain values in the order of the columns."""
    values = column_values(record).values()
    return tuple(to_json(v) if isinstance(v, (list, dict, tuple)) else v for v in values)


def later(key: Sequence[sa.Column[Any]], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """The condition that a row's key comes after these values."""
    last = [sa.literal(v, c.type) for c, v in zip(key, values, strict=False)]
    return sa.tuple_(*key) > sa.tuple_(*last) if len(key) > 1 else key[0] > last[0]


def column_values(record: Any) -> dict[str, Any]:
    """A record's columns as the database takes them. SQLite would store a numpy integer as bytes,
    and not-a-number as NULL where PostgreSQL keeps it."""
    values = {name: _scalar_or_same(getattr(record, name)) for name in _NAMES[type(record)]}
    return {n: None if isinstance(v, float) and isnan(v) else v for n, v in values.items()}


def _scalar_or_same(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def plain(value: Any) -> Any:
    """A value as it comes back from the database."""
    return json.loads(to_json(value))


def to_json(value: Any) -> str:
    """JSON that both databases take: numbers that are not finite become null."""
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return json.dumps(_finite(json.loads(json.dumps(value, default=_scalar))), sort_keys=True)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"not plain data: {type(value).__name__}")


_ENCODER = json.JSONEncoder(sort_keys=True, default=_scalar, allow_nan=False)
