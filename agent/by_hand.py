"""A stage run by hand: in the workspace's last round, with that round's settings."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.commands import opened
from agent.config import RoundConfig, resolve
from agent.rounds import config_of, first_classes, make_context, vocabulary_of
from voxcurate.catalog import Round
from voxcurate.config import build, merge, parse_overrides
from voxcurate.errors import ConfigError
from voxcurate.stage import StageContext


@contextmanager
def by_hand(
    given: Path | None,
    settings: Sequence[str] = (),
    *,
    write: bool = True,
    needs_round: bool = False,
) -> Iterator[tuple[StageContext, RoundConfig]]:
    """The context and the settings of the last round; before the first, those of round 0 (ingest)
    with the classes that the first round would begin with.

    What is done in it goes through the same ledger as the round, so that neither does the other's
    work again.

    Args:
        given: the workspace.
        settings: ``key=value``, over the round's own.
        write: hold the lock against a second writer.
        needs_round: nothing can be done before the first round.

    Raises:
        ConfigError: there is no round, though it is needed; or a setting does not fit.
    """
    overrides = parse_overrides(settings)
    with opened(given, write=write) as (workspace, catalog):
        rounds = catalog.rows(Round)
        if rounds:
            own = config_of(catalog, rounds[-1].number).model_dump(mode="json")
            config = build(RoundConfig, merge(own, overrides))
            yield make_context(workspace, catalog, config, rounds[-1], quiet=False), config
        elif needs_round:
            raise ConfigError("no round has been run yet: 'voxcurate round'")
        else:
            config = resolve(workspace, overrides=overrides)
            context = StageContext(
                workspace,
                catalog,
                vocabulary_of(workspace),
                round=0,
                classes=first_classes(catalog, config),
                executor_config=config.executor,
            )
            yield context, config
