"""Which engine to use, by config; and the hash that names a request."""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakSet

from pydantic import BaseModel, Field, JsonValue, model_validator

from voxcurate.chat.server import ServerConfig
from voxcurate.config import SECRET, Config
from voxcurate.errors import ConfigError
from voxcurate.protocols import CHAT_ENGINES, ChatEngine, Message, load

_MADE: "WeakSet[ChatEngine]" = WeakSet()


class EngineConfig(Config):
    """A chat engine and how to reach it.

    The key itself is never configured, only the name of the environment variable that holds it.
    """

    engine: str = Field("", description="name in voxcurate.protocols.CHAT_ENGINES; empty: none")
    model: str = Field(
        "", description="name as the server knows it; vllm, transformers: folder; replay: whose"
    )
    base_url: str = Field("", description="OpenAI-compatible server, e.g. http://host:8000/v1")
    server: ServerConfig | None = Field(
        None, description="openai: a server of our own, instead of `base_url`"
    )
    api_key_env: str = Field("VOXCURATE_API_KEY", description="environment variable with the key")
    temperature: float = Field(0.0, ge=0)
    max_tokens: int = Field(2048, ge=1)
    timeout_s: float = Field(
        120.0, gt=0, description="per request; vllm: without a sign of life, then it is restarted"
    )
    retries: int = Field(3, ge=0, description="further tries after a transport error, 429 or 5xx")
    wait_s: float = Field(0.5, ge=0, description="before the first further try; doubles each time")
    longest_wait_s: float = Field(30.0, ge=0, description="bounds waits, Retry-After too")
    give_up_after: int = Field(
        8,
        ge=0,
        description="requests in a row (vllm: engines started) without a reply; then none is sent; "
        "0: never",
    )
    outage_s: float = Field(
        600.0, ge=0, description="for a server that has replied, and is gone, to come back"
    )
    concurrency: int = Field(4, ge=1, description="requests under way at once")
    structured: bool = Field(True, description="ask the server to hold to the schema")
    top_logprobs: int = Field(
        0, ge=0, le=20, description="ask for the log-probabilities of so many tokens at each place"
    )
    template: dict[str, bool | str] = Field(
        default_factory=dict,
        description="arguments of the model's chat template, e.g. {enable_thinking: false}",
    )
    options: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="vllm: arguments of vllm.LLM; transformers: device, dtype, batch",
    )
    engines: int = Field(
        1,
        ge=0,
        description="vllm: engines side by side, each on GPUs of its own; 0: as many as fit",
    )
    in_hand: int = Field(512, ge=1, description="vllm: requests that an engine works on at once")
    crashes: int = Field(
        3, ge=1, description="vllm: engines that a request may take down before it is given up"
    )
    load_s: float = Field(1800.0, gt=0, description="vllm: for an engine to load its model")
    cluster: str = Field(
        "", description="run the engine there, in jobs: a name of configs/clusters; empty: here"
    )
    shard: int = Field(512, ge=1, description="requests that a job of a cluster gets at once")
    shard_limit_s: float = Field(14400.0, gt=0, description="for a job to answer them")
    recording: str = Field("", description="SQLite file of recorded replies")
    price_in: float = Field(0.0, ge=0, description="cost of a million prompt tokens")
    price_out: float = Field(0.0, ge=0, description="cost of a million reply tokens")
    price_gpu_h: float = Field(0.0, ge=0, description="cost of an hour of one GPU")

    @model_validator(mode="after")
    def _without_secrets(self) -> Self:
        """Settings are kept with rounds and calls, and stand in job scripts."""
        options = {**self.options, **(self.server.options if self.server else {})}
        found = [name for name, value in options.items() if value and _is_secret(name)]
        host = urlsplit(self.base_url)
        asked = parse_qsl(host.query)
        if host.username or host.password or any(_is_secret(name) for name, _ in asked):
            found.append("base_url")
        if found:
            raise ValueError(
                f"{', '.join(found)}: keys and passwords are not configured; put them into "
                "environment variables (`api_key_env`; VLLM_API_KEY, HF_TOKEN)"
            )
        return self

    @property
    def sampling(self) -> dict[str, Any]:
        """What makes the same model answer otherwise, where it departs from the defaults."""
        return self.model_dump(include={"temperature", "template"}, exclude_defaults=True)


