"""A local checkpoint through Hugging Face transformers: slow, but on any machine, no server."""

import base64
import gc
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from voxcurate.chat.asking import Conversation
from voxcurate.chat.engine import messages_of
from voxcurate.chat.local import Generated, LocalEngine
from voxcurate.errors import ConfigError
from voxcurate.protocols import Token

_BATCH = 8
_OPTIONS = ("device", "dtype", "batch")


@dataclass(frozen=True)
class _Loaded:
    tokenizer: Any
    model: Any
    longest: int  # tokens of prompt and reply; 0: not told


class TransformersEngine(LocalEngine):
    """Chats with a checkpoint on disk; nothing is downloaded.

    Prompts of like length are padded on the left and run together. Replies are not held to the
    schema, only validated. `options`: ``device`` (cpu, cuda), ``dtype``, ``batch`` (prompts at
    once, 8).
    """

    name = "transformers"

    def generate(
        self,
        conversations: Sequence[Conversation],
        schema: type[BaseModel],
        keys: Sequence[str],
    ) -> Iterator[tuple[int, Generated]]:
        """What the model writes for each: those with pictures one by one, the others in batches."""
        prompts: dict[int, list[int]] = {}
        for n, conversation in enumerate(conversations):
            if any(message.images for message in conversation):
                start = time.perf_counter()
                yield n, self._timed(self._seen(messages_of(conversation)), start)
                continue
            prompts[n] = self._tokens(messages_of(conversation))
            if problem := self._too_long(len(prompts[n])):
                del prompts[n]
                yield n, Generated(error=problem)
        left = sorted(prompts, key=lambda n: len(prompts[n]))
        size = int(str(self._config.options.get("batch", _BATCH)))
        for first in range(0, len(left), size):
            chosen, start = left[first : first + size], time.perf_counter()
            made = self._batch([prompts[n] for n in chosen])
            timed = [self._timed(item, start, len(chosen)) for item in made]
            yield from zip(chosen, timed, strict=True)

    def _timed(self, made: Generated, start: float, n: int = 1) -> Generated:
        seconds = (time.perf_counter() - start) / n
        is_gpu = str(self._config.options.get("device", "")).startswith("cuda")
        return replace(made, seconds=seconds, gpu_s=seconds if is_gpu else 0.0)

    def _too_long(self, n_tokens: int) -> str:
        longest, asked = self._loaded.longest, self._config.max_tokens
        if not longest or n_tokens + asked <= longest:
            return ""
        return (
            f"the prompt has {n_tokens} tokens, the model takes {longest} with the {asked} of the "
            "reply"
        )

    def _seen(self, conversation: list[dict[str, Any]]) -> Generated:
        """A conversation with images, put to a vision-language model."""
        import torch

        processor, model = self._vision
        given = processor.apply_chat_template(
            [{"role": m["role"], "content": _parts(m["content"])} for m in conversation],
            tokenize=True,
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
            **self._config.template,
        ).to(model.device)
        tokenizer = processor.tokenizer
        n_top = self._config.top_logprobs
        with torch.inference_mode():
            written = model.generate(
                **given,
                max_new_tokens=self._config.max_tokens,
                pad_token_id=tokenizer.pad_token_id,
                return_dict_in_generate=True,
                output_logits=bool(n_top),
                **self._sampling(),
            )
        n_in = int(given["input_ids"].shape[1])
        ids = written.sequences[0, n_in:].tolist()
        made = _generated(tokenizer, n_in, ids, _ends(model, tokenizer))
        tokens = _weighed(tokenizer, ids, written.logits, n_top) if n_top else ()
        return replace(made, tokens=tokens[: made.tokens_out])

    def _tokens(self, conversation: list[dict[str, Any]]) -> list[int]:
        tokenizer = self._loaded.tokenizer
        text = tokenizer.apply_chat_template(
            conversation, tokenize=False, add_generation_prompt=True, **self._config.template
        )
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _batch(self, prompts: list[list[int]]) -> list[Generated]:
        import torch

        tokenizer, model = self._loaded.tokenizer, self._loaded.model
        width = max(map(len, prompts))
        padding = [width - len(ids) for ids in prompts]
        ids = [[tokenizer.pad_token_id] * n + p for n, p in zip(padding, prompts, strict=True)]
        mask = [[0] * n + [1] * len(p) for n, p in zip(padding, prompts, strict=True)]
        with torch.inference_mode():
            written = model.generate(
                input_ids=torch.tensor(ids, device=model.device),
                attention_mask=torch.tensor(mask, device=model.device),
                max_new_tokens=self._config.max_tokens,
                pad_token_id=tokenizer.pad_token_id,
                **self._sampling(),
            )
        ends = _ends(model, tokenizer)
        return [
            _generated(tokenizer, len(prompt), row[width:].tolist(), ends)
            for prompt, row in zip(prompts, written, strict=True)
        ]

    def _sampling(self) -> dict[str, Any]:
        if not self._config.temperature:
            return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        return {"do_sample": True, "temperature": self._config.temperature}

    def close(self) -> None:
        """Let go of the model and its memory; the next request loads it again."""
        held = [self.__dict__.pop(name, None) for name in ("_loaded", "_vision")]
        if any(held):
            held.clear()
            gc.collect()  # modules and their hooks refer to each other
            import_module("torch").cuda.empty_cache()

    @cached_property
    def _vision(self) -> tuple[Any, Any]:
        options, library = self._options(), _library()
        try:
            processor = library.AutoProcessor.from_pretrained(
                self._config.model, local_files_only=True
            )
            model = library.AutoModelForImageTextToText.from_pretrained(
                self._config.model, local_files_only=True, dtype=options.get("dtype", "auto")
            )
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"engine transformers cannot load its model for images: {error}"
            ) from None
        return processor, model.to(str(options.get("device", "cpu"))).eval()

    def _options(self) -> dict[str, Any]:
        options = self._config.options
        strange = [name for name in options if name not in _OPTIONS]
        if strange:
            raise ConfigError(
                f"engine transformers has no option {strange[0]!r}; there are {', '.join(_OPTIONS)}"
            )
        return dict(options)

    @cached_property
    def _loaded(self) -> _Loaded:
        options, library = self._options(), _library()
        try:
            tokenizer = library.AutoTokenizer.from_pretrained(
                self._config.model, local_files_only=True
            )
            model = library.AutoModelForCausalLM.from_pretrained(
                self._config.model, local_files_only=True, dtype=options.get("dtype", "auto")
            )
        except (OSError, ValueError) as error:
            raise ConfigError(f"engine transformers cannot load its model: {error}") from None
        if not tokenizer.chat_template:
            raise ConfigError("engine transformers wants a model with a chat template")
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        model = model.to(str(options.get("device", "cpu"))).eval()
        longest = int(getattr(model.config, "max_position_embeddings", 0) or 0)
        return _Loaded(tokenizer, model, longest)


