"""Any OpenAI-compatible server (vLLM, transformers serve, llama.cpp, ...) through LangChain."""

import base64
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from voxcurate.chat.engine import EngineConfig
from voxcurate.chat.log import CallLog
from voxcurate.chat.parsing import parse_reply
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.protocols import Message, Reply

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

_PER_TOKEN = 1e-6
_BROKEN_BODY = (LookupError, ValueError, TypeError, AttributeError)
"""What the client lets through when a body is no JSON, or has no choices or no message."""


class OpenAIEngine:
    """Chats with an OpenAI-compatible server.

    Structured output is asked for (`structured`), and every reply is validated all the same.
    Transport errors and 5xx are retried with growing waits by the client; what remains is the
    `error` of that one reply. LangSmith's tracing, which environment variables switch on, is off:
    prompts go to `base_url` and nowhere else.

    Args:
        config: server, model and limits.
        log: where every call is logged.

    Raises:
        ConfigError: `base_url` or `model` is missing.
    """

    name = "openai"

    def __init__(self, config: EngineConfig, *, log: CallLog | None = None) -> None:
        if not config.base_url or not config.model:
            raise ConfigError("engine openai wants `base_url` and `model`")
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr

        self._config = config
        self._log = log
        self._client = ChatOpenAI(
            model=config.model,
            base_url=config.base_url,
            api_key=SecretStr(os.environ.get(config.api_key_env) or "none"),
            temperature=config.temperature,
            max_completion_tokens=config.max_tokens,
            timeout=config.timeout_s,
            max_retries=config.retries,
            use_responses_api=False,
        )

    def chat(
        self, conversations: Sequence[Sequence[Message]], schema: type[BaseModel]
    ) -> list[Reply]:
        """Replies in the order of the conversations, at most `concurrency` requests at once."""
        if not conversations:
            return []
        workers = min(self._config.concurrency, len(conversations))
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda item: self._logged(item, schema), conversations))

    def _logged(self, conversation: Sequence[Message], schema: type[BaseModel]) -> Reply:
        reply = self._one(conversation, schema)
        if self._log is not None:
            keep = {"temperature", "max_tokens", "base_url", "structured"}
            cost = (
                reply.tokens_in * self._config.price_in + reply.tokens_out * self._config.price_out
            ) * _PER_TOKEN
            settings = self._config.model_dump(include=keep)
            self._log.write(self.name, conversation, schema, reply, settings=settings, cost=cost)
        return reply

    def _one(self, conversation: Sequence[Message], schema: type[BaseModel]) -> Reply:
        import httpx
        import openai
        from langsmith import tracing_context

        start = time.perf_counter()
        try:
            with tracing_context(enabled=False):  # whatever the environment says: to no third party
                message = self._client.invoke(_messages(conversation), **self._format(schema))
        except (openai.OpenAIError, httpx.HTTPError, *_BROKEN_BODY) as problem:
            why = _describe(problem)
            return Reply(
                None, "", self._config.model, error=why, seconds=time.perf_counter() - start
            )
        return self._reply(message, schema, time.perf_counter() - start)

    def _format(self, schema: type[BaseModel]) -> dict[str, Any]:
        if not self._config.structured:
            return {}
        wanted = {"name": schema.__name__, "schema": schema.model_json_schema(), "strict": False}
        # in extra_body, or the client parses the reply itself and drops the text of one cut off
        return {"extra_body": {"response_format": {"type": "json_schema", "json_schema": wanted}}}

    def _reply(self, message: "AIMessage", schema: type[BaseModel], seconds: float) -> Reply:
        usage = message.usage_metadata
        raw = str(message.text)
        parsed, error = None, ""
        try:
            parsed = parse_reply(raw, schema)
        except ModelReplyError as problem:
            error = str(problem)
            if message.response_metadata.get("finish_reason") == "length":
                error = f"cut off at {self._config.max_tokens} tokens; {error}"
        return Reply(
            parsed,
            raw,
            str(message.response_metadata.get("model_name") or self._config.model),
            error=error,
            tokens_in=usage["input_tokens"] if usage else 0,
            tokens_out=usage["output_tokens"] if usage else 0,
            seconds=seconds,
        )


def _messages(conversation: Sequence[Message]) -> list[dict[str, Any]]:
    return [{"role": m.role, "content": _content(m)} for m in conversation]


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.text
    images = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_base64(image)}"}}
        for image in message.images
    ]
    return [{"type": "text", "text": message.text}, *images]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _describe(problem: Exception) -> str:
    """What went wrong, without the server's own words (they may quote the prompt)."""
    status = getattr(problem, "status_code", None)
    return f"no reply from the server: {type(problem).__name__}" + (f" {status}" if status else "")
