"""Items that say when they begin, and a driver of them: ``python -m tests.cluster.ray_items``."""

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import make_launcher
from voxcurate.executors.shards.driver import Settings, ShardedExecutor
from voxcurate.protocols import Outcome, Task

ITEMS = 8
HELD = {1, 5}  # the second of each shard waits until it may go on
SHARD = 4


def work(payload: list[str | int]) -> str:
    """Says on which node it begins; an item that is held waits for the file ``go``."""
    folder, number = Path(str(payload[0])), int(payload[1])
    own = uuid.uuid4().hex
    part = folder / f".{own}"
    part.write_text(os.environ["RAY_RAYLET_PID"])
    part.rename(folder / f"begun.{number}.{own}")
    while number in HELD and not (folder / "go").exists():
        time.sleep(0.05)
    return f"result {number}"


def begun(folder: Path, number: int) -> list[int]:
    """The nodes (their raylets' ids) on which an item was begun, one for each time."""
    return [int(path.read_text()) for path in folder.glob(f"begun.{number}.*")]


def drive(config: ClusterConfig, folder: Path) -> Iterator[Outcome]:
    """Outcomes of all items, as a stage's driver has them."""
    launcher = make_launcher(config)
    needs = Needs(cpus=1, memory_gb=0.1, max_items=SHARD)
    settings = Settings(launcher, config, needs, folder / "shards" / "stage", stage="stage")
    tasks = [Task(str(n), [str(folder), n]) for n in range(ITEMS)]
    yield from ShardedExecutor(settings).run(f"{__name__}:work", tasks)


def main(config: str, folder: str) -> None:
    """Run a driver; every outcome is a line of ``outcomes``."""
    with Path(folder, "outcomes").open("a") as stream:
        for outcome in drive(ClusterConfig.model_validate_json(config), Path(folder)):
            stream.write(json.dumps([outcome.key, outcome.value]) + "\n")
            stream.flush()


if __name__ == "__main__":
    from tests.cluster import ray_items  # by its name, for the jobs

    ray_items.main(*sys.argv[1:])
