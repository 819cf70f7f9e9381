"""The questions a report is read for: ``configs/questions/*.yaml`` and the user's own files.

A file maps ids to questions. Two more keys, ``groups`` and ``organs``, name words that the
questions of the file may use; a question may begin as another (``like``).
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from retrieval.schema import Question, Sign, render
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

Fields = dict[str, Any]
_RESERVED = ("groups", "organs")
_WORDS = ("terms", "phrases", "excludes", "says_no", "suggests")


def read_questions(*paths: Path) -> tuple[Question, ...]:
    """The questions of some files alone; with ``like`` they may begin as shipped ones.

    Raises:
        ConfigError: as `load_questions`.
    """
    return _built(_read(paths), {})


def load_questions(*extra: Path) -> tuple[Question, ...]:
    """The shipped questions and the user's; a user's question replaces the shipped of its id.

    Raises:
        ConfigError: a file or question is wrong, two of the files have a question of the same id,
            or one names a question, group or organ that is not there. It names file and question.
    """
    if not extra:
        return _shipped()
    return _built(_read(extra), _shipped_fields())


@cache
def _shipped() -> tuple[Question, ...]:
    return _built(_shipped_fields(), {})


@cache
def _shipped_fields() -> dict[str, Fields]:
    return _read(sorted(shipped("questions").glob("*.yaml")))


# --- files: what stands in them, groups and organs filled in ---
def _read(paths: Iterable[Path]) -> dict[str, Fields]:
    """Fields by id; each keeps its file's name under "file"."""
    found: dict[str, Fields] = {}
    for path in paths:
        for name, fields in _read_file(path).items():
            if name in found:
                raise ConfigError(
                    f"{path.name}: question {name}: {found[name]['file']} has one of this id too"
                )
            found[name] = {**fields, "file": path.name}
    return found


def _read_file(path: Path) -> dict[str, Fields]:
    data = _read_unique(path)
    groups, organs = (_named_words(path, key, data.pop(key, None)) for key in _RESERVED)
    found = {}
    for key, fields in data.items():
        name = str(key)
        if not isinstance(fields, dict):
            raise ConfigError(
                f"{path.name}: question {name}: want fields (text, phrases, ...), "
                f"found {type(fields).__name__}"
            )
        strange = [key for key in fields if key not in _FIELDS]
        if strange:
            raise ConfigError(
                f"{path.name}: question {name}: no field {strange[0]!r}"
                f"{_meant(str(strange[0]), _FIELDS)}"
            )
        found[name] = _with_own_words(fields, groups, organs)
    return found


_FIELDS = ("like", *(name for name in Question.model_fields if name != "id"))


def _read_unique(path: Path) -> dict[Any, Any]:
    """The file's mapping. YAML keeps the last of two equal keys; here they are an error."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        node = None  # read_yaml says what is wrong
    if not isinstance(node, yaml.MappingNode):
        return read_yaml(path)
    for mapping in (node, *(value for _, value in node.value)):
        names = [key.value for key, _ in mapping.value] if mapping.id == "mapping" else []
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"{path.name}: {twice!r} stands twice")
    try:
        data: dict[Any, Any] = yaml.constructor.SafeConstructor().construct_document(node)
    except yaml.YAMLError:
        return read_yaml(path)
    return data


def _plain_words_loader() -> Any:
    """A loader to which yes, no, on and off are words: a question may well look for them."""
    fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [(tag, found) for tag, found in rules if first in "tTfF" or not tag.endswith("bool")]
        for first, rules in fast.yaml_implicit_resolvers.items()
    }
    return type("WordsLoader", (fast,), {"yaml_implicit_resolvers": resolvers})


_LOADER = _plain_words_loader()


def _named_words(path: Path, key: str, data: object) -> dict[str, list[str]]:
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(
        isinstance(words, list) and all(isinstance(word, str) for word in words)
        for words in data.values()
    ):
        raise ConfigError(f"{path.name}: `{key}` wants names with lists of words")
    return {str(name): words for name, words in data.items()}


def _with_own_words(
    fields: Fields, groups: Mapping[str, list[str]], organs: Mapping[str, list[str]]
) -> Fields:
    """The file's own groups in place of their names, and the words of its own organs."""
    filled = dict(fields)
    for key in _WORDS:
        words = fields.get(key, ())
        if isinstance(words, list):
            filled[key] = _filled(words, groups, ())
    if fields.get("organ") in organs:
        filled["organ_words"] = [*organs[fields["organ"]], *fields.get("organ_words", ())]
    return filled


