"""Item updates a second through `run_items`, with real transactions, on SQLite and PostgreSQL.

No-op items in this process, 24 numbers as result of each. ``first`` does and records them, with or
without a row of each item's own in another table; ``again`` finds them all done; ``next round``
carries them over. ``failed`` records errors instead, ``mended`` does these. Peers: one plain
SQLAlchemy insert and commit an item, and all in one transaction, which a ``kill -9`` would lose.
Each database is a process of its own, whose peak memory is told.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from voxcurate.catalog import Catalog, Measure, WorkItem, Writer
from voxcurate.catalog.schema import TABLES
from voxcurate.catalog.statements import column_values
from voxcurate.classes import load_vocabulary
from voxcurate.errors import VolumeReadError
from voxcurate.executors import ExecutorConfig
from voxcurate.ledger import Item, LazyItems, run_items
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

RESULT = {f"class_{n:02}": 123.25 + n for n in range(24)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print items a second and peak memory."""
    parser = ArgumentParser(prog="benchmarks.scale ledger", description=__doc__)
    parser.add_argument("--items", type=int, action="append")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--job", action="append", help="only these, in the order of all")
    parser.add_argument("--folder", type=Path, help="of the SQLite file: the disk that is measured")
    parser.add_argument("--inside", help="internal: measure this database in this process")
    asked = parser.parse_args(arguments)
    sizes = asked.items or [10_000, 100_000]
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="scale_") as name:
        if asked.inside:
            for found in figures(Path(name), asked.inside, sizes[0], asked.job):
                sys.stdout.write(json.dumps(found) + "\n")
                sys.stdout.flush()
            return 0
        for kind in asked.database or ["sqlite", "postgresql"]:
            for n in sizes:
                _in_process(kind, n, name, asked.job or [])
    return 0


def _in_process(kind: str, n: int, folder: str, only: Sequence[str]) -> None:
    if kind == "sqlite":
        return _run(f"sqlite:///{folder}/{n}.sqlite", n, only)
    from tests.voxcurate.postgres import new_database, server

    with server(durable=True) as url:
        return _run(new_database(url, f"scale_{n}"), n, only)


def _run(url: str, n: int, only: Sequence[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.scale", "ledger", "--items", str(n)]
    command += [part for job in only for part in ("--job", job)]
    subprocess.run([*command, "--inside", url], check=True)


def figures(
    folder: Path, url: str, n: int, only: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """The figures of one database, one by one."""
    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    catalog = Catalog(url)
    context = StageContext(
        Workspace.create(folder / "w"),
        catalog,
        load_vocabulary(),
        round=1,
        executor_config=ExecutorConfig(kind="serial"),
        quiet=True,
    )
    later = replace(context, round=2)
    jobs: dict[str, Callable[[], Any]] = {
        "first": lambda: _items(context, "a", n, _keep),
        "first, with a row each": lambda: _items(context, "b", n, _measure),
        "again": lambda: _items(context, "a", n, _keep),
        "next round": lambda: _items(later, "a", n, _keep, across_rounds=True),
        "failed": lambda: _items(context, "c", n, _keep, worker="refuse"),
        "mended": lambda: _items(context, "c", n, _keep),
        "results read": lambda: sum(1 for _ in _items(context, "a", n, _keep).results.values()),
        "peer: insert and commit": lambda: _inserts(catalog, min(n, 5000), 1),
        "peer: one transaction": lambda: _inserts(catalog, n, n),
    }
    database = catalog.engine.dialect.name
    for job, run in jobs.items():
        if only and job not in only:
            continue
        start, cpu = time.perf_counter(), time.process_time()
        run()
        seconds = time.perf_counter() - start
        count = min(n, 5000) if job == "peer: insert and commit" else n
        yield {
            "database": database,
            "items": n,
            "job": job,
            "items_per_s": round(count / seconds),
            "driver_cpu_us_per_item": round((time.process_time() - cpu) / count * 1e6),
            "driver_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
    catalog.close()


def nothing(payload: int) -> dict[str, float]:
    """The work of an item."""
    return RESULT


def refuse(payload: int) -> None:
    """An item that fails."""
    raise VolumeReadError("want 3 axes, found 4")


def _items(
    context: StageContext,
    stage: str,
    n: int,
    record: Callable[[Writer, Item, Any], Mapping[str, Any]],
    *,
    worker: str = "nothing",
    across_rounds: bool = False,
) -> Any:
    items = LazyItems(n, lambda number: Item(f"case_{number:06}", "model", number, number))
    name = f"{__name__}:{worker}"
    return run_items(context, stage, items, name, record, version="1", across_rounds=across_rounds)


def _keep(writer: Writer, item: Item, value: Any) -> Mapping[str, Any]:
    return dict(value)


def _measure(writer: Writer, item: Item, value: Any) -> Mapping[str, Any]:
    writer.put(Measure(1, "b", item.subject, "liver", "", "ml", 1.0))
    return dict(value)


def _inserts(catalog: Catalog, n: int, at_once: int) -> None:
    table = TABLES[WorkItem]
    line = WorkItem(3, f"peer {at_once}", "", "", "0" * 16, "done", result=dict(RESULT))
    for first in range(0, n, at_once):
        with catalog.engine.begin() as connection:
            for number in range(first, first + at_once):
                row = column_values(replace(line, subject=f"case_{number:06}"))
                connection.execute(table.insert(), row)
