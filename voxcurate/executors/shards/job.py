"""A job: ``python -m voxcurate.executors.shards.job FOLDER TRY`` does a shard's tasks on its node.

It runs them with the local executor, so that a task that hangs or crashes is only that, and appends
each outcome as it comes. It ends in order when its scheduler tells it to (SIGTERM: pre-emption, the
end of its time), when nobody wants it any more, and shortly before its wall time is over.
"""

import json
import logging
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from voxcurate.errors import CurationError
from voxcurate.executors.local import LocalExecutor
from voxcurate.executors.shards.files import ShardFolder, owners_folder, part
from voxcurate.executors.shards.frames import BEGUN, DONE, END, LOG, FrameWriter, Tail
from voxcurate.executors.shards.scratch import Call
from voxcurate.executors.worker import describe
from voxcurate.logs import PACKAGES, JsonLines
from voxcurate.protocols import Outcome, Task

NAME = "voxcurate.executors.shards.job"  # not `__name__`, which is "__main__" in a job
POOL = "voxcurate.executors.pool"
log = logging.getLogger(NAME)
WORK = "voxcurate.executors.shards.scratch:work"
GRACE_S = 10.0  # that tasks in hand have to end after a notice
MARGIN_S = 150.0  # the job ends so long before its time is over: before the scheduler's notice
PRECIOUS_S = 1.0  # an outcome of so much work is worth waiting for the disk
CRASH_S = 0.3  # between the death of a worker by the scheduler's signal and our own notice
TELL_S = 0.05  # between two items that the log tells of: it would be mostly those that are no work
SCHEDULERS = ("SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID", "RAY_JOB_ID")


class _Ended(BaseException):
    """Raised where the main thread waits: the job is over."""


