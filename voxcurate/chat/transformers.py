"""A local checkpoint through Hugging Face transformers: slow, but on any machine, no server."""

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from voxcurate.chat.local import Generated, LocalEngine
from voxcurate.errors import ConfigError

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
        self, conversations: list[list[dict[str, str]]], schema: type[BaseModel]
    ) -> list[Generated]:
        """What the model writes for each, in order."""
        prompts = [self._tokens(item) for item in conversations]
        longest = self._loaded.longest
        room = longest - self._config.max_tokens
        made = [
            Generated(
                error=f"the prompt has {len(ids)} tokens, the model takes {longest} with the "
                f"{self._config.max_tokens} of the reply"
            )
            if longest and len(ids) > room
            else None
            for ids in prompts
        ]
        left = [i for i, item in enumerate(made) if item is None]
        left.sort(key=lambda i: len(prompts[i]))
        size = int(self._config.options.get("batch", _BATCH))
        for start in range(0, len(left), size):
            chosen = left[start : start + size]
            for i, item in zip(chosen, self._batch([prompts[i] for i in chosen]), strict=True):
                made[i] = item
        return [item for item in made if item is not None]

    def _tokens(self, conversation: list[dict[str, str]]) -> list[int]:
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

    @cached_property
    def _loaded(self) -> _Loaded:
        options = self._config.options
        strange = [name for name in options if name not in _OPTIONS]
        if strange:
            raise ConfigError(
                f"engine transformers has no option {strange[0]!r}; there are {', '.join(_OPTIONS)}"
            )
        library = _library()
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


def _ends(model: Any, tokenizer: Any) -> set[int]:
    told = model.generation_config.eos_token_id
    told = told if isinstance(told, list) else [told]
    return {token for token in (*told, tokenizer.eos_token_id) if token is not None}


def _generated(tokenizer: Any, tokens_in: int, written: list[int], ends: set[int]) -> Generated:
    end = next((i for i, token in enumerate(written) if token in ends), None)
    kept = written if end is None else written[:end]
    text = tokenizer.decode(kept, skip_special_tokens=True)
    return Generated(text, tokens_in, len(kept), is_cut=end is None)
