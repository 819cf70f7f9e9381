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
_LONE = re.compile("[\ud800-\udfff]")
_UNREADABLE = (ValueError, RecursionError)  # ValueError: numbers of thousands of digits, too


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


def readable(text: str) -> str:
    """The text with half characters (lone surrogates) replaced: no file takes them."""
    return _LONE.sub("\ufffd", text)


def _objects(text: str) -> list[Any]:
    for candidate in (text, *_FENCE.findall(text)):
        try:
            whole = _cleaned(json.loads(candidate))
        except _UNREADABLE:
            continue
        if isinstance(whole, dict):
            return [whole]
    decoder, found, at = json.JSONDecoder(), [], text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
            found.append(_cleaned(value))
        except _UNREADABLE:
            at = text.find("{", at + 1)
            continue
        at = text.find("{", end)
    return found


def _cleaned(value: Any) -> Any:
    """Parsed JSON whose texts can be stored: an escape may stand for half a character."""
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {readable(name): _cleaned(item) for name, item in value.items()}
    return value
