"""What a round still has to do, stage by stage, and what that will cost by what items cost so far.

Nothing is computed for it: items are counted from the catalog. Where a stage's items depend on what
an earlier stage finds, their number is that of the last round that got so far, or it is not known.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from agent.clusters.language_models import engines
from agent.config import RoundConfig
from voxcurate.catalog import Catalog, Model, Report, Round, Scan, WorkItem
from voxcurate.catalog.schema import TABLES
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.stage import IN_COHORT

# stage of the round, and its stages of the ledger, in the order in which they run
LEDGER = {
    "retrieve": ("retrieve",),
    "clean": ("clean", "clean_pair", "clean_labels"),
    "coldstart": ("train_zoo",),
    "predict": ("predict",),
    "fuse": ("fuse_quality", "fuse"),
    "detect": ("detect",),
    "judge": ("judge", "roc", "regions"),
    "review": ("review", "roc_review"),
    "assemble": ("assemble_conflicts",),
    "statistics": ("statistics",),
    "train": ("train_flagship",),
    "evaluate": ("evaluate",),
}
# further names that a cluster's YAML may give needs to: the driver's job, language models' engines,
# and stages of commands beside the round
BESIDE = ("driver", "chat", "ingest", "ingest_reports", "refine")


@dataclass(frozen=True)
class Forecast:
    """A stage of the ledger in the round to come.

    Attributes:
        stage: of the round.
        name: of the ledger, by which `ClusterConfig.stages` says what its jobs need.
        items: left to be done; None: not known yet, `why` says why.
        done: in this round.
        seconds: mean of an item so far; None: not yet measured.
        measured: number of items that the mean is of.
        here: done by the driver itself, not by jobs.
    """

    stage: str
    name: str
    needs: Needs
    items: int | None
    done: int = 0
    seconds: float | None = None
    measured: int = 0
    why: str = ""
    here: bool = False

    @property
    def item_seconds(self) -> float | None:
        """Of all items together."""
        if self.items == 0:
            return 0.0
        return None if self.items is None or self.seconds is None else self.items * self.seconds

    @property
    def per_shard(self) -> int:
        """Items of a shard."""
        if not self.seconds:
            return self.needs.max_items
        fit = self.needs.shard_minutes * 60 * self.needs.workers / self.seconds
        return min(self.needs.max_items, max(1, math.floor(fit)))

    @property
    def shards(self) -> int | None:
        """How many jobs' worth of work; None: the first, small ones will tell."""
        if self.here or self.items == 0:
            return 0
        if self.items is None or self.seconds is None:
            return None
        return math.ceil(self.items / self.per_shard)

    @property
    def job_hours(self) -> float | None:
        """Wall time of all jobs, one after the other: their processes share the items."""
        total = self.item_seconds
        return None if total is None else total / self.needs.workers / 3600

    @property
    def gpu_hours(self) -> float | None:
        """Of all jobs."""
        if not self.needs.gpus:
            return 0.0
        hours = self.job_hours
        return None if hours is None else hours * self.needs.gpus

    @property
    def core_hours(self) -> float | None:
        """Of all jobs."""
        hours = self.job_hours
        return None if hours is None else hours * self.needs.cpus

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        derived = ("shards", "per_shard", "job_hours", "core_hours", "gpu_hours")
        return {
            **asdict(self),
            "needs": self.needs.model_dump(mode="json"),
            **{name: getattr(self, name) for name in derived},
        }


@dataclass(frozen=True)
class _Known:
    """What the catalog says before the round goes on."""

    round: int  # of the one under way, or of the next
    splits: Mapping[str, int]  # scans of the cohort
    reports: int
    models: int  # that predict
    done: Mapping[str, int]  # items of this round by stage of the ledger
    before: Mapping[str, tuple[int, int]]  # the last round that did a stage, and its items
    reused: int  # predictions of earlier rounds that count
    costs: Mapping[str, tuple[float, int]] = field(default_factory=dict)

    @property
    def scans(self) -> int:
        return sum(self.splits.values())


def forecast(catalog: Catalog, config: RoundConfig, cluster: ClusterConfig) -> list[Forecast]:
    """Each stage of the ledger in the round that is under way, or in the next."""
    known, asking = _known(catalog, config), engines(config)
    found = []
    for stage, names in LEDGER.items():
        for name in names:
            items, why = _items(name, known, config)
            done = known.done.get(name, 0)
            if items is not None:
                items = max(0, items - done)
            seconds, measured = known.costs.get(name, (0.0, 0))
            seconds_known = seconds if measured else None
            needs, here = cluster.needs(name), name in cluster.here or name in asking
            found.append(
                Forecast(stage, name, needs, items, done, seconds_known, measured, why, here)
            )
    return found


