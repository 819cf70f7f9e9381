"""What is asked: questions in groups, prompts that begin alike, the report fenced in as data."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from pydantic import BaseModel

from retrieval.llm.answers import NOT_MENTIONED, reply_form
from retrieval.questions import Question, expand, steps
from voxcurate.protocols import Message

_MARKUP = re.compile(
    r"<(?=\s*[A-Za-z/|｜<!])|＜(?=\s*[A-Za-z/|｜＜!])"
    r"|\[(?=/?(?:INST|IMG|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT)\])",
    re.ASCII,
)
_SAFE = {"<": "‹", "＜": "‹", "[": "⟦"}
_LONGEST_RAW = 4000  # characters of a reply that is shown again
_MOST_WORDS = 12
_EXAMPLE = {
    "<question>": {
        "justification": "a mass is described in the organ",
        "evidence": "There is a 2.1 cm hypodense mass in the <organ>",
        "value": "yes",
    },
    "<question that the report does not speak of>": NOT_MENTIONED,
}


def guarded(report: str) -> str:
    """The report such that nothing in it closes its fence or opens a turn of the conversation.

    "<" and "[" that begin a tag or a model's control word are replaced by look-alikes; "<5 mm"
    stays. The same report always gives the same text.
    """
    return _MARKUP.sub(lambda found: _SAFE[found.group()], report)


@dataclass(frozen=True)
class Group:
    """Questions put to a model in one request; `step` counts from 1.

    Each is asked where one of `gate` is answered yes or uncertain; an empty gate: everywhere.
    """

    step: int
    gate: frozenset[str]
    questions: tuple[Question, ...]


def groups(questions: Iterable[Question], most: int) -> list[Group]:
    """The questions step by step, those of one gate together, at most so many in a group.

    Questions of an organ stay together where there is room.
    """
    asked = tuple(questions)
    known = {item.id for item in asked}
    found: list[Group] = []
    for number, step in enumerate(steps(asked), start=1):
        by_gate: dict[frozenset[str], list[Question]] = {}
        for item in step:
            gate = frozenset(name for name in (*item.asked_when, item.of) if name in known)
            by_gate.setdefault(gate, []).append(item)
        for gate, members in by_gate.items():
            found.extend(Group(number, gate, part) for part in _parts(members, most))
    return found


def _parts(questions: Sequence[Question], most: int) -> list[tuple[Question, ...]]:
    if len(questions) <= most:
        return [tuple(questions)]
    by_organ: dict[str, list[Question]] = {}
    for item in questions:
        by_organ.setdefault(item.organ, []).append(item)
    found: list[list[Question]] = [[]]
    for members in by_organ.values():
        fits = len(found[-1]) + len(members) <= most
        if found[-1] and not fits and len(members) <= most:
            found.append([])
        for item in members:
            if len(found[-1]) == most:
                found.append([])
            found[-1].append(item)
    return [tuple(part) for part in found]


@dataclass(frozen=True)
class Request:
    """One request's questions: what is asked, and the form of the reply."""

    questions: tuple[Question, ...]

    @cached_property
    def schema(self) -> type[BaseModel]:
        """The form of the reply."""
        return reply_form(self.questions)

    @cached_property
    def prefix(self) -> str:
        """All of the prompt before the report: the same bytes for every report."""
        return (
            prompt_text()
            .replace("{questions}", "\n".join(map(describe, self.questions)))
            .replace("{template}", _template(self.questions))
            .replace("{example}", json.dumps(_EXAMPLE))
        )

    def messages(self, report: str) -> list[Message]:
        """The conversation about one report: a single message, so that any chat template fits."""
        fenced = f"<report>\n{guarded(report.strip())}\n</report>"
        return [Message("user", f"{self.prefix}{fenced}\nReply with the JSON object only.")]

    def again(self, report: str, raw: str, problem: str) -> list[Message]:
        """The conversation after a reply that cannot be used, the problem named."""
        (first,) = self.messages(report)
        demand = _file("ask_again.md").replace("{problem}", problem).strip()
        if not raw.strip():
            return [Message("user", f"{first.text}\n{demand}")]
        shown = raw if len(raw) <= _LONGEST_RAW else f"{raw[:_LONGEST_RAW]} ..."
        return [first, Message("assistant", shown), Message("user", demand)]


def describe(question: Question) -> str:
    """A question as the model sees it: how to answer, what counts, words that reports use."""
    line = f"- {question.id} ({_form(question)}): {question.text}"
    if question.guidance:
        return f"{line}\n  {' '.join(question.guidance.split())}"
    words = list(dict.fromkeys(expand((*question.phrases, *question.terms))))[:_MOST_WORDS]
    return f"{line}\n  Reports write: {', '.join(words)}" if words else line


def question_version(question: Question) -> str:
    """Hash of all that decides how one question is put; other questions do not count."""
    state = [describe(question), prompt_text(), _template((question,)), _file("ask_again.md")]
    return hashlib.sha256("\x00".join(state).encode()).hexdigest()[:16]


def _form(question: Question) -> str:
    if question.kind == "presence":
        return "yes, no or uncertain"
    if question.kind in ("size", "number"):
        unit = "mm" if question.kind == "size" else question.unit
        return f"a number{' in ' + unit if unit else ''}, with several all of them in numbers"
    names = ", ".join(question.choices)
    if question.kind == "choice":
        return f"one of {names}"
    return f"a list of those of {names} that the report affirms"


def _template(questions: Sequence[Question]) -> str:
    values = {
        "presence": '"yes|no|uncertain"',
        "size": '<number>, "numbers": [...]',
        "number": '<number>, "numbers": [...]',
        "choice": '"<choice>"',
        "list": '["<choice>", ...]',
    }
    lines = [
        f' "{item.id}": {{"justification": "", "evidence": "", "value": {values[item.kind]}}}'
        for item in questions
    ]
    return "{\n" + ",\n".join(lines) + "\n}"


def prompt_text() -> str:
    """The prompt's text without its version line."""
    return _file("read_report.md").partition("\n")[2]


def prompt_version() -> str:
    """The version that stands in the prompt's file."""
    return _file("read_report.md").partition("\n")[0].removeprefix("version:").strip()


@cache
def _file(name: str) -> str:
    return files("retrieval.llm").joinpath(name).read_text(encoding="utf-8")
