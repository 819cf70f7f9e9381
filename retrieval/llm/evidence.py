"""Whether a quote proves an answer: it speaks of the question, and not to the reader."""

import re
from collections.abc import Sequence

from retrieval.llm.injection import addresses_reader
from retrieval.llm.quotes import ReportText
from retrieval.llm.relevance import Relevance
from retrieval.questions import Question

NO_QUOTE = "no quote"
NOT_THERE = "the quote is not in the report"
ADDRESSED = "the quote is addressed to the reader"
BESIDE = "the quote does not speak of it"
NO_NUMBER = "the quote does not hold the number"
DENIED = "the report addresses the reader, and the quote denies it"

_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_COUNTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_TOLERANCE = 0.02
_BACK = 2  # sentences before that may name what a size belongs to


class EvidenceCheck:
    """Says of a quote found in the report why it proves nothing, or "" when it may.

    The sentence of the quote must not be addressed to the reader, and must speak of the question
    (`retrieval.llm.relevance`). A number must stand in the quote; what it is of may be named up
    to two sentences earlier. A report in which any sentence is addressed to the reader is read
    strictly, and no earlier sentence helps.

    Args:
        questions: all of the questionnaire, for organs and broader questions.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self._names = [item.id for item in questions]
        self._relevance = Relevance(questions)
        self._judged = ("", False)  # the last report, and whether it is suspicious

    def why_not(
        self,
        question: Question,
        report: ReportText,
        span: tuple[int, int],
        numbers: Sequence[float] = (),
    ) -> str:
        """Why the quote at `span` proves nothing; "" when it may."""
        sentence = report.around(span)
        if addresses_reader(sentence, self._names):
            return ADDRESSED
        is_measured = question.kind in ("size", "number")
        if is_measured and not _holds(report.text[span[0] : span[1]], numbers, question.kind):
            return NO_NUMBER
        strict = self.is_suspicious(report)
        text = report.around(span, before=_BACK) if is_measured and not strict else sentence
        return "" if self._relevance.speaks_of(question, text, strict=strict) else BESIDE

    def is_suspicious(self, report: ReportText) -> bool:
        """Whether anything in the report is addressed to the reader."""
        if self._judged[0] != report.text:
            self._judged = (report.text, addresses_reader(report.text, self._names))
        return self._judged[1]


def _holds(quote: str, numbers: Sequence[float], kind: str) -> bool:
    """Whether the first of the numbers stands in the quote; sizes may stand there in cm."""
    found = [float(text.replace(",", ".")) for text in _NUMBER.findall(quote)]
    words = re.findall(r"[a-z]+", quote.lower())
    if kind == "number":
        found += [float(n) for n, word in enumerate(_COUNTS) if word in words]
    factors = (1.0, 10.0) if kind == "size" else (1.0,)
    wanted = numbers[0]
    return any(abs(n * f - wanted) <= _TOLERANCE * max(wanted, 1.0) for n in found for f in factors)
