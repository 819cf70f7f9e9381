"""The questions a report is read for: ``configs/questions/*.yaml`` and the user's own files."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from voxcurate.config import Config, build, read_yaml, shipped
from voxcurate.errors import ConfigError


class Question(Config):
    """One question. See ``configs/questions/abdomen.yaml`` for what the fields do."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    text: str
    kind: Literal["presence", "size", "choice"] = "presence"
    organ: str = ""
    terms: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    says_no: tuple[str, ...] = Field((), description="phrases that answer no")
    normal: bool = Field(False, description='"<organ> is normal" answers no')
    normal_size: bool = Field(False, description='"<organ> of normal size" or calibre answers no')
    accepts: tuple[Literal["historical", "hypothetical", "family"], ...] = ()
    surgery: bool = Field(False, description="an operation: read in history and comparison too")
    anywhere: bool = Field(False, description="read in every section")
    sections: tuple[str, ...] = Field((), description="only these sections; empty: by the defaults")
    of: str = Field("", description="size: of what this presence question finds")
    classes: tuple[str, ...] = Field((), description="classes of the vocabulary it is about")
    choices: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    covers: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="choices that also fit who asks for this one"
    )

    @model_validator(mode="after")
    def _answerable(self) -> "Question":
        if self.kind == "choice" and not self.choices:
            raise ValueError("a choice question wants `choices`")
        if self.terms and not self.organ:
            raise ValueError(
                "`terms` belong to an `organ`; use `phrases` for words that stand alone"
            )
        if self.kind != "choice" and not (self.terms or self.phrases or self.of):
            raise ValueError("want `terms`, `phrases` or `of`")
        return self


def load_questions(*extra: Path) -> tuple[Question, ...]:
    """The shipped questions and the user's; a later file replaces a question of the same id.

    Raises:
        ConfigError: a file or question is wrong, or a size question names an unknown `of`.
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
        if item.of and item.of not in ids:
            raise ConfigError(f"question {item.id}: `of` names no question: {item.of!r}")
    return found


def roles(question: Question) -> list[tuple[str, str]]:
    """A question's words with what they are for: phrase, exclude, no, term; each word once."""
    kinds = {"phrase": question.phrases, "exclude": question.excludes, "no": question.says_no}
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
