"""What a judge may know of one case beside the scan and the candidates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from labeling.config import JudgeConfig
from labeling.expert.support import Support
from labeling.expert.suspicion import Usual
from labeling.rules import Anatomy, CaseFacts
from labeling.structures import Structure
from labeling.vision.protocol import Play
from voxcurate.classes import Vocabulary
from voxcurate.protocols import LABEL_JUDGES, ChatEngine, Verdict, load
from voxcurate.volume import Volume

if TYPE_CHECKING:
    from labeling.expert.learning import Weights


@dataclass(frozen=True, eq=False)
class JudgedCase:
    """One case as judges see it; what is not known is left out.

    Attributes:
        vocabulary: the classes.
        anatomy: the written rules.
        config: of the judges.
        usual: what is usual among trusted labels.
        context: the other structures of the scan, for relations and the field of view.
        facts: of the scan, for the rules.
        supports: class to the models' probabilities.
        parts: class to what detection's witnesses say of its label.
        modality: of the scan.
        engine: the vision-language model.
        weights: the committee's, by head; default: as written.
        is_crowd: whether candidates come from different hands; those of a round do not, for some
            are made of the label.
    """

    vocabulary: Vocabulary
    anatomy: Anatomy
    config: JudgeConfig
    usual: Usual
    context: Mapping[str, Structure] = field(default_factory=dict)
    facts: CaseFacts = field(default_factory=CaseFacts)
    supports: Mapping[str, Support] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    modality: str = "CT"
    engine: ChatEngine | None = None
    weights: "Mapping[str, Weights] | None" = None
    is_crowd: bool = True


class CaseJudge(Protocol):
    """A `LabelJudge` of one case, which gets structures, of several classes at once.

    A class in `LABEL_JUDGES` makes one of a `JudgedCase` by its class method ``of_case``.
    """

    name: str

    @property
    def version(self) -> str:
        """Of the judge."""
        ...

    def judge_all(self, volume: Volume, candidates: Mapping[str, Any]) -> dict[str, Verdict]:
        """Class to the verdict on its candidates, the current label first."""
        ...

    def asking(self, volume: Volume, candidates: Mapping[str, Any]) -> Play[dict[str, Verdict]]:
        """As `judge_all`; what a model has to be asked is left to who runs it, who may ask for
        many cases at once."""
        ...


def judge_of(case: JudgedCase, name: str = "") -> CaseJudge:
    """The judge of that name, or the configured one.

    Raises:
        ConfigError: there is none of that name, or it wants an engine and there is none.
    """
    made: CaseJudge = load(LABEL_JUDGES, name or case.config.name).of_case(case)
    return made