def _is_secret(name: str) -> bool:
    return SECRET.search(name.replace("-", "_")) is not None


def make_engine(config: EngineConfig, *, root: Path) -> ChatEngine | None:
    """The configured engine, or None when none is.

    With `recording` set, any engine but ``replay`` is wrapped: what it replies is recorded.

    Args:
        config: which engine.
        root: the workspace's folder: the call log is ``chat.sqlite`` in it, and relative
            recordings lie there.

    Raises:
        ConfigError: no such engine, or a setting that it needs is missing.
    """
    if not config.engine:
        return None
    from voxcurate.chat.log import CallLog
    from voxcurate.chat.replay import RecordingEngine, Recordings

    recordings = Recordings(root / config.recording) if config.recording else None
    kind = load(CHAT_ENGINES, config.engine)
    if config.engine == "replay":
        if recordings is None:
            raise ConfigError("engine replay wants `recording`, the file of recorded replies")
        replaying: ChatEngine = kind(recordings, model=config.model)
        return replaying
    if config.engine == "scripted":
        raise ConfigError("engine scripted is for tests and cannot be configured")
    log = CallLog(root / "chat.sqlite")
    if config.cluster:
        kind = partial(load(CHAT_ENGINES, "batch"), root=root)
    elif config.engine == "batch":
        raise ConfigError("name the engine that is to run there, and its `cluster`")
    engine: ChatEngine = kind(config, log=log)
    _MADE.add(engine)
    return RecordingEngine(engine, recordings, model=config.model) if recordings else engine


def close_engines() -> None:
    """End the models and servers of all engines that this process made: an engine that is kept for
    the next question keeps its GPU too. The next question loads the model again."""
    for engine in list(_MADE):
        close = getattr(engine, "close", None)
        if close is not None:
            close()


def refuse_cluster(config: EngineConfig) -> None:
    """Say that an engine was made apart from `make_engine`, where no cluster can be used.

    Raises:
        ConfigError: `cluster` is set.
    """
    if config.cluster:
        raise ConfigError("`cluster` wants a workspace that the cluster's nodes see: leave it out")


def price(config: EngineConfig, tokens_in: int, tokens_out: int, gpu_s: float = 0.0) -> float:
    """What so many tokens and seconds of a GPU cost, in the unit of the configured prices."""
    of_tokens = (tokens_in * config.price_in + tokens_out * config.price_out) / 1_000_000
    return of_tokens + gpu_s / 3600 * config.price_gpu_h


@lru_cache(maxsize=64)
def json_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model, made once; not to be changed."""
    return schema.model_json_schema()


def request_hash(conversation: Sequence[Message], schema: type[BaseModel], model: str) -> str:
    """SHA-256 of what decides a reply: the messages (images by content), the schema, the model."""
    state = {"messages": plain(conversation), "schema": json_schema(schema), "model": model}
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def content_of(message: Message) -> str | list[dict[str, Any]]:
    """A message's content as servers take it: text alone, or text and then its images."""
    if not message.images:
        return message.text
    images = [
        {
            "type": "image_url",
            "image_url": {
                "url": f"data:image/png;base64,{base64.b64encode(image).decode('ascii')}"
            },
        }
        for image in message.images
    ]
    return [{"type": "text", "text": message.text}, *images]


def messages_of(conversation: Sequence[Message]) -> list[dict[str, Any]]:
    """A conversation as servers and models take it."""
    return [{"role": m.role, "content": content_of(m)} for m in conversation]


def plain(conversation: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as plain data; an image is its SHA-256."""
    return [
        {
            "role": m.role,
            "text": m.text,
            "images": [hashlib.sha256(image).hexdigest() for image in m.images],
        }
        for m in conversation
    ]
