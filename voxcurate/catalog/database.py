"""Opening the database: connections tuned, missing migrations applied."""

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from voxcurate.catalog.statements import to_json
from voxcurate.errors import CatalogError

WRITES = "voxcurate_writes"  # execution option of connections that will change something
PATIENCE_S = 30  # that a writer waits for another one
MIGRATING, WRITING = 7041776, 7041777  # names of PostgreSQL's advisory locks


def open_database(url: str) -> sa.Engine:
    """The engine of a catalog, its schema up to date: all missing migrations applied, or none.

    Raises:
        CatalogError: the database cannot be opened, or was written by a newer version.
    """
    try:
        engine = sa.create_engine(
            url,
            json_serializer=to_json,
            hide_parameters=True,
            pool_pre_ping=not url.startswith("sqlite"),  # the server may have been started anew
        )
    except sa.exc.ArgumentError:
        raise CatalogError("the catalog's URL is not one that SQLAlchemy knows") from None
    except ModuleNotFoundError as error:
        raise CatalogError(
            f"the catalog's database wants a driver: pip install {error.name}"
        ) from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _tune_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    else:
        sa.event.listen(engine, "connect", _tune_server)
        sa.event.listen(engine, "begin", _begin_server)
    try:
        _migrate(engine)
    except sa.exc.SQLAlchemyError as error:
        raise CatalogError(f"cannot open the catalog: {type(error).__name__}") from None
    return engine


def _tune_sqlite(connection: Any, _: Any) -> None:
    """Readers never wait for the writer (WAL), what is committed survives a power cut (FULL).

    Python's driver begins transactions late and not at all before CREATE TABLE; with
    `isolation_level` None it leaves them to `_begin_sqlite`, so that a migration or a savepoint is
    whole or not there.
    """
    connection.isolation_level = None
    cursor = connection.cursor()
    patience = f"busy_timeout={PATIENCE_S * 1000}"
    for pragma in (patience, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    """Writers take their turn at the start: a transaction that reads first and writes later would
    fail, not wait, when another one wrote in between."""
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _tune_server(connection: Any, _: Any) -> None:
    """A writer that waits too long for another one says so, as with SQLite."""
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = '{PATIENCE_S}s'")
    cursor.close()
    connection.commit()  # a setting of a transaction that is rolled back is gone


def _begin_server(connection: sa.Connection) -> None:
    """Writers take their turn at the start, as with SQLite: of two that read first and write later
    the one would undo what the other did. Readers never wait."""
    if connection.get_execution_options().get(WRITES, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITING})")


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
    connection = engine.connect().execution_options(**{WRITES: True})
    with connection, connection.begin():
        if engine.dialect.name == "postgresql":  # two first openings at once: one waits
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
