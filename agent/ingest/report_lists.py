"""Lists for the workspace's owner: reports without a scan, and rows that could not be read.

Both lie in the private folder. They name reports by id and row, scans by case id, never anybody.
"""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from agent.ingest.report_rows import EMPTY, BadRow, RawReport
from agent.ingest.report_store import ReportStore
from voxcurate.workspace import Workspace

UNLINKED = "unlinked_reports.csv"
UNREADABLE = "unreadable_reports.csv"
SHOWN = 20  # rows of one table named one by one among the failures
_HEAD = ("report_id", "source", "entry", "row", "reason", "candidates", "days", "same_as")


class Problems:
    """Rows without a report, counted, the first ones named, all of them in a list.

    A context manager; the list is in place when it is left.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.counts: Counter[str] = Counter()
        self._failed: dict[str, str] = {}
        self._left: Counter[str] = Counter()
        self._dates: Counter[str] = Counter()
        self._path = workspace.private / UNREADABLE
        self._stream: IO[str] | None = None

    def __enter__(self) -> "Problems":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.close()
            _temporary(self._path).replace(self._path)
        elif kind is None:
            self._path.unlink(missing_ok=True)

    def add(self, source: str, row: BadRow) -> None:
        """Take a row in."""
        if row.why == EMPTY:
            self.counts["without_text"] += 1
            return
        self.counts["unreadable"] += 1
        table = f"{source}/{row.role}"
        if self.counts[table] < SHOWN:
            self._failed[f"{table} row {row.row}"] = row.why
        else:
            self._left[table] += 1
        self.counts[table] += 1
        if self._stream is None:
            self._stream = private_file(_temporary(self._path))
            csv.writer(self._stream).writerow(("source", "table", "row", "why"))
        csv.writer(self._stream).writerow((source, row.role, row.row, row.why))

    def note(self, source: str, report: RawReport) -> None:
        """Count a date that could not be read."""
        if report.problem:
            self.counts[f"{report.problem}_dates"] += 1
        if report.problem == "ambiguous":
            self._dates[f"{source}/reports {report.part}"] += 1

    @property
    def failed(self) -> dict[str, str]:
        """What a person must look at: by table and row."""
        found = dict(self._failed)
        for table, n in self._left.items():
            found[f"{table} further rows"] = f"{n} more; all are listed in private/{UNREADABLE}"
        for table, n in self._dates.items():
            found[f"{table} dates"] = (
                f"{n} dates may be day/month or month/day, and were not read; say `day_first:` "
                "or `date_format:`"
            )
        return found


def write_unlinked(workspace: Workspace, store: ReportStore) -> int:
    """The list of all reports without a scan, of this ingest and earlier ones.

    Returns:
        how many there are.
    """
    path = workspace.private / UNLINKED
    n_rows = 0
    with private_file(_temporary(path)) as stream:
        table = csv.writer(stream)
        table.writerow(_HEAD)
        for row in _shown(store.unlinked()):
            table.writerow(row)
            n_rows += 1
    if n_rows:
        _temporary(path).replace(path)
    else:
        _temporary(path).unlink()
        path.unlink(missing_ok=True)
    return n_rows


def _shown(rows: Iterable[Sequence[Any]]) -> Iterable[tuple[Any, ...]]:
    for report_id, source, part, row, reason, candidates, gap, same_as in rows:
        why = "duplicate" if same_as else reason
        cases = " ".join(json.loads(candidates))
        yield report_id, source, part, row, why, cases, "" if gap is None else gap, same_as


def private_file(path: Path) -> IO[str]:
    """A new file that only its owner can read."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def report_counts(
    standing: Mapping[str, int],
    done: Mapping[str, int],
    problems: Mapping[str, int],
    n_unlinked: int,
) -> dict[str, Any]:
    """The counts of reports for people: how those of this call stand, and what was done.

    Args:
        standing: as `ReportStore.counts` gives them.
        done: ``new``, ``changed``, ``unchanged``, ``relinked``.
        problems: rows that gave no report, dates that were not read.
        n_unlinked: lines of the list of unlinked reports.

    Returns:
        empty if this call read no report.
    """
    copies = standing.get("duplicate", 0)
    linked = {name[5:]: n for name, n in standing.items() if name.startswith("link ")}
    unlinked = {
        name: n for name, n in standing.items() if name != "duplicate" and name[:5] != "link "
    }
    total = sum(linked.values()) + sum(unlinked.values())
    relinked = {"reports_relinked": done["relinked"]} if done.get("relinked") else {}
    told = ("unreadable", "without_text", "unreadable_dates", "ambiguous_dates")
    bad = {f"reports_{name}": problems[name] for name in told if problems.get(name)}
    if not total and not copies:
        return bad | relinked
    return {
        "reports": total,
        "reports_linked": sum(linked.values()),
        "reports_unlinked": sum(unlinked.values()),
        "links": linked,
        "unlinked": unlinked,
        "reports_duplicate": copies,
        **{f"reports_{name}": done.get(name, 0) for name in ("new", "changed", "unchanged")},
        **bad,
        **relinked,
        **({"unlinked_list": f"private/{UNLINKED}"} if n_unlinked else {}),
    }
