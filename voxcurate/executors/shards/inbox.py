"""What jobs wrote, taken in: each outcome that is wanted, once."""

import logging
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from voxcurate.executors.pool import log_again
from voxcurate.executors.shards.files import usable
from voxcurate.executors.shards.frames import DONE, LOG, Frame, frame_at
from voxcurate.executors.shards.scratch import Sealed
from voxcurate.executors.shards.state import Shard, Where
from voxcurate.executors.worker import UnsendableError, unpacked
from voxcurate.protocols import Outcome

log = logging.getLogger(__name__)
SEEN_S = 60.0  # for a file to be seen here after a node wrote it: file servers' caches
AT_ONCE = 200  # outcomes of a shard, before free places get new jobs


class Inbox:
    """Reads behind the jobs.

    Args:
        learn: is told how long an item took.
        again: is told of a shard that has items to be done again.
    """

    def __init__(self, learn: Callable[[float], None], again: Callable[[Shard], None]) -> None:
        self._learn, self._again = learn, again

    def read(self, shard: Shard) -> Iterator[Outcome]:
        """What a shard's jobs have written."""
        n = 0
        for each in list(shard.tries.values()):
            began = time.monotonic()
            frames = each.read(shard.folder)
            while found := self._next(frames):
                frame, where = found
                if frame.kind != DONE:
                    continue
                outcome = self._seen(shard, frame.number, frame.body, where)
                if outcome is not None:
                    yield outcome
                n += 1
                if n >= AT_ONCE:
                    return
            each.drained = began

    def _next(self, frames: Iterator[tuple[Frame, Where]]) -> tuple[Frame, Where] | None:
        """The next frame; what a job logged is logged here."""
        with usable():
            found = next(frames, None)
        if found is not None and found[0].kind == LOG:
            try:
                log_again(pickle.loads(found[0].body))  # noqa: S301 - our own job's
            except Exception:  # noqa: BLE001 - of a kind that only nodes have; no item's fault
                log.info("a log record of a job cannot be read here")
        return found

    def _seen(self, shard: Shard, place: int, body: bytes, where: Where) -> Outcome | None:
        """An outcome, if it is wanted and the first of its task."""
        if place not in shard.open:
            if place not in shard.wanted:
                shard.found.setdefault(place, where)
            return None
        outcome = self._opened(body)
        if outcome is None:
            shard.held.setdefault(place, (where, time.monotonic() + SEEN_S))
            return None
        return self.told(shard, place, outcome)

    def look_again(self, shard: Shard) -> Iterator[Outcome]:
        """Outcomes whose files were not to be seen; in the end they are done again. Many that are
        missing together are one loss of the shard, or it would be given up."""
        for place, (where, until) in list(shard.held.items()):
            outcome = self.at(where) if place in shard.open else None
            if outcome is not None:
                yield self.told(shard, place, outcome)
            elif place not in shard.open or time.monotonic() > until:
                del shard.held[place]
                if place in shard.open and time.monotonic() - shard.missed > SEEN_S:
                    shard.restarts, shard.missed = shard.restarts + 1, time.monotonic()
                self._again(shard)

    def at(self, where: Where) -> Outcome | None:
        """An outcome that was passed over; None if it cannot be had."""
        with usable():
            frame = frame_at(*where)
        return self._opened(frame.body) if frame is not None else None

    def _opened(self, body: bytes) -> Outcome | None:
        """An outcome with its value; None if files that it names are not there, or if it is that of
        another version of this code."""
        try:
            outcome = pickle.loads(body)  # noqa: S301 - our own job's
        except Exception:  # noqa: BLE001 - whatever its class has become
            return None
        if not isinstance(outcome, Outcome):
            return None
        if not isinstance(outcome.value, Sealed):
            return outcome
        if not outcome.value.complete():
            return None
        try:
            return replace(outcome, value=unpacked(outcome.value.data, "result"))
        except UnsendableError as problem:
            kind = type(problem).__name__
            return replace(outcome, value=None, error=str(problem), error_kind=kind)

    def told(self, shard: Shard, place: int, outcome: Outcome) -> Outcome:
        """Note that an outcome is handed over."""
        shard.open.discard(place)
        shard.held.pop(place, None)
        shard.told = time.monotonic()
        self._learn(outcome.seconds)
        return outcome
