"""Both databases for tests of whole workspaces: fixtures, to be had from every folder of tests."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.voxcurate.postgres import new_database, server
from voxcurate.atomic import write_text
from voxcurate.config import dump_yaml
from voxcurate.workspace import CONFIG_NAME, Workspace

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
_numbers = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of this session's own."""
    with server() as url:
        yield url


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database, of each kind that the catalog knows."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    return new_database(request.getfixturevalue("postgres"), name())


@pytest.fixture(params=KINDS)
def each_database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs once with workspaces whose catalog is a file, once with a server's."""
    if request.param == "postgresql":
        use_server(monkeypatch, request.getfixturevalue("postgres"))
    return str(request.param)


def use_server(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Every workspace made from now on has a database of its own on a server."""
    create: Callable[..., Workspace] = Workspace.create.__func__  # type: ignore[attr-defined]

    def on_server(cls: type[Workspace], /, root: Path, **options: Any) -> Workspace:
        made = create(cls, root, **options)
        if not made.config.catalog:
            _catalog(made, new_database(url, name()))
        return cls(root)

    monkeypatch.setattr(Workspace, "create", classmethod(on_server))


def copy_workspace(source: Path, target: Path) -> None:
    """Another workspace with the same content. The source is not in use."""
    shutil.copytree(source, target)
    url, _, old = Workspace(source).config.catalog.rpartition("/")
    if url:
        _catalog(Workspace(target), new_database(url, name(), old))


def name() -> str:
    """Of a new database."""
    return f"test_{next(_numbers)}"


def _catalog(workspace: Workspace, url: str) -> None:
    changed = workspace.config.model_copy(update={"catalog": url})
    write_text(workspace.root / CONFIG_NAME, dump_yaml(changed))
