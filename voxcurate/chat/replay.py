"""Recorded replies: recording an engine's, and giving them again without it."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from voxcurate.chat.asking import PORTION, as_they_come
from voxcurate.chat.engine import request_hash
from voxcurate.chat.log import open_database
from voxcurate.chat.parsing import parse_reply, readable
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.protocols import ChatEngine, Message, Reply, Token

MIGRATIONS = (
    """CREATE TABLE recording (
        request TEXT PRIMARY KEY, asked_model TEXT NOT NULL, model TEXT NOT NULL, raw TEXT NOT NULL,
        tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, seconds REAL NOT NULL)""",
    "ALTER TABLE recording ADD COLUMN tokens TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE recording ADD COLUMN error TEXT NOT NULL DEFAULT ''",
)


class Recordings:
    """A file of raw replies by request hash; a request recorded again is replaced."""

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path, MIGRATIONS)
        self._lock = threading.Lock()

    def put(self, request: str, asked_model: str, reply: Reply) -> None:
        """Record a reply; one that never came (a transport error) is not recorded."""
        if reply.error and not reply.raw and not reply.tokens_out:
            return
        tokens = json.dumps([[token.text, dict(token.choices)] for token in reply.tokens])
        counts = (reply.tokens_in, reply.tokens_out, reply.seconds)
        with self._lock:
            self._connection.execute(
                "INSERT OR REPLACE INTO recording VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    request,
                    asked_model,
                    readable(reply.model),
                    readable(reply.raw),
                    *counts,
                    tokens,
                    readable(reply.error),
                ),
            )

    def get(self, request: str) -> Reply | None:
        """The recorded reply, not parsed, `error` what was wrong with it; None if there is none."""
        with self._lock:
            row = self._connection.execute(
                "SELECT raw, model, tokens_in, tokens_out, seconds, tokens, error FROM recording"
                " WHERE request = ?",
                (request,),
            ).fetchone()
        if row is None:
            return None
        tokens = tuple(Token(text, choices) for text, choices in json.loads(row[5]))
        counts = {"tokens_in": row[2], "tokens_out": row[3], "seconds": row[4]}
        return Reply(None, row[0], row[1], error=row[6], tokens=tokens, **counts)

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
        return _again(found, schema)


class CachedEngine:
    """Any engine, asked only for what has no recorded reply; also within one batch each request
    is sent once.

    Replies are recorded as they come (portion by portion from engines that have no ``stream``), so
    that a killed run loses what was under way at most. One that is malformed is recorded too: the
    same model would say the same. One that never came is asked for by the next run.

    Args:
        engine: the engine that replies.
        recordings: the file.
        model: the name under which replies are recorded: all that decides a reply beside the
            request, such as `EngineConfig.sampling`.
        portion: requests handed at once to an engine without ``stream``.

    Attributes:
        sent: requests handed to the engine so far.
    """

    def __init__(
        self,
        engine: ChatEngine,
        recordings: Recordings,
        *,
        model: str = "",
        portion: int = PORTION,
    ) -> None:
        self.name = engine.name
        self.sent = 0
        self._engine = engine
        self._recordings = recordings
        self._model = model
        self._portion = portion

    def chat(
        self, conversations: Sequence[Sequence[Message]], schema: type[BaseModel]
    ) -> list[Reply]:
        """Replies in order, recorded or new."""
        keys = [request_hash(item, schema, self._model) for item in conversations]
        asked = dict(zip(keys, conversations, strict=True))
        found: dict[str, Reply] = {}
        for key in asked:
            reply = self._recordings.get(key)
            if reply is not None:
                found[key] = _again(reply, schema)
        missing = [key for key in asked if key not in found]
        self.sent += len(missing)
        talks = [asked[key] for key in missing]
        for n, reply in as_they_come(self._engine, talks, schema, portion=self._portion):
            self._recordings.put(missing[n], self._model, reply)
            found[missing[n]] = reply
        return [found[key] for key in keys]


def _again(recorded: Reply, schema: type[BaseModel]) -> Reply:
    """A recorded reply as if it came now: validated anew, in no time."""
    try:
        return replace(recorded, parsed=parse_reply(recorded.raw, schema), error="", seconds=0.0)
    except ModelReplyError as error:
        return replace(recorded, error=recorded.error or str(error), seconds=0.0)


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
        found: dict[int, Reply] = {}
        done: set[str] = set()
        size = max(len(conversations), 1)
        for n, reply in as_they_come(self._engine, conversations, schema, portion=size):
            key = request_hash(conversations[n], schema, self._model)
            if key not in done:  # the copies that others got have no tokens
                self._recordings.put(key, self._model, reply)
            done.add(key)
            found[n] = reply
        return [found[n] for n in range(len(conversations))]
