"""The form of a model's reply: one answer per question, each valid or wrong by itself."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from retrieval.questions import Question

NOT_MENTIONED = "not_mentioned"
_LARGEST = 10_000.0
_MOST_NUMBERS = 20
_MISSING = object()


class Wrong(NamedTuple):
    """What stands for one answer that does not fit; `reason` does not quote it."""

    reason: str


def _word(value: Any) -> Any:
    """Small letters, ``_`` for spaces, null and booleans as words: models are not strict there."""
    if value is None:
        return NOT_MENTIONED
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "_".join(value.lower().replace("-", " ").split()) if isinstance(value, str) else value


def _known_or_none(known: Sequence[str]) -> BeforeValidator:
    return BeforeValidator(lambda v: _word(v) if v and _word(v) in known else "")


def _limit(characters: int) -> Any:
    return Field("", json_schema_extra={"maxLength": characters})


_Text = Annotated[str, BeforeValidator(lambda v: "" if v is None else v)]
_SIDES = ("left", "right", "both")
_CHANGES = ("new", "larger", "smaller", "same")


def _all_wanted(schema: dict[str, Any]) -> None:
    schema["required"] = ["justification", "evidence", "value"]


class Given(BaseModel):
    """What every answer has; the order is that in which the model writes.

    A server that holds to the schema must have them all written; validation wants the value.
    """

    model_config = ConfigDict(extra="ignore", json_schema_extra=_all_wanted)

    justification: _Text = _limit(300)
    evidence: _Text = _limit(600)


class Presence(Given):
    """Yes, no or uncertain."""

    value: Annotated[Literal["yes", "no", "uncertain", "not_mentioned"], BeforeValidator(_word)]
    side: Annotated[Literal["", "left", "right", "both"], _known_or_none(_SIDES)] = ""
    change: Annotated[Literal["", "new", "larger", "smaller", "same"], _known_or_none(_CHANGES)] = (
        ""
    )


class Measured(Given):
    """A number, or null where the report has none; `numbers` one per lesion."""

    value: Annotated[
        Annotated[float, Field(ge=0, le=_LARGEST)] | None,
        BeforeValidator(lambda v: None if isinstance(v, str) and _word(v) == NOT_MENTIONED else v),
    ]
    numbers: Annotated[
        list[Annotated[float, Field(ge=0, le=_LARGEST)]], BeforeValidator(lambda v: v or [])
    ] = Field(default_factory=list, max_length=_MOST_NUMBERS)


class Chosen(Given):
    """One of the question's choices."""

    value: str


class Listed(Given):
    """All choices that the report affirms; none: not mentioned."""

    value: list[str]


Answer = Presence | Measured | Chosen | Listed


def reply_form(questions: Sequence[Question]) -> type[BaseModel]:
    """The schema of a reply to these questions: an object with one field per question.

    For the server every field is required. Validation is kinder: a field that is missing or does
    not fit becomes a `Wrong`, so that one bad answer does not spoil the others; only an object
    without any of the questions is refused.
    """
    names = [item.id for item in questions]

    def present(data: Any) -> Any:
        if not isinstance(data, Mapping) or not any(name in data for name in names):
            raise PydanticCustomError("no_answer", "none of the questions is answered")
        return {name: _full(data[name]) if name in data else _MISSING for name in names}

    fields: dict[str, Any] = {
        item.id: (
            Annotated[_kind(item), WrapValidator(_or_wrong)],
            Field(json_schema_extra=_or_not_mentioned),
        )
        for item in questions
    }
    check: Any = model_validator(mode="before")(present)
    return create_model("Answers", __validators__={"present": check}, **fields)


def _or_not_mentioned(schema: dict[str, Any]) -> None:
    """Most questions are not mentioned in a report: one word for that spares most of the tokens."""
    whole = dict(schema)
    schema.clear()
    schema["anyOf"] = [whole, {"type": "string", "const": NOT_MENTIONED}]


def _full(answer: Any) -> Any:
    """A bare value, ``not_mentioned`` above all, stands for an answer without proof."""
    return answer if isinstance(answer, Mapping) else {"value": answer}


def _or_wrong(value: Any, handler: Any) -> Any:
    if value is _MISSING:
        return Wrong("missing")
    try:
        return handler(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return Wrong(f"{place}: {first['msg']}" if place else str(first["msg"]))


def _kind(question: Question) -> type[BaseModel]:
    if question.kind == "presence":
        return Presence
    if question.kind in ("size", "number"):
        return Measured
    choices = tuple(question.choices)
    known = {_word(choice): choice for choice in choices}
    title = "".join(part.capitalize() for part in question.id.split("_"))
    if question.kind == "choice":
        one: Any = Literal[(*choices, NOT_MENTIONED)]
        named = Annotated[one, BeforeValidator(lambda v: known.get(_word(v), _word(v)))]
        return create_model(title, __base__=Chosen, value=(named, ...))
    each: Any = Literal[choices]
    several = Annotated[list[each], BeforeValidator(lambda v: _several(v, known))]
    return create_model(title, __base__=Listed, value=(several, ...))


def _several(value: Any, known: Mapping[Any, str]) -> Any:
    items = value if isinstance(value, list) else [value]
    words = [_word(item) for item in items]
    return list(dict.fromkeys(known.get(w, w) for w in words if w not in (NOT_MENTIONED, "")))
