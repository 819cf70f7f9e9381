"""What engines that run a model in this process have in common."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from voxcurate.chat.engine import EngineConfig, content_of, price
from voxcurate.chat.log import CallLog
from voxcurate.chat.parsing import parse_reply
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.protocols import Message, Reply, Token


@dataclass(frozen=True)
class Generated:
    """What the model wrote for one prompt; `error` when the prompt could not be put to it."""

    text: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    is_cut: bool = False
    tokens: tuple[Token, ...] = ()
    error: str = ""


class LocalEngine(ABC):
    """Chats with a model in this process; the model is loaded at the first request.

    Args:
        config: `model` is a folder with a checkpoint.
        log: where every call is logged.

    Raises:
        ConfigError: `model` is missing.
    """

    name = "local"

    def __init__(self, config: EngineConfig, *, log: CallLog | None = None) -> None:
        if not config.model:
            raise ConfigError(f"engine {self.name} wants `model`, the folder of a checkpoint")
        self._config = config
        self._log = log

    def chat(
        self, conversations: Sequence[Sequence[Message]], schema: type[BaseModel]
    ) -> list[Reply]:
        """Replies in the order of the conversations, made in one batch.

        Raises:
            ConfigError: a library is missing, or the model cannot be loaded.
        """
        if not conversations:
            return []
        start = time.perf_counter()
        plain = [
            [{"role": m.role, "content": content_of(m)} for m in item] for item in conversations
        ]
        made = self.generate(plain, schema)
        seconds = (time.perf_counter() - start) / len(conversations)
        replies = [self._reply(item, schema, seconds) for item in made]
        for conversation, reply in zip(conversations, replies, strict=True):
            self._write(conversation, schema, reply)
        return replies

    @abstractmethod
    def generate(
        self, conversations: list[list[dict[str, Any]]], schema: type[BaseModel]
    ) -> list[Generated]:
        """What the model writes for each, in order; contents are as `content_of` gives them."""

    def _reply(self, made: Generated, schema: type[BaseModel], seconds: float) -> Reply:
        counts: dict[str, Any] = {"tokens_in": made.tokens_in, "tokens_out": made.tokens_out}
        counts["tokens"] = made.tokens
        if made.error:
            return Reply(None, "", self._config.model, error=made.error, seconds=seconds)
        try:
            parsed, error = parse_reply(made.text, schema), ""
        except ModelReplyError as problem:
            parsed, error = None, str(problem)
            if made.is_cut:
                error = f"cut off at {self._config.max_tokens} tokens; {error}"
        return Reply(parsed, made.text, self._config.model, error=error, seconds=seconds, **counts)

    def _write(
        self, conversation: Sequence[Message], schema: type[BaseModel], reply: Reply
    ) -> None:
        if self._log is None:
            return
        keep = {"temperature", "max_tokens", "structured", "template", "options"}
        cost = price(self._config, reply.tokens_in, reply.tokens_out)
        settings = self._config.model_dump(include=keep)
        self._log.write(self.name, conversation, schema, reply, settings=settings, cost=cost)
