"""What becomes of jobs: over, lost, silent, slow; and of the items that took them down."""

import json
import logging
import shutil
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from voxcurate.errors import ClusterError, JobRefusedError
from voxcurate.executors.launchers import JobState
from voxcurate.executors.shards.driver import Settings
from voxcurate.executors.shards.files import log_name, owners_folder
from voxcurate.executors.shards.scheduler import Scheduler
from voxcurate.executors.shards.state import Shard, Try

log = logging.getLogger(__name__)
SETTLE_S = 2.0  # for the last words of a job to be seen here
ENDING_S = 60.0  # a job that said that it is over leaves its place in this time
IDLE_S = 2.0  # a job whose items are all done by others is stopped after this
SAMPLE = 2000  # seconds of items that are remembered
ENOUGH = 10  # of them to say what is slow
LONGEST_S = 60.0  # until a shard whose jobs did nothing gets another one
# what an item in hand is blamed with; a lost job is the node's fault, mostly, and an item that is
# too long for a job may be one that goes on where it stopped (training)
CRASHED, LOST = 2, 1
TOOK_DOWN, LOST_AGAIN = "took jobs down", "its jobs were lost or pre-empted"  # items given up
IN_VAIN = {"ended", "error", "refused"}


class Bench:
    """Judges the jobs of one call.

    Args:
        settings: of the executor.
        scheduler: to ask.
    """

    def __init__(self, settings: Settings, scheduler: Scheduler) -> None:
        self._settings, self._scheduler = settings, scheduler
        self._seconds: deque[float] = deque(maxlen=SAMPLE)
        self._ending: dict[str, float] = {}  # jobs that said they are over, until when they may be
        self._in_vain = 0  # jobs in a row that ended before they did anything
        self._losses, self._next_loss = 0, 0.0  # times that jobs were lost before that
        self._at_work = False  # some job has begun something

    @property
    def ending(self) -> int:
        """Jobs that are over but still have their place."""
        return len(self._ending)

    def learn(self, seconds: float) -> None:
        """An item took so long."""
        self._seconds.append(seconds)
        self._in_vain = self._losses = 0

    def look(self, shards: Iterable[Shard], *, all_taken: bool) -> Iterator[Shard]:
        """Look after all jobs; the shards that lost one.

        Raises:
            ClusterError: jobs end before they begin anything, again and again.
        """
        live = [(shard, each) for shard in shards for each in list(shard.tries.values())]
        for shard, each in live:
            if each.ended:
                if each.order.job:
                    self._ending[each.order.job] = time.monotonic() + ENDING_S
                self._end(shard, each, each.ended["why"])
                yield shard
        live = [(shard, each) for shard, each in live if not each.ended]
        self._at_work = any(each.begun and not each.gone for _, each in live)
        ids = {each.order.job for _, each in live if each.order.job} | self._ending.keys()
        states = self._scheduler.states(ids, now=bool(self._ending))
        if states is None:
            return
        now = time.monotonic()
        running = {JobState.RUNNING, JobState.WAITING}
        self._ending = {
            job: until
            for job, until in self._ending.items()
            if until > now and states.get(job) in running
        }
        for shard, each in live:
            how = self._state(shard, each, states.get(each.order.job))
            if not how and self._is_idle(shard, each, all_taken):
                how = "superseded"
            if how:
                if how in {"silent", "superseded"}:
                    self._scheduler.stop([(shard, each)])
                self._end(shard, each, how)
                yield shard

    def _state(self, shard: Shard, each: Try, state: JobState | None) -> str:
        """How a job is over; empty while it is not."""
        now = time.monotonic()
        if state is JobState.ENDED or state is JobState.LOST:
            each.gone = each.gone or now
            settled = now - each.gone > min(SETTLE_S, self._settings.cluster.poll_s)
            if not settled or each.drained < each.gone:
                return ""
            each.ended = last_words(shard.folder.beat(each.number))
            return str(each.ended.get("why", state.value))
        each.gone = 0.0
        if state != JobState.RUNNING and each.order.job:
            each.signed = now  # in the queue: no sign of life is wanted
        each.look(shard.folder)
        is_silent = now - each.signed > self._settings.cluster.silence_s
        return "silent" if is_silent and each.drained > each.signed else ""

    def _is_idle(self, shard: Shard, each: Try, all_taken: bool) -> bool:
        """Whether nobody waits for what a job has in hand, since a while."""
        hand = set(each.hand) or each.todo

        def needed(place: int) -> bool:
            return place in shard.open or (place not in shard.wanted and place not in shard.found)

        if not shard.wanted or not all_taken or any(needed(place) for place in hand):
            each.idle = 0.0
            return False
        each.idle = each.idle or time.monotonic()
        return each.drained > each.idle and time.monotonic() - each.idle > IDLE_S

    def _end(self, shard: Shard, each: Try, how: str) -> None:
        """A job is over: whose fault is it, and who else is to go on with its items."""
        hand = [place for place in each.hand if place in shard.open or place not in shard.wanted]
        if how == "ended":
            shard.blame(hand, CRASHED, each.number)
        elif how in {"lost", "silent"}:
            shard.blame(hand, LOST, each.number)
        elif how == "time":  # too long for any job, or begun too late in this one
            half = each.order.minutes * 60 / 2
            since = {int(place): seconds for place, seconds in each.ended["hand"].items()}
            shard.blame([p for p in hand if since.get(p, 0.0) > half], LOST, each.number)
        is_vain = how in IN_VAIN and not each.done and not (hand and how == "ended")
        is_vain |= how == "lost" and not each.begun
        if each.done:
            shard.restarts = 0  # it gets on, in small steps
        elif how not in {"done", "superseded", "ended"} and not is_vain:
            shard.restarts += 1
        if how != "done":  # its scheduler may start it again, or it lives where nobody sees it
            shard.folder.stop(each.number)
        shard.end(each.number)
        left = len(each.todo & shard.open)
        told = {"shard": shard.folder.name, "try": each.number, "how": how, "left": left}
        say = log.info if how in {"done", "superseded", "stopped"} else log.warning
        say("job over", extra={"stage": self._settings.stage, **told, "done": each.done})
        if how == "refused" and not self._at_work and not self._seconds:
            raise JobRefusedError(
                "jobs find no python on their node: want in the cluster's `python` one that nodes "
                f"have (or that `setup` brings); the job's words: {self._log(shard, each)}"
            )
        if is_vain and how == "lost":
            self._count_loss(shard, each)
        elif is_vain:
            self._count_in_vain(shard, each)

    def _count_in_vain(self, shard: Shard, each: Try) -> None:
        """A job that did nothing. Where others are at work it may be its node: no item's fault, and
        no reason to stop them."""
        self._in_vain += 1
        if self._in_vain >= self._settings.cluster.tries and not self._at_work:
            kind = each.ended.get("kind")
            raise ClusterError(
                f"{self._in_vain} jobs in a row ended before they did anything"
                f"{f' ({kind})' if kind else ''}; the last one's words: {self._log(shard, each)}"
            )
        self._postpone(shard, self._in_vain)

    def _count_loss(self, shard: Shard, each: Try) -> None:
        """A job that was lost before it did anything. Many may be lost together, with a node or by
        pre-emption: that counts once."""
        now = time.monotonic()
        if now >= self._next_loss:
            self._losses += 1
            self._next_loss = now + self._wait_s(self._losses)
        if self._losses > self._settings.cluster.restarts and not self._at_work:
            raise ClusterError(
                f"jobs were lost {self._losses} times in a row before they did anything; the last "
                f"one's words, if it had any: {self._log(shard, each)}"
            )
        self._postpone(shard, self._losses)

    def _postpone(self, shard: Shard, times: int) -> None:
        shard.not_before = time.monotonic() + self._wait_s(times)

    def _wait_s(self, times: int) -> float:
        return min(LONGEST_S, self._settings.cluster.poll_s * 2.0 ** min(times, 20))

    def parts(self, shard: Shard) -> Iterator[tuple[list[int], bool]]:
        """What no job has, in parts for a job each: what is above suspicion; and the suspects, one
        by one, so that it comes out which of them it is."""
        places = shard.uncovered()
        suspects = [place for place in places if shard.guilt.get(place)]
        others = [place for place in places if not shard.guilt.get(place)]
        if others:
            yield others, False
        if suspects:
            yield sorted(suspects, key=lambda place: shard.guilt[place]), True

    def sentence(self, shard: Shard) -> Iterator[tuple[int, str]]:
        """Items that are given up, and why."""
        cluster = self._settings.cluster
        for place in shard.uncovered():
            if shard.guilt.get(place, 0) >= CRASHED * cluster.tries:
                words = self._keep_log(shard, place)
                yield place, f"{TOOK_DOWN}, {cluster.tries} of them{words}"
            elif shard.restarts > cluster.restarts:
                yield place, f"{LOST_AGAIN} {shard.restarts} times"

    def slow(self, shards: Iterable[Shard]) -> list[tuple[Shard, list[int]]]:
        """Items that take much longer than others do, of each job that has some."""
        factor = self._settings.cluster.straggler
        if not factor or len(self._seconds) < ENOUGH:
            return []
        usual = sorted(self._seconds)[int(0.95 * (len(self._seconds) - 1))]
        limit = max(factor * usual, 5 * self._settings.cluster.poll_s)
        now, found = time.monotonic(), []
        for shard in shards:
            copied = {p for each in shard.tries.values() if each.order.copy for p in each.todo}
            for each in shard.tries.values():
                places = [p for p, since in each.hand.items() if now - since > limit]
                places = [p for p in places if p in shard.open and p not in copied]
                places = [p for p in places if not shard.contents.entries[p].single]
                if places and not each.order.copy:
                    found.append((shard, places))
        return found

    def _log(self, shard: Shard, each: Try) -> str:
        return self._told(shard.folder.log(each.number))

    def _keep_log(self, shard: Shard, place: int) -> str:
        """Keep the log of a job that an item took down, for the shard is removed in the end."""
        number = shard.blamed.get(place)
        if number is None:
            return ""
        key = shard.contents.entries[place].key
        kept = self._settings.folder / "quarantined" / f"{log_name(key)}.log"
        owners_folder(kept.parent)
        with suppress(FileNotFoundError):
            shutil.copyfile(shard.folder.log(number), kept)
        log.warning("item quarantined", extra={"stage": self._settings.stage, "item": key})
        return f"; the last one's words: {self._told(kept)}"

    def _told(self, path: Path) -> str:
        """A path as people are told it: relative to the workspace."""
        root = self._settings.root
        return path.relative_to(root).as_posix() if root else path.name


def last_words(beat: str) -> dict[str, Any]:
    """What a job that could not write outcomes said of its end; empty if it said nothing."""
    try:
        return dict(json.loads(beat).get("ended", {}))
    except ValueError:
        return {}
