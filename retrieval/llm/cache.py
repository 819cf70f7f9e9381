"""Answers already given, so that a rerun or one changed question asks for what is new only."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxcurate.chat.log import open_database, transaction

MIGRATIONS = (
    "CREATE TABLE report (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE)",
    """CREATE TABLE asked (
        id INTEGER PRIMARY KEY, question TEXT NOT NULL, version TEXT NOT NULL,
        engine TEXT NOT NULL, model TEXT NOT NULL, UNIQUE (question, version, engine, model))""",
    """CREATE TABLE answer (
        report INTEGER NOT NULL, asked INTEGER NOT NULL, answer TEXT NOT NULL,
        PRIMARY KEY (report, asked)) WITHOUT ROWID""",
)


class AnswerCache:
    """Answers by the hash of the report's text, question, its version, engine and model.

    Neither the report nor a quote of it is kept, only where in the report the quote stands, and
    the model's own words of justification (on text that was de-identified before).
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path, MIGRATIONS)
        self._connection.execute("PRAGMA synchronous=NORMAL")  # what is lost is asked again
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, ...], int] = {}

    def get(
        self, text: str, versions: Mapping[str, str], engine: str, model: str
    ) -> dict[str, dict[str, Any]]:
        """Answers to a report by question, those of the given versions only."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT question, version, answer FROM report"
                " JOIN answer ON answer.report = report.id JOIN asked ON asked.id = answer.asked"
                " WHERE digest = ? AND engine = ? AND model = ?",
                (_digest(text), engine, model),
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
        with self._lock:
            try:
                with transaction(self._connection):
                    self._put(text, versions, (engine, model), answers)
            except sqlite3.Error:
                self._asked.clear()  # some were of rows that are not there
                raise

    def _put(
        self,
        text: str,
        versions: Mapping[str, str],
        reader: tuple[str, str],
        answers: Mapping[str, Mapping[str, Any]],
    ) -> None:
        key = self._id("report", {"digest": _digest(text)})
        for name, answer in answers.items():
            asked = self._asked_id(name, versions[name], *reader)
            data = json.dumps(
                dict(answer), sort_keys=True, ensure_ascii=False, separators=(",", ":")
            )
            self._connection.execute(
                "INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", (key, asked, data)
            )

    def _asked_id(self, *names: str) -> int:
        if names not in self._asked:
            columns = ("question", "version", "engine", "model")
            found = self._id("asked", dict(zip(columns, names, strict=True)))
            self._asked[names] = found
        return self._asked[names]

    def _id(self, table: str, values: Mapping[str, Any]) -> int:
        """The id of a row of `table` (a name of ours), which is added where it is missing."""
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        given = tuple(values.values())
        self._connection.execute(
            f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", given
        )
        where = " AND ".join(f"{name} = ?" for name in values)
        row = self._connection.execute(f"SELECT id FROM {table} WHERE {where}", given).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
