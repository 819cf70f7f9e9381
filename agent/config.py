"""The configuration of a round: every stage's own, and what the round is for."""

from pathlib import Path
from typing import Any

from pydantic import Field

from cleaning.config import CleaningConfig
from labeling.config import LabelingConfig
from retrieval.config import RetrievalConfig
from training.config import (
    FlagshipConfig,
    PredictConfig,
    StopConfig,
    ZooConfig,
)
from training.evaluation.config import EvaluateConfig
from voxcurate.config import Config, build, read_yaml, shipped
from voxcurate.errors import ConfigError
from voxcurate.executors import ExecutorConfig
from voxcurate.workspace import CONFIG_NAME, Workspace


class RoundConfig(Config):
    """Everything a round depends on; stored with it, resolved."""

    need: str = Field("", description="the clinical need in plain words, for people")
    classes: tuple[str, ...] = Field(
        (), description="target classes; empty: all that are annotated"
    )
    seed: int = 0
    wait_for_review: bool = Field(True, description="stop until people have looked at the queue")
    retrieval: RetrievalConfig = Field(default_factory=RetrievalConfig)
    cleaning: CleaningConfig = Field(default_factory=CleaningConfig)
    labeling: LabelingConfig = Field(default_factory=LabelingConfig)
    zoo: ZooConfig = Field(default_factory=ZooConfig)
    predict: PredictConfig = Field(default_factory=PredictConfig)
    flagship: FlagshipConfig = Field(default_factory=FlagshipConfig)
    evaluate: EvaluateConfig = Field(default_factory=EvaluateConfig)
    stop: StopConfig = Field(default_factory=StopConfig)
    executor: ExecutorConfig = Field(default_factory=ExecutorConfig)


def resolve(
    workspace: Workspace, *, file: Path | None = None, overrides: dict[str, Any] | None = None
) -> RoundConfig:
    """A round's configuration: defaults < shipped preset < workspace < round file < overrides.

    Raises:
        ConfigError: a layer does not fit.
    """
    round_layer = read_yaml(file) if file is not None else {}
    preset = str(round_layer.pop("preset", workspace.config.preset))
    layers = {
        f"preset {preset}": _preset(preset),
        f"{CONFIG_NAME} of the workspace, in round": workspace.config.round,
        str(file): round_layer,
        "--set": overrides or {},
    }
    return build(RoundConfig, *layers.values(), names=list(layers))


def presets() -> list[str]:
    """Names of the shipped presets."""
    return sorted(path.stem for path in shipped("rounds").glob("*.yaml"))


def _preset(name: str) -> dict[str, Any]:
    if name not in presets():
        raise ConfigError(f"no preset {name!r}; there are: {', '.join(presets())}")
    return read_yaml(shipped("rounds", f"{name}.yaml"))
