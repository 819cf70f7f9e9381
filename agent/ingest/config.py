"""Settings of ingest; a workspace's ``ingest.yaml`` departs from the defaults."""

from typing import Literal

from pydantic import Field, model_validator

from cleaning.standardise.config import StandardiseConfig
from voxcurate.config import Config, build, read_yaml
from voxcurate.scrub import ScrubConfig
from voxcurate.workspace import Workspace

CONFIG_NAME = "ingest.yaml"


class SplitConfig(Config):
    """How scans are shared out, once and for ever, by patient and duplicate group."""

    train: float = Field(0.7, gt=0, description="share of the groups")
    validation: float = Field(0.1, ge=0)
    test: float = Field(0.2, ge=0)
    min_test: int = Field(
        2, ge=0, description="groups per class that test gets, as far as a third of them allows"
    )
    without_truth: Literal["train", "split"] = Field(
        "train",
        description="scans with neither labels nor reports can test nothing: all to train",
    )

    @model_validator(mode="after")
    def _adds_up(self) -> "SplitConfig":
        if abs(self.train + self.validation + self.test - 1.0) > 1e-6:
            raise ValueError("want train + validation + test = 1")
        return self


class IngestConfig(Config):
    """Settings of ingest."""

    split: SplitConfig = SplitConfig()
    scrub: ScrubConfig = ScrubConfig()
    standardise: StandardiseConfig = Field(
        default_factory=StandardiseConfig, description="of scans not yet in the workspace"
    )
    peek: int = Field(20, ge=1, description="files opened per pattern to draft a description")
    reports_per_item: int = Field(100, ge=1, description="reports scrubbed in one piece of work")
    max_depth: int = Field(4, ge=0, description="folders below PATH searched for descriptions")


def config_of(workspace: Workspace) -> IngestConfig:
    """The workspace's settings.

    Raises:
        ConfigError: ``ingest.yaml`` is wrong.
    """
    path = workspace.root / CONFIG_NAME
    return build(IngestConfig, read_yaml(path) if path.is_file() else {}, names=[path.name])
