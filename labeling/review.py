"""Review by people: queue, export, import (its interface first)."""

from pathlib import Path
from typing import Any

from labeling.config import LabelingConfig
from voxcurate.stage import StageContext, StageResult


def export_review(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """Build the queue and write ``review/<round>/``."""
    raise NotImplementedError


def import_review(ctx: StageContext, folder: Path | None = None) -> StageResult:
    """Read back what people put into the review folder."""
    raise NotImplementedError


def pending(ctx: StageContext) -> list[dict[str, Any]]:
    """The items that are still open."""
    raise NotImplementedError
