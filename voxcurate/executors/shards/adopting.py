"""Shards that an earlier driver left: taken over, or removed where nobody wants them."""

import atexit
import logging
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from voxcurate.errors import ClusterError
from voxcurate.executors.launchers import LINKS, Launcher
from voxcurate.executors.shards.driver import Settings
from voxcurate.executors.shards.files import ShardFolder, shards_in
from voxcurate.executors.shards.frames import DONE, Tail
from voxcurate.executors.shards.scheduler import Scheduler
from voxcurate.executors.shards.state import Shard, Where

log = logging.getLogger(__name__)
Old = dict[bytes, tuple[Shard, int]]

# shards of stages that this process has run, and of which it wanted nothing
_left: dict[Path, tuple[Launcher, list[ShardFolder]]] = {}


def adopt(settings: Settings, worker: str, scheduler: Scheduler) -> tuple[dict[str, Shard], Old]:
    """The shards of a stage's folder, and where in them a task lies.

    Those that were never finished, and those of another worker or of other settings of the stage,
    are removed, their jobs cancelled.
    """
    shards: dict[str, Shard] = {}
    stale: list[ShardFolder] = []
    places: Old = {}
    for folder in shards_in(settings.folder):
        contents = folder.contents()
        fits = contents and (contents.worker, contents.family) == (worker, settings.family)
        if contents is None or not fits:
            stale.append(folder)
            continue
        shard = shards[folder.name] = Shard(folder, contents)
        _watch(shard)
        for place, entry in enumerate(contents.entries):
            places.setdefault(entry.identity, (shard, place))
    remove(stale, settings.launcher)
    if shards:
        live = [each for shard in shards.values() for each in shard.tries.values()]
        # a launcher that gives out devices learns which are taken
        scheduler.states({each.order.job for each in live if each.order.job})
        told = {"stage": settings.stage, "shards": len(shards), "jobs": len(live)}
        log.info("shards of an earlier run taken over", extra=told)
    return shards, places


def _watch(shard: Shard) -> None:
    """What its jobs did, and those that may still run."""
    for number in shard.folder.tries():
        order = shard.folder.order(number)
        is_over = number in shard.over or order is None
        if order is not None and not is_over and not order.job and not shard.folder.beat(number):
            shard.folder.stop(number)  # its driver died while it was starting it
            is_over = True
        if order is None or is_over:
            for path in shard.folder.outcomes(number):
                for frame in Tail(path).frames():
                    _find(shard, frame.kind, frame.number, (path, frame.offset))
            continue
        each = shard.watch(number, order)
        for frame, where in each.read(shard.folder):
            _find(shard, frame.kind, frame.number, where)


def _find(shard: Shard, kind: bytes, place: int, where: Where) -> None:
    if kind == DONE:
        shard.found[place] = where  # the last one: what was done again counts


def leave(settings: Settings, shards: Sequence[Shard]) -> None:
    """Remember shards of which this call wanted nothing; `forget` removes them."""
    if shards:
        folders = [shard.folder for shard in shards]
        _left[settings.folder] = (settings.launcher, folders)


def forget(settings: Settings) -> None:
    """Remove what other stages, which are over then, have left."""
    for folder in [f for f in _left if f.parent == settings.folder.parent and f != settings.folder]:
        launcher, folders = _left.pop(folder)
        remove(folders, launcher)
        tidy(folder)
    _left.pop(settings.folder, None)  # taken over again


@atexit.register
def _forget_all() -> None:
    while _left:
        folder, (launcher, folders) = _left.popitem()
        remove(folders, launcher)
        tidy(folder)


def remove(folders: Iterable[ShardFolder], launcher: Launcher) -> None:
    """Remove shards and cancel their jobs, all at once."""
    gone = list(folders)
    ids: list[str] = []
    for folder in gone:
        over = set(folder.journal().get("over", ()))
        for number in folder.tries():
            folder.stop(number)
            order = folder.order(number)
            if order is not None and order.job and number not in over:
                ids.append(order.job)
    if ids:
        try:
            launcher.cancel(ids)
        except ClusterError as problem:  # without their shard the jobs stop by themselves
            log.warning("jobs not cancelled", extra={"jobs": len(ids), "why": str(problem)})
    for folder in gone:
        folder.remove()


def tidy(folder: Path) -> None:
    """Remove the folder of a stage that has no shards any more; logs of quarantined items stay."""
    if not shards_in(folder):
        shutil.rmtree(folder / LINKS, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()
