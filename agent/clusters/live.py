"""How the work on a cluster stands, read from its files and the catalog: no driver is needed.

Of a stage that is being worked on, jobs tell what they have in hand; the ledger what is recorded.
A scheduler is asked elsewhere, and only of jobs that say nothing (`agent.clusters.asking`).
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from agent.clusters.forecast import Forecast, forecast
from agent.config import RoundConfig
from voxcurate.catalog import Catalog, Round, WorkItem
from voxcurate.catalog.schema import TABLES
from voxcurate.errors import ClusterError
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.shards.files import SHARDS, ShardFolder, part, shards_in
from voxcurate.executors.shards.frames import DONE, END, Tail
from voxcurate.executors.shards.judging import LOST_AGAIN, TOOK_DOWN

WINDOW_S = 3600.0  # that throughput is measured over
QUARANTINED = (TOOK_DOWN, LOST_AGAIN)


@dataclass(frozen=True)
class Job:
    """One job of a shard, by what it wrote.

    Attributes:
        state: waiting (gave no sign of life yet), running, ended, or lost (silent for too long).
        items: it is to do; `done` of them it did.
        hand: items that it works on, with seconds since each was begun.
        silent_s: since its last sign of life.
        over: the driver has given it up.
        scheduler: what that says of it: queued, started, gone; empty: not asked, or no answer.
        reason: why it is queued, in the scheduler's words.
    """

    stage: str
    shard: str
    number: int
    job: str
    state: str
    host: str
    items: int
    done: int
    hand: Mapping[str, float]
    silent_s: float | None
    log: str
    over: bool = False
    scheduler: str = ""
    reason: str = ""


@dataclass(frozen=True)
class StageState:
    """A stage of the ledger in the round.

    Attributes:
        left: items that remain; None: not known yet.
        quarantined: failed items that took their jobs down.
        per_hour: items recorded, over the last hour or since the stage began.
        eta_s: at that rate; of a stage that has not begun, by what its items cost so far.
        core_hours, gpu_hours: of the items done; `core_hours_left` and so on: of those left.
    """

    stage: str
    name: str
    done: int
    failed: int
    quarantined: int
    left: int | None
    per_hour: float | None
    eta_s: float | None
    core_hours: float
    gpu_hours: float
    core_hours_left: float | None
    gpu_hours_left: float | None
    jobs: Mapping[str, int] = field(default_factory=dict)
    now: bool = False


@dataclass(frozen=True)
class _Lines:
    """The ledger's lines of a stage in a round."""

    done: int = 0
    failed: int = 0
    quarantined: int = 0
    seconds: float = 0.0
    recent: int = 0
    first: str = ""
    last: str = ""
    core_s: float = 0.0
    gpu_s: float = 0.0
    untold_s: float = 0.0  # of those whose share of a job nobody told

    def hours(self, needs: Needs) -> tuple[float, float]:
        """Core-hours and GPU-hours, of what their jobs had asked for; else of today's needs."""
        core_s = self.core_s + self.untold_s / needs.workers * needs.cpus
        gpu_s = self.gpu_s + self.untold_s / needs.workers * needs.gpus
        return core_s / 3600, gpu_s / 3600


def jobs_of(root: Path, silence_s: float) -> list[Job]:
    """All jobs whose shards are there, stage by stage."""
    found: list[Job] = []
    for stage in sorted(path for path in (root / SHARDS).glob("*") if path.is_dir()):
        for shard in shards_in(stage):
            found += _jobs(stage.name, shard, silence_s)
    return found


def _jobs(stage: str, shard: ShardFolder, silence_s: float) -> Iterator[Job]:
    contents = shard.contents()
    if contents is None:
        return
    over = set(shard.journal().get("over", ()))
    for number in shard.tries():
        order = shard.order(number)
        if order is None:
            continue
        places = part(contents.entries, order.todo)
        done, ended = _written(shard, number)
        signs = _signs(shard, number)
        hand = {
            contents.entries[int(place)].key: float(seconds)
            for place, seconds in signs.get("hand", {}).items()
        }
        silent_s = max(0.0, time.time() - signs["at"]) if "at" in signs else None
        if ended or number in over:
            state = "ended" if ended else "lost"
            hand = {}
        elif silent_s is None:
            state = "waiting"
        else:
            state = "running" if silent_s < silence_s else "lost"
        yield Job(
            stage, shard.name, number, order.job, state, str(signs.get("host", "")), len(places),
            len(done & set(places)), hand, silent_s, str(shard.log(number)), number in over,
        )  # fmt: skip


def _written(shard: ShardFolder, number: int) -> tuple[set[int], bool]:
    """Places that a job has done, and whether it said that it is over."""
    done: set[int] = set()
    ended = False
    for path in shard.outcomes(number):
        ended = False  # it was started again
        for frame in Tail(path).frames():
            if frame.kind == DONE:
                done.add(frame.number)
            ended = ended or frame.kind == END
    return done, ended


def _signs(shard: ShardFolder, number: int) -> dict[str, Any]:
    try:
        signs = json.loads(shard.beat(number) or "{}")
    except ValueError:
        return {}
    return signs if isinstance(signs, dict) else {}


def shard_left(root: Path, stage: str) -> int:
    """Items in the shards of a stage that no job has done yet."""
    left = 0
    for shard in shards_in(root / SHARDS / stage):
        contents = shard.contents()
        if contents is not None:
            done: set[int] = set()
            for number in shard.tries():
                done |= _written(shard, number)[0]
            left += len(contents.entries) - len(done)
    return left


