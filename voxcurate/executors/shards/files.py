"""A shard's folder: its tasks, what its jobs are to do, and what they have done.

::

    <workspace>/cluster/<stage>/<shard>/
        tasks.bin           the tasks, pickled once; whole or not there
        try.<n>.json        what the n-th job is to do, and its id at the scheduler
        outcomes.<n>.<k>.bin  what it did (`frames`); k counts its starts: schedulers repeat jobs
        beat.<n>.json       its sign of life
        stop.<n>            it is to stop: nobody wants it
        job.<n>.log         its stdout and stderr
        journal.json        what was learned of the items: which of them took jobs down

The driver writes tasks, tries, stops and the journal, a job its outcomes and beat; no file has two
writers, so that no lock is needed on a file system that may not have any.

What reports say is in tasks, outcomes and logs: the folders are their owner's alone. Tasks and
outcomes are pickles; whoever could write there could run code as their reader.
"""

import hashlib
import json
import os
import pickle
import re
import shutil
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from voxcurate.atomic import sync_folder, temporary_name, write_text
from voxcurate.errors import ClusterError
from voxcurate.ids import content_id
from voxcurate.protocols import Task

MAGIC = b"VXSHARD1"
FOOT = struct.Struct("<QQI")  # of the contents: where, length, CRC-32
IDENTITY = 16  # bytes
TASKS = "tasks.bin"
SHARDS = "cluster"  # the workspace's folder of all stages' shards
OWNERS_FOLDER, OWNERS_FILE = 0o700, 0o600


@dataclass(frozen=True)
class Entry:
    """A task in a shard: its name, identity, expected seconds, where its payload lies, and whether
    it is never begun beside itself."""

    key: str
    identity: bytes
    cost: float
    offset: int
    length: int
    single: bool = False


