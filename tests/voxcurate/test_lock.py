"""The lock between processes, real ones; another machine is one whose flock we cannot see."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.voxcurate.postgres import new_database
from voxcurate import lock, lock_record
from voxcurate.errors import WorkspaceError
from voxcurate.lock import FOLDER, last_holder, locked
from voxcurate.lock_record import KEPT, create, myself, newest

PROCESS = """
import sys, time
from pathlib import Path
from voxcurate import lock, lock_record
from voxcurate.errors import WorkspaceError

root, machine, hold_s, times = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
sys.argv[1:] = ["round", "--secret", "Smith"]
lock.BEAT_S, lock.SILENCE_S, lock.LOOK_S = 0.1, 3.0, 0.1
if "deaf" in machine:
    lock.signal.signal(lock.signal.SIGINT, lock.signal.SIG_IGN)
lock_record.machine = lambda: machine
lock.FILE = f".lock.{machine}"  # flock is not seen by other machines
for n in range(times):
    try:
        with lock.locked(root):
            mine = root / f"in.{lock_record.os.getpid()}"
            for other in root.glob("in.*"):
                start = lock_record._start(int(other.suffix[1:]))
                if start and other != mine:
                    (root / "violation").write_text(f"{other.name} and {mine.name}")
            mine.touch()
            print("got", flush=True)
            deadline = time.monotonic() + hold_s
            while time.monotonic() < deadline:
                time.sleep(0.01)
            mine.unlink()
    except WorkspaceError as error:
        print("error", error, flush=True)
    time.sleep(0.05)
print("over", flush=True)
"""


@contextmanager
def process(root, machine, hold_s=60.0, times=1):
    run = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(root), machine, str(hold_s), str(times)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        yield run
    finally:
        run.kill()
        run.wait()
        run.stdout.close()


def said(run):
    return run.stdout.readline().strip()


def test_another_machine_is_refused_while_the_holder_lives(tmp_path):
    with process(tmp_path, "a") as first:
        assert said(first) == "got"
        with process(tmp_path, "b") as second:
            heard = said(second)
    assert heard.startswith("error another voxcurate command (process ")
    assert f"process {first.pid} on " in heard
    assert ", voxcurate round, since 20" in heard
    assert "Smith" not in heard


def test_a_holder_killed_on_another_machine_is_followed_when_it_was_silent_for_long(tmp_path):
    with process(tmp_path, "a") as first:
        assert said(first) == "got"
        first.send_signal(signal.SIGKILL)
        with process(tmp_path, "b") as second:
            assert said(second) == "got"
    assert newest(tmp_path / FOLDER)[0] == 2


def test_a_holder_killed_on_this_machine_is_followed_at_once(tmp_path, monkeypatch):
    with process(tmp_path, "a") as first:
        assert said(first) == "got"
        first.send_signal(signal.SIGKILL)
        first.wait()
    monkeypatch.setattr(lock_record, "machine", lambda: "a")
    monkeypatch.setattr(lock, "FILE", ".lock.a")
    monkeypatch.setattr(lock.time, "sleep", lambda _: pytest.fail("waited"))
    with locked(tmp_path):
        pass


def test_without_flock_the_process_number_and_start_decide(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_flock", lambda *_: False)
    with locked(tmp_path):
        with pytest.raises(WorkspaceError, match="another voxcurate"), locked(tmp_path):
            pass
        number, own = newest(tmp_path / FOLDER)
        assert create(tmp_path / FOLDER, number + 1, replace(own, start=own.start - 1))
        with locked(tmp_path):  # that number was another process's before
            assert newest(tmp_path / FOLDER)[0] == number + 2


def test_sigterm_frees_the_lock(tmp_path, monkeypatch):
    with process(tmp_path, "a") as first:
        assert said(first) == "got"
        first.terminate()
        first.wait()
    number, holder = newest(tmp_path / FOLDER)
    assert (number, holder.released) == (1, True)
    monkeypatch.setattr(lock.time, "sleep", lambda _: pytest.fail("waited"))
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("machine", ["a", "deaf"])  # deaf: of a shell's `command &`
def test_a_holder_that_slept_too_long_stops(tmp_path, machine):
    with process(tmp_path, machine) as first:
        assert said(first) == "got"
        first.send_signal(signal.SIGSTOP)
        with process(tmp_path, "b") as second:
            assert said(second) == "got"
            first.send_signal(signal.SIGCONT)
            heard = said(first)
            assert second.poll() is None
    assert heard.startswith("error this command was silent for too long")
    assert f"process {second.pid} on " in heard


def test_a_holder_that_finds_another_in_its_place_stops(tmp_path, monkeypatch):
    """Somebody removed the folder, and a second command made the first record anew."""
    monkeypatch.setattr(lock, "BEAT_S", 0.05)
    there = replace(myself(), machine="elsewhere")
    (tmp_path / "other").mkdir()

    def replaced():
        for _ in range(100):
            create(tmp_path / "other", 1, there)
            (tmp_path / "other/00000001.json").replace(tmp_path / FOLDER / "00000001.json")
            time.sleep(0.1)

    with pytest.raises(WorkspaceError, match="lost the workspace"), locked(tmp_path):
        replaced()


def test_record_removed_by_hand_is_made_again(tmp_path):
    with process(tmp_path, "a") as first:
        assert said(first) == "got"
        (tmp_path / FOLDER / "00000001.json").unlink()
        while not newest(tmp_path / FOLDER)[0]:
            time.sleep(0.01)
        assert newest(tmp_path / FOLDER)[1].pid == first.pid


def test_record_in_place_of_ours_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "BEAT_S", 60.0)
    with locked(tmp_path):
        shutil.rmtree(tmp_path / FOLDER)
        (tmp_path / FOLDER).mkdir()
        there = replace(myself(), machine="elsewhere")
        create(tmp_path / FOLDER, 1, there)
    assert newest(tmp_path / FOLDER)[1] == there


def test_child_that_outlives_its_holder_does_not_hold_the_lock(tmp_path):
    with locked(tmp_path):
        links = Path("/proc/self/fd").iterdir()
        (held,) = [int(p.name) for p in links if p.is_symlink() and same(p, tmp_path / ".lock")]
        child = subprocess.Popen(["sleep", "600"], pass_fds=[held])
    try:
        with locked(tmp_path):
            assert newest(tmp_path / FOLDER)[0] == 2
    finally:
        child.kill()
        child.wait()


def same(link, path):
    try:
        return link.readlink() == path
    except OSError:  # the listing's own
        return False


def test_of_many_that_find_a_dead_holder_one_takes_the_lock(tmp_path):
    (tmp_path / FOLDER).mkdir()
    dead = replace(myself(), machine="gone", pid=1)
    create(tmp_path / FOLDER, 1, dead)
    runs = []
    for n in range(6):
        context = process(tmp_path, f"m{n}")
        runs.append((context, context.__enter__()))
    try:
        heard = [said(run) for _, run in runs]
    finally:
        for context, _ in runs:
            context.__exit__(None, None, None)
    assert sum(line == "got" for line in heard) == 1
    assert sum(line.startswith("error another") for line in heard) == 5
    assert newest(tmp_path / FOLDER)[0] == 2


@pytest.mark.slow
def test_killed_at_any_point_there_are_never_two(tmp_path):
    """On three machines, two processes each, one killed after the other at random points."""
    rng = random.Random(5)
    kills, taken = 0, 0
    machines = [f"m{n % 3}" for n in range(6)]
    contexts = [process(tmp_path, m, 0.03, 10_000) for m in machines]
    runs = [context.__enter__() for context in contexts]
    deadline = time.monotonic() + 40
    try:
        while time.monotonic() < deadline and kills < 40:
            time.sleep(rng.random() * 0.6)
            n = rng.randrange(6)
            runs[n].kill()
            taken += runs[n].stdout.read().count("got")
            contexts[n].__exit__(None, None, None)
            contexts[n] = process(tmp_path, machines[n], 0.03, 10_000)
            runs[n] = contexts[n].__enter__()
            kills += 1
    finally:
        for context in contexts:
            context.__exit__(None, None, None)
    assert not (tmp_path / "violation").exists(), (tmp_path / "violation").read_text()
    assert taken > 10
    assert kills > 20
    assert len(list((tmp_path / FOLDER).glob("*.json"))) <= KEPT + 1


def test_a_stalled_file_server_is_not_a_silent_holder(tmp_path, monkeypatch):
    """Its looks hang for minutes, and the holder's beats too: that time does not count."""
    (tmp_path / FOLDER).mkdir()
    there = replace(myself(), machine="elsewhere")
    create(tmp_path / FOLDER, 1, there)
    clock, looks = [0.0], []

    def stalled(folder):
        looks.append(clock[0])
        clock[0] += 300.0 if len(looks) == 2 else 0.0
        beat = there.beat + (len(looks) > 3)  # goes on after the stall
        return 1, replace(there, beat=beat)

    monkeypatch.setattr(lock, "newest", stalled)
    monkeypatch.setattr(lock.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(lock.time, "sleep", lambda s: clock.__setitem__(0, clock[0] + s))
    with pytest.raises(WorkspaceError, match="another voxcurate"), locked(tmp_path):
        pass
    assert len(looks) > 3


def test_file_systems_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "not here")

    monkeypatch.setattr(os, "link", refuse)
    with locked(tmp_path):
        assert newest(tmp_path / FOLDER)[1].pid == os.getpid()
        assert not create(tmp_path / FOLDER, 1, myself())
    assert [p.name for p in (tmp_path / FOLDER).iterdir()] == ["00000001.json"]


