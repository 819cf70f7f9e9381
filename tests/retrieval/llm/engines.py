"""A chat engine that is a plain function, and a small questionnaire."""

import json
import re

from retrieval.questions import Question
from voxcurate.chat.parsing import parse_reply
from voxcurate.config import build
from voxcurate.errors import ModelReplyError
from voxcurate.protocols import Reply

FENCE = re.compile(r"<report>\n(.*)\n</report>", re.S)
DOWN = object()


def question(name, **fields):
    base = {"id": name, "text": f"Is there a {name.replace('_', ' ')}?"}
    return build(Question, base, fields)


LESION = question(
    "pancreas_lesion", organ="pancreas", terms=["lesion", "mass", "cyst"], normal=True
)
TUMOUR = question(
    "pancreas_tumour", asked_when=["pancreas_lesion"], organ="pancreas", terms=["mass", "tumour"]
)
SIZE = question("pancreas_lesion_size", kind="size", of="pancreas_lesion")
PLACE = question(
    "pancreas_lesion_location",
    kind="list",
    of="pancreas_lesion",
    choices={"head": ["pancreatic head"], "tail": ["pancreatic tail"]},
)
CYST = question("kidney_cyst", organ="kidney", terms=["cyst"])
KIND = question(
    "cyst_kind",
    kind="choice",
    asked_when=["kidney_cyst"],
    choices={"simple": ["simple"], "complex": ["complex"]},
)
QUESTIONS = (LESION, TUMOUR, SIZE, PLACE, CYST, KIND)


def yes(quote, value="yes", **more):
    return {"justification": "so it says", "evidence": quote, "value": value, **more}


SILENT = "not_mentioned"


class FunctionEngine:
    """Replies with what `answer(report, names, conversation)` returns: object, text or DOWN.

    Attributes:
        asked: every conversation.
        batches: how many conversations each call of `chat` had.
    """

    name = "function"

    def __init__(self, answer):
        self._answer = answer
        self.asked = []
        self.batches = []

    def chat(self, conversations, schema):
        self.asked += conversations
        self.batches.append(len(conversations))
        return [self._reply(item, schema) for item in conversations]

    def _reply(self, conversation, schema):
        report = FENCE.search(conversation[0].text).group(1)
        said = self._answer(report, list(schema.model_fields), conversation)
        if said is DOWN:
            return Reply(None, "", "m", error="no reply from the server: APIConnectionError")
        raw = said if isinstance(said, str) else json.dumps(said)
        counts = {"tokens_in": 100, "tokens_out": 10, "seconds": 0.5}
        try:
            return Reply(parse_reply(raw, schema), raw, "m", **counts)
        except ModelReplyError as error:
            return Reply(None, raw, "m", error=str(error), **counts)


def by_report(table):
    """An engine that answers from ``{report: {question: answer}}``; silent on all else."""

    def answer(report, names, _):
        return {name: table[report].get(name, SILENT) for name in names}

    return FunctionEngine(answer)


def names_asked(conversation):
    template = conversation[0].text.split("Fill out this template")[1].split("An answer looks")[0]
    return re.findall(r'^ "(\w+)":', template, re.M)
