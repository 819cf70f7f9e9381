"""A model's answer made into a finding, supported or not by the quote that came with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from retrieval.llm import evidence
from retrieval.llm.answers import NOT_MENTIONED, Answer, Listed, Measured, Presence
from retrieval.llm.quotes import ReportText
from retrieval.questions import Question
from retrieval.rules.reader import RuleReader
from voxcurate.protocols import Finding

SUPPORTED = 0.9
UNSUPPORTED = 0.2
_LONGEST_JUSTIFICATION = 200


@dataclass(frozen=True)
class Said:
    """A valid answer as it is cached: the quote only as its place, None when there is none."""

    value: str
    number: float | None = None
    numbers: tuple[float, ...] = ()
    items: tuple[str, ...] = ()
    side: str = ""
    change: str = ""
    span: tuple[int, int] | None = None
    has_quote: bool = True
    justification: str = ""

    @classmethod
    def of(cls, answer: Answer, report: ReportText) -> "Said":
        """An answer, its quote looked for in the report."""
        quote = answer.evidence.strip()
        words = " ".join(answer.justification.split())[:_LONGEST_JUSTIFICATION]
        more: dict[str, Any] = {"span": report.find(quote), "has_quote": bool(quote)}
        if isinstance(answer, Measured):
            return _measured(cls, answer, justification=words, **more)
        if isinstance(answer, Presence):
            more |= {"side": answer.side, "change": answer.change}
        if isinstance(answer, Listed):
            value = "list" if answer.value else NOT_MENTIONED
            return cls(value, items=tuple(answer.value), justification=words, **more)
        return cls(answer.value, justification=words, **more)

    def plain(self) -> dict[str, Any]:
        """Plain data, without what is as by default; for `from_plain`, through JSON too."""
        if not self.is_mentioned:
            return {"value": self.value}
        return {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if getattr(self, item.name) != item.default
        }

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> "Said":
        """From what `plain` gave."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**values)

    @property
    def is_mentioned(self) -> bool:
        """Whether the model says that the report speaks of it."""
        return self.value != NOT_MENTIONED

    @property
    def is_misquoted(self) -> bool:
        """Whether an answer came without a quote that is in the report."""
        return self.is_mentioned and self.span is None


def _measured(cls: type[Said], answer: Measured, **more: Any) -> Said:
    numbers = sorted({*answer.numbers, *([] if answer.value is None else [answer.value])})[::-1]
    if answer.value is None:
        return cls(NOT_MENTIONED, **more)
    return cls("number", number=answer.value, numbers=tuple(numbers), **more)


class Checker:
    """Makes findings of answers; what the quote does not prove is not supported.

    Args:
        questions: the whole questionnaire.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = tuple(questions)
        self._evidence = evidence.EvidenceCheck(self._questions)

    @cached_property
    def _rules(self) -> RuleReader:
        return RuleReader(self._questions)

    def finding(self, question: Question, said: Said, report: ReportText) -> Finding | None:
        """The finding, None where the report does not speak of it."""
        if not said.is_mentioned:
            return None
        why = self._why_not(question, said, report)
        values = _answer_fields(question, said)
        if why or said.span is None:
            rule = f"llm, unsupported: {why}; {said.justification}".removesuffix("; ")
            return Finding(
                question.id, **values, confidence=UNSUPPORTED, supported=False, rule=rule
            )
        start, stop = said.span
        return Finding(
            question.id,
            **values,
            sentence=" ".join(report.text[start:stop].split()),
            section=report.section(said.span),
            span=said.span,
            confidence=SUPPORTED,
            rule=f"llm: {said.justification}" if said.justification else "llm",
        )

    def _why_not(self, question: Question, said: Said, report: ReportText) -> str:
        if said.span is None:
            return evidence.NOT_THERE if said.has_quote else evidence.NO_QUOTE
        numbers = () if said.number is None else (said.number,)
        why = self._evidence.why_not(question, report, said.span, numbers)
        if not why and said.value == "yes" and self._is_denied(question, said.span, report):
            return evidence.DENIED
        return why

    def _is_denied(self, question: Question, span: tuple[int, int], report: ReportText) -> bool:
        """In a report that addresses the reader, the rules have a say on what is affirmed."""
        if not self._evidence.is_suspicious(report):
            return False
        read = self._rules.read(report.around(span))
        return any(f.question == question.id and f.value == "no" for f in read)


def _answer_fields(question: Question, said: Said) -> dict[str, Any]:
    if question.kind in ("size", "number"):
        unit = "mm" if question.kind == "size" else question.unit
        return {
            "value": "number", "number": said.number, "numbers": said.numbers, "unit": unit
        }  # fmt: skip
    if question.kind == "choice":
        return {"value": "choice", "choice": said.value}
    if question.kind == "list":
        return {"value": "list", "items": said.items}
    return {"value": said.value, "side": said.side, "change": said.change}
