"""What a cluster is, and what a stage needs of it: ``configs/clusters/*.yaml``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from voxcurate.config import SECRET, Config, build, read_yaml, shipped
from voxcurate.errors import ConfigError

# variables that a shell line sets to a value which stands in it
SET = re.compile(r"""\b([A-Za-z_]\w*)=(?!["']?[$`])["']?[^\s"']""")


class Needs(Config):
    """What one job of a stage needs. A job runs a shard of the stage's items."""

    cpus: int = Field(2, ge=1, description="cores of a job")
    workers: int = Field(1, ge=1, description="processes in a job; each holds its own models")
    memory_gb: float = Field(8.0, gt=0, description="of a job")
    gpus: float = Field(0.0, ge=0, description="of a job; Ray also takes parts of one")
    nodes: int = Field(1, ge=1, description="of a job; more than one: training with DDP")
    minutes: float = Field(60.0, gt=0, description="wall time after which a job is ended")
    shard_minutes: float = Field(
        20.0, gt=0, description="a shard has about so much work: the loss of a job costs less"
    )
    max_items: int = Field(1000, ge=1, description="of a shard, however cheap they are")
    options: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="of the scheduler, over the cluster's: partition ..."
    )


class ClusterConfig(Config):
    """A place to run jobs: how they are started, what they may ask for, what is retried."""

    name: str = Field("local", description="name of the file")
    kind: Literal["processes", "slurm", "ray"] = "processes"
    max_jobs: int = Field(
        0, ge=0, description="at once, running or in the queue; 0: as many as the machine has room "
        "for, on other clusters 64",
    )  # fmt: skip
    tries: int = Field(
        3, ge=1, description="jobs that an item may take down before it is quarantined"
    )
    restarts: int = Field(
        20,
        ge=0,
        description="in a row of a shard whose jobs are pre-empted or lost before they "
        "finish any item",
    )
    straggler: float = Field(
        3.0, ge=0, description="an item that takes so many times the 95th percentile of its stage "
        "is started a second time where a job is free; the first result counts; 0: never",
    )  # fmt: skip
    silence_s: float = Field(
        300.0, gt=0, description="a job that says it runs but gives no sign of life is replaced"
    )
    poll_s: float = Field(2.0, gt=0, description="between two looks at the jobs")
    python: str = Field("", description="of the nodes; empty: this one")
    setup: tuple[str, ...] = Field((), description="shell lines before a job: module load ...")
    environment: dict[str, str] = Field(default_factory=dict, description="of the jobs")
    options: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        description="of the scheduler: slurm: partition, account, qos ...; ray: address",
    )
    default: Needs = Field(default_factory=Needs, description="of stages without their own")
    here: tuple[str, ...] = Field(
        (), description="stages that the driver does itself, where it runs: too small for a job"
    )
    stages: dict[str, Needs] = Field(default_factory=dict, description="by the stage's name")

    @model_validator(mode="after")
    def _without_secrets(self) -> Self:
        """What stands here is written into job scripts, which others may read."""
        options = [
            self.options,
            *(needs.options for needs in (self.default, *self.stages.values())),
        ]
        lines = [
            *self.setup,
            self.python,
            *(str(value) for each in options for value in each.values()),
        ]
        names = [name for name, value in self.environment.items() if value]
        names += [name for line in lines for name in SET.findall(line)]
        secret = sorted({name for name in names if SECRET.search(name)})
        if secret:
            raise ValueError(
                f"{', '.join(secret)} would stand in job scripts: export it where you submit, or "
                "read it from a file of yours: setup: ['export NAME=$(cat ~/.name)']"
            )
        return self

    def needs(self, stage: str) -> Needs:
        """What jobs of a stage need."""
        return self.stages.get(stage, self.default)


def counted(amount: float, what: str) -> str:
    """``1 core``, ``0.5 GPUs``."""
    return f"{amount:g} {what}{'s' * (amount != 1)}"


def load_cluster(name: str, root: Path | None = None) -> ClusterConfig:
    """The cluster of a name: ``configs/clusters/<name>.yaml``, over it ``<root>/clusters/
    <name>.yaml``; or that of a file, where the name is a path.

    Args:
        name: of the cluster, or a path that ends with ``.yaml``.
        root: of the workspace.

    Raises:
        ConfigError: there is no such cluster, or a setting is wrong.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
        return _built(path.stem, read_yaml(path))
    folders = [shipped("clusters"), *([root / "clusters"] if root is not None else [])]
    files = [folder / f"{name}.yaml" for folder in folders]
    layers = [read_yaml(file) for file in files if file.is_file()]
    if not layers:
        known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
        raise ConfigError(f"no cluster {name!r}; there are: {', '.join(known) or 'none'}")
    return _built(name, *layers)


def _built(name: str, *layers: Mapping[str, Any]) -> ClusterConfig:
    try:
        return build(ClusterConfig, {"name": name}, *layers)
    except ConfigError as error:
        why = str(error).removeprefix(f"{ClusterConfig.__name__}: ")
        raise ConfigError(f"cluster {name!r}: {why}") from None
