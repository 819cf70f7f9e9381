"""A launcher whose jobs are generators in this process: they do, and suffer, what a test says."""

import json
import pickle
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from voxcurate.errors import ClusterError
from voxcurate.executors.launchers import JobSpec, JobState
from voxcurate.executors.shards.files import ShardFolder, part
from voxcurate.executors.shards.frames import BEGUN, DONE, END, framed
from voxcurate.executors.shards.scratch import Call, work
from voxcurate.executors.worker import measured

Script = Callable[[str, int], str]


class FakeLauncher:
    """Jobs go on a little each time that somebody asks for their states.

    Args:
        script: what happens to an item's job when the item is begun, by its key and how often it
            was begun: ``ok``; ``die`` (the job is over without a word), ``lost`` (the scheduler
            says so), ``hang`` (nothing more comes, no sign of life either), ``slow`` (nothing more
            comes, but signs of life), ``leave`` (the job ends in order before the item),
            ``torn`` (it dies in the middle of the item's outcome), ``twice`` (its outcome comes
            twice).
        steps: items that a job does between two looks.
        away: calls by number, from 0, that find no scheduler.
    """

    def __init__(
        self,
        script: Script = lambda key, begun: "ok",
        *,
        steps: int = 1000,
        away: Collection[int] = (),
    ) -> None:
        self.script, self.steps, self.away = script, steps, away
        self.calls = 0
        self.begun: dict[str, int] = {}
        self.jobs: dict[str, Iterator[JobState]] = {}
        self.known: dict[str, JobState] = {}
        self.specs: list[JobSpec] = []
        self.cancelled: list[str] = []

    def launch(self, jobs: Sequence[JobSpec]) -> list[str]:
        self._reach()
        ids = []
        for job in jobs:
            name = f"fake{len(self.specs)}"
            self.specs.append(job)
            self.jobs[name], self.known[name] = self._job(job), JobState.RUNNING
            ids.append(name)
        return ids

    def states(self, ids: Collection[str]) -> Mapping[str, JobState]:
        self._reach()
        for name, job in list(self.jobs.items()):
            if self.known[name] is JobState.RUNNING:
                self.known[name] = next(job)
            if self.known[name] is not JobState.RUNNING:
                del self.jobs[name]  # with the tasks that it holds
        return {name: self.known.get(name, JobState.LOST) for name in ids}

    def cancel(self, ids: Collection[str]) -> None:
        self.cancelled += ids
        self.known.update(dict.fromkeys(set(ids) & self.known.keys(), JobState.LOST))

    def _reach(self) -> None:
        self.calls += 1
        if self.calls - 1 in self.away:
            raise ClusterError("nobody answers")

    def _job(self, spec: JobSpec) -> Iterator[JobState]:
        folder = ShardFolder(spec.folder)
        contents, order = folder.contents(), folder.order(spec.attempt)
        assert contents is not None
        assert order is not None
        spec.log.write_text("what the job said\n")
        n, why = 0, "done"
        with folder.new_outcomes(spec.attempt).open("wb", buffering=0) as stream:
            for place in part(contents.entries, order.todo):
                if n % self.steps == 0:
                    folder.write_beat(spec.attempt, {"beat": n})
                    yield JobState.RUNNING
                n += 1
                entry = contents.entries[place]
                self.begun[entry.key] = self.begun.get(entry.key, 0) + 1
                what = self.script(entry.key, self.begun[entry.key])
                if what == "leave":
                    why = "terminated"
                    break
                stream.write(framed(BEGUN, place))
                if what in {"die", "lost"}:
                    yield from _for_ever(JobState.ENDED if what == "die" else JobState.LOST)
                while what in {"hang", "slow"}:
                    n += 1
                    if what == "slow":
                        folder.write_beat(spec.attempt, {"beat": n})
                    yield JobState.RUNNING
                own = Path(order.scratch, f"{folder.name}.{spec.attempt}")
                own.mkdir(exist_ok=True)
                call = Call(contents.worker, folder.payload(entry), order.scratch, str(own))
                outcome = pickle.dumps(measured(partial(work, call), entry.key))
                data = framed(DONE, place, outcome)
                if what == "torn":
                    stream.write(data[: len(data) // 2])
                    yield from _for_ever(JobState.ENDED)
                stream.write(data * (2 if what == "twice" else 1))
            stream.write(framed(END, 0, json.dumps({"why": why, "hand": {}}).encode()))
        yield from _for_ever(JobState.ENDED)


def _for_ever(state: JobState) -> Iterator[JobState]:
    while True:
        yield state


def shards_of(root: Path) -> list[Path]:
    """The shards that lie in a test's folder."""
    return sorted((root / "cluster").glob("*/*/tasks.bin"))
