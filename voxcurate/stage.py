"""What a stage gets (`StageContext`) and gives (`StageResult`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from voxcurate.catalog import Catalog, Scan, ScanHead
from voxcurate.classes import Vocabulary
from voxcurate.executors import ExecutorConfig, LocalExecutor, SerialExecutor, cores
from voxcurate.protocols import EXECUTORS, Executor, load
from voxcurate.workspace import Workspace

IN_COHORT = ("ok", "suspect")


@dataclass(frozen=True)
class StageContext:
    """Everything a stage function needs besides its own config.

    Attributes:
        round: the number of the round (from 1; 0 is ingest).
        classes: the round's target classes.
        cohort: case ids that the round works on; empty means all scans in the catalog.
    """

    workspace: Workspace
    catalog: Catalog
    vocabulary: Vocabulary
    round: int
    seed: int = 0
    classes: tuple[str, ...] = ()
    cohort: frozenset[str] = frozenset()
    executor_config: ExecutorConfig = field(default_factory=ExecutorConfig)
    quiet: bool = False

    def executor(
        self, *, workers: int = 0, threads: int = 1, time_limit_s: float | None = None
    ) -> Executor:
        """An executor as configured; `workers` 0 means as many as configured (or one per core).

        On a cluster, `run_items` asks it for the stage's place; jobs have the processes and threads
        that the cluster's file gives the stage.

        Raises:
            ConfigError: no executor of the configured kind, or no such cluster.
        """
        config = self.executor_config
        kind = load(EXECUTORS, config.kind)
        if kind is SerialExecutor:
            return SerialExecutor()
        here = LocalExecutor(
            workers=workers or config.workers or cores(),
            threads=threads,
            time_limit_s=time_limit_s or config.time_limit_s,
            retries=config.retries,
        )
        if kind is LocalExecutor:
            return here
        from voxcurate.executors.placing import cluster_executor

        folder = self.workspace
        return cluster_executor(config.cluster, folder.root, folder.scratch, here)

    def cases(self, *splits: str) -> dict[str, str]:
        """Case and split of the scans of the cohort that cleaning left in, in case order, of the
        given splits (default: all)."""
        rows = self.catalog.columns(Scan, "case_id", "split", status=IN_COHORT)
        return {
            case: split
            for case, split in sorted(rows)
            if (not self.cohort or case in self.cohort) and (not splits or split in splits)
        }

    def scans(self, *splits: str) -> list[Scan]:
        """The scans of `cases`, in their order, without their fingerprints."""
        return [scan for batch in self.batches(*splits) for scan in batch]

    def batches(self, *splits: str, size: int = 500) -> Iterator[list[Scan]]:
        """The same, `size` at a time: a cohort of any size in little memory."""
        names = list(self.cases(*splits))
        for first in range(0, len(names), size):
            yield [*self.catalog.rows(ScanHead, case_id=names[first : first + size])]


@dataclass(frozen=True)
class StageResult:
    """What a stage did: counts for people and the report, and the items that failed (key ->
    error)."""

    counts: Mapping[str, Any] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
