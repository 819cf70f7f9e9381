"""The classes that a command is asked for, by any of their names."""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from voxcurate.case_files import CaseFiles
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError

NAMED = 8  # classes told where none is near


class Anything(frozenset[str]):
    """The classes of folders of which some have label maps without names: any number may occur."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or str(name).isdigit()


def classes_there(cases: Iterable[CaseFiles]) -> Collection[str]:
    """The classes that files are about, by our names where the vocabulary knows them."""
    found: set[str] = set()
    is_unnamed = False
    for case in cases:
        found.update(case.names.values() if case.label_map else case.masks)
        is_unnamed |= case.label_map is not None and not case.names
    return Anything(found) if is_unnamed else frozenset(found)


def asked_classes(
    names: Sequence[str], vocabulary: Vocabulary, there: Collection[str] | None = None
) -> list[str]:
    """Ids of the classes of these names.

    Args:
        names: as given.
        vocabulary: knows other names of a class.
        there: the classes that there are; not given: those of the vocabulary.

    Raises:
        ConfigError: there is no such class; names near ones.
    """
    known: Collection[str] = vocabulary.ids() if there is None else there
    found = []
    for name in names:
        class_id = vocabulary.resolve(name) or name
        if class_id not in known:
            raise ConfigError(_unknown(name, class_id, sorted(known), in_files=there is not None))
        found.append(class_id)
    return list(dict.fromkeys(found))


def _unknown(name: str, class_id: str, known: Sequence[str], *, in_files: bool) -> str:
    by_letters = {c.lower(): c for c in known}
    near = [by_letters[c] for c in get_close_matches(class_id.lower(), by_letters, n=3)]
    where = "in these files" if in_files else "in the vocabulary"
    if near:
        return f"no class {name!r} {where}; near it: {', '.join(near)}"
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    return f"no class {name!r} {where}; there are: {', '.join(known[:NAMED])}{more}"
