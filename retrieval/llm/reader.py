"""Reading reports with a language model, step by step; no answer is believed without its proof."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from retrieval.llm.answers import Wrong
from retrieval.llm.cache import AnswerCache
from retrieval.llm.checking import Checker, Said
from retrieval.llm.config import LLMConfig
from retrieval.llm.prompt import Group, Request, groups, prompt_version, question_version
from retrieval.llm.quotes import ReportText
from retrieval.llm.results import NOT_ASKED, IncompleteReadingError, Reading, Usage
from retrieval.questions import Question, load_questions
from voxcurate.chat import EngineConfig, make_engine
from voxcurate.chat.engine import request_hash
from voxcurate.chat.retry import was_sent
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.protocols import ChatEngine, Finding, Message, Reply

EMPTY = "the report is empty: want its text"
_MOST_REQUESTS = 1000  # prompts and schemas kept; more only where caches are full of holes
_OPENS = ("yes", "uncertain")


def make_reader(
    engine: EngineConfig,
    questions: Iterable[Question] | None = None,
    *,
    root: Path,
    config: LLMConfig | None = None,
) -> "LLMReader":
    """The configured reader; call log and cache of answers lie in `root`, the workspace's folder.

    Raises:
        ConfigError: no engine is configured, or it lacks a setting.
    """
    made = make_engine(engine, root=root)
    if made is None:
        raise ConfigError("reader llm wants an engine: retrieval.engine")
    config = config or LLMConfig()
    return LLMReader(
        made,
        questions,
        config=config,
        model=engine.model,
        sampling=engine.sampling,
        cache=AnswerCache(root / config.cache) if config.cache else None,
        price_in=engine.price_in,
        price_out=engine.price_out,
    )


@dataclass(eq=False)
class _State:
    """One report while it is read."""

    report: ReportText
    said: dict[str, Said] = field(default_factory=dict)
    found: dict[str, Finding | None] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    cached: Mapping[str, Said] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)

    def passes(self, group: Group) -> bool:
        """Whether a broader question is answered yes or uncertain; no gate: always.

        Where that cannot be told, since a broader question has no answer, these have none either.
        """
        answers = (self.found.get(name) for name in group.gate)
        if not group.gate or any(f is not None and f.value in _OPENS for f in answers):
            return True
        if group.gate & self.failed.keys():
            self.failed.update(dict.fromkeys((item.id for item in group.questions), NOT_ASKED))
        return False


class LLMReader:
    """Reads reports with a chat engine, from general questions to specific ones (ScaleMAI A.1).

    A narrower question is put only where a broader one was answered yes or uncertain. All reports
    of a batch go to the engine together, one request for each group of questions of a step; its
    prompts differ only after their long common beginning. An answer whose quote does not prove it
    is kept, not `supported`. A reply that cannot be used is asked for again within bounds; what
    then has no answer is failed, and asked for by the next run alone.

    Args:
        engine: any chat engine.
        questions: defaults to the shipped ones.
        config: size of the groups, retries.
        model: its whole name or folder, for the cache and the version.
        sampling: settings under which it answers otherwise, for the same; as
            `EngineConfig.sampling` tells them.
        cache: answers already given.
        price_in: cost of a million prompt tokens.
        price_out: cost of a million reply tokens.

    Attributes:
        usage: what has been spent since the reader was made.
    """

    name = "llm"

    def __init__(
        self,
        engine: ChatEngine,
        questions: Iterable[Question] | None = None,
        *,
        config: LLMConfig | None = None,
        model: str = "",
        sampling: Mapping[str, Any] | None = None,
        cache: AnswerCache | None = None,
        price_in: float = 0.0,
        price_out: float = 0.0,
    ) -> None:
        self.questions = tuple(questions) if questions is not None else load_questions()
        self.usage = Usage()
        self._engine = engine
        self._config = config or LLMConfig()
        self._model = model
        told = json.dumps(dict(sampling or {}), sort_keys=True)
        self._source = f"{model} {told}" if sampling else model
        self._cache = cache
        self._prices = (price_in / 1_000_000, price_out / 1_000_000)
        self._groups = groups(self.questions, self._config.group)
        self._checker = Checker(self.questions)
        self._versions = {item.id: question_version(item) for item in self.questions}
        self._requests: dict[tuple[str, ...], Request] = {}

    @cached_property
    def version(self) -> str:
        """Of prompt, engine, model (its end is shown), sampling and questions."""
        state = [*self._versions.items(), self._config.group, self._source]
        digest = hashlib.sha256(repr(state).encode()).hexdigest()[:10]
        parts = (prompt_version(), self._engine.name, Path(self._model).name, digest)
        return "-".join(part for part in parts if part)

    def read(self, text: str) -> list[Finding]:
        """Findings in the order of the questions.

        Raises:
            IncompleteReadingError: some question got no valid answer; the raw replies are in the
                call log.
        """
        (found,) = self.read_batch([text])
        if isinstance(found, ModelReplyError):
            raise found
        return found

    def read_batch(self, texts: Sequence[str]) -> list[list[Finding] | ModelReplyError]:
        """As `read`, many at a time; the error of one report takes its place."""
        return [
            IncompleteReadingError(reading) if reading.failed else list(reading.findings)
            for reading in self.read_all(texts)
        ]

    def read_all(self, texts: Sequence[str]) -> list[Reading]:
        """Findings, failures and cost of each report; equal texts are read once."""
        states = {text: _State(ReportText(text)) for text in texts}
        for state in states.values():
            if not state.report.text.strip():
                state.failed = dict.fromkeys(self._versions, EMPTY)
        asked = [state for state in states.values() if not state.failed]
        self._recall(asked)
        for group in self._groups:
            self._ask_group(group, [state for state in asked if state.passes(group)])
        readings = {text: self._reading(state) for text, state in states.items()}
        self.usage = sum((item.usage for item in readings.values()), self.usage)
        return [readings[text] for text in texts]

    def _recall(self, states: Sequence[_State]) -> None:
        for state in states if self._cache else ():
            assert self._cache is not None
            kept = self._cache.get(
                state.report.text, self._versions, self._engine.name, self._source
            )
            state.cached = {name: Said.from_plain(data) for name, data in kept.items()}

    def _ask_group(self, group: Group, states: Sequence[_State]) -> None:
        """Put a group's questions; reports that lack the same answers get the same prompt."""
        bundles: dict[tuple[str, ...], list[_State]] = {}
        for state in states:
            known = [item for item in group.questions if item.id in state.cached]
            for item in known:
                self._note(state, item, state.cached[item.id])
            state.usage += Usage(cached=len(known))
            missing = tuple(item.id for item in group.questions if item.id not in state.cached)
            if missing:
                bundles.setdefault(missing, []).append(state)
        for names, members in bundles.items():
            asked = tuple(item for item in group.questions if item.id in names)
            if len(self._requests) > _MOST_REQUESTS:
                self._requests.clear()
            request = self._requests.setdefault(names, Request(asked))
            self._converse(request, members, where=f"step {group.step}")

    def _converse(self, request: Request, states: Sequence[_State], *, where: str) -> None:
        talks = {state: request.messages(state.report.text) for state in states}
        for attempt in range(1 + self._config.retries):
            replies = self._engine.chat(list(talks.values()), request.schema)
            left: dict[_State, list[Message]] = {}
            for (state, talk), reply in zip(talks.items(), replies, strict=True):
                if was_sent(reply):
                    self._count(state, reply)
                problem, is_fatal = self._take(request, state, reply, is_first=attempt == 0)
                if not problem:
                    continue
                call = f" [{where}, {_call(talk, request, reply)}]" if was_sent(reply) else ""
                self._fail(request, state, f"{problem}{call}")
                if not is_fatal:
                    left[state] = request.again(state.report.text, reply.raw, problem)
            talks = left
            if not talks:
                break
        for state in states:
            self._keep(request, state)

    def _take(
        self, request: Request, state: _State, reply: Reply, *, is_first: bool
    ) -> tuple[str, bool]:
        """Note the answers of a reply; what is wrong with it, and whether asking again is vain."""
        if reply.parsed is None:
            never_came = not reply.raw and not reply.tokens_out
            return reply.error or "no reply", never_came
        wrong, misquoted = self._note_all(request, state, reply.parsed)
        if wrong:
            return "; ".join(wrong), False
        if misquoted and is_first and self._config.requote:
            return f"not word for word in the report: the evidence of {', '.join(misquoted)}", False
        return "", False

    def _note_all(
        self, request: Request, state: _State, answers: BaseModel
    ) -> tuple[list[str], list[str]]:
        """Note what is valid and not yet known with its quote; what is not, and what misquotes."""
        wrong, misquoted = [], []
        for item in request.questions:
            answer = getattr(answers, item.id)
            before = state.said.get(item.id)
            if isinstance(answer, Wrong):
                if before is None:
                    wrong.append(f"{item.id}: {answer.reason}")
            elif before is None or before.is_misquoted:
                said = Said.of(answer, state.report)
                if before is None or not said.is_misquoted:
                    self._note(state, item, said)
            if item.id in state.said and state.said[item.id].is_misquoted:
                misquoted.append(item.id)
        return wrong, misquoted

    def _note(self, state: _State, question: Question, said: Said) -> None:
        state.said[question.id] = said
        state.found[question.id] = self._checker.finding(question, said, state.report)

    def _fail(self, request: Request, state: _State, why: str) -> None:
        """Why these questions have no answer; those that get one later are not failed."""
        for item in request.questions:
            if item.id not in state.said:
                state.failed[item.id] = why

    def _keep(self, request: Request, state: _State) -> None:
        fresh = {
            item.id: state.said[item.id] for item in request.questions if item.id in state.said
        }
        for name in fresh:
            state.failed.pop(name, None)
        if self._cache is not None and fresh:
            answers = {name: said.plain() for name, said in fresh.items()}
            self._cache.put(
                state.report.text, self._versions, self._engine.name, self._source, answers
            )

    def _count(self, state: _State, reply: Reply) -> None:
        price_in, price_out = self._prices
        price = reply.tokens_in * price_in + reply.tokens_out * price_out
        state.usage += Usage(1, reply.tokens_in, reply.tokens_out, reply.seconds, price)

    def _reading(self, state: _State) -> Reading:
        found = (state.found.get(item.id) for item in self.questions)
        return Reading(
            tuple(f for f in found if f is not None),
            dict(state.failed),
            state.usage,
            n_questions=len(self.questions),
        )


def _call(talk: Sequence[Message], request: Request, reply: Reply) -> str:
    """How the call log names the request."""
    return f"request {request_hash(talk, request.schema, reply.model)[:12]}"
