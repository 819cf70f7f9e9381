"""Any engine on a cluster's nodes: requests go out in shards, replies come back as they are ready.

`BatchEngine` is what stages see; `answer` is what a job does. A shard travels as plain data: the
engine's settings, the schema as JSON, messages with their pictures. Replies are parsed again here,
whatever a node made of them.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from voxcurate.chat.asking import Conversation, by_beginning, given_to_all, grouped, in_order
from voxcurate.chat.engine import EngineConfig, json_schema, price
from voxcurate.chat.local import LOGGED
from voxcurate.chat.log import CallLog
from voxcurate.chat.parsing import parse_reply
from voxcurate.chat.retry import was_sent
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.executors.cluster import Needs
from voxcurate.protocols import CHAT_ENGINES, ChatEngine, Executor, Message, Outcome, Reply, Task
from voxcurate.protocols import load as part

STAGE = "chat"  # whose needs the cluster's file tells
WORKER = "voxcurate.chat.batch:answer"
SHARD_BYTES = 64 * 2**20  # of pictures: a shard is held in memory, and written to a file
_NOT_THERE = ("", "batch", "replay", "scripted")


class BatchEngine:
    """Chats by jobs of a cluster, each with an engine of its own.

    What is asked several times is sent once; requests that begin alike go to one node, whose prefix
    cache has their common part. A job loads its model once for all its shards. One that is lost
    costs its shard at most: the executor does it again. The name is that of the engine that runs
    there, so that answers that are kept stay valid wherever it runs.

    Args:
        config: the engine, and its `cluster`.
        root: the workspace's folder, on a file system that all nodes see.
        log: where every call is logged, here.
        executor: instead of the cluster's.

    Raises:
        ConfigError: an engine that cannot run there, or no such cluster.
    """

    def __init__(
        self,
        config: EngineConfig,
        *,
        root: Path | None = None,
        log: CallLog | None = None,
        executor: Executor | None = None,
    ) -> None:
        if config.engine in _NOT_THERE:
            raise ConfigError(f"engine {config.engine!r} does not run on a cluster")
        self.name = config.engine
        self._config = config
        self._log = log
        self._settings = config.model_copy(update={"cluster": "", "recording": ""})
        part(CHAT_ENGINES, config.engine)(self._settings)  # what is missing is told before jobs are
        if executor is None:
            executor = _executor(config, root)
        self._executor = executor

    def chat(self, conversations: Sequence[Conversation], schema: type[BaseModel]) -> list[Reply]:
        """Replies in the order of the conversations.

        Raises:
            ConfigError: the engine cannot be used on the nodes.
            ClusterError: the cluster cannot be used.
        """
        return in_order(self.stream(conversations, schema))

    def stream(
        self, conversations: Sequence[Conversation], schema: type[BaseModel]
    ) -> Iterator[tuple[int, Reply]]:
        """Places of conversations and their replies, shard by shard as they come.

        Raises:
            ConfigError, ClusterError: as `chat`.
        """
        groups = grouped(conversations, schema, self._config.model)
        groups = by_beginning(groups, conversations)
        shards: dict[str, list[str]] = {}
        tasks = self._tasks(conversations, schema, groups, shards)
        for outcome in self._executor.run(WORKER, tasks) if groups else ():
            keys = shards.pop(outcome.key, None)
            if keys is None:  # one that comes twice counts once
                continue
            for key, reply in zip(keys, self._replies(outcome, schema, len(keys)), strict=True):
                self._write(conversations[groups[key][0]], schema, reply)
                yield from given_to_all(groups[key], reply)

    def _tasks(
        self,
        conversations: Sequence[Conversation],
        schema: type[BaseModel],
        groups: Mapping[str, Sequence[int]],
        shards: dict[str, list[str]],
    ) -> Iterator[Task]:
        """Shards, each made when an executor asks for it, and noted by its key."""
        about = {
            "engine": self._settings.model_dump_json(),
            "schema": json_schema(schema),
            "name": schema.__name__,
        }
        for keys in _cut(groups, conversations, self._config.shard):
            name = f"chat-{hashlib.sha256(''.join(keys).encode()).hexdigest()[:16]}"
            shards[name] = keys
            talks = _lean([conversations[groups[key][0]] for key in keys])
            yield Task(name, {**about, "talks": talks})

    def _replies(self, outcome: Outcome, schema: type[BaseModel], n: int) -> list[Reply]:
        if outcome.error_kind == ConfigError.__name__:
            raise ConfigError(outcome.error)
        if not outcome.ok:
            error = f"its shard failed ({outcome.error_kind}): {outcome.error}"
            return [Reply(None, "", self._config.model, error=error)] * n
        return [_parsed(reply, schema) for reply in outcome.value]

    def _write(self, conversation: Conversation, schema: type[BaseModel], reply: Reply) -> None:
        if self._log is None:
            return
        settings = self._config.model_dump(include={*LOGGED, "base_url", "cluster"})
        cost = price(self._config, reply.tokens_in, reply.tokens_out, reply.gpu_s)
        self._log.write(self.name, conversation, schema, reply, settings=settings, cost=cost)


def _executor(config: EngineConfig, root: Path | None) -> Executor:
    """The cluster's, with the GPUs that the engine takes."""
    from voxcurate.executors import LocalExecutor
    from voxcurate.executors.placing import cluster_executor
    from voxcurate.executors.shards.driver import ShardedExecutor

    if root is None:
        raise ConfigError("an engine on a cluster wants a workspace that its nodes see")
    here = LocalExecutor(workers=1, time_limit_s=config.shard_limit_s)
    family = hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]
    made = cluster_executor(config.cluster, root, root / "tmp", here).of_stage(STAGE, family)
    if not isinstance(made, ShardedExecutor):
        return made
    return ShardedExecutor(replace(made.settings, needs=needs_of_job(config, made.settings.needs)))


