"""Before a long job: probes on the nodes, through the executor that will do the work."""

import math
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any, Literal

from agent.clusters.checks import Asked, Check, compare
from agent.clusters.disk import SPARE, Written, to_be_written
from agent.clusters.driving import driver_needs
from agent.clusters.forecast import LEDGER
from agent.clusters.language_models import ASKED_BY, engines, needs_of, stem
from agent.clusters.probe import probe
from agent.clusters.queued import Queued, StillQueuedError
from agent.config import RoundConfig
from agent.rounds import first_classes, vocabulary_of
from voxcurate.catalog import Catalog
from voxcurate.errors import CurationError
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import Launcher
from voxcurate.executors.shards.driver import Settings, ShardedExecutor
from voxcurate.protocols import Executor, Task
from voxcurate.workspace import Workspace

WORKER = "agent.clusters.probe:probe"
PROBE_MINUTES = 10.0
PATIENCE_S = 15.0  # without an answer of the scheduler
LOOK_S = 0.02  # between two looks for nodes' files
PACKAGES = (
    "voxcurate", "torch", "monai", "numpy", "scipy", "SimpleITK", "nibabel", "numba",
    "scikit-image", "faiss-cpu", "connected-components-3d", "isal", "pydantic", "sqlalchemy",
    "lightning-fabric",
)  # fmt: skip
ENGINES = {"vllm": "vllm", "transformers": "transformers"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Site:
    """Nodes that are asked for alike: the stages whose jobs these are, and what they need.

    Attributes:
        driver: the driver runs there.
        chat: language models whose `cluster` this is run there, and only there.
    """

    name: str
    needs: Needs
    driver: bool = False
    chat: bool = False


@dataclass(frozen=True)
class Preflight:
    """What was looked at, and what the round will write."""

    checks: tuple[Check, ...]
    written: tuple[Written, ...]


def run_preflight(
    workspace: Workspace,
    catalog: Catalog,
    config: RoundConfig,
    cluster: ClusterConfig,
    launcher: Launcher,
    *,
    probes: int = 1,
    driver: bool = True,
    patience_s: float = math.inf,
    say: Say = lambda _: None,
) -> Preflight:
    """Look at the scheduler, then send a probe to each kind of node that the stages ask for.

    Args:
        launcher: of the cluster.
        probes: jobs of each kind; where the scheduler spreads them, so many nodes are seen.
        driver: the driver will be a job too.
        patience_s: for the probes of a kind of node in the queue; then they are taken back.
        say: told what is waited for.
    """
    written = _written(workspace, catalog, config)
    disk_gb = SPARE * sum(each.gb for each in written)
    checks = [*_scheduler(cluster, driver=driver), *_model_settings(config)]
    if any(check.status == "failed" for check in checks):
        return Preflight(tuple(checks), tuple(written))
    with _meeting(workspace) as (folder, token):
        asked = _question(workspace, config, folder, token)
        here = probe({**asked, "database": "", "key": ""})
        for site in [*sites(cluster, driver=driver), *_chats(config, cluster)]:
            say(f"probing a node for {site.name}: {probes} job{'s' * (probes > 1)}")
            queued = Queued(launcher, patience_s, say)
            visit = _Visit(site, cluster, queued, config, asked, here, disk_gb)
            checks += visit.checks(probes)
    return Preflight(tuple(checks), tuple(written))


def sites(cluster: ClusterConfig, *, driver: bool) -> list[Site]:
    """The kinds of nodes: stages that need the same of a machine share one."""
    kinds: dict[str, tuple[Needs, list[str]]] = {}
    for name in [name for names in LEDGER.values() for name in names]:
        if name not in cluster.here:
            needs = _of_a_machine(cluster.needs(name))
            kinds.setdefault(needs.model_dump_json(), (needs, []))[1].append(name)
    found = []
    for needs, names in kinds.values():
        told = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        found.append(Site(told, needs))
    if driver:
        found.append(Site("driver", _of_a_machine(driver_needs(cluster)), driver=True))
    return found


def _chats(config: RoundConfig, cluster: ClusterConfig) -> list[Site]:
    """The nodes of language models that run in jobs of this cluster."""
    found = engines(config).values()
    here = [needs_of(e, cluster) for e in found if e.cluster and stem(e.cluster) == cluster.name]
    if not here:
        return []
    most = max(here, key=lambda needs: needs.gpus)
    return [Site("chat", _of_a_machine(most), chat=True)]


def _of_a_machine(needs: Needs) -> Needs:
    """What is asked of one node, which decides what kind it is; the probe itself is short."""
    share = {"cpus": ceil(needs.cpus / needs.nodes), "memory_gb": needs.memory_gb / needs.nodes}
    if needs.nodes > 1:
        share["gpus"] = ceil(needs.gpus / needs.nodes)
    short = {"workers": 1, "minutes": min(needs.minutes, PROBE_MINUTES), "max_items": 1, "nodes": 1}
    return needs.model_copy(update={**share, **short, "shard_minutes": Needs().shard_minutes})


@dataclass(frozen=True)
class _Visit:
    """A look at one kind of node."""

    site: Site
    cluster: ClusterConfig
    launcher: Launcher
    config: RoundConfig
    asked: Mapping[str, Any]
    here: Mapping[str, Any]
    disk_gb: float

    def checks(self, probes: int) -> Iterator[Check]:
        """The checks of each machine that the probes came to."""
        tasks = [Task(f"probe-{n}", {**self._payload(), "number": n}) for n in range(probes)]
        hosts: set[str] = set()
        try:
            for outcome in self._executor().run(WORKER, tasks):
                if not outcome.ok:
                    yield _broken(self.site, outcome.error)
                elif outcome.value["host"] not in hosts:
                    hosts.add(outcome.value["host"])
                    yield from self._compared(outcome.value)
        except StillQueuedError as error:
            mend = "look again when the queue is shorter, or give it longer: --patience"
            status: Literal["warning", "failed"] = "warning" if hosts else "failed"
            yield Check("probe", status, str(error), "jobs that begin", mend, self.site.name)
        except CurationError as error:
            yield _broken(self.site, str(error))

    def _executor(self) -> Executor:
        once = self.cluster.model_copy(update={"tries": 1, "restarts": 0, "straggler": 0.0})
        folder = Path(self.asked["folder"]) / "shards"
        stage = f"preflight-{self.site.name.split()[0]}"
        return ShardedExecutor(
            Settings(
                self.launcher, once, self.site.needs, folder, stage=stage, patience_s=PATIENCE_S
            )
        )

    def _payload(self) -> dict[str, Any]:
        only_driver = {} if self.site.driver else {"database": "", "key": ""}
        modules = sorted(_modules(self.config, chat=self.site.chat))
        own = {"torch": self.site.needs.gpus > 0, "modules": modules}
        return {**self.asked, **own, **only_driver}

    def _compared(self, told: Mapping[str, Any]) -> Iterator[Check]:
        modules = _modules(self.config, chat=self.site.chat)
        question = Asked(
            needs=self.site.needs,
            disk_gb=self.disk_gb,
            offline=bool(self.asked["models"] or modules),
            modules=modules,
            driver=self.site.driver,
        )
        for check in compare(self.here, told, question):
            yield replace(check, where=f"{self.site.name} ({told['host']})")


def _broken(site: Site, error: str) -> Check:
    mend = "the log of the job tells more: see the options and `setup` of the cluster's YAML"
    return Check("probe", "failed", error, "a job that runs there", mend, site.name)


def _answer(folder: Path, over: threading.Event) -> None:
    """Answer the nodes' files with the time here, until it is over."""
    while not over.wait(LOOK_S):
        with suppress(OSError):  # told by the nodes, which get no answer
            for path in folder.glob("ask.*"):
                answer = folder / f"answer.{path.suffix[1:]}"
                if not answer.exists():
                    temporary = answer.with_name(f".{answer.name}.tmp")
                    temporary.write_text(repr(time.time()), encoding="utf-8")
                    temporary.replace(answer)


@contextmanager
def _meeting(workspace: Workspace) -> Iterator[tuple[Path, str]]:
    """A folder of the workspace where driver and nodes leave each other files."""
    folder = workspace.root / "preflight" / secrets.token_hex(4)
    folder.mkdir(parents=True)
    token = secrets.token_hex(8)
    over = threading.Event()
    answering = threading.Thread(target=_answer, args=(folder, over), daemon=True)
    try:
        (folder / "driver").write_text(token, encoding="utf-8")
        answering.start()
        yield folder, token
    finally:
        over.set()
        answering.join()
        shutil.rmtree(folder, ignore_errors=True)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()


def _question(
    workspace: Workspace, config: RoundConfig, folder: Path, token: str
) -> dict[str, Any]:
    return {
        "workspace": str(workspace.root),
        "folder": str(folder),
        "token": token,
        "packages": list(PACKAGES),
        "models": {name: str(path) for name, path in model_paths(workspace, config).items()},
        "modules": [],
        "torch": False,
        "database": workspace.catalog_url,
        "key": str(workspace._key_path()),
    }


def _modules(config: RoundConfig, *, chat: bool = False) -> dict[str, str]:
    """Module to what needs it.

    Args:
        chat: on nodes for language models alone; models without a `cluster` run where the others
            do.
    """
    found = {ENGINES[e.engine]: f"wanted by {ASKED_BY[at]}" for at, e in engines(config).items()
             if e.engine in ENGINES and bool(e.cluster) is chat}  # fmt: skip
    if config.flagship.text == "minilm" and not chat:
        found["sentence_transformers"] = "wanted by the classes' texts"
    return found


def model_paths(workspace: Workspace, config: RoundConfig) -> dict[str, Path]:
    """Local folders and files of the models that a round loads, by name."""
    from training.predict import FOLDER
    from training.predictors.spec import find_model

    found: dict[str, Path] = {}
    for stage, engine in engines(config).items():
        if engine.engine in ENGINES:
            found[ASKED_BY[stage]] = Path(engine.model).expanduser()
    folder = config.predict.model_folder
    base = Path(folder).expanduser() if folder else None
    for name in config.predict.models:
        model = find_model(name, [workspace.root / FOLDER], base)
        if model.weights is not None:
            found[model.spec.name] = model.weights.resolve()
    return found


def _model_settings(config: RoundConfig) -> Iterator[Check]:
    """Models that would be looked for on the internet."""
    for stage, engine in engines(config).items():
        if engine.engine in ENGINES and not Path(engine.model).expanduser().is_dir():
            mend = "put the model into a local folder and name that folder as `engine.model`"
            what = f"model of {ASKED_BY[stage]}"
            yield Check(what, "failed", "not a folder here", "a local folder", mend)


def _scheduler(cluster: ClusterConfig, *, driver: bool) -> Iterator[Check]:
    """Whether jobs can be asked for at all."""
    from agent.clusters.schedulers import look

    try:
        yield from look(cluster, driver=driver)
    except CurationError as error:
        mend = "see that its commands work in this shell, and the cluster's YAML"
        yield Check("scheduler", "failed", str(error), f"{cluster.kind} answers", mend, "here")


def _written(workspace: Workspace, catalog: Catalog, config: RoundConfig) -> list[Written]:
    classes = first_classes(catalog, config) or tuple(v.id for v in vocabulary_of(workspace))
    return to_be_written(workspace, catalog, config, len(classes))
