"""A model's text made into the wanted schema, or the reason why it is not.

Servers silently ignore ``response_format``, so that every reply is validated, whatever was asked
for.
"""

import json
import re
from typing import Any

from pydantic import BaseModel, ValidationError

from voxcurate.errors import ModelReplyError

_FENCE = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.S)
_THOUGHT = re.compile(r"<think>.*?</think>", re.S)
_MOST_SHOWN = 3


def parse_reply(raw: str, schema: type[BaseModel]) -> BaseModel:
    """The reply as the schema.

    Taken: the text itself, the inside of one code fence, or the last whole JSON object in it that
    fits.

    Raises:
        ModelReplyError: it holds no JSON object, or one that does not fit; what is wrong is said
            without quoting the reply.
    """
    objects = _objects(_without_thoughts(raw))
    if not objects:
        raise ModelReplyError("want a JSON object, found none in the reply")
    problem: ValidationError | None = None
    for found in reversed(objects):
        try:
            return schema.model_validate(found)
        except ValidationError as error:
            problem = problem or error
    assert problem is not None
    wrong = [
        f"{'.'.join(map(str, e['loc'])) or 'reply'}: {e['msg']}"
        for e in problem.errors(include_input=False, include_url=False)[:_MOST_SHOWN]
    ]
    raise ModelReplyError(f"the reply does not fit {schema.__name__}: {'; '.join(wrong)}")


def _without_thoughts(raw: str) -> str:
    """Some chat templates open the thought themselves, and a reply cut off never closes it."""
    text = _THOUGHT.sub("", raw).rpartition("</think>")[2]
    return text.partition("<think>")[0]


def _objects(text: str) -> list[Any]:
    for candidate in (text, *_FENCE.findall(text)):
        try:
            whole = json.loads(candidate)
        except json.JSONDecodeError:
            continue
        if isinstance(whole, dict):
            return [whole]
    decoder, found, at = json.JSONDecoder(), [], text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            at = text.find("{", at + 1)
            continue
        found.append(value)
        at = text.find("{", end)
    return found
