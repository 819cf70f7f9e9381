"""A command's folder of results: apart from what it reads, and only its own files are replaced."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from voxcurate.atomic import write_text
from voxcurate.case_files import ONE_CASE, CaseFiles
from voxcurate.errors import ConfigError

FILES = "files"  # key of a case file: what belongs to the command in the case's folder
NAMES_TOLD = 3


def check_apart(out: Path, cases: Iterable[CaseFiles], option: str = "--out") -> None:
    """Whether a folder to write to has nothing to do with what is read.

    Args:
        out: the folder.
        cases: what is read.
        option: that names it.

    Raises:
        ConfigError: it is, holds or lies in a folder or file of them, links followed.
    """
    place = out.resolve()
    seen: set[Path] = set()
    for case in cases:
        own = [case.label_map] if case.label_map else list(case.masks.values())
        for path in [*own, *([case.soft] if case.soft else [])]:
            root = _root(path, case)
            real = [path.resolve()] if path.is_symlink() or root == path else []
            new = {root, path.parent} - seen - {path}
            seen |= new
            real += [folder.resolve() for folder in new]
            is_within = root in new and root.resolve() in place.parents
            if is_within or any(place == r or place in r.parents for r in real):
                raise ConfigError(
                    f"{option} is, holds or lies in a folder that is read: want another one, so "
                    "that nothing of it is overwritten"
                )


def _root(path: Path, case: CaseFiles) -> Path:
    """The folder of all cases that a file is from; a single file is its own."""
    if case.case == ONE_CASE and path == case.label_map:
        return path
    above = [folder for folder in path.parents if folder.name == case.case]
    return above[0].parent if above else path.parent


def claim(folder: Path, case_file: str, names: Sequence[str], old: Iterable[str] = ()) -> None:
    """Make room for the files of a case: what an earlier run of the same command wrote goes.

    The case file says which files are the command's own, from before the first is written until
    the last is, so that a killed run's are known too.

    Args:
        folder: of the case.
        case_file: the command's own JSON there.
        names: relative names of the files that are about to be written.
        old: those of an earlier version's case file, which does not list them.

    Raises:
        ConfigError: a file of such a name is there that the command did not write.
    """
    data = read_case_file(folder / case_file)
    known = {str(name) for name in (data or {}).get(FILES, [])} | set(old)
    mine = {name for name in known if _is_inside(name)}
    foreign = sorted(name for name in set(names) - mine if (folder / name).exists())
    if foreign:
        more = f" and {len(foreign) - NAMES_TOLD} more" if len(foreign) > NAMES_TOLD else ""
        raise ConfigError(
            f"{', '.join(foreign[:NAMES_TOLD])}{more} in the folder of results: made by something "
            "else, and not overwritten; want another --out"
        )
    write_text(folder / case_file, json.dumps({FILES: sorted(mine | set(names))}))
    for name in mine:
        (folder / name).unlink(missing_ok=True)


def read_case_file(path: Path) -> dict[str, Any] | None:
    """What a case file holds; None if it is not there or is none."""
    try:
        found: Any = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and name.endswith(".nii.gz")
