"""Looking at a catalog that another machine writes to."""

from pathlib import Path

import pytest

from agent.clusters import reading
from agent.clusters.reading import Copies, looking
from agent.commands import opened
from tests.agent.clusters.conftest import scan
from voxcurate.catalog import Scan
from voxcurate.errors import WorkspaceError


@pytest.fixture
def elsewhere(monkeypatch):
    monkeypatch.setattr(reading, "_is_driven_elsewhere", lambda _: True)


def test_rows_that_are_not_merged_yet_are_read_from_a_copy(workspace, catalog, elsewhere):
    with catalog.write() as writer:
        writer.add(scan(77))
    with looking(workspace.root) as (_, seen):
        assert seen.count(Scan) == 11
        assert Path(str(seen.engine.url.database)).parent != workspace.root


def test_who_may_only_read_sees_a_copy_and_may_not_write(workspace, catalog, monkeypatch):
    monkeypatch.setattr(reading, "is_writable", lambda _: False)
    before = sorted(workspace.root.rglob("*"))
    with opened(workspace.root) as (_, seen):
        assert seen.count(Scan) == 10
        assert Path(str(seen.engine.url.database)).parent != workspace.root
    with (
        pytest.raises(WorkspaceError, match="cannot be written to from here"),
        opened(workspace.root, write=True),
    ):
        raise AssertionError("it was opened")
    assert sorted(workspace.root.rglob("*")) == before


def test_a_copy_is_kept_for_a_while_then_made_anew(workspace, catalog, elsewhere, monkeypatch):
    copies = Copies()

    def seen():
        with looking(workspace.root, copies) as (_, found):
            return found.count(Scan)

    monkeypatch.setattr(reading, "PAUSE", 1e9)
    assert seen() == 10
    with catalog.write() as writer:
        writer.add(scan(77))
    assert seen() == 10
    copies._due = 0.0
    assert seen() == 11
    assert len(list(Path(copies._folder.name).iterdir())) == 1
