"""The workspace: one folder that holds a dataset, its catalog and everything made from it."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from voxcurate.atomic import adopt_file, write_text
from voxcurate.config import Config, build, dump_yaml, read_yaml
from voxcurate.errors import WorkspaceError
from voxcurate.keys import key_folder, make_key, read_key

__all__ = ["Workspace", "WorkspaceConfig", "adopt_file", "write_text"]  # the last two: of `atomic`

CONFIG_NAME = "config.yaml"
ENVIRONMENT = "VOXCURATE_WORKSPACE"


class WorkspaceConfig(Config):
    """``config.yaml`` of a workspace. `round` holds settings laid over every round's preset."""

    id: str
    catalog: str = Field("", description="SQLAlchemy URL; empty: catalog.sqlite in the workspace")
    key_file: str = Field("", description="HMAC key; empty: the user's configuration folder")
    preset: str = "cpu"
    round: dict[str, object] = Field(default_factory=dict)


class Workspace:
    """Paths, key and configuration of one workspace.

    Attributes:
        root: the folder.
        config: its ``config.yaml``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        path = self.root / CONFIG_NAME
        if not path.is_file():
            raise WorkspaceError(
                f"no workspace in {self.root.name}: want a {CONFIG_NAME}; "
                "make one with 'voxcurate init'"
            )
        self.config = build(WorkspaceConfig, read_yaml(path), names=[path.name])

    @classmethod
    def create(cls, root: Path, *, preset: str = "cpu", key_file: str = "") -> "Workspace":
        """A new workspace; an existing one is returned as it is.

        It holds what patients' reports say: a folder that is made here is its owner's alone.

        Raises:
            WorkspaceError: `root` is a file, or a folder that holds something else, or cannot be
                made.
        """
        if (root / CONFIG_NAME).is_file():
            return cls(root)._complete()
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise WorkspaceError(
                "want a new or empty folder for a workspace, found other files in it"
            )
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            root.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(f"no folder can be made there: {error.strerror}") from None
        config = WorkspaceConfig(id=secrets.token_hex(8), preset=preset, key_file=key_file)
        text = "# voxcurate workspace; `round:` takes settings laid over every round's preset\n"
        write_text(root / CONFIG_NAME, text + dump_yaml(config))
        return cls(root)._complete()

    def _complete(self) -> "Workspace":
        """Key and private folder, where an interrupted `create` left them out."""
        self.key()
        self.private.mkdir(mode=0o700, exist_ok=True)
        return self

    @classmethod
    def find(cls, given: Path | None = None) -> "Workspace":
        """The workspace: the given folder, else ``VOXCURATE_WORKSPACE``, else the nearest parent
        that is one.

        Raises:
            WorkspaceError: there is none.
        """
        if given is not None:
            return cls(given)
        if os.environ.get(ENVIRONMENT):
            return cls(Path(os.environ[ENVIRONMENT]))
        here = Path.cwd().resolve()
        for folder in (here, *here.parents):
            if (folder / CONFIG_NAME).is_file() and (folder / "private").is_dir():
                return cls(folder)
        raise WorkspaceError(
            "no workspace: give one with -w PATH, set VOXCURATE_WORKSPACE, or go into one"
        )

    @property
    def catalog_url(self) -> str:
        """SQLAlchemy URL of the catalog."""
        return self.config.catalog or f"sqlite:///{self.root / 'catalog.sqlite'}"

    @property
    def private(self) -> Path:
        """The folder, readable by its owner only, that maps case ids to origins."""
        return self.root / "private"

    @property
    def scratch(self) -> Path:
        """Temporary files of running work, on the same file system as their final places."""
        path = self.root / "tmp"
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def scan_path(self, case_id: str) -> Path:
        """``scans/<case_id>/ct.nii.gz``."""
        return self.root / "scans" / case_id / "ct.nii.gz"

    def label_path(self, case_id: str, class_id: str, label_id: str) -> Path:
        """``labels/<case_id>/<class>/<label_id>.nii.gz``."""
        return self.root / "labels" / case_id / class_id / f"{label_id}.nii.gz"

    def prediction_path(self, round_number: int, model_id: str, case_id: str) -> Path:
        """``predictions/<round>/<model>/<case_id>.vxp``."""
        return self.root / "predictions" / str(round_number) / model_id / f"{case_id}.vxp"

    def round_path(self, round_number: int, *parts: str) -> Path:
        """A path under ``rounds/<round>/``."""
        return self.root.joinpath("rounds", str(round_number), *parts)

    def relative(self, path: Path) -> str:
        """A path as the catalog stores it: relative to the workspace, with forward slashes.

        A folder of the workspace may be a link to another disk; such links are not followed.
        """
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow the links
        if not absolute.is_relative_to(self.root):
            absolute = absolute.resolve()
        return absolute.relative_to(self.root).as_posix()

    def key(self) -> bytes:
        """The HMAC key; made on first use, outside the workspace, readable by its owner only.

        Raises:
            WorkspaceError: others may read the key, it is damaged, or the workspace has cases but
                its key is gone.
        """
        path = self._key_path()
        if not path.exists():
            if (self.root / "scans").is_dir():
                raise WorkspaceError("the workspace's key is gone; restore it or set key_file")
            make_key(path)
        return read_key(path)

    def _key_path(self) -> Path:
        if self.config.key_file:
            return (self.root / Path(self.config.key_file).expanduser()).resolve()
        return key_folder() / f"{self.config.id}.key"

    def clear_scratch(self) -> None:
        """Remove what an interrupted run left in the scratch folder; not while jobs of a cluster
        are at work, or have been: their results lie there until they are taken in."""
        from voxcurate.executors.shards.files import has_shards

        if has_shards(self.root):
            return
        shutil.rmtree(self.root / "tmp", ignore_errors=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held while a command writes; a second writer, on another machine too, is told who holds
        it. A killed holder's lock is free at once, that of a killed machine within a minute or two
        (`voxcurate.lock` has the rules).

        Raises:
            WorkspaceError: another process writes to this workspace.
        """
        from voxcurate.lock import locked

        with locked(self.root, catalog_url=self.config.catalog, name=self.config.id):
            yield
