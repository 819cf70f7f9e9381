"""The steps of one comparison, as coroutines: they give requests, and get the replies sent back.

So that the same steps run over a scripted engine, a server or an offline batch, and the contests of
a whole dataset move side by side in large batches (`labeling.vision.play`).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from labeling.vision.answers import Comparison, FieldOfView, Opinion, weighed
from labeling.vision.config import VisionConfig
from labeling.vision.prompts import (
    Example,
    Request,
    comparison_request,
    opinion_request,
    presence_request,
)
from labeling.vision.wording import Landmark, Wording
from voxcurate.protocols import Reply

T = TypeVar("T")
Play = Generator[list[Request], list[Reply], T]
Outcome = Literal["first", "second", "tie", "both_bad"]


@dataclass(frozen=True)
class Answer:
    """What one reply says, in terms of the picture that came first; `error` where it says nothing.

    `first` is the probability that the first one is better, where log-probabilities tell it.
    """

    choice: Outcome
    first: float | None = None
    error: str = ""

    def turned(self) -> "Answer":
        """The same answer had the pictures come in the other order."""
        turned: dict[Outcome, Outcome] = {"first": "second", "second": "first"}
        weight = None if self.first is None else 1.0 - self.first
        return Answer(turned.get(self.choice, self.choice), weight, self.error)


@dataclass(frozen=True)
class Compared:
    """Two candidates compared in both orders."""

    outcome: Outcome
    confidence: float
    orders: tuple[Answer, Answer]

    @property
    def failed(self) -> int:
        """Replies that said nothing."""
        return sum(bool(answer.error) for answer in self.orders)

    def plain(self) -> dict[str, Any]:
        """As plain data; the second order is told in terms of the first."""
        orders = [
            {"choice": a.choice, **({"first": round(a.first, 4)} if a.first is not None else {}),
             **({"error": a.error} if a.error else {})}
            for a in self.orders
        ]  # fmt: skip
        return {"outcome": self.outcome, "confidence": round(self.confidence, 4), "orders": orders}


def presence(wording: Wording, skeleton: bytes) -> Play[tuple[bool | None, str]]:
    """Whether a class lies in the scan's field of view, told by the bones at its level.

    True if all of them are seen, False if none is but others are; None for some of them (the class
    may be cut off), for no bone at all, for a class without landmarks, or without a valid reply.
    And why there is no reply.
    """
    if not wording.landmarks:
        return None, ""
    (reply,) = yield [presence_request(skeleton)]
    if not isinstance(reply.parsed, FieldOfView):
        return None, reply.error or "no reply"
    return in_view(wording.landmarks, reply.parsed.model_dump()), ""


def in_view(landmarks: Sequence[Landmark], seen: dict[str, bool]) -> bool | None:
    """True if all landmarks are seen, False if none is but other bones are, else None."""
    if not any(seen.values()):
        return None  # no scan is without bones: the model saw nothing
    found = [seen[name] for name in landmarks]
    if all(found):
        return True
    return None if any(found) else False


def comparison(
    wording: Wording,
    first: bytes,
    second: bytes,
    config: VisionConfig,
    examples: Sequence[Example] = (),
) -> Play[Compared]:
    """Two overlays in both orders, each order sent once; what is not said in both is a tie."""
    replies = yield [
        comparison_request(wording, first, second, examples),
        comparison_request(wording, second, first, examples),
    ]
    one, other = (read(reply, config) for reply in replies)
    return agreed(one, other.turned(), config)


def agreed(one: Answer, other: Answer, config: VisionConfig) -> Compared:
    """The outcome of two orders, both told in terms of the first picture of the first order.

    The confidence of a choice is the mean of the weights that log-probabilities give it, which
    cancels a liking for one place; without them what `config` says. Of a tie it is 1/2.
    """
    orders = (one, other)
    if one.error or other.error or one.choice != other.choice:
        return Compared("tie", 0.5, orders)
    if one.choice not in ("first", "second"):
        return Compared(one.choice, 0.5, orders)
    if one.first is None or other.first is None:
        return Compared(one.choice, config.agreed_confidence, orders)
    weight = (one.first + other.first) / 2
    return Compared(one.choice, weight if one.choice == "first" else 1 - weight, orders)


def read(reply: Reply, config: VisionConfig) -> Answer:
    """A reply's answer.

    "same" and "both_bad" are taken at their word. Between "1" and "2" the log-probabilities decide
    where there are some.
    """
    found = reply.parsed
    if not isinstance(found, Comparison):
        return Answer("tie", error=reply.error or "no reply")
    if found.better == "both_bad":
        return Answer("both_bad")
    weight = weighed(reply.tokens)
    if found.better == "same":
        return Answer("tie", weight)
    if weight is None:
        return Answer("first" if found.better == "1" else "second")
    if abs(weight - 0.5) < config.weighed_margin:
        return Answer("tie", weight)
    return Answer("first" if weight > 0.5 else "second", weight)


def opinion(
    wording: Wording, picture: bytes, examples: Sequence[Example] = ()
) -> Play[tuple[str, str]]:
    """Whether one overlay is right: "yes", "no" or "unsure"; and why there is no reply."""
    (reply,) = yield [opinion_request(wording, picture, examples)]
    if not isinstance(reply.parsed, Opinion):
        return "unsure", reply.error or "no reply"
    return reply.parsed.right, ""
