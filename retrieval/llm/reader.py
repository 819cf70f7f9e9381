"""Reading a report with a language model; no answer stands without a sentence of the report."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from retrieval.questions import Question, load_questions
from retrieval.rules.text import sections
from voxcurate.errors import ModelReplyError
from voxcurate.protocols import ChatEngine, Finding, Message

_UNPROVED = 0.2  # confidence of an answer whose sentence is not in the report
_LARGEST_MM = 1000.0


class Answer(BaseModel):
    """One answer of the model."""

    model_config = ConfigDict(extra="ignore")

    question: str
    value: Literal["yes", "no", "uncertain", "number", "choice"]
    number: float | None = Field(None, ge=0, le=_LARGEST_MM)
    choice: str = ""
    sentence: str = ""


class Answers(BaseModel):
    """The model's whole reply."""

    answers: list[Answer]


class LLMReader:
    """Reads reports with a chat engine, by the questionnaire in ``retrieval/read_report.md``.

    An answer stands when its sentence is found in the report (white space and case aside);
    otherwise a presence question becomes uncertain and a number or choice is dropped. Answers to
    unknown questions, or of the wrong kind, are dropped.

    Args:
        engine: any chat engine.
        questions: defaults to the shipped ones.
    """

    name = "llm"

    def __init__(self, engine: ChatEngine, questions: Iterable[Question] | None = None) -> None:
        self.questions = tuple(questions) if questions is not None else load_questions()
        self._by_id = {item.id: item for item in self.questions}
        self._engine = engine
        self._version, self._prompt = _prompt()
        asked = "".join(item.model_dump_json() for item in self.questions)
        digest = hashlib.sha256((self._prompt + asked).encode()).hexdigest()[:10]
        self.version = f"{self._version}-{engine.name}-{digest}"

    def read(self, text: str) -> list[Finding]:
        """Findings in the order of the questions.

        Raises:
            ModelReplyError: no reply, or one that does not fit; the raw reply is in the call log.
        """
        found = self.read_batch([text])[0]
        if isinstance(found, ModelReplyError):
            raise found
        return found

    def read_batch(self, texts: Sequence[str]) -> list[list[Finding] | ModelReplyError]:
        """As `read`, many at a time; the error of one report takes its place."""
        conversations = [[Message("user", self._ask(text))] for text in texts]
        replies = self._engine.chat(conversations, Answers)
        results: list[list[Finding] | ModelReplyError] = []
        for text, reply in zip(texts, replies, strict=True):
            if isinstance(reply.parsed, Answers):
                results.append(self._findings(text, reply.parsed))
            else:
                results.append(ModelReplyError(reply.error or "no reply"))
        return results

    def _ask(self, report: str) -> str:
        lines = [_question_line(item) for item in self.questions]
        return self._prompt.format(questions="\n".join(lines), report=report)

    def _findings(self, report: str, reply: Answers) -> list[Finding]:
        found: dict[str, Finding] = {}
        for answer in reply.answers:
            question = self._by_id.get(answer.question)
            finding = question and _checked(question, answer, report)
            if finding and finding.question not in found:
                found[finding.question] = finding
        return [found[item.id] for item in self.questions if item.id in found]


def _checked(question: Question, answer: Answer, report: str) -> Finding | None:
    kinds = {"presence": ("yes", "no", "uncertain"), "size": ("number",), "choice": ("choice",)}
    if answer.value not in kinds[question.kind]:
        return None
    if question.kind == "size" and answer.number is None:
        return None
    if question.kind == "choice" and answer.choice not in question.choices:
        return None
    span = _find(answer.sentence, report)
    if span is None:
        is_presence = question.kind == "presence"
        return Finding(question.id, "uncertain", confidence=_UNPROVED) if is_presence else None
    section = next((s.name for s in sections(report) if s.start <= span[0] < s.end), "")
    found = Finding(question.id, answer.value, section=section, span=span, confidence=0.9)
    found = replace(found, sentence=" ".join(report[span[0] : span[1]].split()))
    if question.kind == "size":
        return replace(found, number=answer.number, unit="mm")
    return replace(found, choice=answer.choice) if question.kind == "choice" else found


def _find(sentence: str, report: str) -> tuple[int, int] | None:
    words = sentence.split()
    if not words:
        return None
    match = re.search(r"\s+".join(map(re.escape, words)), report, re.I)
    return match.span() if match else None


def _question_line(question: Question) -> str:
    kind = {"presence": "yes/no/uncertain", "size": "number in mm"}.get(question.kind)
    return f"- {question.id} ({kind or 'one of: ' + ', '.join(question.choices)}): {question.text}"


@cache
def _prompt() -> tuple[str, str]:
    text = files("retrieval.llm").joinpath("read_report.md").read_text(encoding="utf-8")
    first, _, body = text.partition("\n")
    return first.removeprefix("version:").strip(), body
