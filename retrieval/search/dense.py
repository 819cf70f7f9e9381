"""Search by meaning: the index's sentences as vectors in ``index/dense.sqlite``.

A sentence is embedded once however many reports hold it, and kept under the hash of its text, so
that the vectors outlive a rebuilt ``search.sqlite``. Half precision moves a cosine by less than
0.001. Up to `FLAT_MOST` sentences all of them are compared with the question (faiss IndexFlatIP:
exact, in memory as soon as the vectors are read, so there is no file to keep in step). Beyond that
an inverted file with half-precision vectors (``index/dense.faiss``) is made from them: it takes a
quarter of a graph's memory, and because it is made anew from the sorted vectors when they have
changed, it too depends on what is indexed alone, not on the order in which it came.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.search.embedding import Embedder
from retrieval.search.index import alone, index_path
from retrieval.search.schema import transaction
from voxcurate.progress import progress
from voxcurate.workspace import Workspace

VERSION = 1
BATCH = 256  # sentences in one transaction: what a kill costs at most
FLAT_MOST = 200_000  # about 0.1 s a question and 300 MB
AT_LEAST = 0.3  # cosine; sentences further off have nothing to do with the question
_READ, _PROBES, _PER_CELL = 50_000, 64, 64
_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE vector (hash INTEGER PRIMARY KEY, vector BLOB NOT NULL)",
)


def dense_path(workspace: Workspace) -> Path:
    """``index/dense.sqlite``."""
    return index_path(workspace).with_name("dense.sqlite")


@dataclass
class DenseSearch:
    """Nearness of meaning among the sentences of an index; made by `open_dense`.

    `is_partial`: another process is embedding; sentences may be missing.
    """

    connection: sqlite3.Connection
    embedder: Embedder
    index: Any
    is_partial: bool = False
    _asked: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    def nearest(self, text: str, n: int) -> Sequence[int]:
        """Ids of the `n` sentences nearest in meaning, the nearest first; ties by their hash.

        Fewer where fewer are at least `AT_LEAST` near.
        """
        total = 0 if self.index is None else int(self.index.ntotal)
        if not total or not text.strip():
            return []
        if text not in self._asked:
            self._asked[text] = self.embedder.embed([" ".join(text.split())])
        scores, hashes = self.index.search(
            self._asked[text], min(n, total), params=_parameters(self.index, n)
        )
        near = [
            (-float(score), int(key))
            for score, key in zip(scores[0], hashes[0], strict=True)
            if score >= AT_LEAST
        ]
        lookup = "SELECT id FROM sentence WHERE hash = ?"
        found = (self.connection.execute(lookup, (key,)).fetchone() for _, key in sorted(near))
        return [int(row[0]) for row in found if row]


@contextmanager
def open_dense(
    workspace: Workspace,
    connection: sqlite3.Connection,
    embedder: Embedder,
    *,
    quiet: bool = False,
) -> Iterator[DenseSearch]:
    """Search by meaning in a workspace's index; sentences without a vector are embedded first.

    While another process is at that, what there is already is searched.

    Args:
        workspace: whose.
        connection: its index, of `retrieval.search.index.open_index`.
        embedder: makes the vectors; those another one has made are thrown away.
        quiet: show no progress.
    """
    path = dense_path(workspace)
    with alone(path.with_suffix(".lock")) as is_ours:
        db = _connect(path, may_remove=is_ours)
        try:
            db.execute("ATTACH ? AS words", (str(index_path(workspace)),))
            if is_ours:
                _update(db, embedder, quiet=quiet)
            is_known = _said(db, "embedder") == embedder.name
            index = (
                _index(db, path.with_suffix(".faiss"), embedder.size, is_ours) if is_known else None
            )
        finally:
            db.close()
    yield DenseSearch(connection, embedder, index, not is_ours)


def _update(db: sqlite3.Connection, embedder: Embedder, *, quiet: bool) -> None:
    """Embed what is new, drop what no report holds now. Each batch is kept at once."""
    if _said(db, "embedder") != embedder.name:
        with _writing(db):
            db.execute("DELETE FROM vector")
            _say(db, "embedder", embedder.name)
    gone = "FROM vector WHERE hash NOT IN (SELECT hash FROM words.sentence)"
    if db.execute(f"SELECT EXISTS (SELECT 1 {gone})").fetchone()[0]:
        with _writing(db):
            db.execute(f"DELETE {gone}")
    missing = [
        row[0]
        for row in db.execute(
            "SELECT hash FROM words.sentence WHERE hash NOT IN (SELECT hash FROM vector)"
            " ORDER BY LENGTH(text) DESC, hash"  # like lengths together: little padding
        )
    ]
    with progress("embed sentences", len(missing), quiet=quiet) as bar:
        for at in range(0, len(missing), BATCH):
            batch = missing[at : at + BATCH]
            _embed(db, embedder, batch)
            bar.advance(len(batch))


def _embed(db: sqlite3.Connection, embedder: Embedder, hashes: Sequence[int]) -> None:
    marks = ", ".join("?" * len(hashes))
    texts = dict(
        db.execute(f"SELECT hash, text FROM words.sentence WHERE hash IN ({marks})", hashes)
    )
    keys = [key for key in hashes if key in texts]  # another process may have dropped some
    vectors = embedder.embed([texts[key] for key in keys]).astype(np.float16)
    with _writing(db):
        db.executemany(
            "INSERT OR REPLACE INTO vector VALUES (?, ?)",
            [(key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)],
        )


def _index(db: sqlite3.Connection, path: Path, size: int, is_ours: bool) -> Any:
    """The faiss index of the vectors; None while another process makes the first one."""
    import faiss

    total = int(db.execute("SELECT COUNT(*) FROM vector").fetchone()[0])
    if total <= FLAT_MOST:
        index = faiss.IndexIDMap(faiss.IndexFlatIP(size))
        _fill(index, db, size)
        return index
    if path.exists() and (not is_ours or _said(db, "indexed") == _said(db, "state")):
        return faiss.read_index(str(path))
    return _inverted(db, path, size, total) if is_ours else None


def _inverted(db: sqlite3.Connection, path: Path, size: int, total: int) -> Any:
    import faiss

    cells = int(4 * total**0.5)
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(size), size, cells,
        faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT,
    )  # fmt: skip
    # Hashes are as good as random, so that the first by hash are a fair sample.
    _, sample = next(_vectors(db, size, min(total, cells * _PER_CELL)))
    index.train(sample)
    _fill(index, db, size)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    faiss.write_index(index, str(part))
    part.replace(path)
    with transaction(db):
        _say(db, "indexed", _said(db, "state"))
    return index


def _fill(index: Any, db: sqlite3.Connection, size: int) -> None:
    for hashes, vectors in _vectors(db, size, _READ):
        index.add_with_ids(vectors, hashes)


def _vectors(
    db: sqlite3.Connection, size: int, n: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
    """Hashes and vectors in the order of the hashes, `n` at a time."""
    rows = db.execute("SELECT hash, vector FROM vector ORDER BY hash")
    while some := rows.fetchmany(n):
        packed = np.frombuffer(b"".join(row[1] for row in some), np.float16)
        hashes = np.array([row[0] for row in some], np.int64)
        yield hashes, packed.reshape(-1, size).astype(np.float32)


def _parameters(index: Any, n: int) -> Any:
    import faiss

    if not isinstance(index, faiss.IndexIVF):
        return None
    found: Any = faiss.SearchParametersIVF()
    found.nprobe = min(index.nlist, _PROBES * (1 + n // 2000))
    return found


@contextmanager
def _writing(db: sqlite3.Connection) -> Iterator[None]:
    """A transaction that changes the vectors: the faiss file is out of date after it."""
    with transaction(db):
        yield
        _say(db, "state", str(int(_said(db, "state") or 0) + 1))


def _connect(path: Path, *, may_remove: bool) -> sqlite3.Connection:
    try:
        return _opened(path)
    except sqlite3.DatabaseError as error:
        if not may_remove or isinstance(error, sqlite3.OperationalError):
            raise
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.stem}.faiss"):
            path.with_name(name).unlink(missing_ok=True)
        return _opened(path)


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=60)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError("of another version")
        if version == 0:
            with transaction(db):
                if not db.execute("PRAGMA user_version").fetchone()[0]:
                    for statement in _TABLES:
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        db.close()
        raise
    return db


def _said(db: sqlite3.Connection, key: str) -> str:
    found = db.execute("SELECT value FROM main.meta WHERE key = ?", (key,)).fetchone()
    return str(found[0]) if found else ""


def _say(db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO main.meta VALUES (?, ?)", (key, value))
