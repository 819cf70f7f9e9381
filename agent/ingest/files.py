"""What lies in a folder: relative paths, sorted; hidden files and the workspace left out."""

import os
from collections.abc import Sequence
from pathlib import Path

from voxcurate.errors import SourceError


def list_files(root: Path, *, leave_out: Sequence[Path] = ()) -> list[str]:
    """Relative paths of all files below a folder, sorted, with forward slashes.

    Links are followed, loops are not; names that begin with a dot (``._scan.nii.gz`` of macOS,
    temporary files) are passed over.

    Args:
        root: the folder.
        leave_out: folders not to look into, the workspace among them.

    Raises:
        SourceError: `root` is no folder, or cannot be read.
    """
    if not root.is_dir():
        raise SourceError(
            "want a folder to ingest, found " + ("a file" if root.exists() else "none")
        )
    hidden = {path.resolve() for path in leave_out}
    found: list[str] = []
    seen: set[Path] = set()
    waiting = [("", root)]
    while waiting:
        prefix, folder = waiting.pop()
        real = folder.resolve()
        if real in seen or real in hidden:
            continue
        seen.add(real)
        for name, is_folder in _entries(folder):
            if is_folder:
                waiting.append((f"{prefix}{name}/", folder / name))
            else:
                found.append(prefix + name)
    return sorted(found)


def _entries(folder: Path) -> list[tuple[str, bool]]:
    try:
        with os.scandir(folder) as entries:
            return [(e.name, e.is_dir()) for e in entries if not e.name.startswith(".")]
    except OSError as error:
        raise SourceError(f"a folder cannot be read: {error.strerror}") from None


def marks_of(root: Path, paths: Sequence[str]) -> list[list[object]]:
    """Size and time of change of each file; a missing one is ``[-1, 0]``."""
    marks: list[list[object]] = []
    for path in paths:
        try:
            status = (root / path).stat()
        except OSError:
            marks.append([-1, 0])
        else:
            marks.append([status.st_size, status.st_mtime_ns])
    return marks
