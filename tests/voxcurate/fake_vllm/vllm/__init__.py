"""A thin fake of vllm 0.32: names, arguments, ids and errors of what we use, and no model.

`LLM` answers with a reply of the wanted schema; a prompt with "too long" is refused, one with
"crash" takes the engine down, one with "broken" ends without a reply. Every call is a line of JSON
in the file that ``FAKE_VLLM_TRACE`` names.
"""

import json
import os
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from vllm.exceptions import VLLMValidationError
from vllm.sampling_params import SamplingParams

__version__ = "0.32.0"


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class CompletionOutput:
    index: int
    text: str
    token_ids: list[int]
    cumulative_logprob: float | None
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str | None = None


@dataclass
class RequestOutput:
    request_id: str
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]
    finished: bool


def _trace(**content: Any) -> None:
    if path := os.environ.get("FAKE_VLLM_TRACE"):
        with open(path, "a") as stream:  # noqa: PTH123 - as short as can be
            stream.write(json.dumps({**content, "pid": os.getpid()}) + "\n")


@dataclass
class LLMEngine:
    """What `LLM.llm_engine` is: requests, the last of them first, two at each step."""

    waiting: list[tuple[str, str, SamplingParams]] = field(default_factory=list)

    def has_unfinished_requests(self) -> bool:
        return bool(self.waiting)

    def step(self) -> list[RequestOutput]:
        now, self.waiting = self.waiting[-2:], self.waiting[:-2]
        _trace(step=len(now))
        done = []
        for name, text, params in now:
            if "crash" in text:
                raise RuntimeError(f"CUDA error: an illegal memory access at {text}")
            done.append(RequestOutput(name, [1] * len(text), [_said(text, params)], True))
        return [RequestOutput("0", [], [], False), *done]


class LLM:
    """Stands for `vllm.LLM`."""

    def __init__(
        self,
        model: str,
        *,
        tensor_parallel_size: int = 1,
        seed: int = 0,
        gpu_memory_utilization: float = 0.92,
        **kwargs: Any,
    ) -> None:
        if model == "missing":
            raise OSError("no such model")
        known = {"enable_prefix_caching", "max_model_len", "limit_mm_per_prompt"}
        if strange := kwargs.keys() - known:
            raise TypeError(f"EngineArgs got an unexpected keyword argument {strange.pop()!r}")
        told = {"tensor_parallel_size": tensor_parallel_size, "seed": seed, **kwargs}
        environment = {
            n: os.environ.get(n) for n in ("VLLM_NO_USAGE_STATS", "CUDA_VISIBLE_DEVICES")
        }
        _trace(model=model, options=told, environment=environment)
        self.request_counter = count()
        self.llm_engine = LLMEngine()
        limit = kwargs.get("limit_mm_per_prompt", {}).get("image", 999)
        self._images: int = limit if isinstance(limit, int) else limit["count"]

    def enqueue_chat(
        self,
        messages: list[list[dict[str, Any]]],
        sampling_params: SamplingParams | None = None,
        lora_request: Any = None,
        priority: Any = None,
        use_tqdm: bool = True,
        chat_template: str | None = None,
        chat_template_content_format: str = "auto",
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        tools: list[dict[str, Any]] | None = None,
        chat_template_kwargs: dict[str, Any] | None = None,
        tokenization_kwargs: dict[str, Any] | None = None,
        mm_processor_kwargs: dict[str, Any] | None = None,
    ) -> list[str]:
        names = []
        for conversation in messages:
            assert sampling_params is not None
            text, images = _parts(conversation[-1]["content"])
            held = sampling_params.structured_outputs
            _trace(
                chat=conversation,
                sampling={
                    "temperature": sampling_params.temperature,
                    "max_tokens": sampling_params.max_tokens,
                    "seed": sampling_params.seed,
                    "logprobs": sampling_params.logprobs,
                    "json": held.json if held else None,
                },
                template=chat_template_kwargs,
                bar=use_tqdm,
            )
            if "too long" in text:
                raise VLLMValidationError("longer than the model takes", value=text)
            if images > self._images:
                raise ValueError(f"At most {self._images} image(s) may be provided in one prompt.")
            if held is not None and "unknown" in json.dumps(held.json):
                raise ValueError("The provided JSON schema contains features not supported")
            name = str(next(self.request_counter))
            self.llm_engine.waiting.append((name, text, sampling_params))
            names.append(f"{name}-{os.urandom(4).hex()}")
        return names


def _parts(content: Any) -> tuple[str, int]:
    if isinstance(content, str):
        return content, 0
    texts = [part["text"] for part in content if part["type"] == "text"]
    return " ".join(texts), sum(part["type"] == "image_url" for part in content)


def _said(text: str, params: SamplingParams) -> CompletionOutput:
    cut = "cut" in text
    said = '{"length": 1, "wo' if cut else f'{{"length": {len(text)}, "word": "a"}}'
    weights = None
    if params.logprobs:
        weights = [{1: Logprob(-0.1, 1, "a"), 2: Logprob(-2.4, 2, "b")}] * 5
    reason = "abort" if "broken" in text else "length" if cut else "stop"
    return CompletionOutput(0, said, [1] * 5, None, weights, reason)
