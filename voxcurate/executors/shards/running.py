"""One call of the sharded executor: from its first task to its last outcome."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from voxcurate.executors.launchers import JobSpec
from voxcurate.executors.shards.adopting import adopt, forget, leave, tidy
from voxcurate.executors.shards.cut import Cutter
from voxcurate.executors.shards.driver import Settings
from voxcurate.executors.shards.files import Order, ShardFolder, identity, owners_folder, usable
from voxcurate.executors.shards.inbox import Inbox
from voxcurate.executors.shards.judging import Bench
from voxcurate.executors.shards.scheduler import Scheduler
from voxcurate.executors.shards.state import Shard, Try
from voxcurate.executors.worker import UnsendableError, packed
from voxcurate.protocols import Outcome, Task

log = logging.getLogger(__name__)
LOOK_S = 0.5  # between two looks at the outcomes, at most
REST_S = 5.0  # after one that took long, at most
KEPT_S = 5.0  # a finished shard stays so long: who takes outcomes may write them down in groups
SIGNS = 10  # of life that a job gives in the time after which it is given up


class Running:
    """One call. Its generator `outcomes` does all the work; `close` ends what is left.

    Args:
        settings: of the executor.
        worker: ``"package.module:function"``.
        tasks: taken as jobs become free.
    """

    def __init__(self, settings: Settings, worker: str, tasks: Iterable[Task]) -> None:
        self.settings, self.worker = settings, worker
        self._tasks = iter(tasks)
        self._all_taken = self._past_old = False
        self._scheduler = Scheduler(
            settings.launcher, poll_s=settings.cluster.poll_s, patience_s=settings.patience_s
        )
        limits = {"time_limit_s": settings.time_limit_s, "retries": settings.retries}
        about = {"worker": worker, "family": settings.family, "settings": limits}
        with usable():
            owners_folder(settings.folder)
            self._cutter = Cutter(
                settings.folder, settings.needs, {**about, "path": tuple(sys.path)}
            )
        self._shards: dict[str, Shard] = {}
        self._old: dict[bytes, tuple[Shard, int]] = {}  # by the task's identity
        self._todo: dict[str, Shard] = {}  # that may have tasks which no job has
        self._unlaunched: list[tuple[Shard, Try]] = []
        self._bench = Bench(settings, self._scheduler)
        self._inbox = Inbox(self._learn, self._again)
        self._most = settings.most
        self._over = False

    def outcomes(self) -> Iterator[Outcome]:
        """Outcomes as they come."""
        forget(self.settings)
        with usable():
            self._shards, self._old = adopt(self.settings, self.worker, self._scheduler)
        self._todo.update(self._shards)
        wait_s = 0.0
        while True:
            n, began = 0, time.monotonic()
            for n, outcome in enumerate(self._pass(), 1):  # noqa: B007 - counted
                yield outcome
            if self._all_taken and not any(s.open for s in self._shards.values()):
                break
            wait_s = 0.0 if n else min(wait_s + 0.01, LOOK_S, self.settings.cluster.poll_s)
            # of thousands of jobs a look takes long: file servers have a rest of the same length
            took_s = 0.0 if n else min(time.monotonic() - began, REST_S)
            time.sleep(max(wait_s, took_s))
        self._finish()

    def close(self) -> None:
        """Stop all jobs, unless everything is over; what they did stays for the next call."""
        self._cutter.discard()
        if self._over:
            return
        tries = [(shard, each) for shard in self._shards.values() for each in shard.tries.values()]
        self._scheduler.stop(tries)
        if tries:
            log.info("jobs cancelled", extra={"stage": self.settings.stage, "jobs": len(tries)})

    def _pass(self) -> Iterator[Outcome]:
        """Look at everything once."""
        yield from self._take()
        self._launch()
        for shard in list(self._shards.values()):
            yield from self._inbox.read(shard)
            yield from self._inbox.look_again(shard)
        with usable():
            for shard in self._bench.look(self._shards.values(), all_taken=self._all_taken):
                self._todo[shard.folder.name] = shard
        for shard in list(self._todo.values()):
            for place, error in self._bench.sentence(shard):
                shard.open.discard(place)
                entry = shard.contents.entries[place]
                tries = max(1, len(shard.over))
                yield Outcome(entry.key, None, error, "QuarantinedError", attempts=tries)
        self._tidy()

    def _free(self) -> int:
        return self._most - sum(len(s.tries) for s in self._shards.values()) - self._bench.ending

    def _take(self) -> Iterator[Outcome]:
        """Take tasks until there is a shard for every free place, and one more."""
        room = max(0, self._free()) + 1 - len(self._ready())
        while not self._all_taken and room > 0:
            task = next(self._tasks, None)
            if task is None:
                self._all_taken = True
                with usable():
                    self._new(self._cutter.close())
                return
            try:
                blob = packed(task.payload, "payload")
            except UnsendableError as problem:
                yield Outcome(task.key, None, str(problem), type(problem).__name__)
                continue
            name = identity(self.worker, self.settings.family, task, blob)
            if name in self._old:
                yield from self._claim(*self._old.pop(name))
                continue
            self._past_old = True
            with usable():
                room -= self._new(self._cutter.add(task, name, blob))

    def _ready(self) -> list[Shard]:
        """Shards that may get a job. Of an old one, more tasks may be asked for yet."""
        now = time.monotonic()
        return [
            shard
            for shard in self._todo.values()
            if shard.open
            and shard.not_before <= now
            and (
                self._past_old
                or self._all_taken
                or len(shard.wanted) == len(shard.contents.entries)
            )
        ]

    def _learn(self, seconds: float) -> None:
        self._cutter.learn(seconds)
        self._bench.learn(seconds)

    def _again(self, shard: Shard) -> None:
        self._todo[shard.folder.name] = shard

    def _claim(self, shard: Shard, place: int) -> Iterator[Outcome]:
        """A task that an earlier driver had."""
        shard.claim(place)
        self._todo[shard.folder.name] = shard
        if place in shard.found:
            outcome = self._inbox.at(shard.found.pop(place))
            if outcome is not None:
                yield self._inbox.told(shard, place, outcome)

    def _new(self, folder: ShardFolder | None) -> int:
        """Take a shard in that was just cut; how many that is."""
        contents = folder.contents() if folder is not None else None
        if folder is None or contents is None:
            return 0
        shard = self._shards[folder.name] = self._todo[folder.name] = Shard(folder, contents)
        for place in range(len(contents.entries)):
            shard.claim(place)
        return 1

    def _launch(self) -> None:
        """Start jobs for what no job has, as many as there is room for."""
        if self._all_taken:
            self._todo = {name: shard for name, shard in self._todo.items() if shard.uncovered()}
        if not self._unlaunched:
            free = self._free()
            for shard in self._ready():
                for places, careful in self._bench.parts(shard):
                    if free > 0:
                        self._begin(shard, places, careful=careful)
                        free -= 1
                if not shard.uncovered():
                    del self._todo[shard.folder.name]
            if free > 0 and self._all_taken and not self._todo:
                for shard, places in self._bench.slow(self._shards.values())[:free]:
                    self._begin(shard, places, copy=True)
        if not self._unlaunched:
            return
        ids = self._scheduler.launch([self._spec(*each) for each in self._unlaunched])
        if ids is None:
            return
        for (shard, each), job in zip(self._unlaunched, ids, strict=True):
            each.order = replace(each.order, job=job)
            with usable():
                shard.folder.write_order(each.number, each.order)
            told = {"shard": shard.folder.name, "try": each.number, "items": len(each.todo)}
            log.info(
                "job started", extra={"stage": self.settings.stage, **told, "job": job.split()[0]}
            )
        self._unlaunched = []

    def _begin(
        self, shard: Shard, places: list[int], *, careful: bool = False, copy: bool = False
    ) -> None:
        """Write an order. It is there before the job is, so that a driver which dies in between
        leaves a job that the next one knows of."""
        needs = self.settings.needs
        order = Order(
            todo=None if len(places) == len(shard.contents.entries) else tuple(places),
            workers=1 if careful else needs.workers,
            threads=max(1, needs.cpus // needs.workers),
            cpus=needs.cpus,
            gpus=needs.gpus,
            minutes=needs.minutes,
            careful=careful,
            copy=copy,
            scratch=str(self.settings.scratch or ""),
            beat_s=min(10.0, self.settings.cluster.silence_s / SIGNS),
        )
        each = shard.begin(order)
        self._unlaunched.append((shard, each))
        with usable():
            shard.folder.write_order(each.number, order)

    def _spec(self, shard: Shard, each: Try) -> JobSpec:
        name = f"voxcurate-{self.settings.stage or 'work'}-{shard.folder.name}"
        return JobSpec(shard.folder.path, name, self.settings.needs, each.number)

    def _tidy(self) -> None:
        """Remove the shards of which nothing is wanted any more."""
        now = time.monotonic()
        for name, shard in list(self._shards.items()):
            whole = len(shard.wanted) == len(shard.contents.entries)
            if whole and not shard.open and not shard.tries and now - shard.told > KEPT_S:
                shard.folder.remove()
                del self._shards[name]
                self._todo.pop(name, None)

    def _finish(self) -> None:
        """Stop copies that were not needed and remove the shards. Those of which this call wanted
        nothing stay until another stage begins: they may be of another part of this one."""
        self._over = True
        foreign = []
        for shard in self._shards.values():
            if not shard.wanted and (shard.tries or shard.found):
                foreign.append(shard)
                continue
            self._scheduler.stop((shard, each) for each in shard.tries.values())
            shard.folder.remove()
        leave(self.settings, foreign)
        tidy(self.settings.folder)
