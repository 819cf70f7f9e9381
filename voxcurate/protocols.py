"""The interchangeable parts: small Protocols, the records they exchange, and where each lives.

A registry is a literal mapping from a name to ``"package.module:Class"``; `load` imports it when
used, so that
no stage imports another and nothing heavy is imported early. `agent` hands one stage's object to
the other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from voxcurate.errors import ConfigError
from voxcurate.volume import Volume

if TYPE_CHECKING:
    from voxcurate.predictions import ProbabilityBox

REPORT_READERS = {
    "rules": "retrieval.rules.reader:RuleReader",
    "llm": "retrieval.llm.reader:LLMReader",
}
CHAT_ENGINES = {
    "scripted": "voxcurate.chat.scripted:ScriptedEngine",
    "replay": "voxcurate.chat.replay:ReplayEngine",
    "openai": "voxcurate.chat.openai:OpenAIEngine",
    "vllm": "voxcurate.chat.vllm:VLLMEngine",
    "transformers": "voxcurate.chat.transformers:TransformersEngine",
    "batch": "voxcurate.chat.batch:BatchEngine",  # any of them on a cluster's nodes
}
PREDICTORS = {
    "bundle": "training.predictors.bundle:BundlePredictor",
    "network": "training.predictors.network:NetworkPredictor",
    "nnunet": "training.predictors.nnunet:NnUNetPredictor",
    "totalsegmentator": "training.predictors.totalsegmentator:TotalSegmentatorPredictor",
    "folder": "training.predictors.folder:FolderPredictor",
    "command": "training.predictors.command:CommandPredictor",
}
# kinds whose networks are all of one design, whatever their settings say
DESIGNS = {"nnunet": "nnU-Net", "totalsegmentator": "nnU-Net"}
LABEL_JUDGES = {
    "anatomy": "labeling.expert.judge:AnatomyJudge",
    "vision": "labeling.vision.judge:VisionJudge",
    "committee": "labeling.expert.committee:CommitteeJudge",
}
EMBEDDERS = {
    "hashing": "training.network.text:HashingEmbedder",
    "minilm": "retrieval.search.embedding:MiniLM",
}
EXECUTORS = {
    "local": "voxcurate.executors:LocalExecutor",
    "serial": "voxcurate.executors:SerialExecutor",
    "cluster": "voxcurate.executors.placing:ClusterExecutor",
}


def load(registry: Mapping[str, str], name: str) -> Any:
    """The class registered under a name.

    Raises:
        ConfigError: no such name; the known ones are listed.
    """
    if name not in registry:
        raise ConfigError(f"no part called {name!r}; there are: {', '.join(sorted(registry))}")
    module, _, attribute = registry[name].partition(":")
    return getattr(import_module(module), attribute)


@dataclass(frozen=True)
class Finding:
    """What a report says on one question, with the sentence that says so.

    `value` is ``yes``, ``no`` or ``uncertain``, or names the kind of answer: ``number`` (`number`
    in `unit`; `numbers` has one per lesion, largest first), ``choice`` (`choice`) or ``list``
    (`items`). `sentence` is ``report[span[0]:span[1]]``, white space aside; `mentions` are the
    spans of further sentences that say it. `rule` names what decided. An answer whose proof does
    not occur in the report is not `supported`.
    """

    question: str
    value: Literal["yes", "no", "uncertain", "number", "choice", "list"]
    number: float | None = None
    unit: str = ""
    choice: str = ""
    sentence: str = ""
    section: str = ""
    span: tuple[int, int] = (0, 0)
    confidence: float = 1.0
    rule: str = ""
    side: Literal["", "left", "right", "both"] = ""
    change: Literal["", "new", "larger", "smaller", "same"] = ""
    items: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    mentions: tuple[tuple[int, int], ...] = ()
    supported: bool = True


@runtime_checkable
class ReportReader(Protocol):
    """Reads one de-identified report into findings, one per question that the report answers."""

    name: str
    version: str

    def read(self, text: str) -> list[Finding]: ...


@dataclass(frozen=True)
class Message:
    """One message; `images` are PNG bytes shown after the text."""

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Token:
    """A token of a reply, and what else the model could have said there.

    `choices` maps texts to natural logarithms of their probabilities; the token's own is among
    them.
    """

    text: str
    choices: Mapping[str, float]


@dataclass(frozen=True)
class Reply:
    """A parsed reply, or the reason why there is none (`error`); never both.

    `tokens` is empty unless log-probabilities were asked for and the engine gives them. `seconds`
    of an engine that works on many requests at once are this one's share; `gpu_s` are those seconds
    times the GPUs of the engine, where it knows them.
    """

    parsed: BaseModel | None
    raw: str
    model: str
    error: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    tokens: tuple[Token, ...] = ()
    gpu_s: float = 0.0


@runtime_checkable
class ChatEngine(Protocol):
    """A language (or vision-language) model: a batch of conversations and a schema in, replies out.

    Replies come in the order of the conversations. A reply that does not fit the schema has
    `parsed` None and
    its `error` set; the other replies are not touched.
    """

    name: str

    def chat(
        self, conversations: Sequence[Sequence[Message]], schema: type[BaseModel]
    ) -> list[Reply]: ...


@runtime_checkable
class Predictor(Protocol):
    """A segmentation model. `training_cases` lets "out of fold" be proved.

    Made by ``kind(model, vocabulary, modality=..., scratch=...)``, `model` being a
    `training.predictors.spec.ZooModel`. `classes` are those that it may predict (empty: told by
    each case's files); `scratch` is a folder for temporary files, None for the system's.
    """

    model_id: str
    classes: tuple[str, ...]
    training_cases: frozenset[str]
    licence: str
    scratch: Path | None

    def predict(self, volume: Volume, case_id: str = "") -> "Iterator[tuple[str, ProbabilityBox]]":
        """Class after class: uint8 probabilities in a box of the scan's own geometry.

        Whatever is no prediction of this scan (another shape or place, NaN, values that are no
        probabilities, no known class) is a `CurationError`.
        """
        ...


@dataclass(frozen=True)
class Verdict:
    """A judge's choice among candidates: the index of the best one, or None for "cannot tell"."""

    choice: int | None
    confidence: float
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class LabelJudge(Protocol):
    """Compares candidate masks of one class on one scan."""

    name: str
    version: str

    def judge(
        self, volume: Volume, class_id: str, candidates: Sequence[npt.NDArray[np.bool_]]
    ) -> Verdict: ...


@runtime_checkable
class Embedder(Protocol):
    """Text to unit vectors, shape ``(n, dimensions)`` float32."""

    name: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True)
