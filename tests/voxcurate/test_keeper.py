"""Commands under a keeper: how they end, and with whom."""

import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from voxcurate.chat.hosted import kept

SHARING = """
import sys, time
from multiprocessing.shared_memory import SharedMemory
memory = SharedMemory(create=True, size=10, name=sys.argv[1])
time.sleep(600)
"""
DYING = """
import os, sys
from voxcurate.chat.hosted import kept
command = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
keeper = kept([sys.executable, "-c", command, sys.argv[1]], dict(os.environ))
print(keeper.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def is_there(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_what_is_ended_leaves_no_shared_memory():
    name = f"voxcurate_{secrets.token_hex(4)}"
    keeper = kept([sys.executable, "-c", SHARING, name], os.environ)
    segment = Path("/dev/shm") / name
    while not segment.exists():
        assert keeper.poll() is None
        time.sleep(0.02)
    keeper.terminate()
    keeper.wait()
    is_left = segment.exists()
    segment.unlink(missing_ok=True)
    assert not is_left


def test_what_does_not_want_to_end_is_killed(tmp_path):
    words = "trap '' TERM; touch {}; while :; do sleep 0.1; done"
    keeper = kept(["sh", "-c", words.format(tmp_path / "on")], os.environ)
    while not (tmp_path / "on").exists():
        time.sleep(0.02)
    keeper.terminate()
    assert keeper.wait() == 128 + signal.SIGTERM


def test_starter_that_died_before_the_keeper_began(tmp_path):
    program = [sys.executable, "-c", DYING, str(tmp_path / "on")]
    run = subprocess.run(program, stdout=subprocess.PIPE, check=False, text=True)
    pid = int(run.stdout)
    while is_there(pid) and not (tmp_path / "on").exists():
        time.sleep(0.02)
    is_left = is_there(pid)
    if is_left:
        os.kill(pid, signal.SIGTERM)
    assert not is_left
