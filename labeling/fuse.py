"""Stage fuse (its interface first)."""

from labeling.config import LabelingConfig
from voxcurate.stage import StageContext, StageResult


def run(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """The stage function."""
    raise NotImplementedError
