"""The workspace: found, keyed, locked; files whole or not at all."""

import os
import stat

import pytest

from voxcurate.errors import WorkspaceError
from voxcurate.workspace import ENVIRONMENT, Workspace, write_text


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def test_found_by_flag_then_environment_then_parents(tmp_path, monkeypatch):
    one, two = Workspace.create(tmp_path / "one"), Workspace.create(tmp_path / "two")
    deep = one.root / "scans" / "x"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert Workspace.find().root == one.root
    monkeypatch.setenv(ENVIRONMENT, str(two.root))
    assert Workspace.find().root == two.root
    assert Workspace.find(one.root).root == one.root


def test_none_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkspaceError, match="VOXCURATE_WORKSPACE"):
        Workspace.find()
    with pytest.raises(WorkspaceError, match="voxcurate init"):
        Workspace.find(tmp_path)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(WorkspaceError, match="new or empty"):
        Workspace.create(tmp_path)


def test_creating_again_changes_nothing(tmp_path):
    first = Workspace.create(tmp_path / "w")
    again = Workspace.create(tmp_path / "w", preset="gpu")
    assert again.config == first.config
    assert again.key() == first.key()


def test_key_lies_outside_and_is_private(tmp_path):
    workspace = Workspace.create(tmp_path / "w")
    path = workspace._key_path()
    assert workspace.root not in path.parents
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(workspace.private.stat().st_mode) == 0o700
    path.chmod(0o644)
    with pytest.raises(WorkspaceError, match="mode 600"):
        workspace.key()


def test_a_lost_key_is_not_replaced_silently(tmp_path):
    workspace = Workspace.create(tmp_path / "w")
    (workspace.root / "scans").mkdir()
    workspace._key_path().unlink()
    with pytest.raises(WorkspaceError, match="key is gone"):
        workspace.key()


def test_one_writer_at_a_time(tmp_path):
    workspace = Workspace.create(tmp_path / "w")
    with (
        workspace.lock(),
        pytest.raises(WorkspaceError, match="another voxcurate"),
        Workspace(workspace.root).lock(),
    ):
        pass
    with workspace.lock():
        pass


def test_text_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_text(path, "before")

    def cut(_):
        raise OSError("power cut")

    monkeypatch.setattr(os, "fsync", cut)
    with pytest.raises(OSError, match="power cut"):
        write_text(path, "after")
    assert path.read_text() == "before"
