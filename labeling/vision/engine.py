"""The vision judge's engine: any chat engine, its answers kept, what is asked counted."""

from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from labeling.vision.config import VisionConfig
from labeling.vision.play import key_of
from labeling.vision.protocol import Play
from voxcurate.chat import EngineConfig, make_engine
from voxcurate.chat.replay import CachedEngine, Recordings
from voxcurate.errors import ConfigError
from voxcurate.protocols import ChatEngine, Reply

T = TypeVar("T")


def make_vision_engine(
    engine: EngineConfig, config: VisionConfig | None = None, *, root: Path
) -> ChatEngine:
    """The configured engine. Its call log and its answers lie in `root`: a rerun asks what is new.

    Log-probabilities are asked for, unless the engine's settings say how many (0: none).

    Raises:
        ConfigError: no engine is configured, or it lacks a setting.
    """
    config = config or VisionConfig()
    if "top_logprobs" not in engine.model_fields_set:
        engine = engine.model_copy(update={"top_logprobs": config.top_logprobs})
    made = make_engine(engine, root=root)
    if made is None:
        raise ConfigError("judge vision wants an engine: engine=openai model=... base_url=...")
    if config.answers:
        source = f"{engine.engine} {engine.model} {engine.sampling}"
        made = CachedEngine(made, Recordings(root / config.answers), model=source)
    return made


@lru_cache(maxsize=1)
def engine_of(settings: str, how: str, root: str) -> ChatEngine:
    """The engine of plain settings (JSON of `EngineConfig` and `VisionConfig`), made once for all
    cases of a round: a local model takes minutes to load."""
    engine = EngineConfig.model_validate_json(settings)
    return make_vision_engine(engine, VisionConfig.model_validate_json(how), root=Path(root))


class Tally:
    """What was asked in a case, counted; what several classes ask counts once.

    Attributes:
        asked: requests.
        malformed: replies that do not fit.
        lost: requests that got no reply at all.
        tokens_in: of all requests.
        tokens_out: of all replies.
    """

    def __init__(self) -> None:
        self.asked = self.malformed = self.lost = self.tokens_in = self.tokens_out = 0
        self._known: set[str] = set()

    def of(self, one: Play[T]) -> Play[T]:
        """The same play, overheard."""
        replies: list[Reply] | None = None
        while True:
            try:
                requests = next(one) if replies is None else one.send(replies)
            except StopIteration as done:
                found: T = done.value
                return found
            replies = yield requests
            for request, reply in zip(requests, replies, strict=True):
                self._hear(key_of(request), reply)

    def _hear(self, key: str, reply: Reply) -> None:
        if key in self._known:
            return
        self._known.add(key)
        never_came = not reply.raw and not reply.tokens_out
        self.asked += 1
        self.lost += bool(reply.error) and never_came
        self.malformed += bool(reply.error) and not never_came
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out

    def told(self) -> dict[str, int]:
        """What was asked, in numbers; kept answers count like new ones."""
        return {
            "requests": self.asked,
            "malformed": self.malformed,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
        }
