"""Requests a second of an engine over many reports: what shared prefixes, duplicates, batches give.

Run: ``python -m benchmarks.llm_batch --engine transformers`` (any machine), or on a GPU node
``python -m benchmarks.llm_batch --engine vllm --hidden 2048 --layers 16 --reports 2000``. Without
``--model`` the model is made here with random weights, which cost the same time as trained ones.
Each way is timed after a warm-up of the same engine on other reports. Before anything is told, the
replies of all ways are compared; one that differs is counted, and more than ``--differ`` of them
end the run with status 1.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel

from benchmarks import reading_scale
from tests.servers.tiny_llm import SMALL, TEMPLATE, TEXTS, save_tokenizer
from voxcurate.chat.engine import EngineConfig
from voxcurate.config import build
from voxcurate.protocols import CHAT_ENGINES, Message, Reply, load


class Told(BaseModel):
    """What is asked for."""

    value: str


def main() -> int:
    """Print a line for each way; 1 if their replies differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["transformers", "vllm"], default="transformers")
    parser.add_argument("--model", default="")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--reports", type=int, default=48)
    parser.add_argument("--copies", type=int, default=3, help="of each report, where they repeat")
    parser.add_argument("--common", type=int, default=600, help="words of the common beginning")
    parser.add_argument("--max-tokens", type=int, default=16)
    parser.add_argument("--differ", type=float, default=0.0, help="share of replies that may")
    parser.add_argument("--memory", type=float, default=0.5, help="vllm: share of the GPU's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or made_up(Path(folder), options.hidden, options.layers)
        return 1 if compare(model, options) > options.differ else 0


def compare(model: str, options: argparse.Namespace) -> float:
    """Time all ways; the largest share of replies that differ from the first way's."""
    texts = list(dict.fromkeys(r.text for r in reading_scale.reports(options.reports + 8, 1)))
    common = " ".join(f"Rule {n}: answer with JSON." for n in range(options.common // 5))
    talks = [[Message("user", f"{common}\n\n{text}")] for text in texts]
    talks, warm = talks[8:], talks[:8]
    repeated = [talk for talk in talks for _ in range(options.copies)]
    cached, plain = ({"enable_prefix_caching": on} for on in (True, False))
    ways: list[tuple[str, dict[str, Any], Sequence[Any], bool]] = [
        ("as it is", cached, talks, True),
        (f"each {options.copies} times", cached, repeated, True),
        (f"each {options.copies} times, no look for them", cached, repeated, False),
    ]
    if options.engine == "vllm":
        ways.append(("without the prefix cache", plain, talks, True))
    else:
        ways.append(("one prompt at a time", {"batch": 1}, talks, True))
    first: dict[str, str] = {}
    lines, worst = [], 0.0
    for name, more, asked, is_grouped in ways:
        engine = engine_of(model, options, more)
        engine.chat(warm, Told)
        with grouping(is_grouped):
            seconds, replies = timed(partial(engine.chat, asked, Told))
        if hasattr(engine, "close"):
            engine.close()
        said = {talk[0].text: reply.raw for talk, reply in zip(asked, replies, strict=True)}
        first = first or said
        differ = sum(said[text] != first[text] for text in first) / len(first)
        worst = max(worst, differ)
        tokens = sum(reply.tokens_in + reply.tokens_out for reply in replies)
        lines.append(
            f"{name}: {len(asked)} requests in {seconds:.2f} s, {len(asked) / seconds:.1f} "
            f"requests/s, {tokens} tokens counted, {differ:.1%} of replies differ\n"
        )
    sys.stdout.write("".join(lines))
    return worst


def engine_of(model: str, options: argparse.Namespace, more: dict[str, Any]) -> Any:
    """The engine, its options as the library takes them."""
    if options.engine == "transformers":
        own = {name: value for name, value in more.items() if name == "batch"}
    else:
        own = {"gpu_memory_utilization": options.memory, **more}
    fields = {"engine": options.engine, "model": model, "max_tokens": options.max_tokens}
    return load(CHAT_ENGINES, options.engine)(build(EngineConfig, {**fields, "options": own}))


def timed(work: Callable[[], list[Reply]]) -> tuple[float, list[Reply]]:
    """Seconds and replies."""
    start = time.perf_counter()
    replies = work()
    return time.perf_counter() - start, replies


@contextmanager
def grouping(is_on: bool) -> Any:
    """Equal requests as one, as always; or each for itself, to see what that saves."""

    def single(talks: Any, schema: Any, model: str) -> dict[str, list[int]]:
        return {str(place): [place] for place in range(len(talks))}

    with ExitStack() as stack:
        if not is_on:
            stack.enter_context(patch("voxcurate.chat.local.grouped", single))
        yield


def made_up(folder: Path, hidden: int, layers: int) -> str:
    """A Qwen2 with random weights, heads of 64."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer: Any = save_tokenizer(folder, TEXTS, TEMPLATE)  # type: ignore[no-untyped-call]
    torch.manual_seed(7)
    heads = max(1, hidden // 64)
    sizes = {
        "hidden_size": hidden,
        "intermediate_size": 4 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": max(1, heads // 4),
    }
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        **{**SMALL, **sizes},
        max_position_embeddings=16384,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return str(folder)


if __name__ == "__main__":
    sys.exit(main())
