"""Answers of reports as JSON lines, as a CSV for spreadsheets, as tables for people."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from retrieval.alone import Answered
from retrieval.questions import Question
from voxcurate.protocols import Finding

NOT_MENTIONED = "not mentioned"
_WIDTH = 120


class Format(Protocol):
    """Turns reports into lines, one report after the other."""

    def begin(self) -> str:
        """What stands before the first report."""
        ...

    def show(self, answered: Answered) -> str:
        """What stands for one report."""
        ...


class JsonLines:
    """One object a line: ``id``, ``answers`` by question, ``error`` where something went wrong.

    Args:
        questions: all that were asked.
        reader: name and version, told with every answer.
        all_questions: a question that the report does not touch is there too, as "not mentioned".
        with_text: the report's text is there, to which `start` and `end` refer.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        reader: str,
        *,
        all_questions: bool = False,
        with_text: bool = False,
    ) -> None:
        self._reader, self._with_text = reader, with_text
        silent = {"value": NOT_MENTIONED, "reader": reader}
        self._all = {item.id: silent for item in questions} if all_questions else {}

    def begin(self) -> str:
        """Nothing."""
        return ""

    def show(self, answered: Answered) -> str:
        """The report's line."""
        found = {item.question: answer_of(item, self._reader) for item in answered.findings}
        is_read = found or not answered.error
        line: dict[str, Any] = {"id": answered.key}
        line["answers"] = {**(self._all if is_read else {}), **found}
        if answered.error:
            line["error"] = answered.error
        if self._with_text:
            line["text"] = answered.given.text
        return json.dumps(line, ensure_ascii=False) + "\n"


def answer_of(found: Finding, reader: str) -> dict[str, Any]:
    """One answer as plain data; what belongs to another kind of answer is left out."""
    kinds: Mapping[str, dict[str, Any]] = {
        "number": {"number": found.number, "unit": found.unit, "numbers": list(found.numbers)},
        "choice": {"choice": found.choice},
        "list": {"items": list(found.items)},
    }
    return {
        "value": found.value,
        **kinds.get(found.value, {}),
        "evidence": found.sentence,
        "start": found.span[0],
        "end": found.span[1],
        "mentions": [list(span) for span in found.mentions],
        "section": found.section,
        "side": found.side,
        "change": found.change,
        "confidence": found.confidence,
        "supported": found.supported,
        "rule": found.rule,
        "reader": reader,
    }


class Spreadsheet:
    """A CSV with a row for each report and a column for each question; silence is an empty cell."""

    def __init__(self, questions: Sequence[Question], *, all_questions: bool = False) -> None:
        self._names = [item.id for item in questions]
        self._silent = NOT_MENTIONED if all_questions else ""

    def begin(self) -> str:
        """The headings."""
        return _row(["id", *self._names, "error"])

    def show(self, answered: Answered) -> str:
        """The report's row."""
        found = {item.question: _in_short(item) for item in answered.findings}
        silent = self._silent if found or not answered.error else ""
        cells = [found.get(name, silent) for name in self._names]
        return _row([_harmless(answered.key), *cells, answered.error])


class Tables:
    """For each report a table of what it affirms or is unsure of, and the sentence that says so."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = {item.id: item for item in questions}

    def begin(self) -> str:
        """Nothing."""
        return ""

    def show(self, answered: Answered) -> str:
        """The report's table; its errors below."""
        from rich.console import Console
        from rich.table import Table

        title = f"report {answered.key}"
        told = [item for item in answered.findings if item.value != "no"]
        table = Table(title=title, title_justify="left", show_lines=False)
        for name, width in (("question", 28), ("answer", 22), ("evidence", None)):
            table.add_column(name, width=width, overflow="fold")
        for item in told:
            table.add_row(item.question, _in_words(item), item.sentence)
        out = io.StringIO()
        console = Console(file=out, width=_WIDTH, markup=False, highlight=False, emoji=False)
        if told:
            console.print(table)
        else:
            console.print(f"{title}: nothing affirmed", soft_wrap=True)
        if answered.error:
            console.print(f"failed: {answered.error}", soft_wrap=True)
        return out.getvalue()


def _in_short(found: Finding) -> str:
    if found.value == "number":
        return f"{found.number:g}"
    if found.value == "list":
        return ";".join(found.items)
    return found.choice if found.value == "choice" else found.value


def _in_words(found: Finding) -> str:
    value = f"{_in_short(found)} {found.unit}".strip()
    more = [w for w in (found.side, found.change, "" if found.supported else "no proof") if w]
    return f"{value} ({', '.join(more)})" if more else value


def _row(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _harmless(key: str) -> str:
    """A spreadsheet would run a cell that begins like a formula."""
    return f"'{key}" if key[:1] in ("=", "+", "-", "@") else key