@dataclass(frozen=True)
class Contents:
    """What a shard holds, but for the payloads.

    Attributes:
        worker: ``"package.module:function"``.
        family: of tasks that the same code and settings made; jobs of another family are stale.
        settings: of the executor in the job.
        path: Python's module path of the driver, for what the nodes' own does not have.
    """

    worker: str
    family: str
    entries: tuple[Entry, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """What a job is to do.

    Attributes:
        todo: places in the shard; None: all.
        workers: processes.
        threads: of each.
        cpus: that the whole job asked for; 0: nobody told.
        gpus: the same.
        minutes: its wall time.
        careful: one item at a time, each known to be in hand before it is begun.
        copy: of items that another job has in hand too.
        scratch: the folder that payloads name, for which the job has one of its own; or empty.
        beat_s: between two signs of life.
        job: its id at the scheduler; empty until that is known.
    """

    todo: tuple[int, ...] | None = None
    workers: int = 1
    threads: int = 1
    cpus: int = 0
    gpus: float = 0.0
    minutes: float = 60.0
    careful: bool = False
    copy: bool = False
    scratch: str = ""
    beat_s: float = 10.0
    job: str = ""


def identity(worker: str, family: str, task: Task, blob: bytes) -> bytes:
    """What makes a task the same one for another driver process: worker, key and payload.

    Of plain data the canonical JSON counts, for equal data may be pickled differently (a set's
    order changes from process to process); of other data the pickle.
    """
    try:
        text = content_id(worker, family, task.key, task.payload, digits=2 * IDENTITY)
    except (TypeError, ValueError, RecursionError):
        start = f"{worker}\n{family}\n{task.key}\n".encode()
        return hashlib.sha256(start + blob).digest()[:IDENTITY]
    return bytes.fromhex(text)


class ShardFolder:
    """Reads and writes the files of one shard."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """Of the shard."""
        return self.path.name

    def contents(self) -> Contents | None:
        """What it holds; None if its tasks were never finished, are damaged, or were written by
        another version of this code.

        Raises:
            OSError: it cannot be read (now).
        """
        try:
            with (self.path / TASKS).open("rb") as stream:
                if stream.read(len(MAGIC)) != MAGIC:
                    return None
                size = os.fstat(stream.fileno()).st_size
                stream.seek(max(0, size - FOOT.size))
                where, length, check = FOOT.unpack(stream.read(FOOT.size))
                if where + length + FOOT.size != size:
                    return None
                stream.seek(where)
                data = stream.read(length)
        except (FileNotFoundError, struct.error):
            return None
        if zlib.crc32(data) != check:
            return None
        try:
            found = pickle.loads(data)  # noqa: S301 - our own file
        except Exception:  # noqa: BLE001 - of code that is not there any more
            return None
        return found if isinstance(found, Contents) else None

    def payload(self, entry: Entry) -> bytes:
        """A task's payload, pickled."""
        with (self.path / TASKS).open("rb") as stream:
            stream.seek(entry.offset)
            return stream.read(entry.length)

    def tries(self) -> list[int]:
        """Numbers of its jobs so far."""
        found = (re.fullmatch(r"try\.(\d+)\.json", name) for name in self._names())
        return sorted(int(match[1]) for match in found if match)

    def order(self, number: int) -> Order | None:
        """What a job is to do; None if nobody knows."""
        data = _read_json(self.path / f"try.{number}.json")
        if data is None:
            return None
        todo = data.pop("todo", None)
        try:
            return Order(todo=None if todo is None else tuple(todo), **data)
        except TypeError:  # of another version of this code
            return None

    def write_order(self, number: int, order: Order) -> None:
        """Say what a job is to do."""
        write_text(self.path / f"try.{number}.json", json.dumps(asdict(order)))

    def outcomes(self, number: int) -> list[Path]:
        """Files of what a job did, in the order of its starts."""
        pattern = re.compile(rf"outcomes\.{number}\.(\d+)\.bin")
        found = [(int(m[1]), name) for name in self._names() if (m := pattern.fullmatch(name))]
        return [self.path / name for _, name in sorted(found)]

    def new_outcomes(self, number: int) -> Path:
        """Where a job that starts now is to write."""
        return self.path / f"outcomes.{number}.{len(self.outcomes(number))}.bin"

    def beat(self, number: int) -> str:
        """A job's last sign of life; empty if it gave none."""
        with suppress(OSError):
            return (self.path / f"beat.{number}.json").read_text(encoding="utf-8")
        return ""

    def write_beat(self, number: int, signs: Mapping[str, Any]) -> None:
        """Give a sign of life.

        Raises:
            OSError: the folder is gone, or cannot be written to.
        """
        path = self.path / f"beat.{number}.json"
        beside = temporary_name(path)
        beside.write_text(json.dumps(signs), encoding="utf-8")
        beside.replace(path)

    def stop(self, number: int) -> None:
        """Tell a job to stop, wherever it runs."""
        with suppress(OSError):
            (self.path / f"stop.{number}").touch()

    def stopped(self, number: int) -> bool:
        """Whether a job is to stop: nobody wants it, or the whole shard. Not because a file server
        is away for a while."""
        try:
            return not (self.path / TASKS).exists() or (self.path / f"stop.{number}").exists()
        except OSError:
            return False

    def journal(self) -> dict[str, Any]:
        """What was learned of the items."""
        return _read_json(self.path / "journal.json") or {}

    def write_journal(self, journal: Mapping[str, Any]) -> None:
        """Keep what was learned."""
        write_text(self.path / "journal.json", json.dumps(journal))

    def log(self, number: int) -> Path:
        """What a job said."""
        return self.path / f"job.{number}.log"

    def remove(self) -> None:
        """Take it away, the tasks first: a job that still runs then stops by itself."""
        with suppress(OSError):
            (self.path / TASKS).unlink()
        shutil.rmtree(self.path, ignore_errors=True)

    def _names(self) -> list[str]:
        try:
            return [path.name for path in self.path.iterdir()]
        except FileNotFoundError:
            return []


class ShardWriter:
    """Writes a shard's tasks as they come, so that only one payload is in memory."""

    def __init__(self, folder: ShardFolder) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        owners_folder(folder.path)
        self._temporary = temporary_name(folder.path / TASKS)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._stream = os.fdopen(os.open(self._temporary, flags, OWNERS_FILE), "wb")
        self._stream.write(MAGIC)

    def add(self, task: Task, cost: float, name: bytes, blob: bytes) -> None:
        """Append a task."""
        place = self._stream.tell()
        self.entries.append(Entry(task.key, name, cost, place, len(blob), task.single))
        self._stream.write(blob)

    def finish(self, contents: Contents) -> None:
        """The shard is there, with what lies in it on disk: a job on another machine reads it."""
        data = pickle.dumps(contents)
        where = self._stream.tell()
        self._stream.write(data + FOOT.pack(where, len(data), zlib.crc32(data)))
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._temporary.replace(self.folder.path / TASKS)
        sync_folder(self.folder.path)

    def discard(self) -> None:
        """As if it had never been begun."""
        self._stream.close()
        shutil.rmtree(self.folder.path, ignore_errors=True)


def shards_in(folder: Path) -> list[ShardFolder]:
    """The shards of a stage, in the order in which they were cut; also half-written ones."""
    try:
        found = sorted(path for path in folder.iterdir() if re.match(r"\d+-", path.name))
    except FileNotFoundError:
        return []
    return [ShardFolder(path) for path in found]


def has_shards(root: Path) -> bool:
    """Whether a workspace has any: their results' files are in scratch."""
    return any((root / SHARDS).glob(f"*/*/{TASKS}"))


@contextmanager
def usable() -> Iterator[None]:
    """Inside, a full disk or a folder that refuses is one clear error.

    Raises:
        ClusterError: a file cannot be read or written.
    """
    try:
        yield
    except OSError as problem:
        why = os.strerror(problem.errno) if problem.errno else type(problem).__name__
        raise ClusterError(
            f"the workspace's folder for shards of work cannot be used: {why}"
        ) from None


def log_name(key: str) -> str:
    """The name, without its ending, under which the log of a quarantined item is kept."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in key)


def part(entries: Sequence[Entry], todo: tuple[int, ...] | None) -> tuple[int, ...]:
    """The places that an order means."""
    return tuple(range(len(entries))) if todo is None else todo


def owners_folder(folder: Path) -> None:
    """Make a folder, and those above it that are not there, for nobody but their owner."""
    if folder.is_dir():
        return
    owners_folder(folder.parent)
    folder.mkdir(mode=OWNERS_FOLDER, exist_ok=True)
    sync_folder(folder.parent)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return data if isinstance(data, dict) else None
