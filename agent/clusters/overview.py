"""One look at the work of a workspace: who drives it, its stages, its jobs, its cost."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agent.clusters.asking import Answers, Asking, driver_told, silent, told_of
from agent.clusters.driving import Submitted, read_submitted
from agent.clusters.live import Job, StageState, jobs_of, stages_of, totals
from agent.rounds import config_of
from voxcurate.catalog import Catalog, Round
from voxcurate.errors import ConfigError
from voxcurate.executors.cluster import ClusterConfig, load_cluster
from voxcurate.lock import last_holder
from voxcurate.workspace import Workspace


@dataclass(frozen=True)
class Overview:
    """How the work stands.

    Attributes:
        driver: in words; empty: nobody ever wrote here.
        lives: whether it does; None: not known for sure.
        silent_s: since its last sign of life, by this machine's clock.
        submitted: the driver that was submitted last.
        round: number and status of the last round; (0, "") before the first.
        queued: what the scheduler says of the submitted driver; empty: it lives, or nothing is
            known.
        unasked: why the scheduler said nothing of jobs that are silent.
    """

    driver: str
    lives: bool | None
    silent_s: float
    submitted: Submitted | None
    round: tuple[int, str]
    stages: Sequence[StageState]
    jobs: Sequence[Job]
    queued: str = ""
    unasked: str = ""

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "driver": {"who": self.driver, "lives": self.lives, "silent_s": self.silent_s},
            "submitted": self.submitted and {**asdict(self.submitted), "scheduler": self.queued},
            "unasked": self.unasked,
            "round": dict(zip(("number", "status"), self.round, strict=True)),
            "stages": [asdict(stage) for stage in self.stages],
            "jobs": [asdict(job) for job in self.jobs],
            "totals": totals(self.stages),
        }


def overview(workspace: Workspace, catalog: Catalog, asking: Asking | None = None) -> Overview:
    """Look once; nothing is changed.

    Args:
        asking: asks the scheduler of jobs that give no sign of life; None: it is not asked.
    """
    held, submitted = last_holder(workspace.root), read_submitted(workspace)
    rounds = catalog.rows(Round)
    stages: Sequence[StageState] = ()
    jobs: Sequence[Job] = ()
    cluster, unknown = _cluster_or_here(workspace, catalog)
    if rounds:
        config = config_of(catalog, rounds[-1].number)
        jobs = jobs_of(workspace.root, cluster.silence_s)
        stages = stages_of(workspace.root, catalog, config, cluster, jobs)
    lives = held[1] if held else False
    ids = silent(jobs)
    if submitted is not None and not lives and (unknown or submitted.kind == cluster.kind):
        ids.append(submitted.job)
    answers: Answers = {}
    why = unknown if ids else ""
    if asking is not None and not unknown:
        is_here = held is None or held[0].is_here
        answers, why = asking.about(cluster, ids, is_here=is_here)
    return Overview(
        driver=held[0].described() if held else "",
        lives=lives,
        silent_s=held[0].silent_s if held else 0.0,
        submitted=submitted,
        round=(rounds[-1].number, rounds[-1].status) if rounds else (0, ""),
        stages=stages,
        jobs=[told_of(job, answers) for job in jobs],
        queued="" if lives else driver_told(submitted, answers),
        unasked=why,
    )


def cluster_of(workspace: Workspace, catalog: Catalog, name: str = "") -> ClusterConfig:
    """The cluster that is named; else the last round's, else the one that was submitted to last.

    Raises:
        ConfigError: none is known, or its YAML is gone.
    """
    told = read_submitted(workspace)
    rounds = catalog.rows(Round)
    if not name and rounds:
        name = config_of(catalog, rounds[-1].number).executor.cluster
    if not name and told is not None:
        name = told.cluster
    if not name:
        raise ConfigError("this workspace has not worked on a cluster: name one with --cluster")
    return load_cluster(name, workspace.root)


def _cluster_or_here(workspace: Workspace, catalog: Catalog) -> tuple[ClusterConfig, str]:
    """The cluster, or why it is not known: of a round that runs on this machine's cores, one job
    that has them all stands for it."""
    from voxcurate.executors.cluster import Needs
    from voxcurate.executors.local import cores

    try:
        return cluster_of(workspace, catalog), ""
    except ConfigError as error:
        n = cores()
        return ClusterConfig(name="here", default=Needs(cpus=n, workers=n)), str(error)
