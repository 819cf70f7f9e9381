"""A tiny chat model with random weights, and the real OpenAI-compatible server of transformers."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXTS = (
    "FINDINGS: There is a 2.1 cm hypodense mass in the pancreatic head. The liver is normal.",
    '{"pancreas_lesion": {"justification": "", "evidence": "", "value": "not_mentioned"}}',
    "Answer the questions below about the report. Reply with one JSON object.",
)
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
_START_S = 180.0


def build_checkpoint(folder: Path, *, positions: int = 16384, hidden: int = 16) -> Path:
    """A Qwen2 of some ten thousand random weights with its own byte-level tokenizer.

    Kernels of GPUs want larger heads: `hidden` 128 gives heads of 64.
    """
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = save_tokenizer(folder, TEXTS, TEMPLATE)
    torch.manual_seed(7)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        **{**SMALL, "hidden_size": hidden},
        max_position_embeddings=positions,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def save_tokenizer(folder, texts, template, special=()):
    """A byte-level tokenizer with a chat template, made from some texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=400 + len(special),
            special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", *special],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return tokenizer


@contextmanager
def serve(checkpoint: Path, home: Path):
    """``transformers serve`` on the checkpoint; gives the base URL, kills the server at the end."""
    (home / "hub").mkdir(parents=True, exist_ok=True)
    port = _free_port()
    program = Path(sys.executable).with_name("transformers")
    command = [str(program), "serve", "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        **os.environ,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "DO_NOT_TRACK": "1",
    }
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(checkpoint)], stdout=log, stderr=subprocess.STDOUT, env=environment
        )
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/health", home / "server.log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process, url, log):
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the server did not come up: {log.read_text(errors='replace')[-2000:]}")