def _library() -> Any:
    try:
        return import_module("transformers")
    except ImportError as error:
        raise ConfigError(
            f"engine transformers wants pip install 'voxcurate[llm]' ({error})"
        ) from None


def _parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A content as chat templates of vision models take it."""
    from PIL import Image

    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    found = []
    for part in content:
        if part["type"] == "image_url":
            data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
            image = Image.open(io.BytesIO(data)).convert("RGB")
            found.append({"type": "image", "image": image})
        else:
            found.append(part)
    return found


def _weighed(tokenizer: Any, ids: list[int], logits: Any, n: int) -> tuple[Token, ...]:
    """Each token with the log-probabilities of the `n` likeliest, its own among them."""
    import torch

    found = []
    for token, row in zip(ids, logits, strict=False):
        weights = torch.log_softmax(row[0].float(), dim=-1)
        chosen = [*weights.topk(min(n, weights.numel())).indices.tolist(), token]
        choices = {tokenizer.decode([one]): float(weights[one]) for one in chosen}
        found.append(Token(tokenizer.decode([token]), choices))
    return tuple(found)


def _ends(model: Any, tokenizer: Any) -> set[int]:
    told = model.generation_config.eos_token_id
    told = told if isinstance(told, list) else [told]
    return {token for token in (*told, tokenizer.eos_token_id) if token is not None}


def _generated(tokenizer: Any, tokens_in: int, written: list[int], ends: set[int]) -> Generated:
    end = next((i for i, token in enumerate(written) if token in ends), None)
    kept = written if end is None else written[:end]
    text = tokenizer.decode(kept, skip_special_tokens=True)
    return Generated(text, tokens_in, len(kept), is_cut=end is None)
