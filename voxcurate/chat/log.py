"""The log of model calls: prompt, reply, model, settings and cost, in ``chat.sqlite``."""

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from voxcurate.chat.engine import plain, request_hash
from voxcurate.chat.parsing import readable
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
    "CREATE TABLE part (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL)",
    "ALTER TABLE call ADD COLUMN gpu_s REAL NOT NULL DEFAULT 0",
)
_BREAK = "\n\n"
_REMEMBERED = 4096  # parts whose ids are at hand


def open_database(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """An SQLite file with its numbered migrations applied, each once and in a transaction.

    It holds words of reports: a new file is its owner's alone, and so are those that SQLite puts
    beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, check_same_thread=False, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    done = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, statement in enumerate(migrations[done:], start=done + 1):
        connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute("COMMIT")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


class CallLog:
    """Every call to a model, failed ones too. Images are logged by their SHA-256.

    Prompts hold de-identified text only: nothing else is in the catalog (contract 7). Their
    paragraphs are kept once each, so that what thousands of prompts share takes no room.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path, MIGRATIONS)
        self._lock = threading.Lock()
        self._parts: dict[str, int] = {}

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
        row = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "engine": engine,
            "model": readable(reply.model),
            "request": request_hash(conversation, schema, reply.model),
            "settings": json.dumps(dict(settings or {}), sort_keys=True),
            "schema_name": schema.__name__,
            "reply": readable(reply.raw),
            "error": readable(reply.error),
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "seconds": round(reply.seconds, 4),
            "cost": cost,
            "gpu_s": round(reply.gpu_s, 4),
        }
        with self._lock:
            try:
                with transaction(self._connection):
                    self._insert(row, conversation)
            except sqlite3.Error:
                self._parts.clear()  # some were of rows that are not there
                raise

    def _insert(self, row: dict[str, Any], conversation: Sequence[Message]) -> None:
        row["messages"] = json.dumps([self._stored(message) for message in plain(conversation)])
        marks = ", ".join(f":{name}" for name in row)
        self._connection.execute(f"INSERT INTO call ({', '.join(row)}) VALUES ({marks})", row)

    def calls(self) -> list[dict[str, Any]]:
        """All calls in order, as plain data."""
        with self._lock:
            cursor = self._connection.execute("SELECT * FROM call ORDER BY id")
            names = [column[0] for column in cursor.description]
            found = [dict(zip(names, row, strict=True)) for row in cursor]
            texts = dict(self._connection.execute("SELECT id, text FROM part"))
        for call in found:
            messages = [_with_text(item, texts) for item in json.loads(call["messages"])]
            call["messages"] = json.dumps(messages)
        return found

    def _stored(self, message: Mapping[str, Any]) -> dict[str, Any]:
        parts = [self._part(text) for text in readable(message["text"]).split(_BREAK)]
        return {"role": message["role"], "parts": parts, "images": message["images"]}

    def _part(self, text: str) -> int:
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest not in self._parts:
            if len(self._parts) >= _REMEMBERED:
                self._parts.clear()
            self._connection.execute(
                "INSERT OR IGNORE INTO part (digest, text) VALUES (?, ?)", (digest, text)
            )
            row = self._connection.execute("SELECT id FROM part WHERE digest = ?", (digest,))
            self._parts[digest] = int(row.fetchone()[0])
        return self._parts[digest]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _with_text(message: Mapping[str, Any], texts: Mapping[int, str]) -> dict[str, Any]:
    if "parts" not in message:  # written before parts were kept
        return dict(message)
    text = _BREAK.join(texts[number] for number in message["parts"])
    return {"role": message["role"], "text": text, "images": message["images"]}
