"""The language models of a round: who asks them, and where they run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config import RoundConfig
from voxcurate.chat.batch import STAGE, needs_of_job
from voxcurate.chat.engine import EngineConfig
from voxcurate.executors.cluster import ClusterConfig, Needs, load_cluster

ASKED_BY = {"retrieve": "the reports' reader", "judge": "the judge"}  # the driver does these stages


@dataclass(frozen=True)
class LanguageModel:
    """One that a round asks.

    Attributes:
        stage: of the ledger, which the driver does itself: it is the model that works.
        cluster: where its jobs run; None: it has none.
        needs: of such a job.
    """

    stage: str
    engine: EngineConfig
    cluster: ClusterConfig | None = None
    needs: Needs | None = None

    @property
    def job(self) -> str:
        """What its jobs are called."""
        return f"{STAGE} ({ASKED_BY[self.stage]})"

    def told(self) -> str:
        """Where it runs, in words."""
        if self.cluster is not None:
            name = self.cluster.name
            where = f"jobs of stage {STAGE} on cluster {name}, as many as its questions want"
        elif self.engine.engine == "replay":
            where = "recorded replies, no job"
        elif self.engine.engine == "openai" and self.engine.server is None:
            where = "a server that runs already, no job"
        else:
            where = "in the driver, no job of its own: the driver must have its GPUs and memory"
        return f"{ASKED_BY[self.stage]} ({self.engine.engine}): {where}"

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "asked_by": self.stage,
            "engine": self.engine.engine,
            "model": self.engine.model,
            "cluster": self.cluster.name if self.cluster else None,
            "needs": self.needs.model_dump(mode="json") if self.needs else None,
            "told": self.told(),
        }


def engines(config: RoundConfig) -> Mapping[str, EngineConfig]:
    """Settings of the language models that a round asks, by the stage that does."""
    found = {}
    if config.retrieval.reader == "llm":
        found["retrieve"] = config.retrieval.engine
    if config.labeling.judge.asks_model:
        found["judge"] = config.labeling.judge.engine
    return found


def language_models(config: RoundConfig, root: Path) -> list[LanguageModel]:
    """The language models of a round, with the clusters that they name.

    Raises:
        ConfigError: there is no such cluster, or a setting of it is wrong.
    """
    found = []
    for stage, engine in engines(config).items():
        cluster = load_cluster(engine.cluster, root) if engine.cluster else None
        needs = needs_of(engine, cluster) if cluster else None
        found.append(LanguageModel(stage, engine, cluster, needs))
    return found


def needs_of(engine: EngineConfig, cluster: ClusterConfig) -> Needs:
    """What a job with such an engine needs there."""
    return needs_of_job(engine, cluster.needs(STAGE))


def stem(cluster: str) -> str:
    """The name of a cluster that may be given by its file."""
    return Path(cluster).stem if cluster.endswith((".yaml", ".yml")) else cluster
