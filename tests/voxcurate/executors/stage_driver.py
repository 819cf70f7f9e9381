"""A stage to be killed: ``python -m tests.voxcurate.executors.stage_driver WORKSPACE KIND N``."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.voxcurate.executors.conformance import ITEMS
from voxcurate.atomic import adopt_file
from voxcurate.catalog import Catalog, Measure, Writer
from voxcurate.classes import load_vocabulary
from voxcurate.executors import ExecutorConfig
from voxcurate.ledger import Item, LedgerResult, run_items
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

CLUSTER = """
kind: processes
max_jobs: 2
poll_s: 0.2
tries: 2
default: {cpus: 1, max_items: 10}
here: [small]
"""


def run(root: Path, kind: str, n: int, stage: str = "t") -> LedgerResult:
    """Do a stage of `n` items; the last takes down the job that it runs in."""
    workspace = Workspace(root)
    catalog = Catalog(workspace.catalog_url)
    with workspace.lock():
        workspace.clear_scratch()
        executor = ExecutorConfig(kind=kind, cluster="mine", workers=2, retries=0)
        context = StageContext(
            workspace, catalog, load_vocabulary(), round=1, executor_config=executor, quiet=True
        )

        def payload(name: str) -> dict[str, Any]:
            log = str(root.parent / f"{kind}.txt")
            seconds = -1.0 if name == f"c{n // 2}" else 0.1
            return {"log": log, "scratch": str(workspace.scratch), "name": name, "s": seconds}

        def record(writer: Writer, item: Item, value: Any) -> Mapping[str, Any]:
            adopt_file(Path(value["path"]), root / "made" / item.subject)
            writer.put(Measure(1, stage, item.subject, "", "", "seen", 1.0))
            return {"made": item.subject}

        items = [
            Item(name, inputs=1, payload=lambda name=name: payload(name))
            for name in (f"c{k}" for k in range(n))
        ]
        try:
            return run_items(context, stage, items, f"{ITEMS}:call", record, version="1")
        finally:
            catalog.close()


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
