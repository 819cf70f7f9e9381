"""The questions a report is read for: ``configs/questions/*.yaml`` and the user's own files.

A file maps ids to questions. Two more keys, ``groups`` and ``organs``, name words that the
questions of the file may use; a question may begin as another (``like``).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from retrieval.question_files import Fields, did_you_mean, read_files
from retrieval.schema import WORD_FIELDS, Question, Sign, render
from voxcurate.config import build, read_yaml, shipped
from voxcurate.errors import ConfigError

__all__ = [
    "Question",
    "Sign",
    "ancestors",
    "expand",
    "load_questions",
    "organ_words",
    "read_questions",
    "render",
    "roles",
    "steps",
    "terms",
]


def read_questions(*paths: Path) -> tuple[Question, ...]:
    """The questions of some files alone; with ``like`` they may begin as shipped ones.

    Raises:
        ConfigError: as `load_questions`.
    """
    return _built(read_files(paths), {})


def load_questions(*extra: Path) -> tuple[Question, ...]:
    """The shipped questions and the user's; a user's question replaces the shipped of its id.

    Raises:
        ConfigError: a file or question is wrong, two of the files have a question of the same id,
            or one names a question, group or organ that is not there. It names file and question.
    """
    if not extra:
        return _shipped()
    return _built(read_files(extra), _shipped_fields())


@cache
def _shipped() -> tuple[Question, ...]:
    return _built(_shipped_fields(), {})


@cache
def _shipped_fields() -> dict[str, Fields]:
    return read_files(sorted(shipped("questions").glob("*.yaml")))


@cache
def _shipped_organs() -> dict[str, list[str]]:
    """Words of organs that the shipped question files bring; any other file may use them."""
    found: dict[str, list[str]] = {}
    for fields in _shipped_fields().values():
        words = found.setdefault(str(fields.get("organ", "")), [])
        words.extend(word for word in _listed(fields.get("organ_words", ())) if word not in words)
    return {organ: words for organ, words in found.items() if organ and words}


def _built(own: Mapping[str, Fields], below: Mapping[str, Fields]) -> tuple[Question, ...]:
    """The questions of `below` with those of `own` in their place or after them."""
    merged = {**below, **own}
    made: dict[str, Question] = {}
    for name, fields in merged.items():
        where = f"{fields['file']}: question {name}"
        filled = _alike(name, merged, where, ())
        filled.pop("file")
        words = (*_listed(filled.get("organ_words", ())), *_organ(filled.get("organ")))
        filled["organ_words"] = list(dict.fromkeys(words))
        try:
            made[name] = build(Question, {"id": name}, filled)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
        _check_words(made[name], where)
    for name, question in made.items():
        _check_names(question, made, f"{merged[name]['file']}: question {name}")
    steps(made.values())
    return tuple(made.values())


def _alike(name: str, known: Mapping[str, Fields], where: str, above: Sequence[str]) -> Fields:
    """The fields of a question over those of the one it is `like`: words are added to.

    A question of its own id is the shipped one. What the other question names of questions that
    are not asked here (`asked_when`, `signs`) is left out.
    """
    fields = dict(known[name])
    base = fields.pop("like", None)
    if base is None:
        return fields
    among = known if base != name and base in known else _shipped_fields()
    if base not in among or base in above:
        wrong = "no such question" if base not in among else "in a circle"
        hint = did_you_mean(str(base), among)
        raise ConfigError(f"{where}: `like: {base}`: {wrong}{hint}")
    start = _alike(base, among, where, (*above, name) if among is known else ())
    return _joined(_without_strangers(start, known), fields)


def _without_strangers(fields: Fields, known: Mapping[str, Fields]) -> Fields:
    kept = [name for name in _listed(fields.get("asked_when", ())) if name in known]
    signs = [sign for sign in fields.get("signs", ()) if _named_by(sign) <= known.keys()]
    return {**fields, "asked_when": kept, "signs": signs}


def _named_by(sign: Any) -> set[str]:
    if not isinstance(sign, dict):
        return set()
    return {name for key in ("yes", "unless") for name in _listed(sign.get(key, ()))}


def _joined(below: Fields, above: Fields) -> Fields:
    found = {**below, **above}
    for key in (*WORD_FIELDS, "organ_words"):
        if key in below and key in above:
            found[key] = list(dict.fromkeys([*_listed(below[key]), *_listed(above[key])]))
    old, new = below.get("choices"), above.get("choices")
    if isinstance(old, dict) and isinstance(new, dict):
        words = {key: [*_listed(old.get(key, ())), *_listed(new[key])] for key in new}
        found["choices"] = {**old, **words}
    return found


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _organ(name: object) -> Sequence[str]:
    return _shipped_organs().get(name, ()) if isinstance(name, str) else ()


def _check_words(question: Question, where: str) -> None:
    groups, organs = terms()["groups"], sorted({*terms()["organs"], *_shipped_organs()})
    for key in WORD_FIELDS:
        for word in getattr(question, key):
            if word.startswith("@") and word[1:] not in groups:
                hint = did_you_mean(word[1:], groups)
                raise ConfigError(f"{where}: `{key}`: no group {word!r}{hint}")
    if question.organ and question.organ not in organs and not question.organ_words:
        hint = did_you_mean(question.organ, organs)
        raise ConfigError(
            f"{where}: no organ {question.organ!r}{hint}; known are {', '.join(organs)}; "
            "or give its words in `organ_words`"
        )


def _check_names(question: Question, made: Mapping[str, Question], where: str) -> None:
    named = [("asked_when", name) for name in question.asked_when]
    named += [("of", question.of)] if question.of else []
    for sign in question.signs:
        named += [("signs", name) for name in (*sign.yes, *sign.unless)]
    for field, name in named:
        if name not in made:
            is_shipped = name in _shipped_fields()
            add = f"; it is a shipped question, add `{name}: {{like: {name}}}`"
            hint = add if is_shipped else did_you_mean(name, made)
            raise ConfigError(f"{where}: `{field}` names no question: {name!r}{hint}")
        if made[name].kind != "presence":
            raise ConfigError(
                f"{where}: `{field}` wants a presence question, {name} is a {made[name].kind}"
            )


def steps(questions: Iterable[Question]) -> list[tuple[Question, ...]]:
    """The questions by depth, the broadest first: what `asked_when` names lies in earlier steps.

    A question on the same answer (`of`) counts as narrower too.

    Raises:
        ConfigError: questions ask for each other in a circle.
    """
    left = {item.id: item for item in questions}
    found: list[tuple[Question, ...]] = []
    while left:
        ready = tuple(item for item in left.values() if not _broader(item, left))
        if not ready:
            raise ConfigError(f"questions ask for each other in a circle: {_circle(left)}")
        found.append(ready)
        for item in ready:
            del left[item.id]
    return found


def _broader(question: Question, among: Mapping[str, Question]) -> list[str]:
    return [name for name in (*question.asked_when, question.of) if name in among]


def _circle(left: Mapping[str, Question]) -> str:
    path = [next(iter(left))]
    while path.count(path[-1]) < 2:
        path.append(_broader(left[path[-1]], left)[0])
    return " -> ".join(path[path.index(path[-1]) :])


def ancestors(questions: Iterable[Question]) -> dict[str, frozenset[str]]:
    """Every broader question of each: a yes to a question is a yes to all of these."""
    found: dict[str, frozenset[str]] = {}
    for step in steps(questions):
        for item in step:
            near = [name for name in (*item.asked_when, item.of) if name in found]
            found[item.id] = frozenset(near).union(*(found[name] for name in near))
    return found


def organ_words(questions: Iterable[Question]) -> dict[str, tuple[str, ...]]:
    """Words by organ: the shipped ones and those that these questions bring."""
    found = {name: tuple(words) for name, words in terms()["organs"].items()}
    for item in questions:
        if item.organ_words:
            words = (*found.get(item.organ, ()), *item.organ_words)
            found[item.organ] = tuple(dict.fromkeys(words))
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
