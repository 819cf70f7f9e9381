"""A vision-language model as a second pair of eyes (f_VLM of ScaleMAI, arXiv:2501.03410, sec. 2.1).

The model sees three mid-planes and three projections and answers in the schema of the rules. The
paper says only that a vision-language model finds corrupted scans: neither prompt nor views. Mean
projections that look like radiographs are how it shows volumes to one elsewhere (sec. 2.2), and
the planes are ours: projections hide what is wrong in few planes. There the model decides alone;
here the rules measure what can be measured and the model can only add doubts: it makes a scan that
passes `suspect`, and it never lifts a rule's verdict. With `may_reject` its rejections count as
such. Without an engine the rules stand alone.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from cleaning.check.examine import joined
from cleaning.check.pictures import planes_of, png, projections_of
from cleaning.check.reasons import Reason, Severity
from cleaning.check.rules import Check
from voxcurate.protocols import ChatEngine, Message, Reply
from voxcurate.volume import Volume

PROMPT = "scan_check_v1"
Code = Literal[
    "scrambled",
    "empty",
    "no_body",
    "not_ct",
    "upside_down",
    "turned",
    "cut_off",
    "noise",
    "metal_streaks",
    "rings",
    "motion",
    "missing_planes",
    "repeated_planes",
    "other",
]


class Fault(BaseModel):
    """One fault that the model sees."""

    code: Code
    text: str = Field(max_length=400)


class ScanOpinion(BaseModel):
    """The model's answer."""

    verdict: Literal["pass", "suspect", "reject"]
    faults: list[Fault] = Field(default_factory=list, max_length=10)
    confidence: float = Field(1.0, ge=0, le=1)


@lru_cache(maxsize=4)
def prompt(version: str = PROMPT) -> str:
    """The text of a prompt by its version."""
    return Path(__file__).with_name(f"{version}.md").read_text(encoding="utf-8")


def views_of(volume: Volume) -> list[bytes]:
    """The six pictures of a scan as PNG; no name, date or header field is among them."""
    return [png(one) for one in (*planes_of(volume), *projections_of(volume))]


def conversation(views: Sequence[bytes]) -> list[Message]:
    """What the model is told and shown of one scan."""
    return [
        Message("system", prompt()),
        Message("user", "The six pictures of one scan.", tuple(views)),
    ]


def ask(engine: ChatEngine, scans: Sequence[Sequence[bytes]]) -> list[Reply]:
    """The engine's replies, one per scan's views; a malformed one has its `error` and raw text."""
    return engine.chat([conversation(views) for views in scans], ScanOpinion)


def with_opinion(found: Check, reply: Reply, *, may_reject: bool = False) -> Check:
    """The rules' check with what the model adds.

    A model may doubt what the rules passed; it may not clear what they doubt. Codes of a model
    begin with ``model_``. A reply that is none leaves the verdict alone and is noted in the
    evidence (``model_malformed``), and the engine's log keeps it.

    Args:
        found: the rules' check.
        reply: of the engine.
        may_reject: let the model's rejections reject; else they make a scan suspect.
    """
    opinion = reply.parsed
    if not isinstance(opinion, ScanOpinion):
        return _noted(found, "model_malformed", 1.0)
    found = _noted(found, "model_confidence", opinion.confidence)
    if opinion.verdict == "pass":
        return found
    how: Severity = "reject" if may_reject and opinion.verdict == "reject" else "suspect"
    faults = opinion.faults or [Fault(code="other", text="no fault was named")]
    return joined(
        found,
        [
            Reason(f"model_{fault.code}", how, opinion.confidence, 0.0, fault.text)
            for fault in faults
        ],
    )


def _noted(found: Check, name: str, value: float) -> Check:
    return Check(found.verdict, found.reasons, {**found.evidence, name: value})
