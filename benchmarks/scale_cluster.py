"""A simulated cluster: a launcher whose jobs write the files of real shards, and break.

Time is that of a `Clock` which jumps when the driver sleeps, by `tick_s` at least: a driver that
looks at its jobs so often. Everything else is real: shards are cut, written, fsynced, tailed,
adopted and removed, the catalog is written. Items are executed by nobody: their outcomes appear
when their time has passed.
"""

import heapq
import json
import pickle
import random
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from voxcurate.errors import ClusterError
from voxcurate.executors.launchers import JobSpec, JobState
from voxcurate.executors.shards import frames
from voxcurate.executors.shards.files import Entry, ShardFolder, part
from voxcurate.executors.shards.scratch import Sealed
from voxcurate.executors.worker import packed
from voxcurate.protocols import Outcome

BEAT_S = 120.0
HOUR = 3600.0


@dataclass(frozen=True)
class Faults:
    """How often what goes wrong. Shares are of jobs unless said otherwise."""

    crash: float = 1e-3  # of items: the worker process dies, the job does the item again
    die: float = 0.01  # the job dies in an item, half a frame at the end of its file
    hang: float = 0.01  # no item ends, no sign of life any more; wakes up after hours
    slow: float = 0.02  # items take five times as long
    preempt: float = 0.02  # ends in order before it is done
    requeue: float = 0.01  # started again by its scheduler
    twice: float = 0.02  # its outcomes are delivered twice
    deaf: float = 0.5  # of cancelled jobs: they hear nothing of it
    node_hours: float = 60.0  # between two losses of a node
    away_hours: float = 8.0  # between two times that the scheduler is away
    away_s: float = 900.0  # how long
    forgets: float = 0.02  # of running jobs: not known any more after that, though they run
    poison: int = 10  # items that kill every job that begins them

    @classmethod
    def none(cls) -> "Faults":
        """A calm cluster."""
        return cls(0, 0, 0, 0, 0, 0, 0, 0, 1e9, 1e9, 0, 0, 0)

    def times(self, factor: float) -> "Faults":
        """Everything so many times as often; as many poison items."""
        shares = ("crash", "die", "hang", "slow", "preempt", "requeue", "twice")
        return replace(
            self,
            **{name: factor * getattr(self, name) for name in shares},
            node_hours=self.node_hours / factor,
            away_hours=self.away_hours / factor,
        )


class Clock:
    """Stands in for the module `time` in the driver's modules."""

    def __init__(self, tick_s: float) -> None:
        self.now, self.tick_s = 1e6, tick_s
        self.jump: Any = lambda: None  # called after each jump

    def monotonic(self) -> float:
        """Simulated seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Jump."""
        self.now += max(seconds, self.tick_s)
        self.jump()


@dataclass
class Job:
    """A job that was launched; `life` yields when it wants to be looked at next."""

    ident: str
    folder: ShardFolder
    number: int
    fate: str
    slot: int = -1
    state: JobState = JobState.WAITING
    silent: bool = False
    beats: int = 0
    began: float = 0.0  # when it got its slot
    path: Path | None = None
    waiting: list[bytes] = field(default_factory=list)
    life: Iterator[float] = field(default_factory=lambda: iter(()))

    def frame(self, kind: bytes, number: int, body: bytes = b"") -> None:
        """Append to what it writes at its next look."""
        self.waiting.append(frames.framed(kind, number, body))

    def flush(self) -> None:
        """Write; a shard that was removed meanwhile takes nothing."""
        data, self.waiting = b"".join(self.waiting), []
        if not data or self.path is None:
            return
        try:
            with self.path.open("ab") as stream:
                stream.write(data)
        except FileNotFoundError:
            self.path = None

    def beat(self) -> None:
        """Give a sign of life."""
        self.beats += 1
        try:
            self.folder.write_beat(self.number, {"beat": self.beats})
        except OSError:
            self.path = None


