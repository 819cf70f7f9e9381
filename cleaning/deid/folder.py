"""A folder of DICOM files de-identified into another, series by series; it goes on where it was
stopped."""

import fcntl
import mmap
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cleaning.deid.case import STATE, is_done, read_record, record_path
from cleaning.deid.config import DeidConfig
from cleaning.deid.folding import texts_in
from cleaning.deid.instance import DEID_VERSION
from cleaning.deid.pseudonyms import Pseudonyms, is_nobody
from cleaning.deid.rawdicom import leaves
from voxcurate.atomic import write_text
from voxcurate.errors import SourceError
from voxcurate.identifiers import Identifiers
from voxcurate.ids import content_id, keyed
from voxcurate.progress import progress
from voxcurate.protocols import EXECUTORS, Task, load

FEW_FILES = 500  # below it processes take longer to start than the work takes
WORKER = "cleaning.deid.case:deidentify_case"
_META_UID, _UID, _STUDY, _SERIES = 0x00020003, 0x00080018, 0x0020000D, 0x0020000E
_NAME, _ID, _BIRTH, _OTHER_IDS, _OTHER_NAMES = (
    0x00100010, 0x00100020, 0x00100030, 0x00101000, 0x00101001,
)  # fmt: skip
_WANTED = frozenset(
    {_META_UID, _UID, _STUDY, _SERIES, _NAME, _ID, _BIRTH, _OTHER_IDS, _OTHER_NAMES}
)


@dataclass(frozen=True)
class Found:
    """A DICOM file: its running number, its path and the ids in its header."""

    number: int
    path: Path
    ids: dict[int, str]


