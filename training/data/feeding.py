"""Batches that are ready when a step wants them: cut ahead of time by threads, in order.

What a step is drawn from depends on what the sampler had learnt a fixed number of steps before,
never on how fast a thread was; draws that wait are part of the checkpoint. Threads, not processes:
cutting happens in code that lets other threads run, and a batch needs no copy to get here.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from training.data.batches import Batch
from training.data.on_device import Blocks
from training.mix.sampling import Draw

Drawn = tuple[Draw, ...]


class Feed:
    """Batches of the steps, one after the other.

    Args:
        draw: the draws of a step; called in the order of the steps, by the caller's thread.
        cut: a batch of a step's draws; called by any thread.
        last: the step before which the run ends.
        ahead: steps that are drawn ahead of the one that is asked for.
        threads: that cut; 0: the caller's, when a batch is asked for.
    """

    def __init__(
        self,
        draw: Callable[[int], Drawn],
        cut: Callable[[int, Drawn], Batch | Blocks],
        *,
        last: int,
        ahead: int,
        threads: int,
    ) -> None:
        self._draw, self._cut, self._last, self._ahead = draw, cut, last, ahead
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._queue: deque[tuple[int, Drawn, Future[Batch | Blocks] | None]] = deque()
        self._next = 0

    def start(self, step: int, waiting: Sequence[Sequence[Mapping[str, Any]]] = ()) -> None:
        """Begin with a step; `waiting` are the draws that a checkpoint has for it and the next."""
        self._pool = ThreadPoolExecutor(self._threads, "cut") if self._threads else None
        self._queue.clear()
        self._next = step
        for draws in waiting:
            self._add(tuple(Draw(**{**d, "centre": tuple(d["centre"])}) for d in draws))

    def next(self) -> Batch | Blocks:
        """The next step's batch."""
        step = self._queue[0][0] if self._queue else self._next
        while self._next <= min(step + self._ahead, self._last - 1):
            self._add(self._draw(self._next))
        number, draws, future = self._queue.popleft()
        return self._cut(number, draws) if future is None else future.result()

    def waiting(self) -> list[list[dict[str, Any]]]:
        """Plain draws of the steps to come, for `start`."""
        return [[asdict(draw) for draw in draws] for _, draws, _ in self._queue]

    def close(self) -> None:
        """Stop the threads; batches that nobody asked for are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _add(self, draws: Drawn) -> None:
        pool, step = self._pool, self._next
        future = pool.submit(self._cut, step, draws) if pool is not None else None
        self._queue.append((step, draws, future))
        self._next += 1
