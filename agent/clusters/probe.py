"""What a node is like, told by a small job on it: plain facts, compared by the driver later.

Runs on the node as a worker. It changes nothing but one file, which it leaves for the driver to
find: that both see it is the proof that they share a file system.
"""

import hashlib
import importlib.util
import locale
import os
import platform
import resource
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
PACKAGES = ("voxcurate", "agent", "retrieval", "cleaning", "labeling", "training", "configs")
ANSWER_S = 60.0  # for the driver's answer: caches of network file systems
HASHED_BYTES = 64 * 2**20  # of a file: larger ones are compared by name and size
GB = 1e9


def probe(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Facts about this machine and process.

    Args:
        asked: ``workspace`` (folder), ``token`` (in the driver's file there), ``folder`` (of the
            driver's and our file), ``packages`` (names), ``models`` (name to path), ``torch``
            (whether to try its devices), ``modules`` (to be found), ``database`` (URL) and
            ``key`` (path of the ids' key); these two empty: not to be tried.
    """
    workspace = Path(asked["workspace"])
    facts: dict[str, Any] = {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "code": code_mark(),
        "packages": packages(asked["packages"]),
        "modules": {name: _has_module(name) for name in asked["modules"]},
        "variables": {name: os.environ.get(name, "") for name in OFFLINE},
        "models": {name: files_mark(Path(path)) for name, path in asked["models"].items()},
        "locale": locale.getpreferredencoding(False),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "shm_gb": _free_gb(Path("/dev/shm"), total=True),
        "tmp_gb": _free_gb(Path(tempfile.gettempdir())),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": memory_gb(),
    }
    facts["workspace"] = _tried(lambda: shared(workspace, Path(asked["folder"]), asked["token"]))
    facts["disk_gb"] = _free_gb(workspace)
    if asked["torch"]:
        facts["devices"] = devices()
    if asked["database"]:
        facts["database"] = database(asked["database"], Path(asked["folder"]))
    if asked["key"]:
        facts["key"] = os.access(asked["key"], os.R_OK)
    return facts


def shared(workspace: Path, folder: Path, token: str) -> dict[str, Any]:
    """What this machine can do in the workspace; an OSError where it cannot see it.

    A file of ours is answered by one of the driver's with the time there: both see what the other
    writes, and how far the clocks are apart is known to half the time that the answer took.
    """
    seen = (folder / "driver").read_text(encoding="utf-8") == token
    mine = folder / f"ask.{secrets.token_hex(4)}"
    temporary = mine.with_name(f".{mine.name}.tmp")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(token)
        stream.flush()
        os.fsync(stream.fileno())
    before = time.time()
    temporary.replace(mine)
    told = _answer(folder, f"answer.{mine.suffix[1:]}")
    after = time.time()
    return {
        "sees": seen,
        "answered": told is not None,
        "ahead_s": None if told is None else (before + after) / 2 - told,
        "unsure_s": (after - before) / 2,
        "uid": os.getuid(),
        "readable": os.access(workspace / "config.yaml", os.R_OK),
        "writable": os.access(workspace, os.W_OK | os.X_OK),
    }


def _answer(folder: Path, name: str) -> float | None:
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        any(folder.iterdir())  # asks the file server anew
        try:
            return float((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            time.sleep(0.02)
    return None


def database(url: str, folder: Path) -> dict[str, str]:
    """Whether the driver could use a catalog from here. A SQLite file beside it is tried instead
    of the catalog itself: what can go wrong is the file system's locking."""
    import sqlalchemy as sa

    try:
        if url.startswith("sqlite"):
            place = folder / f"catalog.{socket.gethostname()}.{os.getpid()}.sqlite"
            url = f"sqlite:///{place}"
        engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)
        with engine.connect() as connection:
            if url.startswith("sqlite"):
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                connection.exec_driver_sql("CREATE TABLE tried (n INTEGER)")
            connection.exec_driver_sql("SELECT 1")
        engine.dispose()
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        return {"error": type(error).__name__}
    return {}


def devices() -> dict[str, Any]:
    """What torch sees, and whether it computes there."""
    try:
        import torch

        names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
        for n in range(len(names)):
            ones = torch.ones(64, 64, device=f"cuda:{n}")
            if float((ones @ ones).sum()) != 64.0**3:
                return {"error": f"device {n} computes wrongly", "names": names}
        memory = [torch.cuda.get_device_properties(n).total_memory / GB for n in range(len(names))]
    except Exception as error:  # noqa: BLE001 - drivers fail in many ways; the kind is told
        return {"error": type(error).__name__, "names": []}
    return {"names": names, "memory_gb": memory, "cuda": torch.version.cuda or ""}


def packages(names: Iterable[str]) -> dict[str, str]:
    """Their versions; empty: not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


@cache
def code_mark() -> str:
    """Hash of the text of our own packages: the same version number may be other code."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for root in sorted(spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(root).rglob("*")):
                if path.suffix in {".py", ".yaml"} and path.is_file():
                    digest.update(f"{package}/{path.relative_to(root).as_posix()}".encode())
                    digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def files_mark(path: Path) -> dict[str, Any]:
    """Number, bytes and hash of the files of a model; of large files name and size are hashed."""
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        digest, size = hashlib.sha256(), 0
        for each in files:
            n = each.stat().st_size
            digest.update(f"{each.relative_to(path).as_posix()} {n}".encode())
            size += n
            with each.open("rb") as stream:  # that it can be opened is part of the question
                if n <= HASHED_BYTES:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
    except OSError as error:
        return {"error": error.strerror or type(error).__name__}
    return {"files": len(files), "bytes": size, "mark": digest.hexdigest()[:16]}


def memory_gb() -> float:
    """What this process may use: the machine's, or the limit of its control group."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB]
    try:
        group = Path("/proc/self/cgroup").read_text(encoding="utf-8").strip().rpartition("::")[2]
        folder = Path("/sys/fs/cgroup") / group.lstrip("/")
        for place in (folder, *folder.parents):
            limit = place / "memory.max"
            if limit.is_file() and (text := limit.read_text(encoding="utf-8").strip()) != "max":
                limits.append(int(text) / GB)
    except (OSError, ValueError):
        pass
    return min(limits)


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _free_gb(path: Path, *, total: bool = False) -> float:
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return 0.0
    return (usage.total if total else usage.free) / GB


def _tried(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return ask()
    except OSError as error:
        return {"error": error.strerror or type(error).__name__}
