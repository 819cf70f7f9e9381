"""Free text in sentences: BM25 and, where there are embeddings, nearness of meaning, fused."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from voxcurate.config import read_yaml, shipped

FUSION = 60  # k of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009): 1 / (k + rank)
_FIRST, _WIDER = 2000, 8  # sentences looked at first, and how many times more after that
_FEW = 5000  # units that are few enough to look at their sentences only
_WORD = re.compile(r'"([^"]+)"|([\w.]+)')


@dataclass(frozen=True)
class Ranked:
    """A unit, how well its best sentence fits, and which that is."""

    unit: int
    score: float
    sentence: int


class Dense(Protocol):
    """Search by embeddings."""

    def nearest(self, text: str, n: int) -> Sequence[int]:
        """Ids of the `n` sentences nearest in meaning, the nearest first."""
        ...


def ranked(
    connection: sqlite3.Connection, text: str, n: int, *, is_scan: bool, dense: Dense | None = None
) -> list[Ranked]:
    """The `n` units of ``temp.fits`` whose sentences fit a text best.

    A unit is as good as its best sentence; ties come by id. Words are looked for one by one
    (one is enough, rare ones weigh more), those in quotation marks as a phrase. With `dense` a
    unit's best sentence by words and its best by meaning count together, and the one that adds
    most is its evidence.
    """
    words = match_expression(text)
    few = connection.execute("SELECT COUNT(*) FROM temp.fits").fetchone()[0] <= _FEW
    found: list[Ranked] = []
    for size in _sizes():
        lexical = _lexical(connection, words, size, is_scan=is_scan, few=few) if words else []
        near = list(dense.nearest(text, size)) if dense else []
        is_last = max(len(lexical), len(near)) < size
        if near and few:  # the words were looked for there only
            near = _held(connection, near, is_scan=is_scan)
        found = _units(connection, lexical, near, n, is_scan=is_scan)
        if len(found) >= n or is_last:
            break
    return found


def scores(items: Sequence[int]) -> dict[int, float]:
    """What reciprocal rank fusion adds up: each item's ``1 / (FUSION + rank)``, ranks from 1."""
    return {item: 1.0 / (FUSION + rank) for rank, item in enumerate(items, start=1)}


def match_expression(text: str) -> str:
    """A text as FTS5 takes it: phrases and content words, one of which must occur."""
    parts = []
    for phrase, word in _WORD.findall(text):
        if phrase or word.lower() not in _stopwords():
            parts.append(f'"{phrase or word}"')
    return " OR ".join(dict.fromkeys(parts))


def _sizes() -> Iterator[int]:
    size = _FIRST
    while size < 1 << 40:
        yield size
        size *= _WIDER


def _lexical(
    connection: sqlite3.Connection, words: str, n: int, *, is_scan: bool, few: bool
) -> list[int]:
    reports = (
        "SELECT id FROM unit WHERE scan IN (SELECT id FROM temp.fits)"
        if is_scan
        else "SELECT id FROM temp.fits"
    )
    among = (
        f" AND +rowid IN (SELECT sentence FROM occurrence WHERE report IN ({reports}))"
        if few
        else ""
    )
    query = f"SELECT rowid FROM lexical WHERE lexical MATCH ?{among} ORDER BY rank, rowid LIMIT ?"
    return [row[0] for row in connection.execute(query, (words, n))]


def _held(connection: sqlite3.Connection, near: Sequence[int], *, is_scan: bool) -> list[int]:
    """Those of the sentences that a unit of ``temp.fits`` holds, in their order."""
    unit = "r.scan" if is_scan else "r.id"
    query = (
        "SELECT 1 FROM occurrence o JOIN unit r ON r.id = o.report WHERE o.sentence = ?"
        f" AND +{unit} IN (SELECT id FROM temp.fits) LIMIT 1"
    )
    return [item for item in near if connection.execute(query, (item,)).fetchone()]


def _units(
    connection: sqlite3.Connection,
    lexical: Sequence[int],
    near: Sequence[int],
    n: int,
    *,
    is_scan: bool,
) -> list[Ranked]:
    by_words, by_meaning = scores(lexical), scores(near)
    connection.execute("DROP TABLE IF EXISTS temp.near")
    connection.execute(
        "CREATE TEMP TABLE near (sentence INTEGER PRIMARY KEY, words REAL, meaning REAL)"
    )
    connection.executemany(
        "INSERT INTO temp.near VALUES (?, ?, ?)",
        [
            (item, by_words.get(item, 0.0), by_meaning.get(item, 0.0))
            for item in by_words.keys() | by_meaning.keys()
        ],
    )
    unit = "r.scan" if is_scan else "r.id"
    joined = (
        " FROM temp.near n CROSS JOIN occurrence o ON o.sentence = n.sentence"
        # The plus: or SQLite asks of each sentence whether each unit that fits holds it.
        f" CROSS JOIN unit r ON r.id = o.report WHERE +{unit} IN (SELECT id FROM temp.fits)"
    )
    found = connection.execute(
        f"SELECT {unit} AS unit, MAX(n.words) + MAX(n.meaning) AS best{joined}"
        " GROUP BY 1 ORDER BY best DESC, unit LIMIT ?",
        (n,),
    )
    evidence = (
        "SELECT n.sentence FROM unit r CROSS JOIN occurrence o ON o.report = r.id"
        " CROSS JOIN temp.near n ON n.sentence = o.sentence"
        f" WHERE {unit} = ? AND {unit} > 0 ORDER BY n.words + n.meaning DESC, n.sentence LIMIT 1"
    )
    return [
        Ranked(which, score, connection.execute(evidence, (which,)).fetchone()[0])
        for which, score in found.fetchall()
    ]


@cache
def _stopwords() -> frozenset[str]:
    return frozenset(map(str, read_yaml(shipped("reading", "ask.yaml"))["filler"]))