def test_who_holds_it_can_be_asked(tmp_path, monkeypatch):
    assert last_holder(tmp_path) is None
    with locked(tmp_path):
        holder, lives = last_holder(tmp_path)
        assert (holder.pid, lives) == (os.getpid(), True)
    assert last_holder(tmp_path)[1] is False
    create(tmp_path / FOLDER, 2, replace(myself(), machine="elsewhere"))
    assert last_holder(tmp_path)[1] is True  # heard of a moment ago
    os.utime(tmp_path / FOLDER / "00000002.json", (1.0, 1.0))
    assert last_holder(tmp_path)[1] is None


def test_an_unreadable_record_is_waited_for(tmp_path, monkeypatch):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "00000001.json").write_text("{")
    monkeypatch.setattr(lock, "SILENCE_S", 0.05)
    monkeypatch.setattr(lock, "LOOK_S", 0.01)
    with locked(tmp_path):
        assert newest(tmp_path / FOLDER)[0] == 2


@pytest.mark.slow
def test_a_catalog_on_a_server_has_a_lock_of_its_own(tmp_path, postgres):
    url = new_database(postgres, "locks")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()  # a copy of the folder: no file tells
    with locked(tmp_path / "one", catalog_url=url, name="w"):
        second = locked(tmp_path / "two", catalog_url=url, name="w")
        with pytest.raises(WorkspaceError, match="another voxcurate"), second:
            pass
        with locked(tmp_path / "two", catalog_url=url, name="another workspace"):
            pass
    with locked(tmp_path / "two", catalog_url=url, name="w"):
        pass
