"""The catalog for who only looks, while a driver writes to it, perhaps on another machine."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voxcurate.catalog import Catalog
from voxcurate.errors import CatalogError, WorkspaceError
from voxcurate.lock import last_holder
from voxcurate.workspace import Workspace

TRIES = 5
PAUSE = 20.0  # between two copies, in the time that one takes


class Copies:
    """A copy of a catalog on this machine, made anew now and then: of millions of items it takes a
    while, and ``jobs --watch`` looks every few seconds."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="voxcurate-")
        self._made: Path | None = None
        self._due = 0.0

    def of(self, path: Path) -> Path:
        """The copy of a catalog's file, at most `PAUSE` times as old as copying takes.

        Raises:
            CatalogError: it changes faster than it can be copied.
        """
        began = time.monotonic()
        if self._made is None or began >= self._due:
            if self._made is not None:
                shutil.rmtree(self._made.parent)
                self._made = None
            self._made = _copied(path, Path(tempfile.mkdtemp(dir=self._folder.name)))
            now = time.monotonic()
            self._due = now + PAUSE * (now - began)
        return self._made


@contextmanager
def looking(
    given: Path | None, copies: Copies | None = None
) -> Iterator[tuple[Workspace, Catalog]]:
    """The workspace and its catalog, for reading.

    SQLite's readers and writers share memory beside the file, which two machines cannot, and who
    may only read the folder cannot either: while a driver on another machine writes, or without
    the right to write, its file and what is not merged into it yet are copied here, and the copy
    is read.

    Args:
        copies: kept for the next look.

    Raises:
        CatalogError: the catalog changes faster than it can be copied.
    """
    workspace = Workspace.find(given)
    url = workspace.catalog_url
    copies = copies or Copies()
    if url.startswith("sqlite") and (not is_writable(workspace) or _is_driven_elsewhere(workspace)):
        url = f"sqlite:///{copies.of(Path(url.partition('///')[2]))}"
    catalog = Catalog(url)
    try:
        yield workspace, catalog
    finally:
        catalog.close()


def is_writable(workspace: Workspace) -> bool:
    """Whether this user may write to the workspace from here."""
    return os.access(workspace.root, os.W_OK | os.X_OK)


def check_writable(workspace: Workspace) -> None:
    """That work can be done for the workspace from here.

    Raises:
        WorkspaceError: it can only be read.
    """
    if not is_writable(workspace):
        raise WorkspaceError(
            "the workspace cannot be written to from here: see who owns it, and whether its file "
            "system is mounted read-only; 'status', 'jobs' and 'submit --dry-run' only read"
        )


def _is_driven_elsewhere(workspace: Workspace) -> bool:
    found = last_holder(workspace.root)
    return found is not None and not found[0].is_here and found[1] is not False


def _copied(path: Path, folder: Path) -> Path:
    for _ in range(TRIES):
        before = path.stat()
        (folder / f"{path.name}-wal").unlink(missing_ok=True)
        shutil.copyfile(path, folder / path.name)
        log = path.with_name(f"{path.name}-wal")
        if log.exists():
            shutil.copyfile(log, folder / log.name)
        after = path.stat()
        if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
            return folder / path.name
    raise CatalogError("the catalog changes while it is copied: try again, or use PostgreSQL")
