"""Offline batches with vLLM on this machine's GPUs: no server; the engine in a process of its own.

`VLLMEngine` is what stages see; `VLLMModel` is what runs in that process.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from voxcurate.chat.asking import Conversation
from voxcurate.chat.crew import Crew
from voxcurate.chat.engine import EngineConfig, json_schema, messages_of
from voxcurate.chat.local import Generated, LocalEngine
from voxcurate.chat.log import CallLog
from voxcurate.errors import ConfigError
from voxcurate.protocols import Message, Token

_FAILED = ("abort", "error")  # reasons to end that leave no reply
_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size")


class VLLMEngine(LocalEngine):
    """Chats with a checkpoint through vLLM on this machine's GPUs.

    Each engine is a process of its own with its GPUs (`engines`; how many GPUs one has is told by
    the options ``tensor_parallel_size`` and ``pipeline_parallel_size``). It has up to `in_hand`
    requests at a time and gets new ones as replies come, so that it is never idle and memory is
    bounded. The prefix cache is on: prompts that begin alike are computed once. With `structured`
    the reply is held to the schema. A prompt that vLLM refuses (too long, too many pictures) fails
    alone; so does one that takes `crashes` engines down (`voxcurate.chat.crew`). vLLM's reporting
    of its use is switched off, unless the environment says something else.
    """

    name = "vllm"

    def __init__(self, config: EngineConfig, *, log: CallLog | None = None) -> None:
        super().__init__(config, log=log)
        self._crew: Crew | None = None

    def generate(
        self, conversations: Sequence[Conversation], schema: type[BaseModel], keys: Sequence[str]
    ) -> Iterator[tuple[int, Generated]]:
        """What the model writes for each, as it comes."""
        if self._crew is None:
            gpus = gpus_of(self._config)
            self._crew = Crew(
                "voxcurate.chat.vllm:VLLMModel",
                self._config,
                environments=_environments(self._config, gpus),
                gpus=gpus,
            )
        yield from self._crew.run(conversations, json_schema(schema), keys)

    def close(self) -> None:
        """End the engines, which frees their GPUs; the next request starts them again."""
        if self._crew is not None:
            self._crew.close()


def gpus_of(config: EngineConfig) -> int:
    """GPUs that one engine takes."""
    return prod(int(str(config.options.get(name, 1))) for name in _PARALLEL)


def _environments(config: EngineConfig, gpus: int) -> list[dict[str, str]]:
    """Variables of each engine's process; where there are several, each has GPUs of its own."""
    shared = {
        name: os.environ.get(name, value)
        for name, value in (("VLLM_NO_USAGE_STATS", "1"), ("VLLM_LOGGING_LEVEL", "WARNING"))
    }
    if Path(config.model).is_dir():  # all there is lies there: nothing to ask the internet for
        shared["HF_HUB_OFFLINE"] = os.environ.get("HF_HUB_OFFLINE", "1")
    if config.engines == 1:
        return [shared]
    devices = _devices()
    fit = len(devices) // gpus
    if fit < max(config.engines, 1):
        raise ConfigError(
            f"{max(config.engines, 1)} engines of {gpus} GPUs want as many devices, found "
            f"{len(devices)}"
        )
    return [
        {**shared, "CUDA_VISIBLE_DEVICES": ",".join(devices[n * gpus : (n + 1) * gpus])}
        for n in range(config.engines or fit)
    ]


