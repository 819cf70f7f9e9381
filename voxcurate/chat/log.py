"""The log of model calls: prompt, reply, model, settings and cost, in ``chat.sqlite``."""

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from voxcurate.chat.engine import plain, request_hash
from voxcurate.protocols import Message, Reply

MIGRATIONS = (
    """CREATE TABLE call (
        id INTEGER PRIMARY KEY, at TEXT NOT NULL, engine TEXT NOT NULL, model TEXT NOT NULL, request
        TEXT NOT NULL, settings TEXT NOT NULL, schema_name TEXT NOT NULL,
        messages TEXT NOT NULL,
        reply TEXT NOT NULL, error TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT
        NULL,
        seconds REAL NOT NULL, cost REAL NOT NULL)""",
    "CREATE INDEX ix_call_request ON call (request)",
)


def open_database(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """An SQLite file with its numbered migrations applied, each once and in a transaction."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, check_same_thread=False, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    done = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, statement in enumerate(migrations[done:], start=done + 1):
        connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute("COMMIT")
    return connection


class CallLog:
    """Every call to a model, failed ones too. Images are logged by their SHA-256.

    Prompts hold de-identified text only: nothing else is in the catalog (contract 7).
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path, MIGRATIONS)
        self._lock = threading.Lock()

    def write(
        self,
        engine: str,
        conversation: Sequence[Message],
        schema: type[BaseModel],
        reply: Reply,
        *,
        settings: Mapping[str, Any] | None = None,
        cost: float = 0.0,
    ) -> None:
        """Add one call."""
        row = (
            datetime.now(UTC).isoformat(timespec="seconds"),
            engine,
            reply.model,
            request_hash(conversation, schema, reply.model),
            json.dumps(dict(settings or {}), sort_keys=True),
            schema.__name__,
            json.dumps(plain(conversation)),
            reply.raw,
            reply.error,
            reply.tokens_in,
            reply.tokens_out,
            round(reply.seconds, 4),
            cost,
        )
        marks = ", ".join("?" * len(row))
        with self._lock:
            self._connection.execute(
                "INSERT INTO call (at, engine, model, request, settings, schema_name, messages,"
                f" reply, error, tokens_in, tokens_out, seconds, cost) VALUES ({marks})",
                row,
            )

    def calls(self) -> list[dict[str, Any]]:
        """All calls in order, as plain data."""
        with self._lock:
            cursor = self._connection.execute("SELECT * FROM call ORDER BY id")
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
