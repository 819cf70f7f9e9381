"""Folders of labels or ready predictions, as commands get them; cases are matched by name."""

import filecmp
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice
from pathlib import Path

from voxcurate.case_files import CaseFiles, Kind, find_cases, read_names
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError, CurationError

CASES_COMPARED = 10  # byte by byte, where all sizes agree
Models = Mapping[str, Mapping[str, CaseFiles]]


def models_of(
    folders: Sequence[Path], vocabulary: Vocabulary, labels: Path | None, layout: Kind
) -> dict[str, dict[str, CaseFiles]]:
    """Each model by its folder's name.

    Raises:
        ConfigError: a folder is given twice, a wrong file of names, or no case in common.
        SourceError: nothing in a folder.
    """
    found = {
        name: cases_of(folder, vocabulary, labels, layout)
        for name, folder in zip(name_folders(folders), folders, strict=True)
    }
    if len(found) > 1 and not set.intersection(*(set(cases) for cases in found.values())):
        raise ConfigError("the folders have no case in common: cases are matched by name")
    return found


def cases_of(
    folder: Path, vocabulary: Vocabulary, labels: Path | None, layout: Kind, role: str = ""
) -> dict[str, CaseFiles]:
    """The cases of one folder.

    Args:
        folder: or file.
        vocabulary: for the classes' other names.
        labels: file with the names of label maps' values.
        layout: what files directly in the folder are.
        role: what an error calls the folder, beside what the user called it.

    Raises:
        ConfigError: a wrong file of names.
        SourceError: there is nothing in it.
    """
    names = None if labels is None else read_names(labels, vocabulary)
    try:
        return find_cases(folder, vocabulary, names=names, kind=layout)
    except CurationError as error:
        called = f"{role} ({folder})" if role else str(folder)
        raise type(error)(f"{called}: {error}") from None


def matched(
    one: Mapping[str, CaseFiles], other: Mapping[str, CaseFiles], roles: tuple[str, str]
) -> dict[str, CaseFiles]:
    """The cases of `one` by the names of `other`: a single case is that of a single case.

    Args:
        one: cases by name.
        other: likewise.
        roles: what an error calls the two.

    Raises:
        ConfigError: they have no case in common.
    """
    found = dict(one)
    if len(one) == len(other) == 1:
        found = dict(zip(other, one.values(), strict=True))
    if not set(found) & set(other):
        raise ConfigError(
            f"no case has the same name in both: {roles[0]} has {_some(one)}, {roles[1]} has "
            f"{_some(other)}"
        )
    return found


def _some(cases: Mapping[str, CaseFiles]) -> str:
    names = sorted(cases)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def name_folders(folders: Sequence[Path]) -> list[str]:
    """What folders are called: their last names, as many as tell them apart.

    Raises:
        ConfigError: one is given twice, links followed.
    """
    whole = [folder.resolve() for folder in folders]
    for place, path in enumerate(whole):
        if path in whole[:place]:
            first = folders[whole.index(path)]
            other = "" if first == folders[place] else f", as {first}"
            raise ConfigError(f"{folders[place]} is given twice{other}: want folders that differ")
    for depth in range(1, max(len(path.parts) for path in whole) + 1):
        names = [str(Path(*path.parts[-depth:])) for path in whole]
        if len(set(names)) == len(names):
            return names
    raise AssertionError("paths that differ have names that differ")


def copies(models: Models) -> Iterator[tuple[str, str]]:
    """Pairs of models that seem to be one under two names: all files have the same sizes, and
    those of the first cases the same bytes."""
    for one, two in combinations(models, 2):
        if models[one].keys() == models[two].keys():
            pairs = [(models[one][case], models[two][case]) for case in models[one]]
            if all(_same(a, b) for a, b in pairs) and all(
                _same(a, b, whole=True) for a, b in islice(pairs, CASES_COMPARED)
            ):
                yield one, two


def _same(one: CaseFiles, two: CaseFiles, *, whole: bool = False) -> bool:
    """Whether two cases have the same files by their sizes, or by their content."""
    a, b = _files(one), _files(two)
    if a.keys() != b.keys():
        return False
    if whole:
        return all(filecmp.cmp(a[name], b[name], shallow=False) for name in a)
    return all(a[name].stat().st_size == b[name].stat().st_size for name in a)


def _files(case: CaseFiles) -> dict[str, Path]:
    if case.soft is not None:
        return {"soft": case.soft}
    return {"": case.label_map} if case.label_map else dict(case.masks)
