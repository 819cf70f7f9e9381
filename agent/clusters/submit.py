"""Submitting rounds: what would be done, and doing it."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from agent.clusters.driving import (
    Submitted,
    arguments,
    check_no_driver,
    driver_job,
    on_cluster,
    submit_driver,
)
from agent.clusters.forecast import BESIDE, LEDGER, Forecast, forecast
from agent.clusters.language_models import LanguageModel, language_models
from agent.config import RoundConfig, resolve
from agent.rounds import asked_of, under_way
from voxcurate.catalog import Catalog, Scan
from voxcurate.chat.batch import STAGE
from voxcurate.config import build, parse_overrides
from voxcurate.errors import ConfigError
from voxcurate.executors.cluster import ClusterConfig, Needs, counted, load_cluster
from voxcurate.executors.launchers import JobSpec, make_launcher
from voxcurate.executors.launchers.shell import python_of, surroundings
from voxcurate.executors.shards.files import SHARDS
from voxcurate.workspace import Workspace

WHERE = ("here", "job")


@dataclass(frozen=True)
class Request:
    """What a user asked for.

    Attributes:
        cluster: its name or file.
        file: the round's YAML.
        driver: ``here`` or ``job``; empty: here for processes of this machine, else a job.
    """

    cluster: str
    file: Path | None = None
    settings: tuple[str, ...] = ()
    rounds: int = 1
    no_review: bool = False
    driver: str = ""


@dataclass(frozen=True)
class Plan:
    """What would be done.

    Attributes:
        stages: what each still has to do.
        driver: the driver's job; None: it runs here.
        models: language models that it asks.
        scripts: what a job of each kind of needs would be started with, by the stages' names.
    """

    cluster: ClusterConfig
    config: RoundConfig
    stages: tuple[Forecast, ...]
    models: tuple[LanguageModel, ...]
    driver: JobSpec | None
    scripts: dict[str, str]


def check(
    workspace: Workspace, catalog: Catalog, request: Request
) -> tuple[ClusterConfig, RoundConfig]:
    """The cluster and the configuration of the round that would run on it.

    Raises:
        ConfigError: a file is missing, a setting is wrong, there are no scans, or a round is under
            way with other settings.
    """
    if request.driver and request.driver not in WHERE:
        raise ConfigError(f"want --driver here or job, found {request.driver!r}")
    cluster = load_cluster(request.cluster, workspace.root)
    check_settings(cluster)
    if not catalog.count(Scan):
        raise ConfigError(
            "the workspace has no scans yet; bring some in with 'voxcurate ingest PATH'"
        )
    overrides = parse_overrides([*request.settings, *on_cluster(request.cluster)])
    current = under_way(catalog)
    if current is not None:
        return cluster, asked_of(workspace, current, request.file, overrides)
    return cluster, resolve(workspace, file=request.file, overrides=overrides)


def check_settings(cluster: ClusterConfig) -> None:
    """That the YAML speaks of stages that there are, and of options that its kind knows: a slip
    would send their jobs out with the needs of others.

    Raises:
        ConfigError: it does not.
    """
    known = [name for names in LEDGER.values() for name in names]
    for setting, names in (("stages", cluster.stages), ("here", cluster.here)):
        for name in names:
            if name not in {*known, *BESIDE}:
                near = get_close_matches(name, [*known, *BESIDE], 1) or [", ".join(known)]
                raise ConfigError(
                    f"cluster {cluster.name!r}: {setting}: no stage {name!r}; want {near[0]}"
                )
    if cluster.kind == "ray":
        from voxcurate.executors.launchers.ray_client import RayOptions

        try:
            build(RayOptions, cluster.options)
        except ConfigError as error:
            raise ConfigError(f"cluster {cluster.name!r}: options: {error}") from None


def is_job(request: Request, cluster: ClusterConfig) -> bool:
    """Whether the driver is to be a job."""
    return (request.driver or ("here" if cluster.kind == "processes" else "job")) == "job"


def plan(workspace: Workspace, catalog: Catalog, request: Request) -> Plan:
    """What would be submitted; nothing is.

    Raises:
        ConfigError: the round, the cluster or the workspace is not ready.
    """
    cluster, config = check(workspace, catalog, request)
    stages = tuple(forecast(catalog, config, cluster))
    models = tuple(language_models(config, workspace.root))
    job = _driver(workspace, cluster, request) if is_job(request, cluster) else None
    scripts = {**_scripts(workspace, cluster, stages, job), **_chats(workspace, models)}
    return Plan(cluster, config, stages, models, job, scripts)


def submit(workspace: Workspace, catalog: Catalog, request: Request) -> Submitted:
    """Submit the driver's job.

    Raises:
        WorkspaceError: somebody drives this workspace.
        ClusterError: the scheduler refuses, or cannot be reached.
    """
    cluster, _ = check(workspace, catalog, request)
    launcher = make_launcher(cluster)
    check_no_driver(workspace, cluster, launcher)
    job = _driver(workspace, cluster, request)
    return submit_driver(workspace, request.cluster, cluster, launcher, job)


def _driver(workspace: Workspace, cluster: ClusterConfig, request: Request) -> JobSpec:
    words = arguments(
        workspace,
        cluster=request.cluster,
        file=request.file,
        settings=request.settings,
        rounds=request.rounds,
        no_review=request.no_review,
    )
    return driver_job(workspace, cluster, words)


def _scripts(
    workspace: Workspace, cluster: ClusterConfig, stages: Sequence[Forecast], driver: JobSpec | None
) -> dict[str, str]:
    """What is given to the scheduler: the driver's, and one for each kind of needs."""
    found = {"driver": shown(cluster, driver)} if driver is not None else {}
    kinds: dict[str, tuple[Needs, list[str]]] = {}
    for stage in stages:
        if not stage.here and stage.items != 0:
            key = stage.needs.model_dump_json()
            kinds.setdefault(key, (stage.needs, []))[1].append(stage.name)
    for needs, names in kinds.values():
        folder = workspace.root / SHARDS / names[0] / "000001-example"
        found[", ".join(names)] = shown(cluster, JobSpec(folder, f"voxcurate-{names[0]}", needs))
    return found


def _chats(workspace: Workspace, models: Iterable[LanguageModel]) -> dict[str, str]:
    """What the jobs of language models are given to their scheduler with."""
    folder = workspace.root / SHARDS / STAGE / "000001-example"
    return {
        model.job: shown(model.cluster, JobSpec(folder, f"voxcurate-{STAGE}", model.needs))
        for model in models
        if model.cluster is not None and model.needs is not None
    }


def shown(cluster: ClusterConfig, job: JobSpec) -> str:
    """What a job would be started with: a batch script where there is one, else a command."""
    if cluster.kind == "slurm":
        from voxcurate.executors.launchers.slurm import SlurmLauncher

        return SlurmLauncher(cluster).script([job])
    needs = job.needs
    cores, gpus = counted(needs.cpus, "core"), counted(needs.gpus, "GPU")
    amount = f"{cores}, {gpus}, {needs.memory_gb:g} GB, {needs.minutes:g} min"
    kind = "a detached actor" if cluster.kind == "ray" else "a process of this machine"
    command = f"{python_of(cluster)} {shlex.join(job.command)}"
    return "\n".join([f"# {kind}: {amount}", *surroundings(cluster), command])
