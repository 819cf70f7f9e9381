"""Runs the language model's reader in the driver, where a worker would read by rules."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from retrieval.config import RetrievalConfig
from retrieval.llm.crosscheck import disagreements
from retrieval.llm.reader import LLMReader, make_reader
from retrieval.llm.results import Reading
from retrieval.questions import Question
from retrieval.reading import EMPTY, Read, rows_of
from retrieval.rules.reader import RuleReader
from voxcurate.chat import EngineConfig, make_engine
from voxcurate.errors import ConfigError
from voxcurate.protocols import CHAT_ENGINES, ChatEngine, Outcome, Task, load

_LOGLESS = ("", "replay", "scripted")  # engines without a call log; "" and scripted are refused
_ERROR = 600  # characters of a report's error: each question may have one


@dataclass(frozen=True)
class ModelExecutor:
    """The server (or the GPU) does the work, not our cores: tasks run one after the other here.

    A report with a question that got no valid answer is failed, to be tried again; its other
    answers count.

    Args:
        reader: the model's.
        rules: read too, where the two are to be compared.
    """

    reader: LLMReader
    rules: RuleReader | None = None

    @classmethod
    def of(
        cls, config: RetrievalConfig, questions: Sequence[Question], root: Path | None
    ) -> "ModelExecutor":
        """As configured.

        Args:
            config: `engine`, `llm` and `cross_check` count.
            questions: what is asked.
            root: the workspace's folder, for the call log and the answers' cache; None: neither is
                kept.

        Raises:
            ConfigError: no engine is configured, or it lacks a setting.
        """
        if root is None:
            engine, asked = _engine_without_log(config.engine), config.engine
            reader = LLMReader(
                engine, questions, config=config.llm, model=asked.model, sampling=asked.sampling,
                price_in=asked.price_in, price_out=asked.price_out,
            )  # fmt: skip
        else:
            reader = make_reader(config.engine, questions, root=root, config=config.llm)
        return cls(reader, RuleReader(questions) if config.cross_check else None)

    @property
    def version(self) -> str:
        """Of prompt, engine, model and questions."""
        return self.reader.version

    def run(self, worker: str, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes task by task; `worker` is the rule reader's and is not used."""
        for task in tasks:
            start = time.perf_counter()
            value = self._value(task.payload)
            yield Outcome(task.key, value, seconds=time.perf_counter() - start)

    def read(self, texts: Sequence[str]) -> list[Read]:
        """Reports read; those without words are put to nobody."""
        return [read for read, _ in self._read_all(texts)]

    def _value(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        before = asdict(self.reader.usage)
        found = self._read_all([text for _, _, text in payload["reports"]])
        after = asdict(self.reader.usage)
        cost = {name: after[name] - before[name] for name in after}
        rows = rows_of(payload, [read for read, _ in found])
        names = [report_id for report_id, _, _ in payload["reports"]]
        pairs = zip(names, found, strict=True)
        unanswered = {name: failed for name, (_, failed) in pairs if failed}
        return {**rows, "cost": cost, "unanswered": unanswered}

    def _read_all(self, texts: Sequence[str]) -> list[tuple[Read, list[str]]]:
        """Each report read, with the questions that got no answer."""
        asked = [text for text in texts if text.strip()]
        answers = iter(self.reader.read_all(asked) if asked else ())
        found: list[tuple[Read, list[str]]] = []
        for text in texts:
            if not text.strip():
                found.append((Read(error=EMPTY), []))
                continue
            answer = next(answers)
            found.append((self._read(text, answer), list(answer.failed)))
        return found

    def _read(self, text: str, answer: Reading) -> Read:
        error, facts = answer.error, self._disagreements(text, answer)
        short = error if len(error) <= _ERROR else f"{error[:_ERROR]} ..."
        return Read(answer.findings, short, bool(error), facts)

    def _disagreements(self, text: str, answer: Reading) -> dict[str, Any]:
        """What rules and model say differently of the questions that the model answered."""
        if self.rules is None:
            return {}
        asked = [item for item in self.rules.questions if item.id not in answer.failed]
        found = disagreements(asked, self.rules.read(text), answer.findings)
        return {"disagreements": [asdict(item) for item in found]} if found else {}


def _engine_without_log(config: EngineConfig) -> ChatEngine:
    if config.engine in _LOGLESS:
        engine = make_engine(config, root=Path.cwd())
        if engine is None:
            raise ConfigError("reader llm wants an engine: engine.engine and its settings")
        return engine
    if config.recording:
        raise ConfigError("nothing is kept here: leave engine.recording out")
    made: ChatEngine = load(CHAT_ENGINES, config.engine)(config)
    return made