class Task:
    """One unit of work: plain data for a pure worker.

    Args:
        key: unique within one call; comes back with the outcome.
        payload: plain, picklable data: the only argument of the worker.
        cost: expected seconds; 0: unknown. Work is cut into shards by it.
        single: however slow, it is not begun a second time beside itself: it goes on from files of
            its own (training).
    """

    key: str
    payload: Any
    cost: float = 0.0
    single: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a task: a value, or an error in words.

    `cores` and `gpus` are those that it had: its share of what its job had asked for. No cores:
    nobody told.
    """

    key: str
    value: Any = None
    error: str = ""
    error_kind: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0
    attempts: int = 1
    cores: float = 0.0
    gpus: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the worker returned."""
        return not self.error_kind


@runtime_checkable
class Executor(Protocol):
    """Runs a pure worker over tasks. Outcomes come as they finish; a failed task never stops the
    others."""

    def run(self, worker: str, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes of ``worker`` (``"package.module:function"``) over tasks, in any order."""
        ...


@runtime_checkable
class StagedExecutor(Executor, Protocol):
    """An executor that does each stage's work in another place."""

    def of_stage(self, stage: str, family: str = "") -> Executor:
        """The executor of a stage; `family` names what the tasks of the same code and settings
        have in common."""
        ...