@dataclass
class Outcome:
    """What became of a folder: plain data without a value or path of the source.

    Attributes:
        cases: of each series, see `case.deidentify_case`.
        n_files: DICOM files found.
        n_others: files that are no DICOM; they are not copied.
        n_done_before: cases that an earlier run had done.
        places: running number to source and written file, "" if none; for the owner's eyes.
    """

    cases: list[dict[str, Any]] = field(default_factory=list)
    n_files: int = 0
    n_others: int = 0
    n_done_before: int = 0
    places: dict[int, tuple[Path, str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing leaked or could not be read; risky files left out are no failure."""
        return not any(c["leaks"] or c["refused"] or c.get("error") for c in self.cases)

    def summary(self) -> dict[str, Any]:
        """Counts and lists."""
        flags: dict[str, int] = defaultdict(int)
        for case in self.cases:
            for flag, n in case["flags"].items():
                flags[flag] += n
        return {
            "files": self.n_files,
            "not_dicom": self.n_others,
            "series": len(self.cases),
            "released": sum(case["released"] for case in self.cases),
            "written": sum(case["written"] for case in self.cases),
            "copies": sum(case["copies"] for case in self.cases),
            "done_before": self.n_done_before,
            "risky": _by_reason(self.cases, "risky"),
            "refused": _by_reason(self.cases, "refused"),
            "flags": dict(flags),
            "leaks": {c["case"]: c["leaks"] for c in self.cases if c["leaks"]},
            "failed": {c["case"]: c["error"] for c in self.cases if c.get("error")},
        }


def deidentify_folder(
    source: Path,
    out: Path,
    config: DeidConfig,
    key: bytes,
    *,
    workers: int = 0,
    quiet: bool = False,
) -> Outcome:
    """De-identify every DICOM file of a file or folder.

    Args:
        source: a file, or a folder with everything below it.
        out: a new folder, an empty one, or one that an earlier run wrote.
        config: what is kept.
        key: the project's secret.
        workers: processes; 0 for one per core, 1 for none but this one.
        quiet: no progress.

    Raises:
        SourceError: there is no DICOM file, or `out` holds something else.
    """
    _check(source, out)
    with _lock(out):
        shutil.rmtree(out / STATE / "work", ignore_errors=True)  # of a killed run
        outcome = Outcome()
        names = Pseudonyms(key)
        _check_key(out, names)
        files = list(_index(source, out, outcome, quiet=quiet))
        if not files:
            raise SourceError("no DICOM files there")
        outcome.n_files = len(files)
        cases = _cases(files, source, names)
        told = _told(files, names)
        todo = []
        for case, members in cases.items():
            shared = told[_person(members[0], names)]
            payload = _payload(case, members, shared, source, out, config, key)
            record = read_record(record_path(out, case))
            if is_done(out, record, payload["fingerprint"]):
                outcome.cases.append(record["result"])
                outcome.n_done_before += 1
            else:
                todo.append(Task(case, payload))
        outcome.cases += _work(todo, workers, quiet=quiet)
        outcome.cases.sort(key=lambda case: str(case["case"]))
        paths = {one.number: one.path for one in files}
        outcome.places = {number: (path, "") for number, path in paths.items()}
        for done in outcome.cases:
            for number, place, _ in done["outputs"]:
                outcome.places[number] = (paths[number], place)
        return outcome


def _work(todo: Sequence[Task], workers: int, *, quiet: bool) -> Iterator[dict[str, Any]]:
    sizes = {task.key: len(task.payload["files"]) for task in todo}
    is_small = not workers and sum(sizes.values()) < FEW_FILES
    serial = workers == 1 or len(todo) < 2 or is_small
    executor = load(EXECUTORS, "serial" if serial else "local")
    running = executor() if serial else executor(workers=workers)
    with progress("de-identify files", sum(sizes.values()), quiet=quiet) as bar:
        for done in running.run(WORKER, todo):
            if done.ok:
                yield done.value
            else:
                yield _failed(done.key, sizes[done.key], done.error)
            bar.advance(sizes[done.key])


def _failed(case: str, n_files: int, error: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"written": 0, "copies": 0, "released": False}
    lists: dict[str, Any] = {"refused": [], "risky": [], "leaks": [], "outputs": [], "flags": {}}
    return {"case": case, "files": n_files, "error": error, **nothing, **lists}


def _check(source: Path, out: Path) -> None:
    if not source.exists():
        raise SourceError("no such file or folder to de-identify")
    if out.exists() and not out.is_dir():
        raise SourceError("want a folder to write to, found a file")
    if out.resolve() == source.resolve():
        raise SourceError("want another folder to write to than the one that is read")
    if out.is_dir() and any(out.iterdir()) and not (out / STATE).is_dir():
        raise SourceError(
            "want a new or empty folder to write to, or one that this command wrote, found another"
        )


@contextmanager
def _lock(out: Path) -> Iterator[None]:
    """One command writes to a folder; a killed one's lock is free at once."""
    out.mkdir(parents=True, exist_ok=True)
    (out / STATE).mkdir(mode=0o700, exist_ok=True)
    with (out / STATE / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SourceError("another command is writing to this folder") from None
        yield


def _check_key(out: Path, names: Pseudonyms) -> None:
    """Refuse a folder that was written with another key: in it a patient would be two."""
    path, mark = out / STATE / "key", names.name("key of", "this folder")
    try:
        found = path.read_text(encoding="utf-8")
    except OSError:
        write_text(path, mark)
        return
    if found.strip() != mark:
        raise SourceError("want the key that this folder was written with, or a new folder")


def _index(source: Path, out: Path, outcome: Outcome, *, quiet: bool) -> Iterator[Found]:
    """DICOM files in the order of their paths, which gives them their numbers."""
    inside = out.resolve()
    if source.is_file():
        paths = [source]
    else:
        paths = sorted(
            Path(folder, name)
            for folder, _, names in os.walk(source)
            if not Path(folder).resolve().is_relative_to(inside)
            for name in names
        )
    number = 0
    with progress("read headers", len(paths), quiet=quiet) as bar:
        for path in paths:
            bar.advance()
            ids = _ids_of(path)
            if ids is None:
                outcome.n_others += 1
                continue
            number += 1
            yield Found(number, path, ids)


def _ids_of(path: Path) -> dict[int, str] | None:
    """The ids in a file's header; None if it is not DICOM. What cannot be opened counts as DICOM:
    it is told of later."""
    try:
        if not path.is_file():  # a pipe would wait for ever
            return None
        with path.open("rb") as stream:
            head = stream.read(144)
            if head[128:132] != b"DICM" and not _starts_like_dicom(head):
                return None
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _header_ids(data)
    except (OSError, ValueError):
        return {} if path.is_file() and not os.access(path, os.R_OK) else None


def _starts_like_dicom(head: bytes) -> bool:
    """A data set without preamble: its first tag is of a low group, its length is small."""
    group, element = head[:2], head[2:4]
    if group in (b"\x08\0", b"\x02\0"):
        small = head[6:8] == b"\0\0" or head[4:6].isalpha()
        return (
            element in (b"\0\0", b"\1\0", b"\5\0", b"\x08\0", b"\x10\0", b"\x16\0", b"\x12\0")
            and small
        )
    return group == b"\0\x08" and head[4:6].isalpha()


def _header_ids(data: Any) -> dict[int, str]:
    found: dict[int, str] = {}
    for leaf in leaves(data):
        if leaf.tag > _SERIES:
            break
        if leaf.tag in _WANTED and "[" not in leaf.place:
            found.setdefault(leaf.tag, list(texts_in(leaf.value))[-1].strip(" \0"))
    return found


def _cases(files: Sequence[Found], source: Path, names: Pseudonyms) -> dict[str, list[Found]]:
    """The files of each series, by its pseudonym."""
    cases: dict[str, list[Found]] = defaultdict(list)
    for one in files:
        folder = one.path.parent.relative_to(source if source.is_dir() else source.parent)
        person = one.ids.get(_ID, "")
        stands_for = one.ids.get(_SERIES) or f"{folder.as_posix()}"
        key = f"{'' if is_nobody(person) else person}|{one.ids.get(_STUDY, '')}|{stands_for}"
        cases[names.name("case", key)].append(one)
    return dict(cases)


def _person(one: Found, names: Pseudonyms) -> str:
    return names.patient(
        one.ids.get(_ID, ""), f"{one.ids.get(_NAME, '')}|{one.ids.get(_BIRTH, '')}"
    )


def _told(files: Sequence[Found], names: Pseudonyms) -> dict[str, Identifiers]:
    """What the headers of all files of a patient tell of him together, by his pseudonym."""
    members: dict[str, list[Found]] = defaultdict(list)
    for one in files:
        members[_person(one, names)].append(one)
    return {
        person: Identifiers(
            names=_several(several, _NAME, _OTHER_NAMES), ids=_several(several, _ID, _OTHER_IDS)
        )
        for person, several in members.items()
    }


def _several(files: Sequence[Found], *tags: int) -> tuple[str, ...]:
    values = (one.ids[tag] for one in files for tag in tags if tag in one.ids)
    return tuple(sorted({v.strip() for value in values for v in value.split("\\") if v.strip()}))


def _payload(
    case: str,
    members: Sequence[Found],
    shared: Identifiers,
    source: Path,
    out: Path,
    config: DeidConfig,
    key: bytes,
) -> dict[str, Any]:
    root = source if source.is_dir() else source.parent
    files, marks = [], []
    for one in members:
        place = one.path.relative_to(root)
        folder = place.parent.as_posix()
        stands_for = [f"{kind}:{folder}" for kind in ("folder", "study", "series")]
        files.append((one.number, os.fspath(one.path), *stands_for, f"file:{place.as_posix()}"))
        stat = one.path.stat()
        marks.append([place.as_posix(), stat.st_size, stat.st_mtime_ns])
    fingerprint = content_id(DEID_VERSION, config, marks, shared)
    return {
        "case": case,
        "out": os.fspath(out),
        "config": config.model_dump(),
        "key": key.hex(),
        "shared": shared.model_dump(mode="json"),
        "files": files,
        "fingerprint": keyed(f"deid:{fingerprint}", key, 26),
    }


def _by_reason(cases: Sequence[dict[str, Any]], kind: str) -> dict[str, list[int]]:
    """Running numbers of files by reason."""
    found: dict[str, list[int]] = defaultdict(list)
    for case in cases:
        for one in case[kind]:
            found[one["reason"]].append(one["file"])
    return {reason: sorted(numbers) for reason, numbers in sorted(found.items())}
