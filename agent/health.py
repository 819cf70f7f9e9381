"""What reports say against synthetic tumours: here the questions about them are handed to
training."""

from typing import TYPE_CHECKING

from agent.config import RoundConfig
from agent.lesions import questions_about
from training.config import TrainingConfig
from voxcurate.stage import StageContext

if TYPE_CHECKING:
    from training.synthetic.health import Asked


def asked_of(
    context: StageContext, config: RoundConfig, training: TrainingConfig
) -> "dict[str, Asked]":
    """The questions about every lesion class of the vocabulary; none where no synthetic tumours
    are wanted.

    A yes to a narrower question counts too, also where that one names no class (an abscess is a
    lesion).
    """
    from retrieval.questions import ancestors, load_questions
    from training.synthetic.health import Asked

    if not training.mix.synthetic:
        return {}
    own = (context.workspace.root / path for path in config.retrieval.questions)
    questions = list(load_questions(*own))
    known = [q for q in questions if q.kind == "presence"]
    above = ancestors(known)
    lesions = [info.id for info in context.vocabulary if info.lesion]
    found = {}
    for lesion, asked in questions_about(lesions, questions).items():
        narrower = [name for name, broader in above.items() if broader & set(asked.yes)]
        found[lesion] = Asked(tuple(sorted({*asked.yes, *narrower})), asked.no)
    return found
