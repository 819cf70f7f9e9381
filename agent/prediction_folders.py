"""Folders of ready predictions, as commands get them: a model each, cases matched by name."""

from collections.abc import Sequence
from pathlib import Path

from voxcurate.case_files import CaseFiles, find_cases, read_names
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError

LAYOUTS = ("auto", "masks", "maps")


def models_of(
    folders: Sequence[Path], vocabulary: Vocabulary, labels: Path | None, layout: str
) -> dict[str, dict[str, CaseFiles]]:
    """Each model by its folder's name; equal names get a number.

    Raises:
        ConfigError: an unknown layout, a wrong file of names, or no case in common.
        SourceError: nothing in a folder.
    """
    found: dict[str, dict[str, CaseFiles]] = {}
    for n, folder in enumerate(folders, 1):
        name = folder.resolve().name
        name = f"{name} {n}" if name in found else name
        found[name] = cases_of(folder, vocabulary, labels, layout)
    if len(found) > 1 and not set.intersection(*(set(cases) for cases in found.values())):
        raise ConfigError("the folders have no case in common: cases are matched by name")
    return found


def cases_of(
    folder: Path, vocabulary: Vocabulary, labels: Path | None, layout: str
) -> dict[str, CaseFiles]:
    """The cases of one folder."""
    if layout not in LAYOUTS:
        raise ConfigError(f"want --layout {', '.join(LAYOUTS)}, found {layout!r}")
    names = None if labels is None else read_names(labels, vocabulary)
    return find_cases(folder, vocabulary, names=names, kind=layout)  # type: ignore[arg-type]
