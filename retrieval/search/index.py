"""The index of a workspace: kept up to date with its catalog, and opened to search in it."""

import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

from retrieval.search.changes import Changes, changes, report_rows, scan_rows, stamp
from retrieval.search.schema import REPORT, SCAN, connect
from retrieval.search.writing import IndexWriter
from voxcurate.catalog import Catalog
from voxcurate.progress import progress
from voxcurate.workspace import Workspace

T = TypeVar("T")
BATCH = 1000  # reports in one transaction
_MANY = 5000  # changes that are worth tidying up after


def index_path(workspace: Workspace) -> Path:
    """``index/search.sqlite``."""
    return workspace.root / "index" / "search.sqlite"


@contextmanager
def open_index(
    workspace: Workspace, catalog: Catalog, *, quiet: bool = False
) -> Iterator[sqlite3.Connection]:
    """The index, brought up to date where the catalog was written to since.

    While another process is at that, the index is used as it is: it holds whole reports only, and
    `is_behind` says so.
    """
    connection = connect(index_path(workspace))
    try:
        update(connection, workspace, catalog, quiet=quiet)
        yield connection
    finally:
        connection.close()


def update(
    connection: sqlite3.Connection, workspace: Workspace, catalog: Catalog, *, quiet: bool = False
) -> int:
    """Bring an index up to date; a killed update goes on where it stopped.

    Returns:
        how many scans and reports were put in, replaced or taken out.
    """
    now = stamp(catalog)
    if now and _said(connection, "stamp") == now:
        return 0
    with alone(index_path(workspace).with_suffix(".lock")) as is_ours:
        if not is_ours:
            return 0
        wanted = changes(catalog, _states(connection, SCAN), _states(connection, REPORT))
        writer = IndexWriter(connection)
        with progress("index reports", len(wanted.reports), quiet=quiet) as bar:
            for n in _apply(writer, catalog, wanted):
                bar.advance(n)
        if wanted.n >= _MANY:
            writer.merge()
        writer.say("stamp", now)
        return wanted.n


def is_behind(connection: sqlite3.Connection, catalog: Catalog) -> bool:
    """Whether the catalog was written to since the index was brought up to date."""
    now = stamp(catalog)
    return not now or _said(connection, "stamp") != now


def _apply(writer: IndexWriter, catalog: Catalog, wanted: Changes) -> Iterator[int]:
    writer.remove(REPORT, wanted.gone_reports)
    writer.remove(SCAN, wanted.gone_scans)
    for names in _batches(list(wanted.scans)):
        rows = scan_rows(catalog, names)
        writer.put_scans([(row, wanted.scans[row["case_id"]]) for row in rows])
    for names in _batches(list(wanted.reports)):
        writer.put_reports(report_rows(catalog, {name: wanted.reports[name] for name in names}))
        yield len(names)


def _batches(items: Sequence[T]) -> Iterator[list[T]]:
    queue = iter(items)
    while batch := list(islice(queue, BATCH)):
        yield batch


def _states(connection: sqlite3.Connection, kind: int) -> dict[str, int]:
    return dict(connection.execute("SELECT name, state FROM origin WHERE kind = ?", (kind,)))


def _said(connection: sqlite3.Connection, key: str) -> str:
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(found[0]) if found else ""


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody else holds the lock at `path`; a killed holder's is free at once."""
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
