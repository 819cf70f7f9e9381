"""A cluster's worth of predictions: 25,362 scans x 19 models through the real sharded executor.

An item is one scan predicted by one model: the unit that the stage `predict` has (all 24 classes
come out of one forward pass, and a worker that keeps its model loaded can run any scan). Finer, a
class of it, would repeat the forward pass; coarser, a scan with all models, would load 19 models
for each, and lose 19 times as much with a job. Seconds of an item are the mean on the device, times
how slow its model is, times a draw from the distribution that a real round had (`MEASURED`).

The driver is killed (without any chance to tidy up) when 10, 50 and 90 % are recorded, and started
again. Reported: items lost and recorded twice (must be 0), executed twice, time held and wasted
against the ideal (the sum of the items' seconds / devices), the driver's own time, restarts,
catalog and questions. Exit status 1: something was lost or doubled.
"""

import json
import logging
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale_cluster import Clock, Faults, SimulatedCluster
from benchmarks.scale_costs import MEASURED, QUANTILES
from voxcurate import ledger
from voxcurate.catalog import Catalog, WorkItem, Writer
from voxcurate.classes import load_vocabulary
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.shards import inbox, judging, running, scheduler, state
from voxcurate.executors.shards.driver import Settings, ShardedExecutor
from voxcurate.ledger import Item, LazyItems, run_items
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

CLASSES = 24
DRAWS = 4096
STAGE = "predict"
CASE = "atlas_000000"


class KilledError(BaseException):
    """The driver dies here."""


