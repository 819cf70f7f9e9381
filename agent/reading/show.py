"""Answers of reports as JSON lines, as a CSV for spreadsheets, as tables for people."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from shutil import get_terminal_size
from textwrap import shorten, wrap
from typing import Any, Protocol

from retrieval.alone import Answered
from retrieval.questions import Question
from voxcurate.protocols import Finding

NOT_MENTIONED = "not mentioned"
_WIDTH = 100  # columns, unless the terminal has more or fewer
_NARROWEST, _WIDEST = 72, 140
_QUESTION, _ANSWER = 30, 24  # columns at most
_EVIDENCE = 360  # characters: longer sentences are cut, JSON has them whole
_SAID = {"both": "both sides", "same": "unchanged"}


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
    """What each report affirms or is unsure of, and the sentence that says so, in one layout.

    Answers that one sentence proves stand together beside it, so that it is shown once.

    Args:
        questions: all that were asked.
        width: columns; None: those of the terminal, within reason.
    """

    def __init__(self, questions: Sequence[Question], width: int | None = None) -> None:
        wide = width or min(_WIDEST, max(_NARROWEST, get_terminal_size((_WIDTH, 24)).columns))
        ask = min(_QUESTION, max([len("question"), *(len(item.id) for item in questions)]))
        self._widths = (ask, _ANSWER, wide - ask - _ANSWER - 6)

    def begin(self) -> str:
        """The headings, once for all reports."""
        return self._line("question", "answer", "evidence") + "-" * (sum(self._widths) + 6) + "\n"

    def show(self, answered: Answered) -> str:
        """The report's answers; its error below."""
        by_sentence: dict[tuple[tuple[int, int], str], list[Finding]] = {}
        for item in answered.findings:
            if item.value != "no":
                by_sentence.setdefault((item.span, item.sentence), []).append(item)
        lines = [f"report {printable(answered.key)}\n"]
        for (_, sentence), items in by_sentence.items():
            lines += self._block(items, sentence)
        if answered.error:
            lines.append(f"  failed: {printable(answered.error)}\n")
        elif not by_sentence:
            lines.append("  nothing affirmed\n")
        return "".join(lines) + "\n"

    def _block(self, items: Sequence[Finding], sentence: str) -> Iterator[str]:
        ask, answer, evidence = self._widths
        left: list[tuple[str, str]] = []
        for item in items:
            cells = wrap(item.question, ask), wrap(_in_words(item), answer)
            left += zip_longest(*cells, fillvalue="")
        right = wrap(shorten(printable(sentence), _EVIDENCE, placeholder=" ..."), evidence)
        for n in range(max(len(left), len(right))):
            yield self._line(
                *(left[n] if n < len(left) else ("", "")), right[n] if n < len(right) else ""
            )

    def _line(self, question: str, answer: str, evidence: str) -> str:
        ask, told, _ = self._widths
        return f"  {question:<{ask}}  {answer:<{told}}  {evidence}".rstrip() + "\n"


def printable(text: str) -> str:
    """On one line, and nothing in it that would steer a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _in_short(found: Finding) -> str:
    if found.value == "number":
        return f"{found.number:g}"
    if found.value == "list":
        return ";".join(found.items)
    return found.choice if found.value == "choice" else found.value


def _in_words(found: Finding) -> str:
    value = f"{_in_short(found)} {found.unit}".strip()
    told = (found.side, found.change, "" if found.supported else "no proof")
    more = [_SAID.get(word, word) for word in told if word]
    return f"{value} ({', '.join(more)})" if more else value


def _row(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _harmless(key: str) -> str:
    """A spreadsheet would run a cell that begins like a formula."""
    return f"'{key}" if key[:1] in ("=", "+", "-", "@") else key
