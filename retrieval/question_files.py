"""Question files as they stand, before anything is built: fields by id, own words filled in."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from retrieval.schema import WORD_FIELDS, Question
from voxcurate.config import read_yaml
from voxcurate.errors import ConfigError

Fields = dict[str, Any]
_RESERVED = ("groups", "organs")


def read_files(paths: Iterable[Path]) -> dict[str, Fields]:
    """Fields by id in the order of the files; each keeps its file's name under "file".

    Raises:
        ConfigError: a file is no mapping of ids to fields, has a key twice or a field that no
            question has, or two files have a question of the same id.
    """
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
                f"{did_you_mean(str(strange[0]), _FIELDS)}"
            )
        found[name] = _with_own_words(fields, groups, organs)
    if not found:
        raise ConfigError(f"{path.name}: want at least one question, found none")
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
    for key in WORD_FIELDS:
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


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A hint at the nearest known name, to end an error with; none is near: empty."""
    near = get_close_matches(wrong, list(known), n=1, cutoff=0.7)
    return f"; did you mean {near[0]!r}?" if near and near[0] != wrong else ""