def _filled(
    words: Iterable[Any], groups: Mapping[str, list[str]], above: Sequence[str]
) -> list[Any]:
    """Groups may hold groups; one that holds itself stands for the shipped group of its name."""
    found: list[Any] = []
    for word in words:
        name = word[1:] if isinstance(word, str) and word.startswith("@") else ""
        is_own = name in groups and name not in above
        found.extend(_filled(groups[name], groups, (*above, name)) if is_own else [word])
    return found


# --- questions: `like` filled in, built, checked against each other ---
def _built(own: Mapping[str, Fields], below: Mapping[str, Fields]) -> tuple[Question, ...]:
    """The questions of `below` with those of `own` in their place or after them."""
    merged = {**below, **own}
    made: dict[str, Question] = {}
    for name, fields in merged.items():
        where = f"{fields['file']}: question {name}"
        filled = _alike(name, merged, where, ())
        filled.pop("file")
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
    """The fields of a question over those of the one it is `like`: lists go on, the rest replaces.

    A question of its own id is the shipped one. What the other question names of questions that
    are not asked here (`asked_when`, `signs`) is left out.
    """
    fields = dict(known[name] if name not in above else _shipped_fields()[name])
    base = fields.pop("like", None)
    if base is None:
        return fields
    is_own = base != name and base in known
    if base in above or not (is_own or base in _shipped_fields()):
        wrong = "in a circle" if base in above else "no such question"
        raise ConfigError(f"{where}: `like: {base}`: {wrong}{_meant(str(base), _shipped_fields())}")
    start = (
        _alike(base, known, where, (*above, name))
        if is_own
        else _alike(base, _shipped_fields(), where, (*above, name))
    )
    return _joined(_without_strangers(start, known), fields)


def _without_strangers(fields: Fields, known: Mapping[str, Fields]) -> Fields:
    kept = [name for name in _listed(fields.get("asked_when", ())) if name in known]
    signs = [
        sign
        for sign in fields.get("signs", ())
        if all(n in known for n in (*_listed(sign["yes"]), *_listed(sign.get("unless", ()))))
    ]
    return {**fields, "asked_when": kept, "signs": signs}


def _joined(below: Fields, above: Fields) -> Fields:
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            found[key] = _joined(old, value)
        elif isinstance(old, list | tuple) and key not in ("classes", "sections", "accepts"):
            found[key] = list(dict.fromkeys([*old, *_listed(value)])) if key != "signs" else value
        else:
            found[key] = value
    return found


def _listed(value: Any) -> Sequence[Any]:
    return (value,) if isinstance(value, str) else value


def _check_words(question: Question, where: str) -> None:
    for key in _WORDS:
        for word in getattr(question, key):
            if word.startswith("@") and word[1:] not in terms()["groups"]:
                raise ConfigError(
                    f"{where}: `{key}`: no group {word!r}{_meant(word[1:], terms()['groups'])}"
                )
    organs = terms()["organs"]
    if question.organ and question.organ not in organs and not question.organ_words:
        raise ConfigError(
            f"{where}: no organ {question.organ!r}{_meant(question.organ, organs)}; known are "
            f"{', '.join(organs)}; or give its words in `organ_words`"
        )


def _check_names(question: Question, made: Mapping[str, Question], where: str) -> None:
    named = [("asked_when", name) for name in question.asked_when]
    named += [("of", question.of)] if question.of else []
    for sign in question.signs:
        named += [("signs", name) for name in (*sign.yes, *sign.unless)]
    for field, name in named:
        if name not in made:
            hint = _meant(name, made)
            if not hint and name in _shipped_fields():
                hint = f"; it is a shipped question, add `{name}: {{like: {name}}}`"
            raise ConfigError(f"{where}: `{field}` names no question: {name!r}{hint}")
        if made[name].kind != "presence":
            raise ConfigError(
                f"{where}: `{field}` wants a presence question, {name} is a {made[name].kind}"
            )


def _meant(wrong: str, known: Iterable[str]) -> str:
    near = get_close_matches(wrong, list(known), n=1, cutoff=0.7)
    return f"; did you mean {near[0]!r}?" if near and near[0] != wrong else ""


# --- what readers ask of questions ---
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
