"""The search index: one SQLite file derived from the catalog, which may be deleted at any time.

A unit is a scan or a report. Answers are rows of small integers, clustered by question and value,
so that a condition is one range of one b-tree. Sentences are kept once each however many reports
hold them, with a full-text table (BM25) beside them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = 1  # raised with every change of the tables or of what is written into them
SCAN, REPORT = 0, 1
YES, NO, UNCERTAIN, NUMBER = 1, 2, 3, 4
FIRST_CHOICE = 16  # the value of a choice is this plus its term's id
VALUES = {"yes": YES, "no": NO, "uncertain": UNCERTAIN, "number": NUMBER}
SIDES = {"": 0, "left": 1, "right": 2, "both": 3}
CHANGES = {"": 0, "new": 1, "larger": 2, "smaller": 3, "same": 4}
_CACHE_KB, _MAPPED = 65_536, 1 << 31

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE term (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE patient (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE origin (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL,
    state INTEGER NOT NULL, UNIQUE (kind, name));
CREATE TABLE unit (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, patient INTEGER NOT NULL,
    scan INTEGER NOT NULL, live INTEGER NOT NULL, day REAL, age REAL, sex INTEGER, source INTEGER,
    modality INTEGER, split INTEGER, phase INTEGER, scanner INTEGER, slice_mm REAL, year INTEGER);
CREATE INDEX unit_patient ON unit (patient, day) WHERE patient > 0;
CREATE INDEX unit_scan ON unit (scan) WHERE scan > 0;
CREATE TABLE answer (question INTEGER, value INTEGER, report INTEGER, scan INTEGER NOT NULL,
    number REAL, side INTEGER NOT NULL, change INTEGER NOT NULL, supported INTEGER NOT NULL,
    PRIMARY KEY (question, value, report)) WITHOUT ROWID;
CREATE INDEX answer_report ON answer (report);
CREATE TABLE sentence (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE TABLE occurrence (sentence INTEGER, report INTEGER, start INTEGER NOT NULL,
    PRIMARY KEY (sentence, report)) WITHOUT ROWID;
CREATE INDEX occurrence_report ON occurrence (report);
CREATE VIRTUAL TABLE lexical USING fts5 (text, content='sentence', content_rowid='id',
    tokenize='porter unicode61 remove_diacritics 2');
"""


def connect(path: Path | None) -> sqlite3.Connection:
    """A connection to the index at `path`, made if it is not there; None: one in memory.

    A file of another schema version, or one that is damaged, is begun anew: the catalog has it all.
    """
    if path is None:
        return _made(sqlite3.connect(":memory:", isolation_level=None))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _opened(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            raise
        remove(path)
        return _opened(path)


def remove(path: Path) -> None:
    """Delete the index and what SQLite keeps beside it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything in it is written, or nothing; readers see it whole."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        if _version(connection) not in (0, VERSION):
            raise sqlite3.DatabaseError("of another version")
        return _made(connection)
    except BaseException:
        connection.close()
        raise


def _made(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA synchronous = NORMAL")  # derived: a power cut costs a rebuild
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    connection.execute(f"PRAGMA mmap_size = {_MAPPED}")
    if _version(connection) == 0:
        with transaction(connection):
            if _version(connection) == 0:  # nobody else was faster
                for statement in _TABLES.strip().split(";\n"):
                    connection.execute(statement.rstrip(";"))
                connection.execute(f"PRAGMA user_version = {VERSION}")
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
