"""A chat engine with a queue of replies, for tests."""

from collections import deque
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from voxcurate.chat.log import CallLog
from voxcurate.chat.parsing import parse_reply
from voxcurate.errors import ModelReplyError
from voxcurate.protocols import Message, Reply


class ScriptedEngine:
    """Gives the queued replies in order; each is validated like any model's.

    Args:
        replies: raw texts, or parsed objects that stand for their JSON.
        log: where calls are logged, if anywhere.

    Attributes:
        asked: the conversations seen so far.
    """

    name = "scripted"

    def __init__(
        self, replies: Iterable[str | BaseModel] = (), *, log: CallLog | None = None
    ) -> None:
        self._queue = deque(replies)
        self._log = log
        self.asked: list[tuple[Message, ...]] = []

    def chat(
        self, conversations: Sequence[Sequence[Message]], schema: type[BaseModel]
    ) -> list[Reply]:
        """One queued reply per conversation; an empty queue is an error of that reply."""
        replies = []
        for conversation in conversations:
            self.asked.append(tuple(conversation))
            reply = self._reply(schema)
            if self._log is not None:
                self._log.write(self.name, conversation, schema, reply)
            replies.append(reply)
        return replies

    def _reply(self, schema: type[BaseModel]) -> Reply:
        if not self._queue:
            return Reply(None, "", self.name, error="the script has no reply left")
        queued = self._queue.popleft()
        raw = queued.model_dump_json() if isinstance(queued, BaseModel) else queued
        try:
            return Reply(parse_reply(raw, schema), raw, self.name)
        except ModelReplyError as error:
            return Reply(None, raw, self.name, error=str(error))