def stages_of(
    root: Path, catalog: Catalog, config: RoundConfig, cluster: ClusterConfig, jobs: Sequence[Job]
) -> list[StageState]:
    """Every stage of the round that is under way (or was last), in order.

    Args:
        root: of the workspace.
        jobs: of `jobs_of`.
    """
    last = next(reversed(catalog.rows(Round)), None)
    if last is None:
        return []
    lines = _lines(catalog, last.number)
    counts = _states(jobs)
    expected = forecast(catalog, config, cluster)
    begun = [n for n, each in enumerate(expected) if each.name in counts or each.name in lines]
    found = []
    for n, each in enumerate(expected):
        left = each.items
        if last.status == "done" or (begun and n < begun[-1]):
            left = 0  # a later stage has begun
        elif each.name in counts and left is None:
            left = shard_left(root, each.name)
        found.append(_state(each, lines.get(each.name, _Lines()), counts.get(each.name, {}), left))
    return found


def _states(jobs: Iterable[Job]) -> dict[str, dict[str, int]]:
    """How many jobs of each stage are in which state."""
    found: dict[str, dict[str, int]] = {}
    for job in jobs:
        own = found.setdefault(job.stage, {})
        own[job.state] = own.get(job.state, 0) + 1
    return found


def _state(
    expected: Forecast, own: _Lines, jobs: Mapping[str, int], left: int | None
) -> StageState:
    needs = expected.needs
    if left is not None:
        left = max(0, left - own.failed)
    left_h = None
    if left is not None:
        known = own.seconds / own.done if own.done and own.seconds else expected.seconds
        left_h = 0.0 if not left else None if known is None else left * known / needs.workers / 3600
    now = bool(jobs.get("running") or jobs.get("waiting"))
    per_hour = _per_hour(own, now=left != 0)
    eta_s = 0.0 if left == 0 else None
    if left and per_hour and (now or own.recent):
        eta_s = left / per_hour * 3600
    elif left and left_h is not None:
        eta_s = left_h * 3600
    gpus = needs.gpus
    return StageState(
        expected.stage, expected.name, own.done, own.failed, own.quarantined, left, per_hour, eta_s,
        *own.hours(needs),
        None if left_h is None else left_h * needs.cpus,
        0.0 if not gpus else None if left_h is None else left_h * gpus,
        jobs, now,
    )  # fmt: skip


def _per_hour(own: _Lines, *, now: bool) -> float | None:
    """Items an hour: of the last hour while it goes on, else over the whole stage."""
    if not own.first:
        return None
    start, end = _moment(own.first), _moment(own.last)
    n = own.done + own.failed
    if now and own.recent:
        end = datetime.now(UTC)
        start, n = max(start, end - timedelta(seconds=WINDOW_S)), own.recent
    seconds = (end - start).total_seconds()
    return n / seconds * 3600 if seconds > 1 else None


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _lines(catalog: Catalog, number: int) -> dict[str, _Lines]:
    """The lines of a round, counted by the database."""
    table = TABLES[WorkItem].c
    since = (datetime.now(UTC) - timedelta(seconds=WINDOW_S)).isoformat()
    query = (
        sa.select(
            table.stage,
            sa.func.sum(sa.case((table.status == "done", 1), else_=0)),
            sa.func.sum(sa.case((table.status == "failed", 1), else_=0)),
            sa.func.sum(table.seconds),
            sa.func.sum(sa.case((table.updated >= since, 1), else_=0)),
            sa.func.min(table.updated),
            sa.func.max(table.updated),
            sa.func.sum(table.seconds * table.cores),
            sa.func.sum(table.seconds * table.gpus),
            sa.func.sum(sa.case((table.cores == 0, table.seconds), else_=0.0)),
        )
        .where(table.round == number, table.status.in_(["done", "failed"]))
        .group_by(table.stage)
    )
    bad = (
        sa.select(table.stage, sa.func.count())
        .where(
            table.round == number,
            table.status == "failed",
            sa.or_(*(table.error.like(f"{words}%") for words in QUARANTINED)),
        )
        .group_by(table.stage)
    )
    with catalog.engine.connect() as connection:
        quarantined = {stage: int(n) for stage, n in connection.execute(bad)}
        return {
            stage: _Lines(done, failed, quarantined.get(stage, 0), float(seconds or 0), *rest)
            for stage, done, failed, seconds, *rest in connection.execute(query)
        }


def totals(stages: Iterable[StageState]) -> dict[str, float | None]:
    """Hours of cores and GPUs so far and to come, and when all of it is done if nothing runs beside
    it; None where a stage cannot be foreseen."""
    listed = list(stages)

    def added(name: str) -> float | None:
        values = [getattr(stage, name) for stage in listed]
        return None if None in values else float(sum(values))

    names = (
        "core_hours", "gpu_hours", "core_hours_left", "gpu_hours_left", "eta_s",
    )  # fmt: skip
    return {name: added(name) for name in names}


def short_id(job: str) -> str:
    """A job's id for people: Ray's carry a path behind it, a process's its start, devices and
    machine."""
    name, _, rest = job.partition(" ")[0].partition(":")
    return name if name.isdigit() and rest else job.partition(" ")[0]


def find_job(jobs: Sequence[Job], name: str) -> Job:
    """A job by its id at the scheduler (or what people are shown of it), or its shard's name.

    Raises:
        ClusterError: there is none, or several.
    """
    found = [j for j in jobs if name in {j.job, short_id(j.job), j.shard, f"{j.shard}.{j.number}"}]
    running = [j for j in found if j.state in {"waiting", "running"}]
    if len(running or found) != 1:
        raise ClusterError(
            f"want one job, found {len(running or found)} called {name!r}; 'voxcurate jobs' lists "
            "them"
        )
    return (running or found)[0]
