"""Offline batches with vLLM, in this process: no server, one call for all conversations."""

import os
from functools import cached_property
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from voxcurate.chat.engine import json_schema
from voxcurate.chat.local import Generated, LocalEngine
from voxcurate.errors import ConfigError
from voxcurate.protocols import Token


class VLLMEngine(LocalEngine):
    """Chats with a checkpoint through ``vllm.LLM`` on this machine's GPU.

    The prefix cache is on: prompts that begin alike are computed once. With `structured` the reply
    is held to the schema. A prompt that vLLM refuses (too long) fails alone. vLLM's reporting of
    its use is switched off, unless the environment says something else.
    """

    name = "vllm"

    def generate(
        self, conversations: list[list[dict[str, Any]]], schema: type[BaseModel]
    ) -> list[Generated]:
        """What the model writes for each, in order, in one call of vLLM."""
        return self._halved(conversations, self._sampling(schema))

    def _halved(self, conversations: list[list[dict[str, Any]]], sampling: Any) -> list[Generated]:
        """vLLM refuses a whole batch for one bad prompt; halves of it find the bad one."""
        more = {"chat_template_kwargs": self._config.template} if self._config.template else {}
        try:
            outputs = self._llm.chat(conversations, sampling, use_tqdm=False, **more)
        except _refusals() as problem:
            if len(conversations) == 1:
                why = f"vLLM refused the prompt: {type(problem).__name__}"
                return [Generated(error=f"{why} (too long for the model?)")]
            half = len(conversations) // 2
            return [
                made
                for part in (conversations[:half], conversations[half:])
                for made in self._halved(part, sampling)
            ]
        return [_generated(output) for output in outputs]

    def _sampling(self, schema: type[BaseModel]) -> Any:
        parameters = self._library("vllm.sampling_params")
        held: dict[str, Any] = {}
        if self._config.structured:
            params = parameters.StructuredOutputsParams(json=json_schema(schema))
            held["structured_outputs"] = params
        if self._config.top_logprobs:
            held["logprobs"] = self._config.top_logprobs
        return parameters.SamplingParams(
            temperature=self._config.temperature, max_tokens=self._config.max_tokens, seed=0, **held
        )

    @cached_property
    def _llm(self) -> Any:
        options = {"enable_prefix_caching": True, "seed": 0, **self._config.options}
        try:
            return self._library("vllm").LLM(model=self._config.model, **options)
        except (ValueError, OSError, RuntimeError, TypeError) as error:
            raise ConfigError(f"engine vllm cannot load its model: {error}") from None

    @staticmethod
    def _library(name: str) -> Any:
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # it would report home otherwise
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
