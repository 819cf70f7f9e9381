"""Runs the language model's reader in the driver, where a worker would read by rules."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from retrieval.config import RetrievalConfig
from retrieval.questions import Question
from retrieval.reading import EMPTY, Read, rows_of
from retrieval.rules.reader import RuleReader
from voxcurate.chat import make_engine
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.protocols import Finding, Outcome, Task


@dataclass
class ModelExecutor:
    """The server (or the GPU) does the work, not our cores: tasks run one after the other here.

    A report with a question that got no valid answer is failed; its other answers count.
    """

    reader: Any
    rules: RuleReader | None = None

    @classmethod
    def of(
        cls, root: Path, config: RetrievalConfig, questions: Sequence[Question]
    ) -> "ModelExecutor":
        """As configured.

        Raises:
            ConfigError: no engine is configured, or it lacks a setting.
        """
        from retrieval.llm.reader import LLMReader

        engine = make_engine(config.engine, root=root)
        if engine is None:
            raise ConfigError("reader llm wants retrieval.engine")
        made = LLMReader(engine, questions)
        return cls(made, RuleReader(questions) if config.cross_check else None)

    @property
    def version(self) -> str:
        """Of prompt, engine, model and questions."""
        return str(self.reader.version)

    def run(self, worker: str, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes task by task; `worker` is the rule reader's and is not used."""
        for task in tasks:
            start = time.perf_counter()
            value = self._value(task.payload)
            yield Outcome(task.key, value, seconds=time.perf_counter() - start)

    def _value(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        return rows_of(payload, self.read([text for _, _, text in payload["reports"]]))

    def read(self, texts: Sequence[str]) -> list[Read]:
        """Reports read, those without a word left to nobody."""
        asked = [text for text in texts if text.strip()]
        answers = iter(self.reader.read_batch(asked) if asked else ())
        return [
            self._read(text, next(answers)) if text.strip() else Read(error=EMPTY) for text in texts
        ]

    def _read(self, text: str, answer: Any) -> Read:
        if isinstance(answer, ModelReplyError):
            return Read(error=str(answer), retry=True)
        return Read(answer, facts=self._disagreements(text, answer))

    def _disagreements(self, text: str, findings: Sequence[Finding]) -> dict[str, Any]:
        if self.rules is None:
            return {}
        from retrieval.llm.crosscheck import disagreements

        found = disagreements(self.rules.questions, self.rules.read(text), findings)
        return {"disagreements": [asdict(item) for item in found]} if found else {}
