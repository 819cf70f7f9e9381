"""Reading reports without a workspace: texts in, answers out in the same order, little memory.

Nothing is stored: no catalog, no log of texts. Texts are taken as they come; they are not
de-identified here.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import yaml

from retrieval.config import RetrievalConfig
from retrieval.question_files import did_you_mean
from retrieval.questions import Question, load_questions, read_questions
from retrieval.reading import Read, as_plain, read_text, rule_reader
from retrieval.rules.reader import RuleReader
from voxcurate.config import shipped
from voxcurate.errors import ConfigError
from voxcurate.executors import LocalExecutor
from voxcurate.protocols import Executor, Finding, Task

WORKER = "retrieval.alone:read_batch"
BATCH = 64  # reports of a task
AHEAD = 32  # batches that may be done before one that is not: the memory's bound
BATCH_LIMIT_S = 120.0
REPORT_LIMIT_S = 60.0
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Given:
    """A report to read, or why there is none (`error`).

    `key` names it in the answers; `place` says where it stands without naming anybody.
    """

    key: str
    text: str = ""
    error: str = ""
    place: str = ""


@dataclass(frozen=True)
class Answered:
    """A report's answers by question, or why it has none (of a language model: not all)."""

    given: Given
    findings: Sequence[Finding] = ()
    error: str = ""

    @property
    def key(self) -> str:
        """The report's name."""
        return self.given.key


def questions_of(names: Sequence[str]) -> tuple[Question, ...]:
    """The questions of some files; a name that is no file's is a shipped file's; none: all shipped.

    Shipped questions bring those along that they build on.

    Raises:
        ConfigError: no such file or questionnaire, or it is wrong.
    """
    there = {path.stem: path for path in sorted(shipped("questions").glob("*.yaml"))}
    own = [Path(name) for name in dict.fromkeys(names) if name not in there]
    for path in own:
        if not path.is_file():
            raise ConfigError(
                f"no question file {path.name!r}{did_you_mean(path.name, there)}; want a YAML "
                f"file, or one of the shipped: {', '.join(there)}"
            )
    if own and len(own) == len(set(names)):
        return read_questions(*own)
    known = load_questions(*own)
    if not names:
        return known
    files = [*own, *(there[name] for name in names if name in there)]
    asked = {name for path in files for name in _names_in(path)}
    by_id = {item.id: item for item in known}
    todo = [name for name in asked if name in by_id]
    while todo:
        needed = set(_needs(by_id[todo.pop()])) - asked
        asked |= needed
        todo += needed
    return tuple(item for item in known if item.id in asked)


