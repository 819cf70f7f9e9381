"""Keeps a foreign command and all that it starts together: ``python -m voxcurate.keeper ARGV...``.

Orphans of the command come to the keeper instead of init, so that no process can leave the tree by
detaching itself. When the command ends, or whoever started the keeper dies, all that is left of the
tree is asked to end, so that it can give back what outlives it (shared memory), and killed
`GRACE_S` later. Exit status: the command's; 127 if it cannot be started.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CANNOT_START = 127
CRASHED = 128  # plus the signal, as shells have it
STARTED_BY = "VOXCURATE_KEEPER_OF"  # variable with our parent's number: it may die before we begin
GRACE_S, LOOK_S = 5.0, 0.05


def main(arguments: list[str]) -> int:
    """Run a command until it ends or our parent does."""
    parent = int(os.environ.pop(STARTED_BY, os.getppid()))
    signal.signal(signal.SIGTERM, _leave)
    with suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return 1
    try:
        child = subprocess.Popen(arguments)
    except OSError:
        return CANNOT_START
    status = 0
    while True:
        pid, raw = os.wait()  # orphans are buried here too
        if pid == child.pid:
            status = os.waitstatus_to_exitcode(raw)
            break
    kill_rest()
    return status if status >= 0 else CRASHED - status


def kill_rest() -> None:
    """End and bury all that descends from this process, what comes to it meanwhile too."""
    deadline = time.monotonic() + GRACE_S
    asked: set[int] = set()
    while found := descendants(os.getpid()):
        is_late = time.monotonic() > deadline
        for pid in found if is_late else set(found) - asked:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if is_late else signal.SIGTERM)
        asked.update(found)
        for pid in found:
            with suppress(ChildProcessError):  # a grandchild: it comes to us when its parent goes
                os.waitpid(pid, 0 if is_late else os.WNOHANG)
        if not is_late:
            time.sleep(LOOK_S)


def descendants(pid: int) -> list[int]:
    """All that descends from a process, children first; none where there is no ``/proc``.

    Read from every process's status: ``/proc/<pid>/task/*/children`` is not in every kernel.
    """
    below: dict[int, list[int]] = {}
    with suppress(OSError):
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with suppress(OSError, IndexError, ValueError):
                    after_name = (folder / "stat").read_text().rpartition(")")[2].split()
                    if after_name[0] not in "ZX":  # no zombies
                        below.setdefault(int(after_name[1]), []).append(int(folder.name))
    found = list(below.get(pid, ()))
    for known in found:
        found += below.get(known, ())
    return found


def _leave(number: int, _: FrameType | None) -> None:
    kill_rest()
    os._exit(CRASHED + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