@dataclass
class World:
    """What outlives a driver: the cluster, the plan, and what was recorded."""

    clock: Clock
    cluster: SimulatedCluster
    items: LazyItems
    scans: int
    recorded: Any  # times that each item was recorded
    kill_at: int = 0  # recorded items; 0: never
    dead: bool = False
    n_recorded: int = 0
    first_look: float = 0.0  # of a driver: wall time
    useful_s: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print JSON lines: the plan, each start of the driver, the whole, the catalog."""
    parser = ArgumentParser(prog="benchmarks.scale simulate", description=__doc__)
    parser.add_argument("--scans", type=int, default=25_362)
    parser.add_argument("--models", type=int, default=19)
    parser.add_argument("--devices", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20.0, help="mean of an item; assumed")
    parser.add_argument("--shard-minutes", type=float, default=60.0)
    parser.add_argument("--tick", type=float, default=30.0, help="seconds between two looks")
    parser.add_argument("--kill", type=float, action="append", help="driver; shares of the items")
    parser.add_argument("--calm", action="store_true", help="nothing breaks, nobody is killed")
    parser.add_argument("--worse", type=float, default=1.0, help="faults so many times as often")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the workspace there")
    asked = parser.parse_args(arguments)
    logging.getLogger("voxcurate").setLevel(logging.ERROR)  # jobs that break are no news here
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="scale_simulate_"))
    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    sound = True
    try:
        for found in simulate(folder, asked):
            sound &= found.get("sound", True)
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)
    return 0 if sound else 1


def simulate(folder: Path, asked: Any) -> Iterator[dict[str, Any]]:
    """The figures, one by one."""
    start = time.perf_counter()
    workspace = Workspace.create(folder / "w")
    catalog = Catalog(workspace.catalog_url)
    context = StageContext(workspace, catalog, load_vocabulary(), round=1, quiet=True)
    world = _world(asked)
    n = len(world.items)
    yield {"plan": n, "planned_s": round(time.perf_counter() - start, 1)}
    cluster = ClusterConfig(
        max_jobs=asked.devices, poll_s=asked.tick, silence_s=600.0, restarts=200
    )
    needs = Needs(gpus=1.0, minutes=600.0, shard_minutes=asked.shard_minutes, max_items=1000)
    settings = Settings(
        world.cluster, cluster, needs, workspace.root / "cluster" / STAGE, STAGE, "simulated"
    )
    shares = [] if asked.calm else sorted(asked.kill or [0.1, 0.5, 0.9])
    begin, cpu = world.clock.now, time.process_time()
    with _simulated_time(world):
        for share in [*shares, None]:
            yield _drive(context, settings, world, share)
    end = world.clock.now
    yield _judged(world, catalog, asked, end - begin, time.process_time() - cpu)
    yield {"catalog_mb": _catalog_mb(workspace.root), **_questions(workspace, catalog)}
    catalog.close()


def _world(asked: Any) -> World:
    clock = Clock(asked.tick)
    rng = random.Random(asked.seed)
    n, models = asked.scans * asked.models, asked.models
    pace = [rng.lognormvariate(0.0, 0.4) for _ in range(models)]  # how slow each model is
    pace = [each * models / sum(pace) for each in pace]
    shape = np.interp(
        np.random.default_rng(asked.seed).random(DRAWS), QUANTILES, MEASURED["predict_shape"]
    )
    shape = shape / shape.mean()

    def item(number: int) -> Item:
        model, scan = divmod(number, asked.scans)  # a model's scans together: it is loaded once
        case = f"atlas_{scan:06}"
        payload = {
            "scan": f"scans/{case}/ct.nii.gz",
            "model": f"models/{model:02}",
            "seconds": asked.seconds * pace[model],
        }
        return Item(
            case, f"model_{model:02}", [scan, model], payload, cost=float(payload["seconds"])
        )

    def seconds(key: str) -> float:
        case, _, model = key.partition("/")
        draw = int(case[6:]) * 31 + int(model[6:]) * 17
        return float(asked.seconds * pace[int(model[6:])] * shape[draw % DRAWS])

    faults = Faults.none() if asked.calm else Faults().times(asked.worse)
    poison = {item(rng.randrange(n)).key for _ in range(faults.poison)}
    values = [
        {"path": f"cache/{draw:016x}.vxp", "ml": {f"class_{c:02}": c * 1.5 for c in range(CLASSES)}}
        for draw in range(64)
    ]
    cluster = SimulatedCluster(
        clock, asked.devices, seconds, values, faults, poison, seed=asked.seed
    )
    return World(clock, cluster, LazyItems(n, item), asked.scans, np.zeros(n, np.uint8))


@contextmanager
def _simulated_time(world: World) -> Iterator[None]:
    """The driver's modules see the cluster's clock. The ledger, too: it writes once a look, as many
    items as a real driver would have had since the last one; and shards stay until then."""
    modules: list[Any] = [inbox, judging, running, scheduler, state, ledger]
    before = [module.time for module in modules]
    kept, cheap = running.KEPT_S, ledger.CHEAP_S
    close, shut = running.Running.close, ledger._Books.close
    jump = world.clock.jump

    def looked() -> None:
        jump()
        world.first_look = world.first_look or time.perf_counter()
        if world.kill_at and world.n_recorded >= world.kill_at:
            world.dead = True
            raise KilledError

    def unless_dead(method: Callable[[Any], None]) -> Callable[[Any], None]:
        return lambda each: None if world.dead else method(each)

    for module in modules:
        module.time = world.clock
    running.KEPT_S, ledger.CHEAP_S = 4 * world.clock.tick_s, 1e9
    running.Running.close = unless_dead(close)  # type: ignore[method-assign, assignment]
    ledger._Books.close = unless_dead(shut)  # type: ignore[method-assign, assignment]
    world.clock.jump = looked
    try:
        yield
    finally:
        for module, own in zip(modules, before, strict=True):
            module.time = own
        running.KEPT_S, ledger.CHEAP_S = kept, cheap
        running.Running.close, ledger._Books.close = close, shut  # type: ignore[method-assign]


def _drive(
    context: StageContext, settings: Settings, world: World, share: float | None
) -> dict[str, Any]:
    """One driver, until it is killed or all is done."""
    n = len(world.items)
    world.kill_at = int(share * n) if share else 0
    world.dead, world.first_look = False, 0.0
    before, start, cpu = world.n_recorded, time.perf_counter(), time.process_time()

    def record(writer: Writer, item: Item, value: Any) -> Mapping[str, Any]:
        scan, model = item.inputs
        number = model * world.scans + scan
        world.recorded[number] += 1
        world.n_recorded += 1
        world.useful_s += world.cluster.seconds(item.key)
        return dict(value)

    failed: Mapping[str, str] = {}
    try:
        done = run_items(
            context, STAGE, world.items, "benchmarks.scale_simulate:none", record, version="1",
            executor=ShardedExecutor(settings),
        )  # fmt: skip
        failed = done.failed
    except KilledError:
        pass
    world.facts["failed"] = failed
    return {
        "driver": f"killed at {share:.0%}" if share else "to the end",
        "found_done": before,
        "to_first_look_s": round(world.first_look - start, 1),
        "wall_s": round(time.perf_counter() - start, 1),
        "cpu_ms_per_item": round(
            (time.process_time() - cpu) / max(1, world.n_recorded - before) * 1e3, 3
        ),
        "driver_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _judged(
    world: World, catalog: Catalog, asked: Any, took_s: float, cpu_s: float
) -> dict[str, Any]:
    cluster, n = world.cluster, len(world.items)
    failed = world.facts["failed"]
    poison = set(cluster.poison)
    lines = catalog.count(WorkItem, stage=STAGE, status="done")
    lost = n - lines - len(failed)
    doubled = int((world.recorded > 1).sum())
    ideal_s = world.useful_s / asked.devices
    again = sum(count - 1 for count in cluster.executed.values() if count > 1)
    return {
        "items": n,
        "classes": CLASSES,
        "devices": asked.devices,
        "lost": lost,
        "recorded_twice": doubled,
        "sound": lost == 0 and doubled == 0 and set(failed) == poison,
        "quarantined": len(failed),
        "poison": len(poison),
        "executed_twice": again,
        "jobs": len(cluster.jobs),
        "happened": dict(cluster.happened),
        "ideal_h": round(ideal_s / 3600, 2),
        "took_h": round(took_s / 3600, 2),
        "over_ideal": round(took_s / ideal_s - 1, 4),
        "device_h_held": round(cluster.held_s / 3600, 1),
        "device_h_wasted": round((cluster.held_s - world.useful_s) / 3600, 1),
        "device_h_wasted_by_loading": round(len(cluster.jobs) * cluster.load_s / 3600, 1),
        "items_per_simulated_s": round(n / took_s, 2),
        "driver_cpu_s": round(cpu_s, 1),
        "driver_could_feed_items_per_s": round(n / cpu_s),
    }


def _questions(workspace: Workspace, catalog: Catalog) -> dict[str, Any]:
    """Seconds of what people and stages ask."""
    from agent.status import status

    asked: dict[str, Callable[[], Any]] = {
        "status_s": lambda: status(workspace, catalog),
        "of_one_scan_s": lambda: catalog.rows(WorkItem, round=1, stage=STAGE, subject=CASE),
        "failures_s": lambda: catalog.rows(WorkItem, status="failed"),
        "count_s": lambda: catalog.count(WorkItem, stage=STAGE),
    }
    found = {}
    for name, ask in asked.items():
        start = time.perf_counter()
        ask()
        found[name] = round(time.perf_counter() - start, 3)
    return found


def _catalog_mb(root: Path) -> float:
    return round(sum(path.stat().st_size for path in root.glob("catalog.sqlite*")) / 1e6, 1)
