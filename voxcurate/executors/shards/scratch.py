"""The scratch folder of each job, and the files that results name.

Workers write their temporary files under names of their own into the folder that their payload
names. Two jobs may run the same item (a straggler's copy; a job that was given up and is not dead),
or an older form of it. Each job therefore has a folder of its own in the scratch folder, and its
payloads name that one instead. What an outcome names must still lie there when it is taken in: the
driver may have been killed after it had moved a file into place, and before it recorded that.
"""

import dataclasses
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from voxcurate.executors.worker import packed, resolve, unpacked


@dataclasses.dataclass(frozen=True)
class Call:
    """What a worker process of a job is asked for: a function, its payload pickled, and the scratch
    folder that the payload names, with the one to be used instead."""

    worker: str
    payload: bytes
    scratch: str
    own: str


@dataclasses.dataclass(frozen=True)
class Sealed:
    """A result pickled, for only the driver opens it; its temporary files with their sizes."""

    data: bytes
    files: tuple[tuple[str, int], ...] = ()

    def complete(self) -> bool:
        """Whether the files are there as they were left."""
        return all(size_of(path) == size for path, size in self.files)


def work(call: Call) -> Sealed:
    """Run a task in its job's own scratch folder. Its files are on disk, should the machine die
    before the driver adopts them."""
    payload = unpacked(call.payload, "payload")
    if call.own:
        payload = moved(payload, call.scratch, call.own)
    value = resolve(call.worker)(payload)
    files = sorted(set(named_files(value, call.own))) if call.own else []
    for path in files:
        _sync(path)
    return Sealed(packed(value, "result"), tuple((path, size_of(path)) for path in files))


def moved(value: Any, old: str, new: str) -> Any:
    """Plain data with every path in the folder `old` put into `new`, and `old` itself too.

    What already lies in `old` is somebody's input, and stays.
    """

    def put(path: str) -> str:
        if path == old:
            return new
        if path.startswith(old + os.sep) and not os.path.lexists(path):
            return new + path[len(old) :]
        return path

    return _mapped(value, put)


def named_files(value: Any, folder: str) -> list[str]:
    """The files and folders in `folder` that plain data names."""
    inside = folder + os.sep
    found: list[str] = []

    def see(path: str) -> str:
        if path.startswith(inside) and os.path.lexists(path):
            found.append(path)
        return path

    _mapped(value, see)
    return found


def size_of(path: str) -> int:
    """Bytes of a file, or of all files in a folder; -1 if it is not there."""
    try:
        if stat.S_ISDIR((info := os.stat(path)).st_mode):  # noqa: PTH116 - for each item, twice
            return sum(each.stat().st_size for each in _files(path))
    except OSError:
        return -1
    return info.st_size


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Plain data with its texts and paths changed; the same object where none is."""
    if type(value) is str:
        return change(value)
    if isinstance(value, Path):
        text = str(value)
        return value if (other := change(text)) == text else type(value)(other)
    if type(value) is dict:
        new = {k: _mapped(v, change) for k, v in value.items()}
        return new if any(new[k] is not v for k, v in value.items()) else value
    if isinstance(value, (list, tuple, set, frozenset)):
        return _mapped_all(value, change)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        old = {f.name: getattr(value, f.name, None) for f in dataclasses.fields(value) if f.init}
        new = {name: _mapped(each, change) for name, each in old.items()}
        changed = {name: each for name, each in new.items() if each is not old[name]}
        return dataclasses.replace(value, **changed) if changed else value
    return value


def _mapped_all(value: Any, change: Callable[[str], str]) -> Any:
    new = [_mapped(each, change) for each in value]
    if all(one is other for one, other in zip(new, value, strict=True)):
        return value
    kind = type(value)
    return kind(*new) if hasattr(value, "_fields") else kind(new)


def _files(folder: str) -> Iterator[Path]:
    return (path for path in Path(folder).rglob("*") if path.is_file())


def _sync(path: str) -> None:
    whole = Path(path)
    for each in _files(path) if whole.is_dir() else (whole,):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
