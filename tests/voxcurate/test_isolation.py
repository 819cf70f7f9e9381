"""Work that hangs, eats memory or crashes in a process of its own, and leaves nothing behind."""

import os
import sys
import time
from pathlib import Path

import pytest

from voxcurate.errors import (
    ConfigError,
    CurationError,
    GeometryError,
    ItemTimeoutError,
    WorkerCrashError,
)
from voxcurate.isolation import Isolated, keep, tree_mb
from voxcurate.keeper import descendants

HERE = "tests.voxcurate.test_isolation"


def double(payload):
    return {"twice": 2 * payload, "pid": os.getpid()}


def wrong(payload):
    raise GeometryError("want a cube", case_id="c")


def bug(payload):
    raise KeyError("DOE_JANE")


def hang(payload):
    Path(payload).write_text(str(os.getpid()))
    time.sleep(600)


def eat(payload):
    eaten = []
    while True:
        eaten.append(bytearray(20 << 20))
        time.sleep(0.01)


def die(payload):
    os._exit(7)


def keeps(payload):
    """Runs a command under a keeper, as a predictor does."""
    folder = Path(payload["folder"])
    return keep(payload["argv"], environment={"PATH": os.environ["PATH"]}, folder=folder,
                log=folder / "log.txt")  # fmt: skip


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pid, patience_s=10.0):
    deadline = time.monotonic() + patience_s
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not running(pid)


def pids(path, n, patience_s=20.0):
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = path.read_text().split() if path.exists() else []
        if len(found) >= n:
            return [int(word) for word in found]
        time.sleep(0.05)
    raise AssertionError("the command did not start")


@pytest.fixture
def isolated():
    made = Isolated()
    yield made
    made.close()


def call(isolated, name, payload, **limits):
    limits.setdefault("time_limit_s", 60)
    return isolated.call(f"{HERE}:{name}", payload, **limits)


def test_the_process_stays_for_the_next_call(isolated):
    one, two = call(isolated, "double", 2), call(isolated, "double", 5)
    assert (one.value["twice"], two.value["twice"]) == (4, 10)
    assert one.value["pid"] == two.value["pid"] != os.getpid()
    assert one.peak_mb > 5


def test_errors_keep_their_kind_and_harm_nothing(isolated):
    with pytest.raises(GeometryError, match="want a cube"):
        call(isolated, "wrong", None)
    with pytest.raises(CurationError) as found:
        call(isolated, "bug", None)
    assert "KeyError" in str(found.value)
    assert "DOE" not in str(found.value)
    assert call(isolated, "double", 1).value["twice"] == 2


def test_one_that_hangs_is_killed_and_the_next_call_works(isolated, tmp_path):
    with pytest.raises(ItemTimeoutError, match="took longer than"):
        call(isolated, "hang", str(tmp_path / "pid"), time_limit_s=0.5)
    assert gone(int((tmp_path / "pid").read_text()))
    assert call(isolated, "double", 1).value["twice"] == 2


def test_one_that_eats_memory_is_killed(isolated):
    with pytest.raises(WorkerCrashError, match="300 MB"):
        call(isolated, "eat", None, memory_limit_mb=300)
    assert call(isolated, "double", 1).value["twice"] == 2


def test_one_that_dies_is_told(isolated):
    with pytest.raises(WorkerCrashError, match="exit status 7"):
        call(isolated, "die", None)
    assert call(isolated, "double", 1).value["twice"] == 2


# a shell that starts one process, and one that leaves the tree (setsid, parent gone)
RUNAWAY = "sleep 600 & echo $! >> {0}; (setsid sleep 601 & echo $! >> {0}); echo $$ >> {0}; {1}"


def test_a_command_takes_all_that_it_started_with_it(isolated, tmp_path):
    argv = ["sh", "-c", RUNAWAY.format(tmp_path / "pids", "exit 3")]
    outcome = call(isolated, "keeps", {"argv": argv, "folder": str(tmp_path)})
    assert outcome.value == 3
    assert all(gone(pid) for pid in pids(tmp_path / "pids", 3))


def test_a_command_over_its_time_is_killed_with_all_that_it_started(isolated, tmp_path):
    argv = ["sh", "-c", RUNAWAY.format(tmp_path / "pids", "sleep 602")]
    with pytest.raises(ItemTimeoutError):
        call(isolated, "keeps", {"argv": argv, "folder": str(tmp_path)}, time_limit_s=1.5)
    assert all(gone(pid) for pid in pids(tmp_path / "pids", 3))


def test_memory_counts_over_the_whole_tree(isolated, tmp_path):
    code = "import os, sys, time\neaten = bytearray(120 << 20)\n"
    code += "open(sys.argv[1], 'a').write(f'{os.getpid()} ')\ntime.sleep(600)\n"
    script = tmp_path / "eat.py"
    script.write_text(code)
    one = f"{sys.executable} {script} {tmp_path / 'pids'}"
    argv = ["sh", "-c", f"{one} & {one} & wait"]
    with pytest.raises(WorkerCrashError, match="MB"):
        call(isolated, "keeps", {"argv": argv, "folder": str(tmp_path)}, memory_limit_mb=280)
    assert all(gone(pid) for pid in pids(tmp_path / "pids", 1))


def test_the_keeper_cleans_up_when_its_parent_dies(isolated, tmp_path):
    """As after ``kill -9`` of the process that predicts."""
    import signal
    import threading

    argv = ["sh", "-c", RUNAWAY.format(tmp_path / "pids", "sleep 602")]
    found = []

    def work():
        try:
            call(isolated, "keeps", {"argv": argv, "folder": str(tmp_path)})
        except CurationError as error:
            found.append(str(error))

    # the process is started here: it dies with the thread that started it
    call(isolated, "double", 1)
    thread = threading.Thread(target=work)
    thread.start()
    started = pids(tmp_path / "pids", 3)
    os.kill(isolated._process.process.pid, signal.SIGKILL)
    thread.join(20)
    assert "died" in found[0]
    assert all(gone(pid) for pid in started)


def test_no_such_program_is_told_without_its_folder(tmp_path):
    with pytest.raises(ConfigError, match="no program 'segment'") as found:
        keep(["doe/segment"], environment={"PATH": ""}, folder=tmp_path, log=tmp_path / "l")
    assert "doe" not in str(found.value)


def test_memory_of_this_process():
    assert 5 < tree_mb(os.getpid()) < 100_000
    assert os.getpid() in descendants(os.getppid())
