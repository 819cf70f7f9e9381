"""Records of who holds a workspace's lock: numbered files, made so that only one can make each."""

import errno
import json
import os
import re
import secrets
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

LENGTH = 1024  # bytes: rewritten in one piece
KEPT = 10  # old records: an old listing of the folder must not let a number be made twice
JOBS = {"SLURM_JOB_ID": "SLURM job", "RAY_JOB_ID": "Ray job", "PBS_JOBID": "PBS job"}


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        host: name of the machine, for people.
        machine: its boot and the namespace of process numbers: decides whether `pid` means
            something here.
        pid: of the process.
        start: when it was started, in the kernel's ticks: numbers of processes come back.
        command: first word of the command, without its arguments, for they may name patients.
        job: of a scheduler, for people.
        since: UTC.
        beat: grows while it lives.
        silent_s: by this machine's clock, since the record was written; not in the record.
    """

    host: str
    machine: str
    pid: int
    start: int
    command: str
    job: str
    since: str
    token: str
    beat: int = 0
    released: bool = False
    silent_s: float = field(default=0.0, compare=False)

    @property
    def is_here(self) -> bool:
        """Whether it is (or was) a process of this boot of this machine."""
        return self.machine == machine()

    def described(self) -> str:
        """``process 12 on node7, voxcurate round, SLURM job 5, since 2026-11-22 01:00:05 UTC``."""
        what = [f"process {self.pid} on {self.host}"]
        what += [f"voxcurate {self.command}"] if self.command else []
        what += [self.job] if self.job else []
        return ", ".join([*what, f"since {self.since}"])


def machine() -> str:
    """This boot of this machine, and this namespace of process numbers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return socket.gethostname()


def myself() -> Holder:
    """This process."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    found = next((v for v in JOBS if os.environ.get(v)), "")
    return Holder(
        host=socket.gethostname(),
        machine=machine(),
        pid=os.getpid(),
        start=_start(os.getpid()),
        command=word if re.fullmatch(r"[a-z][a-z-]{1,30}", word) else "",
        job=f"{JOBS[found]} {os.environ[found][:40]}" if found else "",
        since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        token=secrets.token_hex(8),
    )


def is_alive(holder: Holder) -> bool:
    """Whether a process of this machine is there, by its number and start; a zombie is not."""
    return _start(holder.pid) == holder.start != 0


def _start(pid: int) -> int:
    """When a process was started; 0: there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        state, *rest = text.rpartition(")")[2].split()
        return 0 if state in "ZX" else int(rest[18])
    except OSError:
        if Path("/proc/self/stat").exists():
            return 0
    try:
        os.kill(pid, 0)
    except OSError:
        return 0
    return 1


def newest(folder: Path) -> tuple[int, Holder | None]:
    """The highest number and its record; 0: there is none. A record of None is being written."""
    numbers = [int(p.stem) for p in folder.glob("*.json") if p.stem.isdigit()]
    if not numbers:
        return 0, None
    number = max(numbers)
    path = _path(folder, number)
    try:
        with path.open("rb") as stream:  # opening asks a file server anew
            content = json.loads(stream.read())
            age = time.time() - os.fstat(stream.fileno()).st_mtime
        names = {f.name for f in fields(Holder)} - {"silent_s"}
        known = {name: value for name, value in content.items() if name in names}
        return number, Holder(**known, silent_s=max(0.0, age))
    except (OSError, ValueError, TypeError, AttributeError):
        return number, None


def create(folder: Path, number: int, record: Holder) -> bool:
    """Make a record; False if it is there already."""
    path = _path(folder, number)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as stream:
            stream.write(_text(record))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:  # NFS: our own, when the answer was lost and the client asked again
            return temporary.stat().st_nlink == 2
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
                raise
            return _create_directly(path, record)  # no hard links here
        return True
    finally:
        temporary.unlink(missing_ok=True)


def _create_directly(path: Path, record: Holder) -> bool:
    try:
        with path.open("xb") as stream:
            stream.write(_text(record))
    except FileExistsError:
        return False
    return True


def rewrite(folder: Path, number: int, record: Holder) -> None:
    """Write a record of ours anew, in its place.

    Raises:
        FileNotFoundError: it is gone.
    """
    descriptor = os.open(_path(folder, number), os.O_WRONLY)
    try:
        os.pwrite(descriptor, _text(record), 0)
    finally:
        os.close(descriptor)


def tidy(folder: Path, number: int) -> None:
    """Remove records that nobody can need any more."""
    for path in folder.glob("*.json"):
        if path.stem.isdigit() and int(path.stem) <= number - KEPT:
            with suppress(OSError):
                path.unlink()


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:08d}.json"


def _text(record: Holder) -> bytes:
    content = {k: v for k, v in asdict(record).items() if k != "silent_s"}
    return json.dumps(content, ensure_ascii=True).encode().ljust(LENGTH - 1) + b"\n"
