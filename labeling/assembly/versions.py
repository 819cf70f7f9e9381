"""Dataset versions: which label version of every structure counts, as a file with its hash.

``datasets/<version>/`` holds ``dataset.json`` (what it is, counts, hashes, the version before) and
``labels.csv.gz`` (a line per structure). The version's name is a hash of the lines, so that the
same labels are the same version on any machine, and a version once written never changes.
"""

import csv
import gzip
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxcurate.atomic import temporary_name, write_text
from voxcurate.catalog import Label, Scan
from voxcurate.catalog.catalog import now
from voxcurate.errors import CatalogError
from voxcurate.ids import file_sha256
from voxcurate.stage import IN_COHORT, StageContext
from voxcurate.workspace import Workspace

COLUMNS = (
    "case_id", "split", "scan_sha256", "class_id", "label_id", "label_sha256", "trust", "origin",
    "voxels", "partly_known",
)  # fmt: skip
BATCH = 200  # cases at a time
FOLDER, TABLE, HEAD, CURRENT = "datasets", "labels.csv.gz", "dataset.json", "current"
Key = tuple[str, str]


@dataclass(frozen=True)
class Change:
    """A structure that differs between two versions; an empty id: nothing counted."""

    case_id: str
    class_id: str
    old: str
    new: str
    old_trust: str = ""
    new_trust: str = ""


def write_version(ctx: StageContext) -> str:
    """Write the dataset as it stands now; returns the version's name.

    All scans that cleaning left in count, not only a round's cohort. Retired labels are left out:
    of their structures nobody knows.
    """
    folder = ctx.workspace.root / FOLDER
    folder.mkdir(exist_ok=True)
    temporary = temporary_name(folder / TABLE)
    counts: dict[str, Counter[str]] = {"trust": Counter(), "classes": Counter()}
    cases: set[str] = set()
    n_labels = 0
    content = hashlib.sha256()
    try:
        with gzip.GzipFile(temporary, "wb", compresslevel=6, mtime=0) as packed:
            for row in _lines(ctx):
                line = _csv_line(row)
                packed.write(line)
                content.update(line)
                if row is not COLUMNS:
                    cases.add(row[0])
                    counts["classes"][row[3]] += 1
                    counts["trust"][row[6]] += 1
                    n_labels += 1
        name = f"v{content.hexdigest()[:12]}"
        target = folder / name
        if not (target / HEAD).is_file():
            target.mkdir(exist_ok=True)
            temporary.replace(target / TABLE)
            head = {
                "version": name,
                "content_sha256": content.hexdigest(),
                "table_sha256": file_sha256(target / TABLE),
                "number": len(list_versions(ctx.workspace)) + 1,
                "before": current_version(ctx.workspace),
                "workspace": ctx.workspace.config.id,
                "round": ctx.round,
                "created": now(),
                "cases": len(cases),
                "labels": n_labels,
                **{key: dict(sorted(found.items())) for key, found in counts.items()},
            }
            write_text(target / HEAD, json.dumps(head, indent=2) + "\n")  # last: now it is whole
        if current_version(ctx.workspace) != name:
            write_text(folder / CURRENT, name + "\n")
        return name
    finally:
        temporary.unlink(missing_ok=True)


def list_versions(workspace: Workspace) -> list[dict[str, Any]]:
    """What ``dataset.json`` says of each version, oldest first."""
    heads = [json.loads(p.read_text()) for p in (workspace.root / FOLDER).glob(f"v*/{HEAD}")]
    return sorted(heads, key=lambda head: (head["number"], head["version"]))


def current_version(workspace: Workspace) -> str:
    """The version that was written last; empty before the first."""
    path = workspace.root / FOLDER / CURRENT
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def read_version(workspace: Workspace, name: str) -> Iterator[dict[str, str]]:
    """The lines of a version, in the order of case and class.

    Raises:
        CatalogError: there is no such version, or its file is not what was written.
    """
    folder = workspace.root / FOLDER / Path(name).name
    if not (folder / HEAD).is_file():
        raise CatalogError(f"no dataset version {name}; 'voxcurate labels versions' lists them")
    if file_sha256(folder / TABLE) != json.loads((folder / HEAD).read_text())["table_sha256"]:
        raise CatalogError(f"dataset version {name}: the table differs from its hash")
    with gzip.open(folder / TABLE, "rt", encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def differences(workspace: Workspace, old: str, new: str) -> Iterator[Change]:
    """The structures whose label or trust differs, in the order of case and class.

    Both tables are read once, side by side: versions of any size in little memory.

    Raises:
        CatalogError: as `read_version`.
    """
    one, two = read_version(workspace, old), read_version(workspace, new)
    a, b = next(one, None), next(two, None)
    while a is not None or b is not None:
        left = b is None or (a is not None and _key(a) <= _key(b))
        right = a is None or (b is not None and _key(b) <= _key(a))
        was, now_is = (a if left else None) or {}, (b if right else None) or {}
        if (was.get("label_id"), was.get("trust")) != (
            now_is.get("label_id"),
            now_is.get("trust"),
        ):
            case_id, class_id = _key(was or now_is)
            yield Change(
                case_id,
                class_id,
                was.get("label_id", ""),
                now_is.get("label_id", ""),
                was.get("trust", ""),
                now_is.get("trust", ""),
            )
        a = next(one, None) if left else a
        b = next(two, None) if right else b


def _lines(ctx: StageContext) -> Iterator[Sequence[str]]:
    yield COLUMNS
    wanted = ("case_id", "split", "sha256")
    scans = {
        case_id: (split, sha256)
        for case_id, split, sha256 in ctx.catalog.columns(Scan, *wanted, status=IN_COHORT)
    }
    names = sorted(scans)
    for first in range(0, len(names), BATCH):
        batch = names[first : first + BATCH]
        pointers = ctx.catalog.current(case_id=batch)
        columns = ("label_id", "sha256", "origin", "voxels", "known_path", "retired")
        labels = {
            label_id: rest
            for label_id, *rest in ctx.catalog.columns(Label, *columns, case_id=batch)
        }
        for (case_id, class_id), pointer in pointers.items():
            sha256, origin, voxels, known_path, retired = labels[pointer.label_id]
            if not retired:
                split, scan_sha256 = scans[case_id]
                yield (
                    case_id, split, scan_sha256, class_id, pointer.label_id, sha256,
                    pointer.trust, origin, str(voxels), str(int(bool(known_path))),
                )  # fmt: skip


def _csv_line(row: Sequence[str]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(row)
    return stream.getvalue().encode()


def _key(row: Mapping[str, str]) -> Key:
    return row["case_id"], row["class_id"]
