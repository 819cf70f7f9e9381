"""Which files of a training's failures are whose: for the user alone, since names may identify."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from agent.ingest.records import Case
from agent.ingest.report_lists import private_file

HEAD = ("case", "role", "file", "reason")


def failures_path(out: Path) -> Path:
    """Beside a bundle, never in it."""
    return out.with_name(f"{out.name}.failed.csv")


def write_failures(
    out: Path, cases: Iterable[Case], failed: Mapping[str, str], strays: Sequence[str] = ()
) -> None:
    """Write the failures with their files, readable by their owner only; none: no file.

    Args:
        out: the bundle.
        cases: of the folders that were read.
        failed: ``case`` or ``case/role`` to the reason.
        strays: files of labels that belong to no image.
    """
    path = failures_path(out)
    if not (failed or strays):
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
            rows.writerow([case_id, role, _text(file), reason])
        for file in strays:
            rows.writerow(["", "label", _text(file), "no image is called like it"])
    temporary.replace(path)


def _text(file: str) -> str:
    """A path, the bytes of which may be no text."""
    return file.encode("utf-8", "replace").decode()


def _file(case: Case, role: str) -> str:
    """Relative to the folder, as the user knows it."""
    masks = [mask.path for mask in case.masks if mask.role == role]
    if not masks:
        return case.path
    path = Path(masks[0])
    return str(path.relative_to(case.root)) if path.is_relative_to(case.root) else str(path)
