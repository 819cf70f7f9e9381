"""Which files of a training's failures are whose: for the user alone, since names may identify."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from agent.ingest.records import Case
from agent.ingest.report_lists import private_file

HEAD = ("case", "role", "file", "reason")


def failures_path(out: Path) -> Path:
    """Beside a bundle, never in it."""
    return out.with_name(f"{out.name}.failed.csv")


def write_failures(out: Path, cases: Iterable[Case], failed: Mapping[str, str]) -> None:
    """Write the failures with their files, readable by their owner only; none: no file.

    Args:
        out: the bundle.
        cases: of the folders that were read.
        failed: ``case`` or ``case/role`` to the reason.
    """
    path = failures_path(out)
    if not failed:
        path.unlink(missing_ok=True)
        return
    by_id = {case.case_id: case for case in cases}
    temporary = path.with_name(f".{path.name}.tmp")
    with private_file(temporary) as stream:
        rows = csv.writer(stream)
        rows.writerow(HEAD)
        for key, reason in sorted(failed.items()):
            case_id, _, role = key.partition("/")
            case = by_id.get(case_id)
            file = _file(case, role) if case is not None else ""
            rows.writerow([case_id, role, file.encode("utf-8", "replace").decode(), reason])
    temporary.replace(path)


def _file(case: Case, role: str) -> str:
    """Relative to the folder, as the user knows it."""
    masks = [mask.path for mask in case.masks if mask.role == role]
    if not masks:
        return case.path
    path = Path(masks[0])
    return str(path.relative_to(case.root)) if path.is_relative_to(case.root) else str(path)
