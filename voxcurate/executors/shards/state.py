"""What the driver knows of a shard and its jobs."""

import json
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voxcurate.executors.shards.files import Contents, Order, ShardFolder, part
from voxcurate.executors.shards.frames import BEGUN, DONE, END, Frame, Tail

Where = tuple[Path, int]  # a frame: its file, and where it begins


@dataclass
class Try:
    """One job of a shard.

    Attributes:
        hand: places that it has begun and not ended, and since when.
        ended: what it said at its end; empty while it says nothing.
        signed: when it last gave a sign of life.
        gone: when the scheduler first called it over.
        idle: since when nobody waits for what it has in hand.
        drained: when everything that it had written was last read.
    """

    number: int
    order: Order
    todo: set[int]
    tails: dict[Path, Tail] = field(default_factory=dict)
    hand: dict[int, float] = field(default_factory=dict)
    begun: int = 0
    done: int = 0
    ended: dict[str, Any] = field(default_factory=dict)
    beat: str = ""
    signed: float = field(default_factory=time.monotonic)
    gone: float = 0.0
    idle: float = 0.0
    drained: float = 0.0

    def read(self, folder: ShardFolder) -> Iterator[tuple[Frame, Where]]:
        """What it wrote since the last look."""
        for path in folder.outcomes(self.number):
            if path not in self.tails:
                self.tails[path] = Tail(path)
                self.hand.clear()  # started again by its scheduler
            for frame in self.tails[path].frames():
                if frame.kind == BEGUN:
                    self.hand[frame.number] = time.monotonic()
                    self.begun += 1
                elif frame.kind == DONE:
                    self.hand.pop(frame.number, None)
                    self.todo.discard(frame.number)
                    self.done += 1
                elif frame.kind == END:
                    self.ended = json.loads(frame.body)
                yield frame, (path, frame.offset)

    def look(self, folder: ShardFolder) -> None:
        """Whether it gave a sign of life."""
        beat = folder.beat(self.number)
        if beat != self.beat:
            self.beat, self.signed = beat, time.monotonic()


class Shard:
    """A shard that this driver wants something of.

    Attributes:
        wanted: places of tasks that this call has.
        open: those whose outcome has not been told yet.
        found: outcomes that were read before their task was asked for.
        held: outcomes whose files are not to be seen (yet), and since when.
        guilt: places to how much they are suspected of having taken jobs down.
        tries: its jobs that are not over.
    """

    def __init__(self, folder: ShardFolder, contents: Contents) -> None:
        self.folder, self.contents = folder, contents
        self.wanted: set[int] = set()
        self.open: set[int] = set()
        self.found: dict[int, Where] = {}
        self.held: dict[int, tuple[Where, float]] = {}
        self.tries: dict[int, Try] = {}
        self.last = max(folder.tries(), default=0)
        journal = folder.journal()
        self.guilt = {int(place): int(n) for place, n in journal.get("guilt", {}).items()}
        self.blamed = {int(place): int(n) for place, n in journal.get("blamed", {}).items()}
        self.restarts = int(journal.get("restarts", 0))
        self.over = set(journal.get("over", ()))
        self.not_before = 0.0
        self.told = 0.0  # when the last outcome was handed over
        self.missed = -math.inf  # when outcomes were last given up because their files were missing

    def claim(self, place: int) -> None:
        """This call has the task."""
        self.wanted.add(place)
        self.open.add(place)

    def begin(self, order: Order) -> Try:
        """A further job."""
        self.last += 1
        return self.watch(self.last, order)

    def watch(self, number: int, order: Order) -> Try:
        """A job that there is."""
        self.last = max(self.last, number)
        todo = set(part(self.contents.entries, order.todo))
        self.tries[number] = Try(number, order, todo)
        return self.tries[number]

    def end(self, number: int) -> None:
        """A job is over."""
        self.tries.pop(number, None)
        self.over.add(number)
        self.keep()

    def keep(self) -> None:
        """Write down what the next driver must know."""
        self.folder.write_journal(
            {
                "guilt": self.guilt,
                "blamed": self.blamed,
                "restarts": self.restarts,
                "over": sorted(self.over),
            }
        )

    def blame(self, places: Iterable[int], weight: int, number: int) -> None:
        """Items that were in hand when a job went down."""
        for place in places:
            self.guilt[place] = self.guilt.get(place, 0) + weight
            self.blamed[place] = number

    def uncovered(self) -> list[int]:
        """Places whose outcome is wanted and that no job has."""
        taken = {place for each in self.tries.values() for place in each.todo}
        return sorted(self.open - taken - self.held.keys())
