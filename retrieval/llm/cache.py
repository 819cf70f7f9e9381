"""Answers already given, so that a rerun or one changed question asks for what is new only."""

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxcurate.chat.log import open_database

MIGRATIONS = (
    """CREATE TABLE answer (
        report TEXT NOT NULL, question TEXT NOT NULL, version TEXT NOT NULL, engine TEXT NOT NULL,
        model TEXT NOT NULL, answer TEXT NOT NULL,
        PRIMARY KEY (report, engine, model, question, version)) WITHOUT ROWID""",
)


class AnswerCache:
    """Answers by the hash of the report's text, question, its version, engine and model.

    Neither the report nor a quote of it is kept, only where in the report the quote stands, and
    the model's own words of justification (on text that was de-identified before).
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path, MIGRATIONS)
        self._lock = threading.Lock()

    def get(
        self, text: str, versions: Mapping[str, str], engine: str, model: str
    ) -> dict[str, dict[str, Any]]:
        """Answers to a report by question, those of the given versions only."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT question, version, answer FROM answer"
                " WHERE report = ? AND engine = ? AND model = ?",
                (report_key(text), engine, model),
            ).fetchall()
        return {
            name: json.loads(data) for name, version, data in rows if versions.get(name) == version
        }

    def put(
        self,
        text: str,
        versions: Mapping[str, str],
        engine: str,
        model: str,
        answers: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Keep answers to a report by question; one that was there is replaced."""
        key = report_key(text)
        rows = [
            (key, name, versions[name], engine, model, json.dumps(dict(answer), sort_keys=True))
            for name, answer in answers.items()
        ]
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT OR REPLACE INTO answer (report, question, version, engine, model, answer)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def report_key(text: str) -> str:
    """SHA-256 of a report's text."""
    return hashlib.sha256(text.encode()).hexdigest()
