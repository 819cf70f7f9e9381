"""A stage run by hand: in the workspace's last round, with that round's settings."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.commands import opened
from agent.config import RoundConfig, resolve
from agent.rounds import config_of, context_of, vocabulary_of
from voxcurate.catalog import Round
from voxcurate.config import build, merge, parse_overrides
from voxcurate.stage import StageContext


@contextmanager
def by_hand(
    given: Path | None, settings: Sequence[str] = (), *, write: bool = True
) -> Iterator[tuple[StageContext, RoundConfig]]:
    """The context and the settings of the last round; before the first, those of round 0 (ingest).

    What is done in it goes through the same ledger as the round, so that neither does the other's
    work again.

    Args:
        given: the workspace.
        settings: ``key=value``, over the round's own.
        write: hold the lock against a second writer.
    """
    overrides = parse_overrides(settings)
    with opened(given, write=write) as (workspace, catalog):
        rounds = catalog.rows(Round)
        if rounds:
            number = rounds[-1].number
            own = config_of(catalog, number).model_dump(mode="json")
            config = build(RoundConfig, merge(own, overrides))
            yield context_of(workspace, catalog, number), config
        else:
            config = resolve(workspace, overrides=overrides)
            vocabulary = vocabulary_of(workspace)
            yield (
                StageContext(
                    workspace, catalog, vocabulary, round=0, executor_config=config.executor
                ),
                config,
            )
