"""How many of what fits a query there are by sex, phase, source, age, year, scanner or answer."""

import sqlite3
from collections import Counter

from retrieval.search.compiling import terms_of
from retrieval.search.find import fill
from retrieval.search.query import CohortQuery
from retrieval.search.schema import FIRST_CHOICE, VALUES
from retrieval.search.tree import Tree
from voxcurate.errors import ConfigError

_WORDS = ("sex", "phase", "source", "scanner", "modality", "split")
UNKNOWN = "unknown"


def count_by(
    connection: sqlite3.Connection, query: CohortQuery, tree: Tree, what: str
) -> Counter[str]:
    """Counts of everything that fits, order, limit and free text aside; the most frequent first.

    Args:
        connection: the index.
        query: what is wanted.
        tree: of the questionnaire.
        what: ``sex``, ``phase``, ``source``, ``scanner``, ``modality``, ``split``, ``age`` (in
            tens of years), ``year``, or ``question:ID`` for the answers to a question.

    Raises:
        ConfigError: it is none of these.
    """
    words = {key: text for text, key in terms_of(connection).items()}
    fill(connection, query, tree)
    if what.startswith("question:"):
        return _by_answer(connection, query, words, what.removeprefix("question:"))
    if what not in (*_WORDS, "age", "year"):
        known = ", ".join((*_WORDS, "age", "year", "question:ID"))
        raise ConfigError(f"--count-by wants one of {known}, found {what!r}")
    column = "CAST(u.age / 10 AS INTEGER) * 10" if what == "age" else f"u.{what}"
    rows = connection.execute(
        f"SELECT {column}, COUNT(*) FROM temp.fits f JOIN unit u ON u.id = f.id GROUP BY 1"
    ).fetchall()
    if what in ("age", "year"):
        named = sorted((r for r in rows if r[0] is not None), key=lambda r: r[0])
        ended = "{0:g} to {1:g}" if what == "age" else "{0:g}"
        found = Counter({ended.format(low, low + 9): n for low, n in named})
        return found + Counter({UNKNOWN: sum(n for low, n in rows if low is None)})
    return _sorted(Counter({words.get(key) or UNKNOWN: n for key, n in rows}))


def _by_answer(
    connection: sqlite3.Connection, query: CohortQuery, words: dict[int, str], question: str
) -> Counter[str]:
    ids = {text: key for key, text in words.items()}
    if question not in ids:
        raise ConfigError(f"--count-by: no report answers a question {question!r}")
    key = "scan" if query.of == "scans" else "report"
    names = {code: name for name, code in VALUES.items()}
    rows = connection.execute(
        f"SELECT value, COUNT(DISTINCT {key}) FROM answer WHERE question = ?"
        f" AND {key} IN (SELECT id FROM temp.fits) GROUP BY 1",
        (ids[question],),
    )
    found = Counter({names.get(v) or words.get(v - FIRST_CHOICE, UNKNOWN): n for v, n in rows})
    silent = connection.execute(
        f"SELECT COUNT(*) FROM temp.fits WHERE id NOT IN"
        f" (SELECT {key} FROM answer WHERE question = ?)",
        (ids[question],),
    ).fetchone()[0]
    return _sorted(found + Counter({"not mentioned": silent}))


def _sorted(found: Counter[str]) -> Counter[str]:
    return Counter(dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))))
