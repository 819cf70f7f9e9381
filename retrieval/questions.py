"""The questions a report is read for: ``configs/questions/*.yaml`` and the user's own files."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from voxcurate.config import Config, build, read_yaml, shipped
from voxcurate.errors import ConfigError


class Sign(Config):
    """An indirect sign: answers to other questions that together make this one uncertain.

    A dilated pancreatic duct without a lesion that explains it, for example, makes a tumour
    uncertain (ScaleMAI A.1).
    """

    yes: tuple[str, ...] = Field(min_length=1, description="questions that are all answered yes")
    unless: tuple[str, ...] = Field((), description="none of these answered yes")


class Question(Config):
    """One question of a questionnaire; ``docs/questionnaires.md`` says how to write one.

    Presence is answered yes, no or uncertain; size in mm; number in `unit`; choice by one of
    `choices`; list by all of `choices` that the report affirms.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    text: str = Field(min_length=1, description="the question in plain words")
    kind: Literal["presence", "size", "number", "choice", "list"] = "presence"
    asked_when: tuple[str, ...] = Field(
        (), description="broader questions: asked where one of them is answered yes or uncertain"
    )
    guidance: str = Field("", description="what counts, what does not, how it is phrased")
    template: str = Field("", description="the answer in words; {value} stands for it")
    organ: str = ""
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

    @model_validator(mode="after")
    def _answerable(self) -> "Question":
        if self.kind in ("choice", "list") and not self.choices:
            raise ValueError(f"a {self.kind} question wants `choices`")
        if self.terms and not self.organ:
            raise ValueError(
                "`terms` belong to an `organ`; use `phrases` for words that stand alone"
            )
        if self.kind not in ("choice", "list") and not (
            self.terms or self.phrases or self.of or self.signs
        ):
            raise ValueError("want `terms`, `phrases`, `of` or `signs`")
        return self


def read_questions(*paths: Path) -> tuple[Question, ...]:
    """The questions of some files alone; a later file replaces a question of the same id.

    Raises:
        ConfigError: as `load_questions`.
    """
    return _checked({item.id: item for item in _read(paths)}.values())


def load_questions(*extra: Path) -> tuple[Question, ...]:
    """The shipped questions and the user's; a later file replaces a question of the same id.

    Raises:
        ConfigError: a file or question is wrong, or names a question that is not there.
    """
    if not extra:
        return _shipped()
    merged = {item.id: item for item in _shipped()}
    merged.update({item.id: item for item in _read(extra)})
    return _checked(merged.values())


@cache
def _shipped() -> tuple[Question, ...]:
    return _checked(_read(sorted(shipped("questions").glob("*.yaml"))))


def _read(paths: Iterable[Path]) -> list[Question]:
    found = []
    for path in paths:
        for name, fields in read_yaml(path).items():
            try:
                found.append(build(Question, {"id": str(name)}, fields or {}))
            except ConfigError as error:
                raise ConfigError(f"{path.name}: question {name}: {error}") from None
    return found


def _checked(questions: Iterable[Question]) -> tuple[Question, ...]:
    found = tuple(questions)
    ids = {item.id for item in found}
    for item in found:
        signs = [name for sign in item.signs for name in (*sign.yes, *sign.unless)]
        for field, names in (
            ("of", (item.of,) if item.of else ()),
            ("asked_when", item.asked_when),
            ("signs", signs),
        ):
            for name in names:
                if name not in ids:
                    raise ConfigError(f"question {item.id}: `{field}` names no question: {name!r}")
    steps(found)
    return found


def steps(questions: Iterable[Question]) -> list[tuple[Question, ...]]:
    """The questions by depth, the broadest first: what `asked_when` names lies in earlier steps.

    A question on the same answer (`of`) counts as narrower too.

    Raises:
        ConfigError: questions ask for each other in a circle.
    """
    left = {item.id: item for item in questions}
    found: list[tuple[Question, ...]] = []
    while left:
        ready = tuple(
            item
            for item in left.values()
            if not any(name in left for name in (*item.asked_when, item.of) if name)
        )
        if not ready:
            raise ConfigError(f"questions ask for each other in a circle: {', '.join(left)}")
        found.append(ready)
        left = {name: item for name, item in left.items() if item not in ready}
    return found


def roles(question: Question) -> list[tuple[str, str]]:
    """A question's words with what they are for: phrase, exclude, no, sign, term; each once."""
    kinds = {
        "sign": question.suggests,
        "phrase": question.phrases,
        "exclude": question.excludes,
        "no": question.says_no,
    }
    found = {word: role for role, words in kinds.items() for word in reversed(expand(words))}
    for word in expand(question.terms):
        found.setdefault(word, "term")
    return list(found.items())


@cache
def terms() -> dict[str, Any]:
    """``configs/reading/terms.yaml``: organs and groups of findings."""
    return read_yaml(shipped("reading", "terms.yaml"))


def expand(words: Iterable[str]) -> tuple[str, ...]:
    """Words with every "@group" replaced by its members.

    Raises:
        ConfigError: no such group.
    """
    found: list[str] = []
    for word in words:
        if not word.startswith("@"):
            found.append(word)
        elif word[1:] in terms()["groups"]:
            found.extend(terms()["groups"][word[1:]])
        else:
            raise ConfigError(f"no group {word!r} in reading/terms.yaml")
    return tuple(dict.fromkeys(found))
