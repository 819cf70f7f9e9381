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
    (one is enough, rare ones weigh more), those in quotation marks as a phrase.
    """
    words = match_expression(text)
    few = connection.execute("SELECT COUNT(*) FROM temp.fits").fetchone()[0] <= _FEW
    found: list[Ranked] = []
    for size in _sizes():
        lexical = _lexical(connection, words, size, is_scan=is_scan, few=few) if words else []
        near = list(dense.nearest(text, size)) if dense else []
        found = _units(connection, fused(lexical, near), n, is_scan=is_scan)
        if len(found) >= n or max(len(lexical), len(near)) < size:
            break
    return found


def fused(*lists: Sequence[int]) -> dict[int, float]:
    """Reciprocal rank fusion: each item's sum of ``1 / (FUSION + rank)``, ranks from 1."""
    scores: dict[int, float] = {}
    for items in lists:
        for rank, item in enumerate(items, start=1):
            scores[item] = scores.get(item, 0.0) + 1.0 / (FUSION + rank)
    return scores


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


def _units(
    connection: sqlite3.Connection, scores: dict[int, float], n: int, *, is_scan: bool
) -> list[Ranked]:
    connection.execute("DROP TABLE IF EXISTS temp.near")
    connection.execute("CREATE TEMP TABLE near (sentence INTEGER PRIMARY KEY, score REAL)")
    connection.executemany("INSERT INTO temp.near VALUES (?, ?)", scores.items())
    unit = "r.scan" if is_scan else "r.id"
    found = connection.execute(
        f"SELECT {unit} AS unit, MAX(n.score) AS best, n.sentence FROM temp.near n"
        " CROSS JOIN occurrence o ON o.sentence = n.sentence CROSS JOIN unit r ON r.id = o.report"
        f" WHERE {unit} IN (SELECT id FROM temp.fits) GROUP BY 1 ORDER BY best DESC, unit LIMIT ?",
        (n,),
    )
    return [Ranked(*row) for row in found]


@cache
def _stopwords() -> frozenset[str]:
    return frozenset(map(str, read_yaml(shipped("reading", "ask.yaml"))["filler"]))
