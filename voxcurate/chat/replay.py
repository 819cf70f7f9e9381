"""Recorded replies: recording an engine's, and giving them again without it."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from voxcurate.chat.engine import request_hash
from voxcurate.chat.log import open_database
from voxcurate.chat.parsing import parse_reply, readable
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.protocols import ChatEngine, Message, Reply

MIGRATIONS = (
    """CREATE TABLE recording (
        request TEXT PRIMARY KEY, asked_model TEXT NOT NULL, model TEXT NOT NULL, raw TEXT NOT NULL,
        tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, seconds REAL NOT NULL)""",
)


class Recordings:
    """A file of raw replies by request hash; a request recorded again is replaced."""

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path, MIGRATIONS)
        self._lock = threading.Lock()

    def put(self, request: str, asked_model: str, reply: Reply) -> None:
        """Record a reply; one that never came (a transport error) is not recorded."""
        if reply.error and not reply.raw:
            return
        counts = (reply.tokens_in, reply.tokens_out, reply.seconds)
        with self._lock:
            self._connection.execute(
                "INSERT OR REPLACE INTO recording VALUES (?, ?, ?, ?, ?, ?, ?)",
                (request, asked_model, readable(reply.model), readable(reply.raw), *counts),
            )

    def get(self, request: str) -> Reply | None:
        """The recorded reply, not parsed; None if there is none."""
        with self._lock:
            row = self._connection.execute(
                "SELECT raw, model, tokens_in, tokens_out, seconds FROM recording"
                " WHERE request = ?",
                (request,),
            ).fetchone()
        if row is None:
            return None
        return Reply(None, row[0], row[1], tokens_in=row[2], tokens_out=row[3], seconds=row[4])

    def models(self) -> list[str]:
        """Names under which replies were recorded."""
        with self._lock:
            rows = self._connection.execute("SELECT DISTINCT asked_model FROM recording ORDER BY 1")
            return [str(row[0]) for row in rows]


class ReplayEngine:
    """Gives recorded replies again, validated anew; a request that was never recorded is an error.

    Args:
        recordings: the file.
        model: whose replies; may be left out when there is one model only.

    Raises:
        ConfigError: several models were recorded and none is named.
    """

    name = "replay"

    def __init__(self, recordings: Recordings, *, model: str = "") -> None:
        known = recordings.models()
        if not model and len(known) > 1:
            raise ConfigError(f"name one of the recorded models: {', '.join(known)}")
        self._model = model or (known[0] if known else "")
        self._recordings = recordings

    def chat(
        self, conversations: Sequence[Sequence[Message]], schema: type[BaseModel]
    ) -> list[Reply]:
        """The recorded replies, in order."""
        return [self._one(conversation, schema) for conversation in conversations]

    def _one(self, conversation: Sequence[Message], schema: type[BaseModel]) -> Reply:
        found = self._recordings.get(request_hash(conversation, schema, self._model))
        if found is None:
            return Reply(None, "", self._model, error="this request was never recorded")
        try:
            parsed = parse_reply(found.raw, schema)
        except ModelReplyError as error:
            return replace(found, error=str(error), seconds=0.0)
        return replace(found, parsed=parsed, seconds=0.0)


class RecordingEngine:
    """Any engine, its replies recorded for `ReplayEngine`.

    Args:
        engine: the engine that replies.
        recordings: the file.
        model: the name under which replies are recorded.
    """

    def __init__(self, engine: ChatEngine, recordings: Recordings, *, model: str = "") -> None:
        self.name = engine.name
        self._engine = engine
        self._recordings = recordings
        self._model = model

    def chat(
        self, conversations: Sequence[Sequence[Message]], schema: type[BaseModel]
    ) -> list[Reply]:
        """The engine's replies, unchanged."""
        replies = self._engine.chat(conversations, schema)
        for conversation, reply in zip(conversations, replies, strict=True):
            self._recordings.put(
                request_hash(conversation, schema, self._model), self._model, reply
            )
        return replies
