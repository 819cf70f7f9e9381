"""Frozen configurations, built in layers: defaults < shipped < workspace < round < ``--set``."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from voxcurate.errors import ConfigError

# names of settings and variables that hold secrets, which no configuration of ours may
SECRET = re.compile("(^|_)(PG)?(KEY|TOKEN|SECRET|PASS(WORD|WD|PHRASE)?|CREDENTIALS?)$", re.I)


Place = tuple[str | int, ...]  # of a setting: its names from the outside to the inside


class Config(BaseModel):
    """Base of every configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


C = TypeVar("C", bound=Config)


def build(kind: type[C], *layers: Mapping[str, Any], names: Sequence[str] = ()) -> C:
    """One validated config from its layers, later ones on top.

    Mappings are merged key by key, anything else (lists too) is replaced whole.

    Args:
        names: of the layers, for people: a problem is told with that of the layer that has it.

    Raises:
        ConfigError: a value or key does not fit; every problem is named with its dotted path, an
            unknown key with the known one that is nearest.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer)
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(kind, error, dict(zip(names, layers, strict=False)))) from None


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, mapping by mapping; neither is changed."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return result


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """``["train.steps=40", "classes=[liver]"]`` as a nested mapping; values are YAML.

    Raises:
        ConfigError: a pair has no ``=`` or no key.
    """
    result: dict[str, Any] = {}
    for pair in pairs:
        dotted, equals, text = pair.partition("=")
        if not equals or not dotted.strip():
            raise ConfigError(f"--set wants key=value, got {pair!r}")
        try:
            value = yaml.safe_load(text) if text else None
        except yaml.YAMLError:
            raise ConfigError(f"--set {dotted}: the value is not YAML: {text!r}") from None
        layer: Any = value
        for key in reversed(dotted.strip().split(".")):
            layer = {key: layer}
        result = merge(result, layer)
    return result


def _parsed(text: str) -> Any:
    """By the C library where PyYAML has it: ten times as fast."""
    return (
        yaml.load(text, Loader=yaml.CSafeLoader) if yaml.__with_libyaml__ else yaml.safe_load(text)
    )


def _why_not_yaml(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error).splitlines()[0]
    why = f"line {mark.line + 1}: {getattr(error, 'problem', '')}"
    return why + ("; quote words that begin with it" if "cannot start any token" in why else "")


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's mapping; an empty file is an empty mapping.

    Raises:
        ConfigError: the file is missing, cannot be read, is not YAML, or holds no mapping.
    """
    try:
        data = _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no such file: {path.name}") from None
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not YAML: {_why_not_yaml(error)}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path.name}: want a mapping, found {type(data).__name__}")
    return data


def shipped(*parts: str) -> Path:
    """Path of a file or folder shipped in ``configs/`` (package data of an installed wheel too)."""
    return Path(str(files("configs").joinpath(*parts)))


def dump_yaml(data: BaseModel | Mapping[str, Any] | Sequence[Any]) -> str:
    """YAML text of a config or plain data, keys in their order."""
    plain = data.model_dump(mode="json") if isinstance(data, BaseModel) else data
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def _explain(
    kind: type[BaseModel], error: ValidationError, layers: Mapping[str, Mapping[str, Any]]
) -> str:
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"]) or kind.__name__
        if item["type"] == "extra_forbidden":
            near = _nearest(kind, item["loc"])
            line = f"{where}: no such setting" + (f", the nearest is {near}" if near else "")
        elif isinstance(item["input"], Mapping):
            line = f"{where}: {_plainly(item['msg'])}"
        else:
            line = f"{where}: {_plainly(item['msg'])}, got {item['input']!r}"
        holders = [name for name, layer in layers.items() if _has(layer, item["loc"])]
        lines.append(f"{holders[-1]}: {line}" if holders else line)
    return "; ".join(lines)


def _has(layer: Any, place: Place) -> bool:
    for part in place:
        if not isinstance(layer, Mapping) or part not in layer:
            return isinstance(layer, list)
        layer = layer[part]
    return bool(place)


def _nearest(kind: type[BaseModel], place: Place) -> str:
    """The setting that was meant, most likely: one beside it, else one elsewhere; or empty."""
    *above, wrong = place
    if near := get_close_matches(str(wrong), _fields(kind, above), 1):
        return ".".join(map(str, [*above, near[0]]))
    known: dict[str, str] = {}
    for dotted in _dotted(kind):
        known.setdefault(dotted.rpartition(".")[2], dotted)
    return next((known[name] for name in get_close_matches(str(wrong), known, 1)), "")


def _fields(kind: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """Names of the settings at a place; none if it is no config's."""
    here: type[BaseModel] | None = kind
    for part in place:
        field = here.model_fields.get(str(part)) if here else None
        # a key of a mapping and a number in a list lead on to their values
        here = _config_in(field.annotation) if field else here
    return list(here.model_fields) if here else []


def _dotted(kind: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in kind.model_fields.items():
        yield above + name
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _dotted(inner, f"{above}{name}.")


def _config_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_config_in(each) for each in get_args(annotation))
    return next((each for each in found if each), None)


def _plainly(message: str) -> str:
    return message.removeprefix("Value error, ")