def _items(name: str, known: _Known, config: RoundConfig) -> tuple[int | None, str]:
    """How many items a stage has in all, and how that is known."""
    seen = known.splits.get("train", 0) + known.splits.get("validation", 0)
    test = known.splits.get("test", 0)
    first = known.round == 1
    simple: dict[str, tuple[int, str]] = {
        "clean": (known.scans, "one per scan; those of earlier rounds count where nothing changed"),
        "train_zoo": (
            len(config.zoo.networks) if first or config.zoo.retrain else 0,
            "one per network" if first or config.zoo.retrain else "those of the first round stay",
        ),
        "predict": (
            max(0, known.scans * known.models - known.reused) + test,
            f"{known.scans} scans x {known.models} models, and the test scans by the new flagship",
        ),
        "fuse": (seen, "one per scan of train and validation"),
        "detect": (seen, "one per scan of train and validation"),
        "statistics": (min(config.labeling.statistics.cases, known.scans), "a sample of the scans"),
        "train_flagship": (1, "one model"),
        "evaluate": (test * (1 + len(config.zoo.networks)), "test scans x own models"),
    }
    if name in simple:
        return simple[name]
    if name == "regions" and not config.labeling.detect.regions:
        return 0, "not asked for"
    if name == "fuse_quality" and not config.labeling.fuse.by_quality:
        return 0, "not asked for"
    if name == "retrieve" and not known.reports:
        return 0, "no reports"
    if name in known.before:
        number, items = known.before[name]
        return items, f"as in round {number}"
    after = {"clean_pair": "clean", "clean_labels": "clean", "retrieve": "the reports are listed"}
    return None, f"known after {after.get(name, 'detect')}"


def _known(catalog: Catalog, config: RoundConfig) -> _Known:
    rounds = catalog.rows(Round)
    last = rounds[-1] if rounds else None
    under_way = last is not None and last.status in {"running", "waiting"}
    number = last.number + (not under_way) if last else 1
    cohort = set(last.facts.get("cohort", ())) if last and under_way else set()
    splits: dict[str, int] = {}
    for case, split in catalog.columns(Scan, "case_id", "split", status=IN_COHORT):
        if not cohort or case in cohort:
            splits[split] = splits.get(split, 0) + 1
    counts = _counts(catalog)
    before = {stage: (at, n) for (stage, at), n in sorted(counts.items()) if at < number}
    return _Known(
        round=number,
        splits=splits,
        reports=catalog.count(Report),
        models=len(config.zoo.networks) + len(config.predict.models) + (number > 1),
        done={stage: n for (stage, at), n in counts.items() if at == number},
        before=before,
        reused=_reused(catalog, number, config),
        costs=_costs(catalog),
    )


def _counts(catalog: Catalog) -> dict[tuple[str, int], int]:
    """Items that are done, by stage and round; counted by the database."""
    table = TABLES[WorkItem].c
    query = (
        sa.select(table.stage, table.round, sa.func.count())
        .where(table.status == "done")
        .group_by(table.stage, table.round)
    )
    with catalog.engine.connect() as connection:
        return {(stage, at): n for stage, at, n in connection.execute(query)}


def _costs(catalog: Catalog) -> dict[str, tuple[float, int]]:
    """Mean seconds of the items that were computed, and how many these are, by stage."""
    table = TABLES[WorkItem].c
    query = (
        sa.select(table.stage, sa.func.avg(table.seconds), sa.func.count())
        .where(table.status == "done", table.seconds > 0)
        .group_by(table.stage)
    )
    with catalog.engine.connect() as connection:
        return {stage: (float(mean), n) for stage, mean, n in connection.execute(query)}


def _reused(catalog: Catalog, number: int, config: RoundConfig) -> int:
    """Predictions of earlier rounds by models that predict in this one too, not counting those
    that this round has taken over already."""
    if number == 1 or config.zoo.retrain:
        return 0
    lasting = [m.model_id for m in catalog.rows(Model) if m.facts.get("role") != "flagship"]
    table = TABLES[WorkItem].c
    own = sa.select(table.subject, table.variant).where(
        table.stage == "predict", table.status == "done", table.variant.in_(lasting)
    )
    left = sa.except_(own.where(table.round < number), own.where(table.round == number))
    with catalog.engine.connect() as connection:
        return int(
            connection.execute(sa.select(sa.func.count()).select_from(left.subquery())).scalar()
            or 0
        )
