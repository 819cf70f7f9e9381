"""Which engine to use, by config; and the hash that names a request."""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from voxcurate.config import Config
from voxcurate.errors import ConfigError
from voxcurate.protocols import CHAT_ENGINES, ChatEngine, Message, load


class EngineConfig(Config):
    """A chat engine and how to reach it.

    The key itself is never configured, only the name of the environment variable that holds it.
    """

    engine: str = Field("", description="name in voxcurate.protocols.CHAT_ENGINES; empty: none")
    model: str = Field(
        "", description="name as the server knows it; vllm, transformers: folder; replay: whose"
    )
    base_url: str = Field("", description="OpenAI-compatible server, e.g. http://host:8000/v1")
    api_key_env: str = Field("VOXCURATE_API_KEY", description="environment variable with the key")
    temperature: float = Field(0.0, ge=0)
    max_tokens: int = Field(2048, ge=1)
    timeout_s: float = Field(120.0, gt=0, description="per request")
    retries: int = Field(3, ge=0, description="further tries after a transport error, 429 or 5xx")
    wait_s: float = Field(0.5, ge=0, description="before the first further try; doubles each time")
    longest_wait_s: float = Field(30.0, ge=0, description="bounds waits, Retry-After too")
    give_up_after: int = Field(
        8, ge=0, description="requests in a row without a reply; then none is sent; 0: never"
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
    options: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        description="vllm: arguments of vllm.LLM; transformers: device, dtype, batch",
    )
    recording: str = Field("", description="SQLite file of recorded replies")
    price_in: float = Field(0.0, ge=0, description="cost of a million prompt tokens")
    price_out: float = Field(0.0, ge=0, description="cost of a million reply tokens")

    @property
    def sampling(self) -> dict[str, Any]:
        """What makes the same model answer otherwise, where it departs from the defaults."""
        return self.model_dump(include={"temperature", "template"}, exclude_defaults=True)


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
    engine: ChatEngine = kind(config, log=CallLog(root / "chat.sqlite"))
    return RecordingEngine(engine, recordings, model=config.model) if recordings else engine


def price(config: EngineConfig, tokens_in: int, tokens_out: int) -> float:
    """What so many tokens cost, in the unit of the configured prices."""
    return (tokens_in * config.price_in + tokens_out * config.price_out) / 1_000_000


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
