"""Which predictions count in a round: ledger lines, read some cases at a time."""

from collections.abc import Collection
from typing import Any

from labeling.config import LabelingConfig
from voxcurate.catalog import Model, WorkItem
from voxcurate.stage import StageContext

USED = ("path", "out_of_fold")  # of a prediction's result
COLUMNS = ("subject", "variant", "fingerprint", "updated", "result")


class Predictions:
    """The predictions of a round that count.

    A model made in this very round under an excluded role (the flagship, trained after the
    annotation) stays out, so that redoing a finished round finds the same inputs. Of two lines of
    one case and model the last one counts.

    Args:
        ctx: names the round.
        config: names the models, or the roles that stay out.
    """

    def __init__(self, ctx: StageContext, config: LabelingConfig) -> None:
        self._catalog, self._config, self._round = ctx.catalog, config.fuse, ctx.round
        self._where: dict[str, Any] = {"stage": "predict", "round": ctx.round, "status": "done"}
        columns = ("model_id", "name", "round", "facts")  # not the cases that trained it
        self._models = {
            model_id: (name, number, str(facts.get("role", "")))
            for model_id, name, number, facts in ctx.catalog.columns(Model, *columns)
        }

    def of(self, cases: Collection[str]) -> dict[str, list[WorkItem]]:
        """The lines of some cases, in model order; cases without any are left out.

        Results are cut to what the fusion needs.
        """
        newest: dict[tuple[str, str], WorkItem] = {}
        rows = self._catalog.columns(WorkItem, *COLUMNS, subject=list(cases), **self._where)
        for subject, variant, mark, updated, result in rows:
            old = newest.get((subject, variant))
            if old is not None and (old.updated, old.fingerprint) > (updated, mark):
                continue
            if self._is_used(variant):
                newest[subject, variant] = WorkItem(
                    self._round, "predict", subject, variant, mark, "done", updated=updated,
                    result={key: result[key] for key in USED if key in result},
                )  # fmt: skip
        lines: dict[str, list[WorkItem]] = {}
        for place in sorted(newest):
            lines.setdefault(place[0], []).append(newest[place])
        return lines

    def __bool__(self) -> bool:
        """Whether there is any."""
        batches = self._catalog.stream(WorkItem, "variant", **self._where)
        return any(self._is_used(variant) for batch in batches for (variant,) in batch)

    def name(self, model_id: str) -> str:
        """A model's name; empty if the catalog does not know it."""
        known = self._models.get(model_id)
        return known[0] if known else ""

    def _is_used(self, model_id: str) -> bool:
        name, number, role = self._models.get(model_id, (model_id, None, ""))
        if self._config.models:
            return bool({model_id, name} & set(self._config.models))
        if number != self._round:
            return True
        return not {role, name} & set(self._config.exclude_roles)


def marks_of(lines: Collection[WorkItem]) -> list[Any]:
    """What tells predictions from others: each model with its fingerprint."""
    return [[line.variant, line.fingerprint] for line in lines]
