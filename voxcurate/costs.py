"""Where the items of a stage are done, and what they cost there."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from voxcurate.catalog import Catalog, WorkItem
from voxcurate.catalog.schema import TABLES
from voxcurate.ids import content_id
from voxcurate.protocols import Executor, StagedExecutor
from voxcurate.stage import StageContext
from voxcurate.worklist import Item


def placed(
    context: StageContext, stage: str, executor: Executor, family: Any
) -> tuple[Executor, Callable[[Item], float]]:
    """The executor where it does the stage's work, and what an item will cost there, in s: what it
    says itself, else what items of the same variant, or of the stage, have cost.

    Args:
        family: plain data that the stage's tasks have in common: its version and settings.
    """
    if not isinstance(executor, StagedExecutor):
        return executor, lambda item: item.cost
    means, mean = mean_seconds(context.catalog, stage)
    there = executor.of_stage(stage, content_id(stage, family))
    return there, lambda item: item.cost or means.get(item.variant, mean)


def mean_seconds(catalog: Catalog, stage: str) -> tuple[Mapping[str, float], float]:
    """Mean seconds of a stage's items that were done, by their variant (a model, a class), and of
    all; empty and 0 where there are none. Lines copied from other rounds took no time."""
    lines = TABLES[WorkItem].c
    query = (
        sa.select(lines.variant, sa.func.count(), sa.func.sum(lines.seconds))
        .where(lines.stage == stage, lines.status == "done", lines.seconds > 0)
        .group_by(lines.variant)
    )
    with catalog.engine.connect() as connection:
        rows = connection.execute(query).fetchall()
    n = sum(count for _, count, _ in rows)
    means = {variant: float(total) / count for variant, count, total in rows}
    return means, sum(float(total) for _, _, total in rows) / n if n else 0.0
