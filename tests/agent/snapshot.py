"""What a workspace holds, without times and costs, so that two runs can be compared."""

import gzip
import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from voxcurate.catalog import Catalog
from voxcurate.catalog.schema import TABLES
from voxcurate.predictions import open_prediction
from voxcurate.workspace import Workspace

VOLATILE = {
    "created",
    "updated",
    "started",
    "finished",
    "cost",
    "seconds",
    "peak_mb",
    "cores",
    "gpus",
    "attempts",
    "versions",
}
# what this start of it did, and where
OF_THE_RUN = {"eta_s", "peak_mb", "hours", "changed", "executor"}
FOLDERS = ("scans", "labels", "predictions", "attention", "models", "review")


def snapshot(root: Path) -> dict[str, Any]:
    """Tables and file hashes of a workspace."""
    catalog = Catalog(Workspace(root).catalog_url)
    tables: dict[str, list[dict[str, Any]]] = {}
    for kind, table in TABLES.items():
        records: list[Any] = catalog.rows(kind)
        tables[table.name] = [_row(record) for record in records]
    catalog.close()
    tables["measure"] = [row for row in tables["measure"] if row["name"] != "wall_s"]
    return {**tables, "files": _files(root)}


def _row(record: Any) -> dict[str, Any]:
    return {k: _plain(v) for k, v in asdict(record).items() if k not in VOLATILE}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: _plain(v) for k, v in value.items() if "seconds" not in k and k not in OF_THE_RUN
        }
    return value


def _files(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(_content(path)).hexdigest()
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }


def _content(path: Path) -> bytes:
    """What a file says: ISA-L may pack the same bytes in two ways."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix != ".vxp":
        return path.read_bytes()
    found = open_prediction(path)
    facts = (found.shape, found.affine.tolist(), found.model_id, found.model_sha256, found.fold)
    parts = [repr((*facts, found.out_of_fold, dict(found.meta))).encode()]
    for class_id, part in found.classes.items():
        parts += [repr((class_id, part.box, part.array.shape)).encode(), part.array.tobytes()]
    return b"".join(parts)


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Names of what differs, for a readable failure."""
    found = []
    for name in sorted(a.keys() | b.keys()):
        if name == "files":
            files = a["files"].keys() | b["files"].keys()
            found += [f"file {f}" for f in sorted(files) if a["files"].get(f) != b["files"].get(f)]
        elif a[name] != b[name]:
            extra = [row for row in a[name] if row not in b[name]][:2]
            missing = [row for row in b[name] if row not in a[name]][:2]
            found.append(f"table {name}: {extra} against {missing}")
    return found
