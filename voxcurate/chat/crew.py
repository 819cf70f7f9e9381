"""Engines in processes of their own, kept running: who works on what, and what a crash costs.

An engine that crashes, hangs or runs out of memory costs the replies that were under way, no
others. Those requests are suspects: they are put again in smaller company, so that one that takes
engines down is soon alone, and given up, while the others get their replies.
"""

import json
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing.connection import wait
from typing import Any

from voxcurate.chat.asking import Conversation
from voxcurate.chat.engine import EngineConfig
from voxcurate.chat.hosted import Hosted
from voxcurate.chat.local import Generated
from voxcurate.chat.retry import GIVEN_UP, Backoff
from voxcurate.errors import ConfigError

LOOK_S = 1.0  # between two looks at engines that say nothing

Found = tuple[int, Generated]


@dataclass(eq=False)
class _Job:
    """A request on its way."""

    place: int
    talk: Conversation
    key: str
    strikes: int = 0  # engines that went down with it
    began: float = 0.0  # on its engine's clock
    seconds: float = 0.0  # of engines that went down


@dataclass(eq=False)
class _Clock:
    """Seconds of an engine, shared evenly among the requests in its hand at each moment."""

    seconds: float = 0.0
    last: float = 0.0

    def tick(self, in_hand: int) -> float:
        now = time.monotonic()
        if in_hand:
            self.seconds += (now - self.last) / in_hand
        self.last = now
        return self.seconds


