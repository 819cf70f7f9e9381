"""What a question is: its fields, what fits together, and its answer in words."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from voxcurate.config import Config
from voxcurate.protocols import Finding

_DENIAL = re.compile(r"no\s", re.I)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
WORD_FIELDS = ("terms", "phrases", "excludes", "says_no", "suggests")
_LISTS = (*WORD_FIELDS, "asked_when", "classes", "sections", "organ_words", "accepts")


class Sign(Config):
    """An indirect sign: answers to other questions that together make this one uncertain.

    A dilated pancreatic duct without a lesion that explains it, for example, makes a tumour
    uncertain (ScaleMAI A.1).
    """

    yes: tuple[str, ...] = Field(min_length=1, description="questions that are all answered yes")
    unless: tuple[str, ...] = Field((), description="none of these answered yes")

    @field_validator("yes", "unless", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class Question(Config):
    """One question of a questionnaire; ``docs/questionnaires.md`` says how to write one.

    Presence is answered yes, no or uncertain; size in mm; number in `unit`; choice by one of
    `choices`; list by all of `choices` that the report affirms. A list of words may be given as
    one word.
    """

    id: str
    text: str = Field(min_length=1, description="the question in plain words")
    kind: Literal["presence", "size", "number", "choice", "list"] = "presence"
    asked_when: tuple[str, ...] = Field(
        (), description="broader questions: asked where one of them is answered yes or uncertain"
    )
    guidance: str = Field("", description="what counts, what does not, how it is phrased")
    template: str = Field("", description="the answer in words; {value} stands for it")
    organ: str = ""
    organ_words: tuple[str, ...] = Field((), description="words for `organ` besides the shipped")
    terms: tuple[str, ...] = Field((), description="words that count where they speak of `organ`")
    phrases: tuple[str, ...] = Field((), description="words that count wherever they stand")
    excludes: tuple[str, ...] = Field((), description="longer phrases that do not count")
    says_no: tuple[str, ...] = Field((), description="phrases that answer no")
    suggests: tuple[str, ...] = Field((), description="phrases that make it uncertain, no more")
    signs: tuple[Sign, ...] = Field((), description="other answers that make it uncertain")
    normal: bool = Field(False, description='"<organ> is normal" answers no')
    normal_size: bool = Field(False, description='"<organ> of normal size" or calibre answers no')
    accepts: tuple[Literal["historical", "hypothetical", "family"], ...] = ()
    surgery: bool = Field(False, description="an operation: read in history and comparison too")
    anywhere: bool = Field(False, description="read in every section")
    sections: tuple[str, ...] = Field((), description="only these sections; empty: by the defaults")
    of: str = Field("", description="size, choice, list: of what this presence question finds")
    unit: str = Field("", description="number: its unit as reports write it; empty: a count")
    classes: tuple[str, ...] = Field((), description="classes of the vocabulary it is about")
    choices: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    covers: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="choices that also fit who asks for this one"
    )

    @field_validator("id")
    @classmethod
    def _plain_id(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
            raise ValueError("want small letters, digits and _, a letter first")
        return value

    @field_validator(*_LISTS, mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("choices", "covers", mode="before")
    @classmethod
    def _each_one_is_a_list(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: (v,) if isinstance(v, str) else v for key, v in value.items()}

    @field_validator(*WORD_FIELDS, "organ_words")
    @classmethod
    def _has_words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for phrase in value:
            words = phrase.split()
            if not re.match(r"@?\w", phrase):
                raise ValueError(f"{phrase!r} does not begin with a letter or digit")
            if words[-1] == "~" or any("*" in word[:-1] or word == "*" for word in words):
                raise ValueError(f"{phrase!r}: * ends a word, and ~ stands between two")
        return value

    @model_validator(mode="after")
    def _answerable(self) -> "Question":
        has_choices = self.kind in ("choice", "list")
        if has_choices and not self.choices:
            raise ValueError(f"a {self.kind} question wants `choices`")
        if self.choices and not has_choices:
            raise ValueError(f"`choices` want `kind: choice` or `kind: list`, not {self.kind}")
        if self.unit and self.kind != "number":
            raise ValueError(f"`unit` wants `kind: number`, not {self.kind}")
        if self.of and self.kind == "presence":
            raise ValueError("`of` wants `kind: size`, `choice` or `list`; use `asked_when`")
        if self.terms and not self.organ:
            raise ValueError(
                "`terms` belong to an `organ`; use `phrases` for words that stand alone"
            )
        if not (has_choices or self.terms or self.phrases or self.of or self.signs):
            raise ValueError("want `terms`, `phrases`, `of` or `signs`")
        if (self.normal or self.normal_size) and not self.organ:
            raise ValueError("`normal` and `normal_size` speak of an `organ`, and there is none")
        denied = [w for w in (*self.phrases, *self.terms) if _DENIAL.match(w)]
        if denied and self.kind == "presence":
            raise ValueError(
                f"{denied[0]!r} denies: give what it denies, negations are read by themselves; "
                "words that answer no go into `says_no`"
            )
        strange = [name for name in self.covers if name not in self.choices]
        if strange:
            raise ValueError(f"`covers` names no choice: {', '.join(strange)}")
        return self

    @model_validator(mode="after")
    def _has_a_value_to_fill(self) -> "Question":
        if self.template and _PLACEHOLDER.findall(self.template) != ["value"]:
            raise ValueError(f"`template` wants {{value}} once, found {self.template!r}")
        return self


def render(question: Question, finding: Finding) -> str:
    """The answer in words: the question's template with the answer in place of ``{value}``.

    Without a template it is "<id in words>: <answer>". A size of several lesions lists them all;
    side and change against an earlier study follow in brackets.

    Raises:
        ValueError: `finding` answers another question.
    """
    if finding.question != question.id:
        raise ValueError(f"want an answer to {question.id}, got one to {finding.question}")
    template = question.template or f"{question.id.replace('_', ' ')}: {{value}}"
    return template.replace("{value}", _in_words(finding))


def _in_words(finding: Finding) -> str:
    words: str = finding.value
    if finding.value == "number":
        words = f"{finding.number:g} {finding.unit}".rstrip()
        if len(finding.numbers) > 1:
            words += f" (the largest of {', '.join(f'{n:g}' for n in finding.numbers)})"
    elif finding.value == "choice":
        words = finding.choice.replace("_", " ")
    elif finding.value == "list":
        words = ", ".join(item.replace("_", " ") for item in finding.items) or "none"
    more = ", ".join(part for part in (_SIDES.get(finding.side, ""), finding.change) if part)
    return f"{words} ({more})" if more else words


_SIDES = {"left": "left", "right": "right", "both": "both sides"}