def needs_of_job(config: EngineConfig, told: Needs) -> Needs:
    """What its jobs need: what the cluster's file tells, with the GPUs that the engine takes, and
    one process, which keeps its engine for all shards."""
    return told.model_copy(update={"gpus": gpus_of_job(config, told.gpus), "workers": 1})


def gpus_of_job(config: EngineConfig, told: float) -> float:
    """GPUs of a job: those of the cluster's file, more where vLLM takes more, none where the model
    is elsewhere or on the processor."""
    if config.engine == "vllm":
        from voxcurate.chat.vllm import gpus_of

        return max(told, gpus_of(config) * max(config.engines, 1))
    on_gpu = str(config.options.get("device", "")).startswith("cuda")
    return told if config.server or on_gpu else 0.0


def _cut(
    groups: Mapping[str, Sequence[int]], conversations: Sequence[Conversation], most: int
) -> Iterator[list[str]]:
    """Requests, in their order, in pieces of at most `most` and of bounded size."""
    keys: list[str] = []
    size = 0
    for key, places in groups.items():
        more = sum(len(image) for message in conversations[places[0]] for image in message.images)
        if keys and (len(keys) == most or size + more > SHARD_BYTES):
            yield keys
            keys, size = [], 0
        keys.append(key)
        size += more
    if keys:
        yield keys


def _lean(talks: Sequence[Conversation]) -> list[tuple[Message, ...]]:
    """The same talks; a picture that several show is one object, and travels once."""
    seen: dict[bytes, bytes] = {}
    return [
        tuple(
            replace(m, images=tuple(seen.setdefault(image, image) for image in m.images))
            for m in talk
        )
        for talk in talks
    ]


def _parsed(reply: Reply, schema: type[BaseModel]) -> Reply:
    """A reply that came from elsewhere, validated here."""
    if reply.error and not reply.raw:
        return reply
    try:
        return replace(reply, parsed=parse_reply(reply.raw, schema), error="")
    except ModelReplyError as problem:
        return replace(reply, error=reply.error or str(problem))


# --- on a node ---
class Anything(BaseModel):
    """Stands for a schema that is not there; replies are validated where they are wanted."""

    model_config = ConfigDict(extra="allow")


def answer(payload: Mapping[str, Any]) -> list[Reply]:
    """Replies to the talks of a shard, not parsed. The engine stays for this process's next one."""

    def told(*_: Any, **__: Any) -> Any:
        return payload["schema"]

    schema = type(payload["name"], (Anything,), {"model_json_schema": staticmethod(told)})
    engine = _engine(payload["engine"])
    replies = engine.chat(payload["talks"], schema)
    if not all(map(was_sent, replies)):  # given up: the next shard is not answered for it
        _engine.cache_clear()
        getattr(engine, "close", bool)()
    return [replace(reply, parsed=None) for reply in replies]


@lru_cache(maxsize=1)
def _engine(settings: str) -> ChatEngine:
    config = EngineConfig.model_validate_json(settings)
    made: ChatEngine = part(CHAT_ENGINES, config.engine)(config)
    return made