def _names_in(path: Path) -> set[str]:
    """Keys of a file that `load_questions` has read without an error, by the same parser."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
    return {key.value for key, _ in node.value} if isinstance(node, yaml.MappingNode) else set()


def _needs(question: Question) -> Iterator[str]:
    yield from question.asked_when
    yield from [question.of] if question.of else []
    for sign in question.signs:
        yield from (*sign.yes, *sign.unless)


@dataclass
class Alone:
    """Reads reports for some questions.

    Args:
        questions: as `questions_of` gives them.
        config: `reader`, `engine` and `llm` of the retrieval's settings count.
        workers: processes that read by rules; 0: one per core; 1: none but this one.
        cache: file of a language model's answers, without the reports; None: they are not kept.
    """

    questions: Sequence[Question]
    config: RetrievalConfig = field(default_factory=RetrievalConfig)
    workers: int = 1
    cache: Path | None = None
    reader: str = field(init=False)

    def __post_init__(self) -> None:
        self._model: Any = None
        if self.config.reader == "llm":
            from retrieval.llm.cache import AnswerCache
            from retrieval.llm_executor import ModelExecutor

            self._model = ModelExecutor.of(self.config, self.questions, None)
            if self.cache is not None:
                try:
                    self.cache.touch(mode=0o600)
                    self._model.reader._cache = AnswerCache(self.cache)
                except (OSError, sqlite3.Error) as error:
                    raise ConfigError(f"the cache cannot be used: {error}") from None
            self.reader = f"llm {self._model.version}"
        elif self.config.reader == "rules":
            self._rules, self._plain = RuleReader(self.questions), as_plain(self.questions)
            self.reader = f"rules {self._rules.version}"
        else:
            raise ConfigError(f"no reader {self.config.reader!r}: want rules or llm")

    def read(self, given: Iterable[Given]) -> Iterator[Answered]:
        """The answers, in the order of the reports; what fails is told in its place.

        At most `AHEAD` batches are held, however many reports there are and however long one of
        them takes.
        """
        if self._model is not None:
            yield from self._by_model(given)
            return
        queue = iter(given)
        first = list(islice(queue, BATCH))
        if self.workers == 1 or len(first) < BATCH:  # not worth a process
            for one in chain(first, queue):
                yield _answered(one, read_text(self._rules, one.text))
        else:
            yield from self._by_processes(chain(first, queue))

    def _by_model(self, given: Iterable[Given]) -> Iterator[Answered]:
        for batch in _batches(given, self.config.batch):
            reads = self._model.read([one.text for one in batch])
            yield from map(_answered, batch, reads)

    def _by_processes(self, given: Iterable[Given]) -> Iterator[Answered]:
        window = _Window(_batches(given, BATCH), self._payload)
        executor = LocalExecutor(workers=self.workers, time_limit_s=BATCH_LIMIT_S)
        while not window.is_over:
            for outcome in executor.run(WORKER, window.tasks()):
                batch = window.batch(outcome.key)
                reads = outcome.value if outcome.ok else self._one_by_one(batch)
                window.put(outcome.key, list(map(_answered, batch, reads)))
                yield from window.ready()

    def _one_by_one(self, batch: Sequence[Given]) -> list[Read]:
        """A batch that took its process down, or too long: the bad report alone fails."""
        executor: Executor = LocalExecutor(workers=1, time_limit_s=REPORT_LIMIT_S, retries=0)
        tasks = [Task(str(n), self._payload([one])) for n, one in enumerate(batch)]
        found = {int(outcome.key): outcome for outcome in executor.run(WORKER, tasks)}
        return [
            found[n].value[0] if found[n].ok else Read(error=found[n].error)
            for n in range(len(batch))
        ]

    def _payload(self, batch: Sequence[Given]) -> dict[str, Any]:
        return {
            "questions": self._plain,
            "version": self._rules.version,
            "texts": [one.text for one in batch],
        }


def read_batch(payload: Mapping[str, Any]) -> list[Read]:
    """The pure worker: texts in, what became of each out."""
    reader = rule_reader(payload["questions"], payload["version"])
    return [read_text(reader, text) for text in payload["texts"]]


class _Window:
    """Batches on their way: handed out, waiting for those before them, given back in order."""

    def __init__(self, batches: Iterator[list[Given]], payload: Any) -> None:
        self._batches, self._payload = batches, payload
        self._given: dict[int, list[Given]] = {}
        self._done: dict[int, list[Answered]] = {}
        self._next_in = self._next_out = 0
        self._ended = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to hand out or to wait for."""
        return self._ended and not self._given

    def tasks(self) -> Iterator[Task]:
        """Tasks until the end, or until too much waits for a slow one."""
        while self._next_in - self._next_out < AHEAD:
            batch = next(self._batches, None)
            if batch is None:
                self._ended = True
                return
            key, self._next_in = self._next_in, self._next_in + 1
            self._given[key] = batch
            yield Task(str(key), self._payload(batch))

    def batch(self, key: str) -> list[Given]:
        """The reports of a task."""
        return self._given[int(key)]

    def put(self, key: str, answers: list[Answered]) -> None:
        """Take a batch's answers in."""
        del self._given[int(key)]
        self._done[int(key)] = answers

    def ready(self) -> Iterator[Answered]:
        """Answers that nothing before them is missing for."""
        while self._next_out in self._done:
            answers = self._done.pop(self._next_out)
            self._next_out += 1
            yield from answers


def _answered(given: Given, read: Read) -> Answered:
    if given.error:
        return Answered(given, error=given.error)
    return Answered(given, read.findings, read.error)


def _batches(given: Iterable[Given], size: int) -> Iterator[list[Given]]:
    queue = iter(given)
    while batch := list(islice(queue, size)):
        yield batch