class Crew:
    """One engine or several, started when there is work, started again when they die.

    Args:
        kind: of the model, ``"package.module:Class"`` (`voxcurate.chat.host.Model`).
        config: `in_hand`, `crashes`, `timeout_s`, `load_s` and `give_up_after` are read here.
        environments: variables of each engine; their number is that of the engines.
        gpus: of each engine, for what a reply costs.

    Attributes:
        started: engines started so far.
    """

    def __init__(
        self,
        kind: str,
        config: EngineConfig,
        *,
        environments: Sequence[Mapping[str, str]] = ({},),
        gpus: float = 0.0,
    ) -> None:
        self._kind = kind
        self._config = config
        self._gpus = gpus
        self._environments = tuple(environments)
        self._hosts: dict[int, Hosted] = {}
        self._clocks: dict[int, _Clock] = {}
        self._numbers = count()
        self._schemas: dict[str, int] = {}  # their numbers, by content
        self._backoff = Backoff(config.wait_s, config.longest_wait_s)
        self._in_vain = 0  # engines in a row that died without a reply
        self._has_loaded = False
        self._spoilt: dict[str, str] = {}  # requests that took engines down, and what was seen
        self._given_up = ""
        self._lock = threading.Lock()
        self.started = 0
        weakref.finalize(self, _stop_all, self._hosts)

    def run(
        self, talks: Sequence[Conversation], schema: Mapping[str, Any], keys: Sequence[str]
    ) -> Iterator[Found]:
        """What is generated for each conversation, with its place, as it comes.

        Raises:
            ConfigError: the model cannot be loaded.
        """
        with self._lock:
            content = json.dumps(schema, sort_keys=True)
            number = self._schemas.setdefault(content, len(self._schemas))
            yield from self._run(talks, (number, schema), keys)

    def close(self) -> None:
        """End the engines; the next request starts them again."""
        _stop_all(self._hosts)

    def _run(
        self,
        talks: Sequence[Conversation],
        schema: tuple[int, Mapping[str, Any]],
        keys: Sequence[str],
    ) -> Iterator[Found]:
        for n, host in list(self._hosts.items()):
            host.in_hand = dict.fromkeys(host.in_hand)  # of a run that was broken off: not wanted
            if host.is_gone:  # it died between two runs: by nobody's fault
                self._hosts.pop(n).stop()
        waiting: list[deque[_Job]] = [deque() for _ in range(self._config.crashes)]
        left = len(talks)
        for place, (talk, key) in enumerate(zip(talks, keys, strict=True)):
            if key in self._spoilt:
                left -= 1
                yield place, Generated(error=self._spoilt[key])
            else:
                waiting[0].append(_Job(place, talk, key))
        while left:
            if self._given_up:
                yield from self._abandoned(waiting)
                return
            self._start(min(left, len(self._environments)))
            self._feed(waiting, schema)
            for found in self._look(waiting):
                left -= 1
                yield found

    def _start(self, wanted: int) -> None:
        for n, environment in enumerate(self._environments[:wanted]):
            if n not in self._hosts:
                settings = self._config.model_dump_json()
                self._hosts[n] = Hosted(self._kind, settings, environment)
                self._clocks[n] = _Clock()
                self.started += 1

    def _feed(self, waiting: Sequence[deque[_Job]], schema: tuple[int, Mapping[str, Any]]) -> None:
        """Fill every engine that is ready. Only requests of one level of suspicion share one."""
        for n, host in self._hosts.items():
            if not host.is_ready:
                continue
            if not host.in_hand:
                host.level = next((level for level, jobs in enumerate(waiting) if jobs), 0)
            jobs = waiting[host.level]
            while jobs and len(host.in_hand) < self._company(host.level):
                job, number = jobs.popleft(), next(self._numbers)
                host.give(number, job.talk, schema)
                job.began = self._clocks[n].tick(len(host.in_hand))
                host.in_hand[number] = job

    def _company(self, level: int) -> int:
        """Requests that share an engine: all that fit, in the end one alone."""
        last = self._config.crashes - 1
        return max(1, round(self._config.in_hand ** (1 - level / last))) if last else 1

    def _look(self, waiting: Sequence[deque[_Job]]) -> Iterator[Found]:
        """Wait until an engine says something, or has been silent for too long."""
        wait([host.pipe for host in self._hosts.values()], LOOK_S)
        for n, host in list(self._hosts.items()):
            found, is_over = host.news()
            done = [self._taken(n, number, made) for number, made in found]
            self._has_loaded = self._has_loaded or host.is_ready
            why = self._ended(host) if is_over else self._silent(host)
            yield from filter(None, done)  # last: whoever gets them may take long, or break off
            if why:
                yield from self._lost(n, why, waiting)

    def _taken(self, n: int, number: int, made: Generated) -> Found | None:
        """A reply out of an engine's hand; None: nobody wants it any more."""
        host = self._hosts[n]
        seconds = self._clocks[n].tick(len(host.in_hand))
        job = host.in_hand.pop(number, None)
        self._in_vain = self._in_vain if made.error else 0
        if job is None:
            return None
        return job.place, self._paid(made, seconds + job.seconds - job.began)

    def _ended(self, host: Hosted) -> str:
        if host.why:
            return host.why
        status = host.status()
        return "its process died" + (f" (exit status {status})" if status is not None else "")

    def _silent(self, host: Hosted) -> str:
        """Whether it has been for too long; then why it is ended."""
        quiet = time.monotonic() - host.heard
        if not host.is_ready:
            limit = self._config.load_s
            return f"its model was not loaded after {limit:g} s" if quiet > limit else ""
        limit = self._config.timeout_s
        return f"no sign of life for {limit:g} s" if host.in_hand and quiet > limit else ""

    def _lost(self, n: int, why: str, waiting: Sequence[deque[_Job]]) -> Iterator[Found]:
        """Bury an engine; who had a part in its end is put again, or given up."""
        host, clock = self._hosts.pop(n), self._clocks.pop(n)
        seconds = clock.tick(len(host.in_hand))
        host.stop()
        if not self._has_loaded:
            self.close()
            raise ConfigError(f"the engine cannot be used: {why}")
        self._in_vain += 1
        limit = self._config.give_up_after
        if limit and self._in_vain >= limit:
            self._given_up = f"{GIVEN_UP} after {limit} engines in a row without a reply ({why})"
        for job in filter(None, host.in_hand.values()):
            job.strikes += 1
            job.seconds += seconds - job.began
            if job.strikes < self._config.crashes:
                waiting[job.strikes].append(job)
                continue
            error = f"given up: {job.strikes} engines went down with this request ({why})"
            self._spoilt[job.key] = error
            yield job.place, self._paid(Generated(error=error), job.seconds)
        if self._in_vain > 1 and not self._given_up:
            self._backoff.wait(self._in_vain - 1)

    def _abandoned(self, waiting: Sequence[deque[_Job]]) -> Iterator[Found]:
        for host in self._hosts.values():
            waiting[0].extend(filter(None, host.in_hand.values()))
        self.close()
        for jobs in waiting:
            for job in jobs:
                yield job.place, self._paid(Generated(error=self._given_up), job.seconds)

    def _paid(self, made: Generated, seconds: float) -> Generated:
        return replace(made, seconds=seconds, gpu_s=seconds * self._gpus)


def _stop_all(hosts: dict[int, Hosted]) -> None:
    while hosts:
        hosts.popitem()[1].stop()
