"""The workspace: found, keyed, locked; files whole or not at all."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from voxcurate.atomic import adopt_file, write_text
from voxcurate.errors import WorkspaceError
from voxcurate.workspace import ENVIRONMENT, Workspace


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


def test_where_no_folder_can_be_made_it_is_told(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(WorkspaceError, match="no folder can be made there: "):
        Workspace.create(tmp_path / "file" / "w")


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


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "00" * 16])
def test_a_damaged_key_is_refused(tmp_path, text):
    workspace = Workspace.create(tmp_path / "w")
    workspace._key_path().write_text(text)
    with pytest.raises(WorkspaceError, match="key is damaged: want 64"):
        workspace.key()


def test_a_workspace_cut_short_at_birth_is_completed(tmp_path):
    workspace = Workspace.create(tmp_path / "w")
    workspace._key_path().unlink()
    workspace.private.rmdir()
    again = Workspace.create(tmp_path / "w")
    assert len(again.key()) == 32
    assert stat.S_IMODE(again.private.stat().st_mode) == 0o700


def test_keys_made_at_once_are_one(tmp_path, monkeypatch):
    workspace = Workspace.create(tmp_path / "w")
    path = workspace._key_path()
    path.unlink()
    exists = type(path).exists
    monkeypatch.setattr(type(path), "exists", lambda p: p != path and exists(p))  # nobody sees it
    assert workspace.key() == workspace.key()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_key_of_a_workspace_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("not here")

    monkeypatch.setattr(os, "link", refuse)
    workspace = Workspace.create(tmp_path / "w")
    assert stat.S_IMODE(workspace._key_path().stat().st_mode) == 0o600


def test_the_lock_names_its_holder(tmp_path):
    workspace = Workspace.create(tmp_path / "w")
    with (
        workspace.lock(),
        pytest.raises(WorkspaceError, match=rf"\(process {os.getpid()} on .*, since 20"),
        Workspace(workspace.root).lock(),
    ):
        pass


HOLDER = """
import os, signal, sys
from pathlib import Path
from voxcurate.executors import LocalExecutor
from voxcurate.protocols import Task
from voxcurate.workspace import Workspace
if __name__ == "__main__":
    with Workspace(Path(sys.argv[1])).lock():
        tasks = [Task(str(n), "fine") for n in range(2)]
        outcomes = LocalExecutor(workers=2).run("tests.voxcurate.workers:obey", tasks)
        next(outcomes)
        child = os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "60")  # it outlives us
        Path(sys.argv[2]).write_text(str(child))
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_lock_of_a_killed_command_is_free_though_its_children_live(tmp_path):
    workspace = Workspace.create(tmp_path / "w")
    script = tmp_path / "holder.py"
    script.write_text(HOLDER)
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, str(script), str(workspace.root), str(tmp_path / "pid")],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
        timeout=60,
    )
    child = int((tmp_path / "pid").read_text())
    try:
        assert run.returncode == -signal.SIGKILL
        os.kill(child, 0)  # still there
        with workspace.lock():
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_folders_may_be_links_to_another_disk(tmp_path):
    workspace = Workspace.create(tmp_path / "w")
    disk = tmp_path / "disk"
    disk.mkdir()
    (workspace.root / "labels").symlink_to(disk)
    path = workspace.label_path("a_case", "liver", "l1")
    adopt_file(a_file(workspace.scratch / "t", "mask"), path)
    assert workspace.relative(path) == "labels/a_case/liver/l1.nii.gz"
    assert (disk / "a_case" / "liver" / "l1.nii.gz").read_text() == "mask"
    (tmp_path / "link").symlink_to(workspace.root)
    assert workspace.relative(tmp_path / "link" / "scans" / "x") == "scans/x"
    with pytest.raises(ValueError, match="subpath"):
        workspace.relative(tmp_path / "elsewhere")


def test_files_are_adopted_across_file_systems(tmp_path, monkeypatch):
    source = a_file(tmp_path / "scratch" / "t", "new")
    final = a_file(tmp_path / "final" / "f", "old")
    replace = type(source).replace

    def other_disk(path, target):
        if path.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(path, target)

    monkeypatch.setattr(type(source), "replace", other_disk)
    adopt_file(source, final)
    assert final.read_text() == "new"
    assert not source.exists()
    assert [p.name for p in final.parent.iterdir()] == ["f"]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    source = a_file(source, "newer")
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        adopt_file(source, final)
    assert final.read_text() == "new"
    assert [p.name for p in final.parent.iterdir()] == ["f"]


def test_folder_and_file_are_on_disk_before_they_count(tmp_path, monkeypatch):
    order = []
    fsync = os.fsync

    def note(descriptor):
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    final = tmp_path / "a" / "b" / "f"
    adopt_file(a_file(tmp_path / "t", "x"), final)
    names = [str(path.relative_to(tmp_path)) for path in order]
    assert names == [".", "a", "t", "a/b"]


def a_file(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_text_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_text(path, "before")

    def cut(_):
        raise OSError("power cut")

    monkeypatch.setattr(os, "fsync", cut)
    with pytest.raises(OSError, match="power cut"):
        write_text(path, "after")
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.glob("*.txt*")] == ["a.txt"]
    assert not list(tmp_path.glob(".*.tmp"))


def test_new_folder_is_its_owners_alone_and_one_that_was_there_stays_as_it_was(tmp_path):
    made = Workspace.create(tmp_path / "above" / "made").root
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    (tmp_path / "there").mkdir(mode=0o750)
    there = Workspace.create(tmp_path / "there").root
    assert stat.S_IMODE(there.stat().st_mode) == 0o750
