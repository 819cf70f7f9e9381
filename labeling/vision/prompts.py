"""The conversations: what the model is told and shown. No patient, case or date is in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from labeling.vision.answers import Comparison, FieldOfView, Opinion
from labeling.vision.wording import Wording
from voxcurate.protocols import Message

COMPARE, PRESENCE = "compare_v1", "presence_v1"
_VIEWS = {
    "frontal": "",
    "lateral": " The pictures are seen from the patient's left side: A is the front, P the back.",
    "axial": " The pictures are seen from the feet: A is the front, P the back.",
}


@dataclass(frozen=True)
class Request:
    """A conversation and the schema of its answer."""

    conversation: tuple[Message, ...]
    schema: type[BaseModel]


@dataclass(frozen=True)
class Example:
    """A picture of a label of the same class on another patient, and whether it is right."""

    picture: bytes
    is_right: bool = True


@cache
def text_of(name: str) -> str:
    """The text of a prompt by its name and version."""
    return Path(__file__).with_name(f"{name}.md").read_text(encoding="utf-8").strip()


def presence_request(skeleton: bytes) -> Request:
    """Which bones does the scan show?"""
    message = Message("user", "Which of these bones does the picture show?", (skeleton,))
    return Request((Message("system", text_of(PRESENCE)), message), FieldOfView)


def comparison_request(
    wording: Wording, first: bytes, second: bytes, examples: Sequence[Example] = ()
) -> Request:
    """Which of two overlays is the better label?"""
    text = (
        f"{_about(wording)}\n\n{_shown(examples)}"
        "Overlay 1 is the last picture but one, overlay 2 the last: two labels of the "
        f"{wording.name} on the same scan. Describe each in one sentence against the points above. "
        'Then say which is better: "1" or "2"; "same" if there is no difference that counts; '
        '"both_bad" if neither shows it even roughly.'
    )
    pictures = (*(e.picture for e in examples), first, second)
    return Request(
        (Message("system", text_of(COMPARE)), Message("user", text, pictures)), Comparison
    )


def opinion_request(wording: Wording, picture: bytes, examples: Sequence[Example] = ()) -> Request:
    """Is one overlay right?"""
    text = (
        f"{_about(wording)}\n\n{_shown(examples)}"
        f"The last picture shows a label of the {wording.name}. Describe it in one sentence "
        'against the points above. Then say whether it is right: "yes", "no" if it is wrong in a '
        'way that counts, or "unsure".'
    )
    pictures = (*(e.picture for e in examples), picture)
    return Request((Message("system", text_of(COMPARE)), Message("user", text, pictures)), Opinion)


def _about(wording: Wording) -> str:
    return f"The organ: {wording.name}.{_VIEWS[wording.prompt.view]}\n{wording.lines}"


def _shown(examples: Sequence[Example]) -> str:
    if not examples:
        return ""
    told = ", ".join(
        f"picture {n} {'right' if e.is_right else 'wrong'}" for n, e in enumerate(examples, 1)
    )
    return f"First come examples of the same organ on other patients: {told}.\n\n"
