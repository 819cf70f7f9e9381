"""What engines that run a model on this machine have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from voxcurate.chat.asking import Conversation, by_beginning, given_to_all, grouped, in_order
from voxcurate.chat.engine import EngineConfig, price, refuse_cluster
from voxcurate.chat.log import CallLog
from voxcurate.chat.parsing import parse_reply
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.protocols import Reply, Token

LOGGED = frozenset({"temperature", "max_tokens", "structured", "template", "options"})


@dataclass(frozen=True)
class Generated:
    """What the model wrote for one prompt; `error` when there is nothing.

    `seconds` is the prompt's share of the time in which the model worked on several, `gpu_s` that
    of its GPUs.
    """

    text: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    is_cut: bool = False
    tokens: tuple[Token, ...] = ()
    error: str = ""
    seconds: float = 0.0
    gpu_s: float = 0.0


class LocalEngine(ABC):
    """Chats with a model on this machine; it is loaded at the first request.

    What is asked several times is generated once.

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
        refuse_cluster(config)
        self._config = config
        self._log = log

    def chat(self, conversations: Sequence[Conversation], schema: type[BaseModel]) -> list[Reply]:
        """Replies in the order of the conversations.

        Raises:
            ConfigError: a library is missing, or the model cannot be loaded.
        """
        return in_order(self.stream(conversations, schema))

    def stream(
        self, conversations: Sequence[Conversation], schema: type[BaseModel]
    ) -> Iterator[tuple[int, Reply]]:
        """Places of conversations and their replies, as they come; each is logged before.

        Raises:
            ConfigError: as `chat`.
        """
        groups = grouped(conversations, schema, self._config.model)
        groups = by_beginning(groups, conversations)
        keys = list(groups)
        chosen = [conversations[places[0]] for places in groups.values()]
        for n, made in self.generate(chosen, schema, keys) if chosen else ():
            reply = self._reply(made, schema)
            self._write(chosen[n], schema, reply)
            yield from given_to_all(groups[keys[n]], reply)

    @abstractmethod
    def generate(
        self,
        conversations: Sequence[Conversation],
        schema: type[BaseModel],
        keys: Sequence[str],
    ) -> Iterator[tuple[int, Generated]]:
        """What the model writes for each, with its place, in any order; `keys` are the requests'
        hashes."""

    def _reply(self, made: Generated, schema: type[BaseModel]) -> Reply:
        parsed, error = None, made.error
        if not error:
            try:
                parsed = parse_reply(made.text, schema)
            except ModelReplyError as problem:
                error = str(problem)
                if made.is_cut:
                    error = f"cut off at {self._config.max_tokens} tokens; {error}"
        return Reply(
            parsed,
            made.text,
            self._config.model,
            error=error,
            tokens_in=made.tokens_in,
            tokens_out=made.tokens_out,
            seconds=made.seconds,
            tokens=made.tokens,
            gpu_s=made.gpu_s,
        )

    def _write(self, conversation: Conversation, schema: type[BaseModel], reply: Reply) -> None:
        if self._log is None:
            return
        settings = self._config.model_dump(include=set(LOGGED))
        cost = price(self._config, reply.tokens_in, reply.tokens_out, reply.gpu_s)
        self._log.write(self.name, conversation, schema, reply, settings=settings, cost=cost)
