"""Chat engines for these tests: answers from a function of what is asked, counted."""

import json

from labeling.vision.answers import Comparison, FieldOfView, Opinion
from labeling.vision.wording import LANDMARKS
from voxcurate.chat.parsing import parse_reply
from voxcurate.errors import ModelReplyError
from voxcurate.protocols import Reply, Token

ALL = tuple(LANDMARKS)


def view(*seen):
    return json.dumps({name: name in seen for name in LANDMARKS})


def better(choice):
    return json.dumps({"overlay_1": "a", "overlay_2": "b", "better": choice})


def right(choice):
    return json.dumps({"overlay": "a", "right": choice})


class Engine:
    """Answers by schema.

    Args:
        compare: of the pictures (bytes) of overlay 1 and 2, to the answer or to a whole reply.
        seen: landmarks; None: no valid answer.
        opinion: of the picture, to yes, no or unsure.
    """

    name = "answering"

    def __init__(self, compare=None, *, seen=ALL, opinion=lambda _: "yes"):
        self.compare, self.seen, self.opinion = compare, seen, opinion
        self.asked, self.batches = [], []

    def chat(self, conversations, schema):
        self.batches.append(len(conversations))
        return [self._one(conversation, schema) for conversation in conversations]

    def _one(self, conversation, schema):
        self.asked.append((schema, tuple(conversation)))
        images = conversation[-1].images
        if schema is FieldOfView:
            raw = "no idea" if self.seen is None else view(*self.seen)
        elif schema is Opinion:
            raw = right(self.opinion(images[-1]))
        else:
            assert schema is Comparison
            made = self.compare(images[-2], images[-1])
            if isinstance(made, Reply):
                return made
            raw = better(made) if made in ("1", "2", "same", "both_bad") else made
        try:
            return Reply(parse_reply(raw, schema), raw, self.name, tokens_out=1)
        except ModelReplyError as error:
            return Reply(None, raw, self.name, error=str(error), tokens_out=1)

    def count(self, schema):
        return sum(asked is schema for asked, _ in self.asked)


def prefer(order):
    """The picture that comes first in a list of pictures is better."""
    return lambda a, b: "1" if order.index(a) < order.index(b) else "2"


def weighed(choice, p1):
    """A reply with log-probabilities of the two choices."""
    import math

    raw = better(choice)
    head, tail = raw.rsplit(f'"{choice}"', 1)
    alternatives = {"1": math.log(p1), "2": math.log(1 - p1), '"': -9.0}
    tokens = (Token(head + '"', {}), Token(choice, alternatives), Token('"' + tail, {}))
    return Reply(Comparison.model_validate_json(raw), raw, "m", tokens=tokens)
