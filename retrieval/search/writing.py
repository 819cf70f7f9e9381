"""Writing into the index: scans and reports put in, replaced and taken out, a batch at a time."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from retrieval.rules.text import sentences
from retrieval.search.rows import (
    Facts,
    ReportRows,
    Row,
    answers,
    report_facts,
    scan_facts,
    text_hash,
)
from retrieval.search.schema import FIRST_CHOICE, REPORT, SCAN, transaction

_WORDS = ("sex", "source", "modality", "split", "phase", "scanner")
_UNIT = "INSERT OR REPLACE INTO unit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class IndexWriter:
    """Puts rows into an index. Each call is one transaction: another process sees all or nothing.

    Args:
        connection: of `retrieval.search.schema.connect`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._terms: dict[str, int] = {}

    def put_scans(self, scans: Sequence[tuple[Row, int]]) -> None:
        """Put scans in, each with its state; one that is there is replaced."""
        with self._writing():
            for row, state in scans:
                self._put_unit(SCAN, str(row["case_id"]), state, scan_facts(row), 0)

    def put_reports(self, reports: Sequence[ReportRows]) -> None:
        """Put reports in with their answers and sentences; their scans must be there already."""
        with self._writing():
            for item in reports:
                self._put_report(item)

    def remove(self, kind: int, names: Iterable[str]) -> None:
        """Take scans or reports out."""
        with self._writing():
            for name in names:
                unit = self._unit(kind, name)
                if unit:
                    if kind == REPORT:
                        self._clear(unit)
                    self._db.execute("DELETE FROM unit WHERE id = ?", (unit,))
                    self._db.execute("DELETE FROM origin WHERE id = ?", (unit,))

    def say(self, key: str, value: str) -> None:
        """Write a line of `meta`."""
        with transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def merge(self) -> None:
        """Tidy up after many changes: full-text segments merged, statistics for the planner."""
        with transaction(self._db):
            self._db.execute("INSERT INTO lexical (lexical) VALUES ('optimize')")
        self._db.execute("ANALYZE")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with transaction(self._db):
                yield
        except BaseException:
            self._terms.clear()  # some of them were rolled back
            raise

    def _put_report(self, item: ReportRows) -> None:
        row = item.report
        case = str(row.get("case_id") or "")
        scan = self._unit(SCAN, case) if case else 0
        facts = report_facts(row, item.scan)
        unit = self._put_unit(REPORT, str(row["report_id"]), item.state, facts, scan)
        self._clear(unit)
        self._db.executemany(
            "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    self._term(a.question),
                    FIRST_CHOICE + self._term(a.name) if a.name else a.value,
                    unit, scan, a.number, a.side, a.change, int(a.supported),
                )
                for a in answers(item.findings)
            ],
        )  # fmt: skip
        self._put_sentences(unit, str(row.get("text") or ""))

    def _put_sentences(self, unit: int, text: str) -> None:
        found: dict[int, int] = {}
        for sentence in sentences(text):
            words = " ".join(sentence.text.split())
            if words:
                found.setdefault(self._sentence(words), sentence.start)
        self._db.executemany(
            "INSERT INTO occurrence VALUES (?, ?, ?)", [(s, unit, at) for s, at in found.items()]
        )

    def _sentence(self, text: str) -> int:
        key = text_hash(text)
        found = self._db.execute("SELECT id FROM sentence WHERE hash = ?", (key,)).fetchone()
        if found:
            return int(found[0])
        made = self._db.execute("INSERT INTO sentence (hash, text) VALUES (?, ?)", (key, text))
        self._db.execute("INSERT INTO lexical (rowid, text) VALUES (?, ?)", (made.lastrowid, text))
        return int(made.lastrowid or 0)

    def _put_unit(self, kind: int, name: str, state: int, facts: Facts, scan: int) -> int:
        unit = self._unit(kind, name)
        if unit:
            self._db.execute("UPDATE origin SET state = ? WHERE id = ?", (state, unit))
        else:
            made = self._db.execute(
                "INSERT INTO origin (kind, name, state) VALUES (?, ?, ?)", (kind, name, state)
            )
            unit = int(made.lastrowid or 0)
        words = {w: self._term(facts.words[w]) if facts.words.get(w) else None for w in _WORDS}
        self._db.execute(
            _UNIT,
            (
                unit, kind, self._id("patient", facts.patient) if facts.patient else 0, scan,
                int(facts.live), facts.day, facts.age, words["sex"], words["source"],
                words["modality"], words["split"], words["phase"], words["scanner"],
                facts.slice_mm, facts.year,
            ),
        )  # fmt: skip
        return unit

    def _unit(self, kind: int, name: str) -> int:
        found = self._db.execute(
            "SELECT id FROM origin WHERE kind = ? AND name = ?", (kind, name)
        ).fetchone()
        return int(found[0]) if found else 0

    def _clear(self, unit: int) -> None:
        """Forget a report's answers and sentences, and sentences that no report holds now."""
        self._db.execute("DELETE FROM answer WHERE report = ?", (unit,))
        held = self._db.execute("SELECT sentence FROM occurrence WHERE report = ?", (unit,))
        before = [row[0] for row in held]
        self._db.execute("DELETE FROM occurrence WHERE report = ?", (unit,))
        for sentence in before:
            self._drop_unused(sentence)

    def _drop_unused(self, sentence: int) -> None:
        text = self._db.execute(
            "SELECT text FROM sentence WHERE id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM occurrence WHERE sentence = ?1)",
            (sentence,),
        ).fetchone()
        if text:
            self._db.execute(
                "INSERT INTO lexical (lexical, rowid, text) VALUES ('delete', ?, ?)",
                (sentence, text[0]),
            )
            self._db.execute("DELETE FROM sentence WHERE id = ?", (sentence,))

    def _term(self, text: str) -> int:
        if text not in self._terms:
            self._terms[text] = self._id("term", text)
        return self._terms[text]

    def _id(self, table: str, text: str) -> int:
        self._db.execute(f"INSERT OR IGNORE INTO {table} (text) VALUES (?)", (text,))
        found = self._db.execute(f"SELECT id FROM {table} WHERE text = ?", (text,)).fetchone()
        return int(found[0])
