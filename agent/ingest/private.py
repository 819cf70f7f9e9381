"""A private database of the workspace: only its owner can read it."""

import os
import sqlite3
from types import TracebackType
from typing import Self

from voxcurate.errors import WorkspaceError
from voxcurate.workspace import Workspace


class PrivateStore:
    """An SQLite file of mode 600 in the workspace's folder of mode 700; a context manager.

    Args:
        workspace: whose; the file is made if there is none.
        name: of the file.
        tables: statements that make what is missing.
        title: for the error.
        isolation_level: of `sqlite3.connect`.

    Raises:
        WorkspaceError: it cannot be opened.
    """

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        tables: str,
        *,
        title: str,
        isolation_level: str | None = "DEFERRED",
    ) -> None:
        folder = workspace.private
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
            path = folder / name
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
            self.connection = sqlite3.connect(path, isolation_level=isolation_level)  # type: ignore[arg-type]
            self.connection.executescript(tables)
        except (OSError, sqlite3.Error):
            raise WorkspaceError(f"cannot open the private {title}") from None

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.connection.close()
