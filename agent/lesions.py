"""The ROC analysis in a round: here the questions about reports are handed to the labeling
stage."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from agent.config import RoundConfig
from voxcurate.stage import StageContext, StageResult

if TYPE_CHECKING:
    from labeling.roc.reports import Asked
    from retrieval.questions import Question


def run_roc(context: StageContext, config: RoundConfig) -> StageResult:
    """Stage roc of a round."""
    from labeling.roc import stage

    return stage.run(context, config.labeling, asked_of(context, config))


def export_roc(context: StageContext, config: RoundConfig) -> StageResult:
    """The lesions that people look at."""
    from labeling.roc.queue import export_lesions

    return export_lesions(context, config.labeling, asked_of(context, config))


def asked_of(context: StageContext, config: RoundConfig) -> "Mapping[str, Asked]":
    """The questions about each lesion class of the round."""
    from labeling.roc.stage import lesion_classes
    from retrieval.questions import load_questions

    classes = lesion_classes(context, config.labeling.roc)
    if not classes:
        return {}
    own = (context.workspace.root / path for path in config.retrieval.questions)
    return questions_about(classes, load_questions(*own))


def questions_about(classes: Iterable[str], questions: "Iterable[Question]") -> "dict[str, Asked]":
    """Which yes says that there is a lesion, and which no that there is none.

    A yes to any question on the class does (that there is a metastasis says that there is a
    tumour); a no only to the broadest of them, or to one that they are narrower than (no lesion at
    all: no tumour).
    """
    from labeling.roc.reports import Asked
    from retrieval.questions import ancestors

    known = [q for q in questions if q.kind == "presence"]
    above = ancestors(known)
    found = {}
    for class_id in classes:
        yes = [q.id for q in known if class_id in q.classes]
        broadest = [name for name in yes if not above[name] & set(yes)]
        no = {*broadest, *(name for b in broadest for name in above[b])}
        found[class_id] = Asked(tuple(yes), tuple(sorted(no)))
    return found
