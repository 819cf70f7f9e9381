"""A question made into a query by a language model, checked, with the rules to fall back on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from retrieval.questions import Question
from retrieval.search.ask import Asked, ask
from retrieval.search.query import CohortQuery
from voxcurate.protocols import ChatEngine, Message


class QueryReply(BaseModel):
    """A model's reading of a question, before it is checked against the questionnaire."""

    model_config = ConfigDict(extra="ignore")

    query: CohortQuery
    not_understood: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class Planned:
    """How a question was understood; `notice` says why the rules did it instead of the model."""

    asked: Asked
    notice: str = ""


def plan_query(
    text: str, questions: Sequence[Question], sources: Sequence[str], engine: ChatEngine
) -> Planned:
    """The query of a question by a language model.

    A reply that does not fit the query's schema, or names questions that there are not, is not
    used: the rules read the question then, and the notice says so.
    """
    known = {question.id: question for question in questions}
    listed = "\n".join(_line(question) for question in questions)
    closed = text.replace("</question>", " ")
    prompt = _prompt().format(questions=listed, text=closed)
    reply = engine.chat([[Message("user", prompt)]], QueryReply)[0]
    if not isinstance(reply.parsed, QueryReply):
        return _by_rules(text, questions, sources, f"the model gave no query ({reply.error})")
    strange = sorted(reply.parsed.query.questions() - known.keys())
    if strange:
        why = f"the model named questions that there are not: {', '.join(strange)}"
        return _by_rules(text, questions, sources, why)
    return Planned(Asked(reply.parsed.query, tuple(reply.parsed.not_understood)))


def _by_rules(
    text: str, questions: Sequence[Question], sources: Sequence[str], why: str
) -> Planned:
    return Planned(ask(text, questions, sources), f"{why}; understood by the rules instead")


def _line(question: Question) -> str:
    choices = f" of {', '.join(question.choices)}" if question.choices else ""
    return f"- {question.id} ({question.kind}{choices}): {question.text}"


@cache
def _prompt() -> str:
    text = files("retrieval.search").joinpath("ask_query.md").read_text(encoding="utf-8")
    return text.partition("\n")[2]