class SimulatedCluster:
    """A launcher over `slots` devices, eight to a node.

    Args:
        clock: that the driver sleeps by.
        slots: jobs that run at once.
        seconds: of an item, by its key.
        values: results that items have.
        faults: what goes wrong.
        poison: keys of items that kill their jobs.
    """

    def __init__(
        self, clock: Clock, slots: int, seconds: Any, values: Sequence[Any], faults: Faults,
        poison: Collection[str], *, seed: int = 0, load_s: float = 60.0, queue_s: float = 30.0,
    ) -> None:  # fmt: skip
        self.clock, self.faults, self.poison = clock, faults, poison
        self.random = random.Random(seed)
        self.load_s, self.queue_s = load_s, queue_s
        self.seconds = seconds
        self.values = [packed(value, "result") for value in values]
        self.jobs: dict[str, Job] = {}
        self.free = list(range(slots))
        self.live: dict[str, Job] = {}  # those that have a slot
        self.pending: deque[Job] = deque()
        self.executed: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.held_s = 0.0  # of slots
        self.known: set[str] = set()
        self._heap: list[tuple[float, int, str]] = []
        self._n = 0
        self._nodes = max(1, slots // 8)
        self._away_until = 0.0
        self._next_away = clock.now + self._between(faults.away_hours)
        self._next_loss = clock.now + self._between(faults.node_hours / self._nodes)
        self._next_beat = clock.now
        clock.jump = self.advance

    def launch(self, jobs: Sequence[JobSpec]) -> list[str]:
        """Put jobs into the queue."""
        self._answer()
        return [self._queue(spec) for spec in jobs]

    def states(self, ids: Collection[str]) -> Mapping[str, JobState]:
        """As far as the scheduler knows."""
        self._answer()
        lost = JobState.LOST
        return {i: self.jobs[i].state if i in self.known else lost for i in ids}

    def cancel(self, ids: Collection[str]) -> None:
        """Stop jobs, if they hear it."""
        self._answer()
        for job in [self.jobs[i] for i in ids if i in self.jobs]:
            if job.slot < 0 and job in self.pending:
                self.pending.remove(job)
                job.state = JobState.LOST
            elif job.slot >= 0 and self.random.random() >= self.faults.deaf:
                self._release(job, JobState.LOST)

    def advance(self) -> None:
        """Let happen what happens until now."""
        now = self.clock.now
        while self._heap and self._heap[0][0] <= now:
            when, _, ident = heapq.heappop(self._heap)
            job = self.jobs[ident]
            if job.slot >= 0:
                self._step(job, when)
        self._break(now)
        if now >= self._next_beat:
            self._next_beat = now + BEAT_S
            for job in self._running():
                if not job.silent:
                    job.beat()
        for job in self._running():
            job.flush()

    def _running(self) -> list[Job]:
        return list(self.live.values())

    def _queue(self, spec: JobSpec) -> str:
        self._n += 1
        job = Job(f"job{self._n}", ShardFolder(spec.folder), spec.attempt, self._fate())
        self.jobs[job.ident] = job
        self.known.add(job.ident)
        self.pending.append(job)
        self._start()
        return job.ident

    def _fate(self) -> str:
        draw, f = self.random.random(), self.faults
        for name in ("die", "hang", "slow", "preempt", "requeue", "twice"):
            draw -= getattr(f, name)
            if draw < 0:
                return name
        return ""

    def _start(self) -> None:
        while self.free and self.pending:
            job = self.pending.popleft()
            job.slot = self.free.pop()
            self.live[job.ident] = job
            job.began = self.clock.now
            job.life = self._life(job)
            self._step(job, self.clock.now)

    def _step(self, job: Job, now: float) -> None:
        upcoming = next(job.life, None)
        if upcoming is None:
            job.flush()
            self._release(job, JobState.ENDED)
        else:
            self._n += 1
            heapq.heappush(self._heap, (max(upcoming, now), self._n, job.ident))

    def _release(self, job: Job, state: JobState) -> None:
        self.held_s += self.clock.now - job.began
        self.free.append(job.slot)
        del self.live[job.ident]
        job.slot, job.state, job.waiting = -1, state, []
        self._start()

    def _life(self, job: Job) -> Iterator[float]:
        """One job, from its start to its end; yields the time of its next event."""
        now = self.clock.now + self.random.expovariate(1 / self.queue_s)
        yield now
        contents, order = job.folder.contents(), job.folder.order(job.number)
        if contents is None or order is None:
            return
        job.state = JobState.RUNNING
        job.beat()
        todo = part(contents.entries, order.todo)
        turn = self.random.randrange(len(todo)) if todo else 0  # where its fate reaches it
        if job.fate:
            self.happened[job.fate] += 1
        job.path = job.folder.new_outcomes(job.number)
        now += self.load_s
        yield now
        done: list[bytes] = []
        for k, place in enumerate(todo):
            if job.folder.stopped(job.number):
                return self._end(job, "stopped")
            if k == turn and job.fate == "preempt":
                return self._end(job, "terminated")
            if k == turn and job.fate == "requeue":
                job.flush()
                job.path = job.folder.new_outcomes(job.number)
                now += self.queue_s + self.load_s
                yield now
            entry = contents.entries[place]
            job.frame(frames.BEGUN, place)
            took, attempts = self._took(entry, job)
            if entry.key in self.poison or (k == turn and job.fate == "die"):
                yield now + took / 2
                job.waiting.append(frames.framed(frames.DONE, place, b"half of it")[:-5])
                return None
            if k == turn and job.fate == "hang":
                job.silent = True
                now += self.random.uniform(1.0, 4.0) * HOUR
                yield now
                job.silent = False
            now += took
            yield now
            self.executed[entry.key] += 1
            body = self._outcome(entry, took, attempts)
            job.frame(frames.DONE, place, body)
            if job.fate == "twice":
                done.append(frames.framed(frames.DONE, place, body))
        job.waiting += done
        return self._end(job, "done")

    def _took(self, entry: Entry, job: Job) -> tuple[float, int]:
        took = self.seconds(entry.key) * (5.0 if job.fate == "slow" else 1.0)
        if self.random.random() < self.faults.crash:
            self.happened["crash"] += 1
            return 1.5 * took, 2
        return took, 1

    def _outcome(self, entry: Entry, took: float, attempts: int) -> bytes:
        value = Sealed(self.values[hash(entry.key) % len(self.values)])
        outcome = Outcome(entry.key, value, seconds=took, peak_mb=4000.0, attempts=attempts)
        return pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)

    def _end(self, job: Job, why: str) -> None:
        job.frame(frames.END, 0, json.dumps({"why": why, "kind": "", "hand": {}}).encode())

    def _break(self, now: float) -> None:
        """Nodes are lost, the scheduler goes away and forgets."""
        if now >= self._next_loss:
            self._next_loss = now + self._between(self.faults.node_hours / self._nodes)
            node = self.random.randrange(self._nodes)
            self.happened["node lost"] += 1
            for job in [job for job in self._running() if job.slot // 8 == node]:
                job.waiting.append(frames.framed(frames.BEGUN, 0)[:7])  # torn
                job.flush()
                self._release(job, JobState.LOST)
        if now >= self._next_away:
            self._next_away = now + self._between(self.faults.away_hours)
            self._away_until = now + self.faults.away_s
            self.happened["scheduler away"] += 1
            for job in self._running():
                if self.random.random() < self.faults.forgets:
                    self.happened["forgotten"] += 1
                    self.known.discard(job.ident)

    def _answer(self) -> None:
        if self.clock.now < self._away_until:
            raise ClusterError("the scheduler does not answer")

    def _between(self, hours: float) -> float:
        return self.random.expovariate(1 / (hours * HOUR))
