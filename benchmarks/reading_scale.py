"""How many reports the retrieval stage reads a second, and in how much memory.

    python -m benchmarks.reading_scale --reports 50000 --workers 2

makes distinct reports of about 150 words in a new workspace, reads them, reads them again (nothing
is to be done), and prints seconds, peak memory and the catalog's size.
"""

import json
import random
import re
import shutil
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from rich.console import Console

from retrieval import stage
from retrieval.config import RetrievalConfig
from voxcurate.catalog import Catalog, FindingRow, Report, WorkItem
from voxcurate.classes import load_vocabulary
from voxcurate.config import read_yaml
from voxcurate.executors import ExecutorConfig
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

_BATCH = 5000
_SLOT = re.compile(r"<(\w+)>")
_DATA = read_yaml(Path(__file__).with_suffix(".yaml"))
_SLOTS: dict[str, list[str]] = _DATA["slots"]
_RANGES = {"age": (18, 95), "mm": (2, 60), "image": (10, 400), "year": (10, 26)}


def reports(n: int, seed: int = 0) -> Iterator[Report]:
    """Distinct reports of about 150 words; the same for the same seed."""
    for number in range(n):
        draw = random.Random(f"{seed}/{number}")
        yield Report(
            f"scale_r{draw.getrandbits(48):012x}", "", f"p{number // 3}", "scale", text(draw)
        )


def text(draw: random.Random) -> str:
    """One report: some organs in the usual order, each in one of several manners."""
    organs: list[list[str]] = _DATA["findings"]
    chosen = sorted(draw.sample(range(len(organs)), draw.randint(6, 10)))
    lines = [draw.choice(_DATA[part]) for part in ("indication", "technique", "comparison")]
    lines.append("FINDINGS:")
    for number in chosen:
        lines += draw.sample(organs[number], 1 if draw.random() < 0.9 else 2)
    said = draw.sample(_DATA["impression"], draw.randint(1, 3))
    lines += ["IMPRESSION:", *(f"{place}. {line}" for place, line in enumerate(said, start=1))]
    filled = (_SLOT.sub(lambda slot: _fill(slot[1], draw), line) for line in lines)
    return "\n".join(line[:1].upper() + line[1:] for line in filled)


def _fill(slot: str, draw: random.Random) -> str:
    if slot in _SLOTS:
        return draw.choice(_SLOTS[slot])
    if slot == "cm":
        return f"{draw.randint(10, 99) / 10:g}"
    return str(draw.randint(*_RANGES.get(slot, (1, 9))))


def fill(catalog: Catalog, n: int, seed: int = 0) -> int:
    """Put reports into a catalog; how many words they have in all."""
    queue, words = reports(n, seed), 0
    while batch := list(islice(queue, _BATCH)):
        words += sum(len(report.text.split()) for report in batch)
        with catalog.write() as writer:
            writer.put_all(batch)
    return words


def measure(context: StageContext, n: int, config: RetrievalConfig) -> dict[str, float]:
    """Read the reports of a catalog, then once more, and what that took."""
    cores = context.executor_config.workers
    _reset_peak()
    start = time.perf_counter()
    result = stage.read_reports(context, config)
    seconds = time.perf_counter() - start
    driver_mb = _peak_mb()
    start = time.perf_counter()
    again = stage.read_reports(context, config)
    lines = context.catalog.rows(WorkItem, status="done")
    busy = sum(line.seconds for line in lines)
    return {
        "reports": n,
        "read": result.counts["read"],
        "failed": len(result.failed),
        "findings": context.catalog.count(FindingRow),
        "workers": cores,
        "seconds": round(seconds, 1),
        "reports_a_second": round(n / seconds, 1),
        "reports_a_second_and_worker_busy": round(n / busy, 1),
        "share_of_time_workers_read": round(busy / (seconds * cores), 3),
        "peak_mb_driver": round(driver_mb),
        "peak_mb_worker": round(max(line.peak_mb for line in lines)),
        "shards": len(lines),
        "again_read": again.counts["read"],
        "again_seconds": round(time.perf_counter() - start, 1),
        "catalog_mb": round(_size_mb(context)),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shard", type=int, default=RetrievalConfig().shard)
    parser.add_argument("--keep", type=Path, help="workspace to make and keep (with its search)")
    asked = parser.parse_args(arguments)
    root = asked.keep or Path(tempfile.mkdtemp(prefix="reading_scale_")) / "workspace"
    try:
        workspace = Workspace.create(root)
        catalog = Catalog(workspace.catalog_url)
        executor = ExecutorConfig(workers=asked.workers)
        context = StageContext(workspace, catalog, load_vocabulary(), 1, executor_config=executor)
        words = fill(catalog, asked.reports)
        found = measure(context, asked.reports, RetrievalConfig(shard=asked.shard))
        Console().print_json(json.dumps({"words_a_report": round(words / asked.reports), **found}))
        catalog.close()
    finally:
        if asked.keep is None:
            shutil.rmtree(root.parent)


def _size_mb(context: StageContext) -> float:
    files = context.workspace.root.glob("catalog.sqlite*")
    return sum(path.stat().st_size for path in files) / 2**20


def _reset_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
