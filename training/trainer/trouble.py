"""Steps that were skipped because their loss or gradient was no number."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.config import TrainingConfig
from training.data.batches import Loader
from training.trainer.outputs import Outcome
from voxcurate.errors import TrainingError

NAMED = 3  # cases that are named


class Trouble:
    """Counts bad steps and the cases that were in them."""

    def __init__(self, config: TrainingConfig) -> None:
        self.total = self.in_a_row = 0
        self.cases: Counter[str] = Counter()
        self._config = config

    def note(self, suspects: Sequence[str]) -> None:
        """One more bad step."""
        self.total += 1
        self.in_a_row += 1
        self.cases.update(suspects)

    def check(self, step: int) -> None:
        """Whether that is enough.

        Raises:
            TrainingError: too many in a row or in all; names the cases that were there most often.
        """
        if self.in_a_row <= self._config.max_bad_steps and self.total <= self._config.max_bad_total:
            return
        raise TrainingError(
            f"the loss was no number in {self.total} steps ({self.in_a_row} in a row), the last "
            f"being {step}: lower learning_rate, or look at the cases that were there most often: "
            f"{', '.join(self.likely)}"
        )

    @property
    def likely(self) -> list[str]:
        """Cases that were in most bad steps."""
        return [name for name, _ in self.cases.most_common(NAMED)]

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"total": self.total, "in_a_row": self.in_a_row, "cases": dict(self.cases)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take a checkpoint's state."""
        self.total, self.in_a_row = state["total"], state["in_a_row"]
        self.cases = Counter(state["cases"])


def suspects(outcome: Outcome, loader: Loader) -> list[str]:
    """Cases whose own loss is no number, else all of the step; ids, each once."""
    labelled = [draw.kind != "unlabeled" for draw in outcome.draws]
    bad = ~np.isfinite(outcome.losses) & np.array(labelled)
    chosen = bad if bad.any() else np.ones(len(labelled), dtype=bool)
    names = [loader.case_id(d) for d, is_bad in zip(outcome.draws, chosen, strict=True) if is_bad]
    return sorted(set(names))
