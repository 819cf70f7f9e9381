"""The class vocabulary: what can be annotated, under which names, and what is known about each
class."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from voxcurate.config import Config, build, read_yaml, shipped
from voxcurate.errors import ConfigError


class ClassInfo(Config):
    """One class of the vocabulary.

    `tolerance_mm` is the NSD tolerance (raised to one voxel diagonal where a scan is coarser);
    `inter_annotator_dsc` the agreement of two people where it is known.
    """

    id: str = Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]*$")
    name: str = ""
    aliases: tuple[str, ...] = ()
    region: str = ""
    side: Literal["left", "right", ""] = ""
    pair: str = Field("", description="the same structure on the other side")
    inside: str = Field("", description="the class that contains this one")
    overlaps: tuple[str, ...] = Field((), description="classes that may share voxels with it")
    single: bool = Field(False, description="one connected piece in a healthy patient")
    lesion: bool = False
    tolerance_mm: float = 2.0
    inter_annotator_dsc: float | None = None
    description: str = ""
    standard: str = Field("", description="what to include and exclude when drawing it")


class Vocabulary:
    """Classes by id, and the names other datasets give them."""

    def __init__(self, classes: Iterable[ClassInfo]) -> None:
        self._by_id = {item.id: item for item in classes}
        self._alias: dict[str, str] = {}
        for item in self._by_id.values():
            for alias in (item.id, item.name, *item.aliases):
                key = _key(alias)
                if key and self._alias.setdefault(key, item.id) != item.id:
                    raise ConfigError(
                        f"class name {alias!r} stands for {self._alias[key]!r} and {item.id!r}"
                    )

    def __contains__(self, class_id: str) -> bool:
        return class_id in self._by_id

    def __iter__(self) -> Iterator[ClassInfo]:
        return iter(self._by_id.values())

    def __getitem__(self, class_id: str) -> ClassInfo:
        try:
            return self._by_id[class_id]
        except KeyError:
            raise ConfigError(
                f"no class {class_id!r} in the vocabulary; add it to the workspace's classes.yaml"
            ) from None

    def resolve(self, name: str) -> str | None:
        """Our id for a name used elsewhere (case, spaces, hyphens do not count); None if
        unknown."""
        return self._alias.get(_key(name))

    def ids(self) -> list[str]:
        """All class ids, in the order of the files."""
        return list(self._by_id)

    def may_overlap(self, a: str, b: str) -> bool:
        """Whether two classes may share voxels: containment at any depth, or said so."""
        return (
            b in self.containers(a)
            or a in self.containers(b)
            or b in self[a].overlaps
            or a in self[b].overlaps
        )

    def containers(self, class_id: str) -> list[str]:
        """The classes that contain it, innermost first."""
        found: list[str] = []
        outer = self[class_id].inside
        while outer and outer not in found:
            found.append(outer)
            outer = self[outer].inside
        return found


def load_vocabulary(*extra: Path) -> Vocabulary:
    """The shipped vocabulary plus the user's files; a later file replaces a class of the same id.

    Raises:
        ConfigError: a file is wrong, one name stands for two classes, or a class names one that
            is not there or lies inside itself.
    """
    if not extra:
        return _shipped()
    merged = {item.id: item for item in _shipped()}
    for path in extra:
        merged.update({item.id: item for item in _read(path)})
    vocabulary = Vocabulary(merged.values())
    for item in vocabulary:
        _check(item, vocabulary)
    return vocabulary


@cache
def _shipped() -> Vocabulary:
    return Vocabulary(_read(shipped("classes.yaml")))


def _read(path: Path) -> list[ClassInfo]:
    found = []
    for class_id, fields in read_yaml(path).items():
        if fields is not None and not isinstance(fields, Mapping):
            raise ConfigError(f"{path.name}: class {class_id}: want a mapping, found {fields!r}")
        found.append(build(ClassInfo, {"id": str(class_id)}, fields or {}))
    return found


def _check(item: ClassInfo, vocabulary: Vocabulary) -> None:
    for role, other in (
        ("pair", item.pair),
        ("inside", item.inside),
        *(("overlaps", name) for name in item.overlaps),
    ):
        if other and other not in vocabulary:
            raise ConfigError(f"class {item.id}: {role}: no class {other!r} in the vocabulary")
    if item.id in vocabulary.containers(item.id):
        raise ConfigError(f"class {item.id} lies inside itself")


def _key(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
