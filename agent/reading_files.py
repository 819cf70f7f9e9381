"""Reports out of any file: tables, text files, folders of them, standard input; one by one."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.ingest.report_columns import guess_columns, letters
from agent.ingest.report_text import clean_text, joined_text, read_text
from agent.ingest.tables import columns_of, iter_table, need_columns
from agent.ingest.tables_cells import mended
from retrieval.alone import Given
from voxcurate.errors import SourceError

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".pq")
STDIN = "-"
_IDS = ("report_id", "case", "accession", "study_uid", "series_uid")  # the surest first


@dataclass(frozen=True)
class Source:
    """Where reports come from: how many (0: unknown) and each of them."""

    total: int
    reports: Callable[[], Iterator[Given]]


def open_source(file: str, text_columns: Sequence[str] = (), id_column: str = "") -> Source:
    """The reports of a file, folder or ``-``, standard input: one report.

    A table's columns are guessed from their names where that is beyond doubt; several columns of
    text (findings, impression) become one report under their names as headings. A file of another
    kind is one report, unless a column is named; a folder's reports are its ``.txt`` files.

    Raises:
        SourceError: it is not there, has no such column, or none whose name tells that it is the
            report; the columns that there are are listed.
    """
    if file == STDIN:
        return Source(1, _stdin)
    path = Path(file)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise SourceError("no such file or folder")
    if path.suffix.lower() in TABLES or text_columns or id_column:
        return _table(path, text_columns, id_column)
    return Source(1, lambda: iter([_text_file(path, path.stem)]))


def _table(path: Path, text_columns: Sequence[str], id_column: str) -> Source:
    columns = columns_of(path, "reports")
    texts = list(text_columns) or _text_columns(columns)
    key = id_column or _id_column(columns)
    need_columns(columns, [*texts, *([key] if key else [])], "reports")
    if not texts:
        raise SourceError(
            "the reports table has no column whose name tells that it is the report; say "
            f"--text-column; there are: {', '.join(columns)}"
        )

    def reports() -> Iterator[Given]:
        for number, row in iter_table(path, "reports"):
            if isinstance(row, str):
                yield Given(f"row {number}", error=row)
            else:
                yield Given(row.get(key, "").strip() or str(number), joined_text(row, texts))

    return Source(sum(1 for _ in iter_table(path, "reports")), reports)


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
        for file in files:
            yield _text_file(file, file.relative_to(path).with_suffix("").as_posix())

    return Source(len(files), reports)


def _text_file(path: Path, key: str) -> Given:
    try:
        return Given(key, read_text(path))
    except SourceError as error:
        return Given(key, error=str(error))


def _stdin() -> Iterator[Given]:
    raw = sys.stdin.buffer.read()
    try:
        yield Given("stdin", clean_text(mended(raw.decode("utf-8-sig", "surrogateescape"))))
    except ValueError as error:
        yield Given("stdin", error=f"no readable text: {error}")
