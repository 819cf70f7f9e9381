"""What the model may answer, and what its log-probabilities say where the engine gives them."""

import math
import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from labeling.vision.wording import LANDMARKS
from voxcurate.protocols import Token

Better = Literal["1", "2", "same", "both_bad"]


def _shortened(schema: dict[str, Any]) -> None:
    """For the server: a longer sentence does not make the answer wrong."""
    schema["maxLength"] = 240


_BETTER = re.compile(r'"better"\s*:\s*"?')


class Comparison(BaseModel):
    """Which of two overlays is better; the looks come first, so that the choice follows them."""

    overlay_1: str = Field(json_schema_extra=_shortened)
    overlay_2: str = Field(json_schema_extra=_shortened)
    better: Better


class Opinion(BaseModel):
    """Whether one overlay is right."""

    overlay: str = Field(json_schema_extra=_shortened)
    right: Literal["yes", "no", "unsure"]


# a yes or no to every landmark: a list would be as right if some were forgotten
FieldOfView: type[BaseModel] = create_model(
    "FieldOfView",
    __doc__="Which bones are seen.",
    **dict.fromkeys(LANDMARKS, (bool, ...)),  # type: ignore[call-overload]  # made of a list
)


def weighed(tokens: Sequence[Token]) -> float | None:
    """The probability of choice "1" against "2" where the choice was written.

    None where the engine gave no log-probabilities, the choice is not found, or neither was among
    the likeliest tokens.
    """
    text = "".join(token.text for token in tokens)
    found = None
    for found in _BETTER.finditer(text):  # noqa: B007 - the last one
        pass
    if found is None:
        return None
    at = 0
    for token in tokens:
        start, at = at, at + len(token.text)
        if at <= found.end() or not token.text[max(0, found.end() - start) :].strip(' "'):
            continue
        before = token.text[: max(0, found.end() - start)]
        sums = {"1": 0.0, "2": 0.0}
        for choice, weight in token.choices.items():
            said = choice.removeprefix(before).strip(' "')[:1]
            if said in sums:
                sums[said] += math.exp(weight)
        total = sums["1"] + sums["2"]
        return sums["1"] / total if total > 0 else None
    return None
