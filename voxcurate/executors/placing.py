"""The executor of a cluster, as stages get it: it knows where only once it is told the stage."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from voxcurate.errors import ConfigError
from voxcurate.executors.cluster import ClusterConfig, load_cluster
from voxcurate.executors.launchers import Launcher, make_launcher
from voxcurate.executors.local import LocalExecutor
from voxcurate.protocols import Executor, Outcome, Task


class ClusterExecutor:
    """Work of a stage goes to jobs of a cluster; what no stage asks for is done here.

    Args:
        cluster: where.
        root: of the workspace.
        scratch: the folder that payloads name for temporary files.
        here: for what is not worth a job.
    """

    def __init__(
        self, cluster: ClusterConfig, root: Path, scratch: Path, here: LocalExecutor
    ) -> None:
        self.cluster, self.root, self.scratch, self.here = cluster, root, scratch, here

    def run(self, worker: str, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes of tasks that belong to no stage, done on this machine."""
        yield from self.here.run(worker, tasks)

    def of_stage(self, stage: str, family: str = "") -> Executor:
        """The executor of a stage.

        Args:
            stage: its name.
            family: of tasks that the same code and settings made: jobs of an earlier run that
                worked for other settings are cancelled at once.

        Raises:
            ConfigError: the cluster's settings do not fit its kind, or what that needs is not
                installed.
        """
        if stage in self.cluster.here:
            return self.here
        from voxcurate.executors.shards.driver import Settings, ShardedExecutor
        from voxcurate.executors.shards.files import SHARDS

        return ShardedExecutor(
            Settings(
                launcher=_launcher(self.cluster.model_dump_json()),
                cluster=self.cluster,
                needs=self.cluster.needs(stage),
                folder=self.root / SHARDS / stage,
                stage=stage,
                family=family,
                scratch=self.scratch,
                root=self.root,
                time_limit_s=self.here.time_limit_s,
                retries=self.here.retries,
            )
        )


def cluster_executor(name: str, root: Path, scratch: Path, here: LocalExecutor) -> ClusterExecutor:
    """The executor of the cluster of a name.

    Raises:
        ConfigError: no cluster is named, there is none of this name, or a setting is wrong.
    """
    if not name:
        raise ConfigError("executor.kind is cluster: want its name in executor.cluster")
    return ClusterExecutor(load_cluster(name, root), root, scratch, here)


@cache
def _launcher(cluster: str) -> Launcher:
    """One for all stages of a process: it knows which devices it gave out."""
    return make_launcher(ClusterConfig.model_validate_json(cluster))
