"""Any OpenAI-compatible server (vLLM, transformers serve, llama.cpp, ...) through LangChain."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from voxcurate.chat import retry
from voxcurate.chat.asking import Conversation, given_to_all, grouped, in_order
from voxcurate.chat.engine import EngineConfig, json_schema, messages_of, price, refuse_cluster
from voxcurate.chat.log import CallLog
from voxcurate.chat.parsing import parse_reply
from voxcurate.chat.server import Server
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.protocols import Message, Reply, Token

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

_BROKEN_BODY = (LookupError, ValueError, TypeError, AttributeError)
"""What the client lets through when a body is no JSON, or has no choices or no message."""


_ABORTED = ("abort", "error")


class AbortedReplyError(ValueError):
    """The server broke a reply off, as vLLM does when it is shut down, and sent what there was."""


class _Way(NamedTuple):
    """How a request is put: with a schema or not, what the bound on the reply is called, and
    whether log-probabilities are asked for.

    Servers of one's own know ``max_tokens``, some of them that name only and no bound at all under
    the other; newer models of OpenAI refuse it.
    """

    structured: bool
    limit: str
    is_weighed: bool = False  # log-probabilities are asked for


_WAYS = tuple(
    _Way(structured, limit, is_weighed)
    for limit in ("max_tokens", "max_completion_tokens")
    for structured in (True, False)
    for is_weighed in (True, False)
)


class OpenAIEngine:
    """Chats with an OpenAI-compatible server.

    Structured output is asked for (`structured`), and every reply is validated all the same; a
    server that refuses the request for it is asked without, from then on. So is one that wants
    the bound of a reply under its newer name, or knows no log-probabilities. A request without a
    reply (no connection, time out, 429, 5xx, a body that breaks off) is sent again, `retries`
    times at most, with growing waits or as long as ``Retry-After`` says; what remains is the
    `error` of that one reply. After `give_up_after` such requests in a row the server is given
    up: all further replies of this engine are errors, at once. A server that has replied and then
    cannot be reached is taken to be restarted: it is waited for, `outage_s` at most. With `server`
    it is one of our own, started here and started again when it dies. A request that was under way
    twice when the server broke is sent alone from then on: one that takes servers down costs the
    others no reply. A prompt that is refused
    counts too until the first reply: a server that refuses one after the other will refuse all.
    LangSmith's tracing, which environment variables switch on, is off: prompts go to `base_url` and
    nowhere else.

    Args:
        config: server, model and limits.
        log: where every call is logged.

    Attributes:
        sent: requests sent so far, further tries among them.

    Raises:
        ConfigError: `model` is missing, or both `base_url` and `server`, or one too many.
    """

    name = "openai"

    def __init__(self, config: EngineConfig, *, log: CallLog | None = None) -> None:
        if not config.model or bool(config.base_url) == bool(config.server):
            raise ConfigError("engine openai wants `model`, and `base_url` or `server`")
        refuse_cluster(config)
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr

        _failures()
        self._config = config
        self._log = log
        self._ways = [
            way
            for way in _WAYS
            if (config.structured or not way.structured)
            and (config.top_logprobs or not way.is_weighed)
        ]
        self._backoff = retry.Backoff(config.wait_s, config.longest_wait_s)
        self._breaker = retry.Breaker(config.give_up_after)
        self._outage = retry.Outage(config.outage_s)
        self._company = retry.Company()
        self._server = Server(config.server, config.model) if config.server else None
        self._lock = threading.Lock()
        self.sent = 0
        self._client = ChatOpenAI(
            model=config.model,
            base_url=config.base_url or (self._server.url if self._server else ""),
            api_key=SecretStr(os.environ.get(config.api_key_env) or "none"),
            temperature=config.temperature,
            timeout=config.timeout_s,
            max_retries=0,
            use_responses_api=False,
        )

    def chat(
        self, conversations: Sequence[Sequence[Message]], schema: type[BaseModel]
    ) -> list[Reply]:
        """Replies in the order of the conversations, at most `concurrency` requests at once."""
        return in_order(self.stream(conversations, schema))

    def stream(
        self, conversations: Sequence[Conversation], schema: type[BaseModel]
    ) -> Iterator[tuple[int, Reply]]:
        """Places of conversations and their replies, as they come. What is asked several times is
        sent once."""
        groups = grouped(conversations, schema, self._config.model)
        if not groups:
            return
        if self._server is not None:
            self._server.ready()
        over = threading.Event()
        with ThreadPoolExecutor(min(self._config.concurrency, len(groups))) as pool:
            asked = {
                pool.submit(self._logged, conversations[places[0]], schema, over): places
                for places in groups.values()
            }
            try:
                for done in as_completed(asked):
                    yield from given_to_all(asked[done], done.result())
            finally:  # Ctrl-C: no further one is sent, nor again
                over.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def _logged(
        self, conversation: Sequence[Message], schema: type[BaseModel], over: threading.Event
    ) -> Reply:
        if self._breaker.is_open:
            return Reply(None, "", self._config.model, error=self._breaker.why)
        reply = self._one(conversation, schema, over)
        if self._log is not None:
            keep = {"temperature", "max_tokens", "base_url", "structured", "template"}
            settings = self._config.model_dump(include=keep)
            cost = price(self._config, reply.tokens_in, reply.tokens_out)
            self._log.write(self.name, conversation, schema, reply, settings=settings, cost=cost)
        return reply

    def _one(
        self, conversation: Sequence[Message], schema: type[BaseModel], over: threading.Event
    ) -> Reply:
        start = time.perf_counter()
        messages, failures, is_suspect = messages_of(conversation), 0, False
        while True:
            try:
                with self._company.kept(alone=is_suspect and failures >= self._in_company):
                    found = self._ask(messages, schema)
            except _failures() as problem:
                if self._is_restarting(problem, over):
                    continue
                failures += 1
                is_suspect = is_suspect or _may_have_broken_it(problem)
                if self._may_ask_again(problem, failures) and not over.is_set():
                    self._backoff.wait(failures, _asked_for(problem))
                    continue
                self._breaker.failed(_status(problem), _kind(problem))
                why, seconds = _describe(problem, failures), time.perf_counter() - start
                return Reply(None, "", self._config.model, error=why, seconds=seconds)
            self._breaker.replied()
            self._outage.over()
            if self._server is not None:
                self._server.replied()
            return self._reply(found, schema, time.perf_counter() - start)

    @property
    def _in_company(self) -> int:
        """Failures after which one that may break servers is sent alone; its last try always."""
        return min(2, self._config.retries)

    def _is_restarting(self, problem: Exception, over: threading.Event) -> bool:
        """Whether the server has gone and may come back; a pause later it is asked again."""
        if over.is_set() or not _is_refused(problem):
            return False
        if self._server is None:
            return self._outage.wait(self._config.longest_wait_s)
        try:
            self._server.ready(over)
        except ConfigError:
            return False
        return True

    def close(self) -> None:
        """End the server, if it is one of our own; the next request starts it again."""
        if self._server is not None:
            self._server.close()

    def _may_ask_again(self, problem: Exception, failures: int) -> bool:
        is_left = failures <= self._config.retries and not self._breaker.is_open
        return is_left and retry.is_passing(_status(problem))

    def _ask(self, messages: list[dict[str, Any]], schema: type[BaseModel]) -> "AIMessage":
        """One request; put another way where the server refuses this one, the way remembered."""
        ways = tuple(self._ways)
        refusal: Exception | None = None
        for way in ways:
            try:
                found = self._invoke(messages, self._body(way, schema))
            except _failures() as problem:
                if not retry.may_refuse_format(_status(problem)):
                    raise  # after a refusal too: a 429 says nothing of this way
                refusal = refusal or problem
                continue
            plainer = way._replace(structured=False)
            self._ways = [way, plainer] if way.structured else [way]
            return found
        assert refusal is not None
        raise refusal  # no way helps: the fault is the prompt's

    def _body(self, way: "_Way", schema: type[BaseModel]) -> dict[str, Any]:
        body: dict[str, Any] = {way.limit: self._config.max_tokens}
        if way.structured:
            wanted = {"name": schema.__name__, "schema": json_schema(schema), "strict": False}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        if way.is_weighed:
            body |= {"logprobs": True, "top_logprobs": self._config.top_logprobs}
        if self._config.template:
            body["chat_template_kwargs"] = dict(self._config.template)
        return body

    def _invoke(self, messages: list[dict[str, Any]], body: dict[str, Any]) -> "AIMessage":
        from langsmith import tracing_context

        with self._lock:
            self.sent += 1
        with tracing_context(enabled=False):  # whatever the environment says: to no third party
            # in extra_body, or the client parses the reply itself and drops the text of one cut off
            found = self._client.invoke(messages, extra_body=body)
        if found.response_metadata.get("finish_reason") in _ABORTED:
            raise AbortedReplyError  # the server's end, not the model's: half a reply is none
        return found

    def _reply(self, message: "AIMessage", schema: type[BaseModel], seconds: float) -> Reply:
        usage = message.usage_metadata
        raw = str(message.text) or str(message.additional_kwargs.get("refusal") or "")
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
            tokens=_tokens(message.response_metadata.get("logprobs")),
        )


def _tokens(told: Any) -> tuple[Token, ...]:
    """Tokens with their log-probabilities; none where the server gave none, or in another form."""
    try:
        return tuple(
            Token(
                str(item["token"]),
                {
                    str(one["token"]): float(one["logprob"])
                    for one in (item, *(item.get("top_logprobs") or ()))
                },
            )
            for item in told["content"]
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return ()


@cache
def _failures() -> tuple[type[Exception], ...]:
    """What a request may raise. Called before the threads start: they would import half modules."""
    import openai

    clients = []
    for name in ("httpx", "httpx2"):  # whichever the client is built on
        try:
            clients.append(import_module(name).HTTPError)
        except ImportError:
            continue
    return (openai.OpenAIError, *clients, *_BROKEN_BODY)


def _is_refused(problem: BaseException | None) -> bool:
    """Whether nobody listens there (any more)."""
    while problem is not None:
        if type(problem).__name__ in ("ConnectError", "ConnectTimeout"):  # of httpx or httpx2
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def _may_have_broken_it(problem: Exception) -> bool:
    """Whether the server died or failed under the request; not that it is slow or busy."""
    status = _status(problem)
    return status == 500 or (status is None and "Timeout" not in type(problem).__name__)


def _asked_for(problem: Exception) -> float | None:
    response = getattr(problem, "response", None)
    return retry.retry_after_s(response.headers) if response is not None else None


def _status(problem: Exception) -> int | None:
    status = getattr(problem, "status_code", None)
    return status if isinstance(status, int) else None


def _kind(problem: Exception) -> str:
    """What went wrong, without the server's own words (they may quote the prompt)."""
    status = _status(problem)
    return f"{type(problem).__name__} {status}" if status else type(problem).__name__


def _describe(problem: Exception, tries: int) -> str:
    times = f" ({tries} tries)" if tries > 1 else ""
    return f"no reply from the server{times}: {_kind(problem)}"
