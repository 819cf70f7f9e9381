"""Reports out of any file: tables, text files, folders of them, standard input; one by one."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.ingest.report_columns import guess_columns, letters
from agent.ingest.report_text import joined_text, read_text
from agent.ingest.tables import columns_of, iter_table, need_columns
from retrieval.alone import Given
from voxcurate.errors import SourceError

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".pq")
STDIN = "-"
_IDS = ("report_id", "case", "accession", "study_uid", "series_uid")  # the surest first
_HALVES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Source:
    """Where reports come from: how many (0: unknown) and each of them."""

    total: int
    reports: Callable[[], Iterator[Given]]


def open_source(file: str, text_columns: Sequence[str] = (), id_column: str = "") -> Source:
    """The reports of a file, a folder or ``-``, standard input: one report, or JSON lines.

    A table's columns are guessed from their names where that is beyond doubt; several columns of
    text (findings, impression) become one report under their names as headings. A file of another
    kind is one report, unless a column is named; a folder's reports are its ``.txt`` files.

    Raises:
        SourceError: it is not there, is a table that holds nothing, has no such column, or none
            whose name tells that it is the report; the columns that there are are listed.
    """
    if file == STDIN:
        from agent.reading.stdin import from_stdin

        return Source(*from_stdin(text_columns, id_column))
    path = Path(file)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise SourceError("no such file or folder")
    if path.suffix.lower() in TABLES or text_columns or id_column:
        return _table(path, text_columns, id_column)
    return Source(1, lambda: iter([_text_file(path, path.stem, "the file")]))


def _table(path: Path, text_columns: Sequence[str], id_column: str) -> Source:
    names = columns_of(path, "reports")
    if not names:
        why = next((row for _, row in iter_table(path, "reports") if isinstance(row, str)), "")
        raise SourceError(f"the reports table holds no row{f': {why}' if why else ''}")
    asked = Columns.of(names, text_columns, id_column)
    total = sum(1 for _ in iter_table(path, "reports"))
    return Source(total, lambda: asked.reports(iter_table(path, "reports")))


@dataclass(frozen=True)
class Columns:
    """Where a table has the text of a report, and its id (empty: nowhere)."""

    texts: Sequence[str]
    key: str = ""

    @classmethod
    def of(cls, names: Sequence[str], texts: Sequence[str], key: str) -> "Columns":
        """As asked, else guessed.

        Raises:
            SourceError: see `open_source`.
        """
        texts, key = list(texts) or _text_columns(names), key or _id_column(names)
        need_columns(names, [*texts, *([key] if key else [])], "reports")
        if not texts:
            raise SourceError(
                "the reports table has no column whose name tells that it is the report; say "
                f"--text-column; there are: {', '.join(names)}"
            )
        return cls(texts, key)

    def reports(self, rows: Iterable[tuple[int, Mapping[str, str] | str]]) -> Iterator[Given]:
        """A report for each row; without an id it is called by its row, which is no other's id."""
        for number, row in rows:
            place = f"row {number}"
            if isinstance(row, str):
                yield Given(place, error=row, place=place)
            else:
                key = sound(row.get(self.key, "").strip()) or place
                yield Given(key, sound(joined_text(row, self.texts)), place=place)


def _text_columns(columns: Sequence[str]) -> list[str]:
    told = guess_columns("", columns)
    found = told.data.get("text", "")
    if isinstance(found, str):
        return [found] if found in columns else []
    return list(found)


def _id_column(columns: Sequence[str]) -> str:
    known = guess_columns("", columns).data.get("keys", {})
    plain = [name for name in columns if letters(name) == "id"]
    found = [*plain, *(known[kind] for kind in _IDS if known.get(kind) in columns)]
    return found[0] if found else ""


def _folder(path: Path) -> Source:
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() == ".txt" and p.is_file())
    if not files:
        raise SourceError("the folder holds no text files (.txt)")

    def reports() -> Iterator[Given]:
        for number, file in enumerate(files, start=1):
            key = file.relative_to(path).with_suffix("").as_posix()
            yield _text_file(file, sound(key), f"file {number} by name")

    return Source(len(files), reports)


def _text_file(path: Path, key: str, place: str) -> Given:
    try:
        return Given(key, read_text(path), place=place)
    except SourceError as error:
        return Given(key, error=str(error), place=place)


def sound(text: str) -> str:
    """The text without halves of surrogate pairs, which nothing can write; as long as before."""
    return _HALVES.sub("\ufffd", text)
