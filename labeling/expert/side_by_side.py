"""Judges that ask a model: some cases at a time, so that the requests of all go out together.

Within a case a knock-out asks round by round, and an engine that waits for the last request of a
round stands idle; over several cases its batches are as many times larger.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from pydantic import BaseModel

from labeling.config import JudgeConfig
from labeling.expert.consult import consult, engine_of_judge
from labeling.vision.play import play
from labeling.vision.prompts import Request
from labeling.vision.protocol import Play
from voxcurate.errors import CurationError
from voxcurate.executors.worker import measured
from voxcurate.protocols import Message, Outcome, Reply, Task


class SideBySide:
    """An executor of stage judge in this process, where the model is loaded once.

    `cases_at_once` cases are in memory; an error of one leaves the others alone.

    Args:
        config: the judge's.
        root: of the workspace.
    """

    name = "side by side"

    def __init__(self, config: JudgeConfig, root: str) -> None:
        self.config = config
        self.root = root

    def run(self, worker: str, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes in the order of the tasks, whose worker is `labeling.expert.consult.work`."""
        waiting = iter(tasks)
        while some := list(islice(waiting, self.config.vision.cases_at_once)):
            try:
                yield from play(self, [_overseen(task) for task in some])
            except CurationError as error:  # the engine's
                kind = type(error).__name__
                yield from (Outcome(t.key, error=str(error), error_kind=kind) for t in some)

    def chat(
        self, conversations: Sequence[Sequence[Message]], schema: type[BaseModel]
    ) -> list[Reply]:
        """The engine's replies; it is made when first asked."""
        return engine_of_judge(self.config, self.root).chat(conversations, schema)


def _overseen(task: Task) -> Play[Outcome]:
    """A task's play with its outcome, whatever happens in it; `seconds` are its own."""
    one: Play[dict[str, Any]] = consult(task.payload)
    replies: list[Reply] | None = None
    seconds = 0.0
    while True:
        outcome = measured(partial(_step, one, replies), task.key)
        seconds += outcome.seconds
        if not outcome.ok or isinstance(outcome.value, dict):
            return replace(outcome, seconds=seconds)
        replies = yield outcome.value


def _step(one: Play[dict[str, Any]], replies: list[Reply] | None) -> list[Request] | dict[str, Any]:
    """The next requests, or the result."""
    try:
        return next(one) if replies is None else one.send(replies)
    except StopIteration as done:
        found: dict[str, Any] = done.value
        return found