@dataclass
class Job:
    """One run of a shard's tasks.

    Args:
        shard: where they lie.
        number: which try of the shard it is.
    """

    shard: ShardFolder
    number: int
    why: str = ""  # it ends before it is done
    waiting: bool = False  # the main thread may be interrupted
    leaving: bool = False
    hand: dict[int, float] = field(default_factory=dict)  # place to when it was begun
    done: int = 0
    told: float = 0.0  # when the log last heard of an item
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """Do what is to be done; 0 if it ended in order."""
        if self.shard.stopped(self.number):
            log.warning("nobody wants this job, or its node does not see the workspace")
            return 0
        contents, order = self.shard.contents(), self.shard.order(self.number)
        if contents is None or order is None:
            log.error("this job's tasks are those of another version of voxcurate, or damaged")
            return 1
        sys.path += [each for each in contents.path if each not in sys.path]
        before = self._done_before()
        self.writer = FrameWriter(self.shard.new_outcomes(self.number))
        self.order, self.contents, self.started = order, contents, time.monotonic()
        todo = [place for place in part(contents.entries, order.todo) if place not in before]
        self._listen()
        beats = threading.Thread(target=self._beat, name="beat", daemon=True)
        beats.start()
        trouble = ""
        try:
            self._work(todo)
        except _Ended:
            pass
        except Exception as problem:  # noqa: BLE001 - told to the driver and in the log
            trouble = _trouble(problem)
            log.error("the job broke", extra={"why": trouble})
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.over.set()
        beats.join()
        with suppress(OSError):  # results' files lie there, if any do
            Path(self._own_scratch() or "none").rmdir()
        return self._end(trouble)

    def _end(self, trouble: str) -> int:
        """Say how it ended: in the outcomes, or if these cannot be written, in the last sign of
        life, so that no item is blamed for a full disk."""
        why = self.why or ("error" if trouble else "done")
        now = time.monotonic()
        hand = {place: round(now - since, 1) for place, since in self.hand.items()}
        end = {"why": why, "kind": trouble, "hand": hand, "seconds": round(now - self.started, 1)}
        log.info("job over", extra={"try": self.number, "how": why, "items": self.done})
        try:
            self.writer.add(END, 0, json.dumps(end).encode(), now=True)
            self.writer.close()
        except OSError as problem:
            told = {**end, "why": "error", "kind": _trouble(problem)}
            with suppress(OSError):
                self.shard.write_beat(self.number, {"pid": os.getpid(), "ended": told})
            return 1
        return 1 if trouble else 0

    def _done_before(self) -> set[int]:
        """What the same job did before its scheduler started it again."""
        files = self.shard.outcomes(self.number)
        return {f.number for path in files for f in Tail(path).frames() if f.kind == DONE}

    def _work(self, todo: Sequence[int]) -> None:
        executor = LocalExecutor(
            workers=self.order.workers, threads=self.order.threads, **self.contents.settings
        )
        if self.order.careful:
            for place in todo:
                self._run(executor, [place])
        else:
            self._run(executor, todo)

    def _run(self, executor: LocalExecutor, todo: Sequence[int]) -> None:
        outcomes = executor.run(WORK, self._tasks(todo))
        try:
            while True:
                self.waiting = True
                outcome = next(outcomes, None)
                self.waiting = False
                if outcome is None:
                    return
                self._enter(outcome)
                if self.leaving or (self.why and not self.hand):
                    raise _Ended
        finally:
            self.waiting = False
            outcomes.close()  # type: ignore[attr-defined]

    def _tasks(self, todo: Sequence[int]) -> Iterator[Task]:
        """Tasks as workers become free; none after a notice."""
        own = self._own_scratch()
        if own:
            owners_folder(Path(own))
        for place in todo:
            if self.why:
                return
            entry = self.contents.entries[place]
            self.hand[place] = now = time.monotonic()
            if now - self.told > TELL_S:
                self.told = now
                log.info("item begun", extra={"item": entry.key})
            self.writer.add(BEGUN, place, now=self.order.careful)
            blob = self.shard.payload(entry)
            yield Task(str(place), Call(self.contents.worker, blob, self.order.scratch, own))

    def _own_scratch(self) -> str:
        if not self.order.scratch:
            return ""
        stage = self.shard.path.parent.name
        return str(Path(self.order.scratch, f"{stage}.{self.shard.name}.{self.number}"))

    def _enter(self, outcome: Outcome) -> None:
        """Append an outcome; a worker that the end of the job killed is no outcome."""
        place = int(outcome.key)
        if outcome.error_kind == "WorkerCrashError":
            time.sleep(CRASH_S)
            if self.why:
                return
        self.hand.pop(place, None)
        self.done += 1
        cores, gpus = (n / self.order.workers for n in (self.order.cpus, self.order.gpus))
        key = self.contents.entries[place].key
        own = replace(outcome, key=key, cores=cores, gpus=gpus)
        body = pickle.dumps(own, pickle.HIGHEST_PROTOCOL)
        self.writer.add(DONE, place, body, precious=outcome.seconds > PRECIOUS_S)

    def _listen(self) -> None:
        """Hear the scheduler; log to the driver and to stderr, which is the job's log."""
        signal.signal(signal.SIGTERM, self._notice)
        signal.signal(signal.SIGALRM, self._late)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        logging.getLogger(POOL).addFilter(self._named)
        ours, screen = _Frames(self.writer), logging.StreamHandler()
        screen.setFormatter(JsonLines())
        for name in PACKAGES:
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [ours, screen], False
            logger.setLevel(logging.INFO)
        seconds = self.order.minutes * 60
        signal.setitimer(signal.ITIMER_REAL, seconds - min(MARGIN_S, seconds / 10))

    def _named(self, record: logging.LogRecord) -> bool:
        """The pool knows items by their places; workers that the end of the job killed are no
        news."""
        if place := getattr(record, "item", ""):
            record.item = self.contents.entries[int(place)].key
        return not self.why

    def _notice(self, *_: object) -> None:
        """SIGTERM: what is in hand may end, if somebody wants it."""
        wanted, first = not self.shard.stopped(self.number), not self.why
        self.why = self.why or ("terminated" if wanted else "stopped")
        if not wanted or not self.hand:
            self._leave()
        elif first:
            signal.setitimer(signal.ITIMER_REAL, GRACE_S)

    def _late(self, _: int, __: FrameType | None) -> None:
        """The grace, or the job's time, is over."""
        self.why = self.why or "time"
        self._leave()

    def _leave(self) -> None:
        self.leaving = True
        if self.waiting:
            self.waiting = False
            raise _Ended

    def _beat(self) -> None:
        """Give signs of life, and look whether anybody wants the work."""
        about = {"host": socket.gethostname(), "pid": os.getpid()}
        about |= {name: os.environ[name] for name in SCHEDULERS if name in os.environ}
        count = 0
        while not self.over.is_set():
            hand = {p: round(time.monotonic() - s, 1) for p, s in list(self.hand.items())}
            signs = {**about, "beat": count, "done": self.done, "hand": hand, "at": time.time()}
            with suppress(OSError):  # a full disk stops the outcomes too: that is told there
                self.shard.write_beat(self.number, signs)
            if self.shard.stopped(self.number):
                os.kill(os.getpid(), signal.SIGTERM)
            count += 1
            self.over.wait(self.order.beat_s)


class _Frames(logging.Handler):
    """Sends log records to the driver."""

    def __init__(self, writer: FrameWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == NAME:  # of the job itself: the driver tells its own
            return
        plain = {**record.__dict__, "msg": record.getMessage(), "args": None}
        plain["exc_info"] = plain["exc_text"] = plain["stack_info"] = None
        with suppress(Exception):  # an `extra` that cannot be sent must not fail anything
            self._writer.add(LOG, 0, pickle.dumps(plain))


def _trouble(problem: Exception) -> str:
    """Its kind and place; of the machine's and our own errors the words, which tell no path."""
    if isinstance(problem, CurationError):
        return str(problem)
    number = problem.errno if isinstance(problem, OSError) else None
    return os.strerror(number) if number else describe(problem)


def main(arguments: Sequence[str]) -> int:
    """Run the job of a folder: of its last try, or of the one that is named."""
    shard = ShardFolder(Path(arguments[0]))
    number = int(arguments[1]) if len(arguments) > 1 else max(shard.tries(), default=1)
    return Job(shard, number).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
