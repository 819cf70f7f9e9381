"""A driver to be killed: ``python -m tests.voxcurate.executors.driver FOLDER N SECONDS``.

It records outcomes as the ledger does: their files are adopted, then a line is written; what has a
line is not asked for again.
"""

import logging
import sys
from pathlib import Path

from tests.voxcurate.executors.conformance import ITEMS, sharded
from voxcurate.atomic import adopt_file
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers.processes import ProcessLauncher
from voxcurate.protocols import Task


def main(folder: Path, n: int, seconds: float) -> None:
    """Do what has no line yet."""
    logging.basicConfig(level=logging.INFO, filename=folder / "driver.log")
    recorded = folder / "recorded.txt"
    recorded.touch()
    done = set(recorded.read_text().split())
    common = {"log": str(folder / "calls.txt"), "s": seconds, "scratch": str(folder / "tmp")}
    tasks = (Task(f"t{k}", {**common, "name": f"t{k}"}) for k in range(n) if f"t{k}" not in done)
    cluster = ClusterConfig(max_jobs=2, poll_s=0.2, tries=50)
    executor = sharded(
        ProcessLauncher(cluster), folder, cluster=cluster, needs=Needs(cpus=1, max_items=10)
    )
    with recorded.open("a", buffering=1) as stream:
        for outcome in executor.run(f"{ITEMS}:call", tasks):
            assert outcome.ok, outcome
            adopt_file(Path(outcome.value["path"]), folder / "done" / outcome.key)
            stream.write(f"{outcome.key}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