def _devices() -> list[str]:
    """Names of the GPUs that this process may use."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name.strip() for name in told.split(",") if name.strip()]
    from torch import cuda

    return [str(n) for n in range(cuda.device_count())]


class VLLMModel:
    """``vllm.LLM``, its requests added one by one and its engine stepped by us.

    ``LLM.chat`` tells nothing before the last of its prompts is done, and refuses all for one bad
    prompt. It is made of these two steps (vLLM 0.32, ``entrypoints/common/offline.py``): requests
    go in by ``LLM.enqueue_chat``, and ``LLM.llm_engine.step`` gives what is finished.

    Args:
        settings: JSON of an `EngineConfig`.

    Raises:
        ConfigError: the library is missing, or the model cannot be loaded.
    """

    def __init__(self, settings: str) -> None:
        self._config = EngineConfig.model_validate_json(settings)
        self._parameters = _library("vllm.sampling_params")
        self._refusals = _refusals()
        options = {"enable_prefix_caching": True, "seed": 0, **self._config.options}
        try:
            self._llm = _library("vllm").LLM(model=self._config.model, **options)
        except (ValueError, OSError, RuntimeError, TypeError) as error:
            raise ConfigError(f"engine vllm cannot load its model: {error}") from None
        self._numbers: dict[str, int] = {}
        self._unheld: set[str] = set()  # schemas that vLLM does not take

    @property
    def is_busy(self) -> bool:
        """Whether any request is not answered yet."""
        return bool(self._numbers)

    def add(
        self, number: int, conversation: Sequence[Message], schema: Mapping[str, Any]
    ) -> Generated | None:
        """Take a request; why not, if vLLM refuses it.

        One that is refused with its schema is put without: if it is taken then, the schema was
        the reason, and replies are not held to it from then on.
        """
        messages = messages_of(conversation)
        ways = [False]
        if self._config.structured and repr(schema) not in self._unheld:
            ways = [True, False]
        problem: Exception | None = None
        for is_held in ways:
            try:
                (name,) = self._enqueue(messages, self._sampling(schema if is_held else None))
            except self._refusals as refusal:
                problem = problem or refusal
                continue
            if problem is not None:
                self._unheld.add(repr(schema))
            self._numbers[name.partition("-")[0]] = number  # what follows is vLLM's own
            return None
        why = f"vLLM refused the prompt: {type(problem).__name__}"
        return Generated(error=f"{why} (too long for the model?)")

    def step(self) -> list[tuple[int, Generated]]:
        """Let vLLM work until it has something to tell; the requests that are finished."""
        done = [output for output in self._llm.llm_engine.step() if output.finished]
        return [(self._numbers.pop(output.request_id), _generated(output)) for output in done]

    def _enqueue(self, messages: list[dict[str, Any]], sampling: Any) -> Any:
        more = {"chat_template_kwargs": self._config.template} if self._config.template else {}
        return self._llm.enqueue_chat([messages], sampling, use_tqdm=False, **more)

    def _sampling(self, schema: Mapping[str, Any] | None) -> Any:
        held: dict[str, Any] = {}
        if schema is not None:
            params = self._parameters.StructuredOutputsParams(json=dict(schema))
            held["structured_outputs"] = params
        if self._config.top_logprobs:
            held["logprobs"] = self._config.top_logprobs
        return self._parameters.SamplingParams(
            temperature=self._config.temperature, max_tokens=self._config.max_tokens, seed=0, **held
        )


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            "engine vllm wants the library vllm and a GPU: pip install 'voxcurate[vllm]', in "
            f"an environment of its own if it clashes with other pins ({error})"
        ) from None


def _refusals() -> tuple[type[Exception], ...]:
    """What vLLM raises for a request it does not take: its own class now, ValueError before."""
    try:
        return (ValueError, import_module("vllm.exceptions").VLLMClientError)
    except (ImportError, AttributeError):
        return (ValueError,)


def _generated(output: Any) -> Generated:
    best = output.outputs[0]
    if best.finish_reason in _FAILED:
        return Generated(error=f"vLLM ended the request: {best.finish_reason}")
    return Generated(
        best.text,
        tokens_in=len(output.prompt_token_ids or ()),
        tokens_out=len(best.token_ids),
        is_cut=best.finish_reason == "length",
        tokens=_tokens(best),
    )


def _tokens(best: Any) -> tuple[Token, ...]:
    found = []
    for token, weighed in zip(
        best.token_ids or (), getattr(best, "logprobs", None) or (), strict=False
    ):
        choices = {str(one.decoded_token): float(one.logprob) for one in weighed.values()}
        own = weighed.get(token)
        found.append(Token(str(own.decoded_token) if own else "", choices))
    return tuple(found)
