"""Tasks into shards of about equal work, one after the other, as they come."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxcurate.executors.cluster import Needs
from voxcurate.executors.shards.files import Contents, ShardFolder, ShardWriter, shards_in
from voxcurate.protocols import Task

PILOT = 8  # items of a shard, for each process, while nobody knows what one costs


class Cutter:
    """Puts tasks into shards of about `Needs.shard_minutes` of work.

    A task that does not say what it costs is taken for the mean of those that are over. Until there
    is one, shards are small: they find it out.

    Args:
        folder: of the stage's shards.
        needs: of a job.
        contents: what every shard holds, but for its tasks.
    """

    def __init__(self, folder: Path, needs: Needs, contents: Mapping[str, Any]) -> None:
        self._folder = folder
        self._contents = dict(contents)
        self._budget_s = needs.shard_minutes * 60 * needs.workers
        self._most, self._pilot = needs.max_items, min(needs.max_items, PILOT * needs.workers)
        self._number = max((int(s.name.split("-")[0]) for s in shards_in(folder)), default=0)
        self._open: ShardWriter | None = None
        self._cost, self._unknown = 0.0, False
        self._sum, self._n = 0.0, 0

    def learn(self, seconds: float) -> None:
        """A task took so long."""
        self._sum += seconds
        self._n += 1

    def add(self, task: Task, name: bytes, blob: bytes) -> ShardFolder | None:
        """Put a task into the open shard; the shard, if it is full now."""
        if self._open is None:
            self._number += 1
            path = self._folder / f"{self._number:06d}-{secrets.token_hex(3)}"
            self._open, self._cost, self._unknown = ShardWriter(ShardFolder(path)), 0.0, False
        known = task.cost > 0 or self._n > 0
        cost = task.cost if task.cost > 0 else self._sum / max(1, self._n)
        self._open.add(task, cost, name, blob)
        self._cost += cost
        self._unknown |= not known
        n = len(self._open.entries)
        full = self._cost >= self._budget_s or n >= self._most
        return self.close() if full or (self._unknown and n >= self._pilot) else None

    def close(self) -> ShardFolder | None:
        """The open shard as it is; None if there is none."""
        writer, self._open = self._open, None
        if writer is None:
            return None
        writer.finish(Contents(entries=tuple(writer.entries), **self._contents))
        return writer.folder

    def discard(self) -> None:
        """Forget the open shard."""
        if self._open is not None:
            self._open.discard()
            self._open = None
