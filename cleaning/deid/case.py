"""One series: de-identified beside its place, searched, and only then put there."""

import ctypes
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cleaning.deid.config import DeidConfig
from cleaning.deid.errors import RefusedError, RiskyError
from cleaning.deid.filescan import FileScan
from cleaning.deid.identities import Identities
from cleaning.deid.instance import Deidentifier, Instance, Origin
from cleaning.deid.pseudonyms import Pseudonyms
from voxcurate.atomic import make_folder, sync_folder, write_text
from voxcurate.identifiers import Identifiers

STATE = ".voxcurate-deid"


def deidentify_case(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: the files of one series, written, searched and released, or not.

    Args:
        payload: ``case`` (its id), ``out``, ``config``, ``key`` (hex), ``shared`` (what the
            patient's headers tell), ``files`` (running number, path and stand-in ids of each),
            ``fingerprint`` of all that.

    Returns:
        Plain data without a value or path of the source: what was written, refused and found.
    """
    return _Case(payload).run()


class _Case:
    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._given = payload
        self._out = Path(payload["out"])
        self._work = self._out / STATE / "work" / payload["case"]
        self._config = DeidConfig.model_validate(payload["config"])
        key = bytes.fromhex(payload["key"])
        self._names = Pseudonyms(key)
        shared = Identifiers.model_validate(payload["shared"])
        self._deidentifier = Deidentifier(self._config, key, shared)
        self._known = Identities(keep_words=self._config.keep_words)
        self._known.add_known((*shared.names, *shared.physicians), shared.ids, shared.dates)
        self._written: dict[Path, tuple[int, tuple[str, ...]]] = {}
        self._shift = 0
        self._result: dict[str, Any] = {
            "case": payload["case"],
            "files": len(payload["files"]),
            "written": 0,
            "copies": 0,
            "released": False,
            "refused": [],
            "risky": [],
            "flags": {},
            "leaks": [],
            "outputs": [],
        }

    def run(self) -> dict[str, Any]:
        shutil.rmtree(self._work, ignore_errors=True)
        for number, path, *origin in self._given["files"]:
            self._file(number, path, Origin(*origin))
        leaks = list(self._leaks())
        result = self._result
        if leaks:
            result["leaks"] = leaks
        else:
            self._release()
        shutil.rmtree(self._work, ignore_errors=True)
        self._record()
        return result

    def _file(self, number: int, path: str, origin: Origin) -> None:
        try:
            data = Path(path).read_bytes()
        except OSError as problem:
            why = f"cannot be opened: {problem.strerror}"
            self._result["refused"].append({"file": number, "reason": why})
            return
        self._known.add_file(data)
        try:
            found = self._deidentifier.run(data, origin)
        except RiskyError as problem:
            self._result["risky"].append({"file": number, "reason": str(problem)})
        except RefusedError as problem:
            self._result["refused"].append({"file": number, "reason": str(problem)})
        else:
            self._shift = found.shift_days
            self._write(number, found)

    def _write(self, number: int, found: Instance) -> None:
        place = self._place(found)
        target = self._work / place
        if place in self._written:
            if target.read_bytes() == b"".join(found.content):
                self._result["copies"] += 1
            else:
                why = "another file of the series has the same SOP Instance UID"
                self._result["refused"].append({"file": number, "reason": why})
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            stream.writelines(found.content)
        self._written[place] = (number, found.flags)

    def _place(self, found: Instance) -> Path:
        study = self._names.name("study", found.study)
        series = self._names.name("series", found.series)
        own = self._names.name("instance", found.uid)[:8]
        return Path(found.patient, study, series, f"{found.number:05d}_{own}.dcm")

    def _leaks(self) -> Iterator[dict[str, Any]]:
        """What the search finds in the written files, read back."""
        self._known.finish(self._shift)
        scan = FileScan(self._known, private_allowed=self._config.keep_safe_private)
        for place, (number, _) in self._written.items():
            finds = scan.scan((self._work / place).read_bytes()) + scan.name(place.as_posix())
            for find in dict.fromkeys(finds):
                yield {"file": number, "where": find.where, "kind": find.kind}

    def _release(self) -> None:
        _sync([self._work / place for place in self._written])
        for folder in sorted({place.parent for place in self._written}):
            final = self._out / folder
            make_folder(final.parent)
            if not final.exists():
                (self._work / folder).rename(final)
            else:
                for one in sorted((self._work / folder).iterdir()):
                    one.replace(final / one.name)
                sync_folder(final)
            sync_folder(final.parent)
        flags = [flag for _, several in self._written.values() for flag in several]
        self._result |= {
            "released": bool(self._written),
            "written": len(self._written),
            "flags": {flag: flags.count(flag) for flag in dict.fromkeys(flags)},
            "outputs": [
                [number, place.as_posix(), (self._out / place).stat().st_size]
                for place, (number, _) in self._written.items()
            ],
        }

    def _record(self) -> None:
        """Say that the case is done, and take away what an earlier run wrote of it and this did
        not."""
        path = record_path(self._out, self._given["case"])
        before = read_record(path)
        now = {place for _, place, _ in self._result["outputs"]}
        for _, place, _ in before.get("result", {}).get("outputs", []):
            if place not in now:
                (self._out / place).unlink(missing_ok=True)
        record = {"fingerprint": self._given["fingerprint"], "result": self._result}
        write_text(path, json.dumps(record))


def _sync(paths: Sequence[Path]) -> None:
    """Put written files on disk; all at once where the system can, for one by one each waits for
    the disk."""
    if not paths:
        return
    try:
        descriptor = os.open(paths[0].parent, os.O_RDONLY)
        try:
            if ctypes.CDLL(None).syncfs(descriptor) == 0:
                return
        finally:
            os.close(descriptor)
    except (OSError, AttributeError):  # not Linux
        pass
    for path in paths:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def record_path(out: Path, case: str) -> Path:
    """Where a finished case is recorded."""
    return out / STATE / "cases" / f"{case}.json"


def read_record(path: Path) -> dict[str, Any]:
    """A case's record; empty if there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_done(out: Path, record: Mapping[str, Any], fingerprint: str) -> bool:
    """Whether a record is of this very case and all that it wrote is there."""
    if record.get("fingerprint") != fingerprint:
        return False
    for _, place, size in record["result"]["outputs"]:
        try:
            if (out / place).stat().st_size != size:
                return False
        except OSError:
            return False
    return True
