"""A model for tests of the crew: what becomes of a request stands in its words.

``crash`` kills the process when it is worked on, ``hang`` stops it for ever, ``stop`` the
whole process, ``raise`` is an error
of the library, ``refuse`` is not taken, ``cut`` is cut off; all others are answered with their
length. `options`: ``trace``, a file that gets a line for each start and each answer; ``load``: what
becomes of loading; ``once``: a file: only where it is not there yet, troubles happen.
"""

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voxcurate.chat.engine import EngineConfig
from voxcurate.chat.local import Generated
from voxcurate.errors import ConfigError
from voxcurate.protocols import Message

PER_STEP = 4


class ScriptedModel:
    """See the module."""

    def __init__(self, settings: str) -> None:
        self._config = EngineConfig.model_validate_json(settings)
        self._options: Mapping[str, Any] = self._config.options
        self._left: list[tuple[int, str, str]] = []
        self._trace(f"start {os.environ.get('CUDA_VISIBLE_DEVICES', '')}")
        self._meet(str(self._options.get("load", "")))

    @property
    def is_busy(self) -> bool:
        return bool(self._left)

    def add(
        self, number: int, conversation: Sequence[Message], schema: Mapping[str, Any]
    ) -> Generated | None:
        text = conversation[-1].text
        if "refuse" in text:
            return Generated(error="refused")
        pictures = sum(len(message.images) for message in conversation)
        self._left.append((number, text, f"{schema['title']}{pictures}"))
        return None

    def step(self) -> list[tuple[int, Generated]]:
        self._trace(f"hand {len(self._left)}")
        now, self._left = self._left[:PER_STEP], self._left[PER_STEP:]
        for _, text, _ in now:
            self._meet(text)
        time.sleep(float(self._options.get("step_s", 0)))
        return [(number, self._answer(text, about)) for number, text, about in now]

    def _answer(self, text: str, about: str) -> Generated:
        self._trace(f"answer {text}")
        word = text.split()[0] + about if self._options.get("tell") else text.split()[0]
        said = json.dumps({"length": len(text), "word": word})
        is_cut = "cut" in text
        return Generated(said[:9] if is_cut else said, len(text), 5, is_cut=is_cut)

    def _meet(self, text: str) -> None:
        once = self._options.get("once")
        if once and any(word in text for word in ("crash", "hang", "raise", "stop")):
            try:
                Path(once).touch(exist_ok=False)
            except FileExistsError:
                return
        if "crash" in text:
            os.kill(os.getpid(), signal.SIGKILL)
        if "stop" in text:
            os.kill(os.getpid(), signal.SIGSTOP)
        if "hang" in text:
            time.sleep(600)
        if "raise" in text:
            raise RuntimeError(f"CUDA error at {text}")
        if "bad config" in text:
            raise ConfigError("no such model")

    def _trace(self, line: str) -> None:
        if trace := self._options.get("trace"):
            with Path(trace).open("a") as stream:
                stream.write(line + "\n")
