"""The label errors of all rounds up to one, read once for the sections that tell of them."""

import csv
import heapq
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agent.report.view import RoundView
from labeling.config import LabelingConfig
from labeling.errors import KINDS, LabelError, Looked, Tally, looked_at, read_errors
from labeling.errors.known import FILE, Confusion, confusion, looked_keys, read_known
from labeling.errors.words import became, repeated, undoing
from voxcurate.atomic import write_atomic
from voxcurate.config import build

PICTURED = 30  # of a round's judged or suspected labels, the worst
TABLE = "verdicts.csv"  # beside the page
HEAD = (
    "case_id", "class_id", "data_set", "label_id", "drawn_by", "ml", "kind", "error_probability",
    "found_by", "witnesses", "standing", "decided", "decided_by", "undo", "came_back",
)  # fmt: skip


@dataclass(frozen=True)
class Verdicts:
    """The judged and the suspected labels of a round.

    Attributes:
        worst: to be pictured, the worst first.
        n: of all.
        table: of all, as CSV.
    """

    worst: list[LabelError]
    n: int
    table: bytes


class FoundErrors:
    """What the catalog tells of label errors as of a round; read when asked for."""

    def __init__(self, view: RoundView) -> None:
        self.view = view

    @cached_property
    def config(self) -> LabelingConfig:
        """The settings of the round."""
        return build(LabelingConfig, self.view.config.get("labeling", {}))

    @property
    def tally(self) -> Tally:
        """All errors so far, counted."""
        return self._all[0]

    @property
    def verdicts(self) -> Verdicts:
        """The labels on which this round has decided, or should."""
        return self._all[1]

    @property
    def confusion(self) -> Confusion | None:
        """Against what is really wrong; None where nobody knows (`FILE` in the workspace)."""
        return self._all[2]

    @cached_property
    def looked(self) -> Looked:
        """The labels that were looked at."""
        return looked_at(self.view.ctx.catalog, upto=self.view.number)

    @cached_property
    def _all(self) -> tuple[Tally, Verdicts, Confusion | None]:
        tally = Tally()
        worst: list[tuple[tuple[float, str, str, int], int, LabelError]] = []
        known_file = self.view.ctx.workspace.root / FILE
        known = read_known(known_file) if known_file.is_file() else {}
        known_errors: list[LabelError] = []
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(HEAD)
        n = 0
        for error, patient in self._errors():
            tally.add(error, patient)
            if (error.case_id, error.class_id) in known:
                known_errors.append(error)
            if self.view.number in error.seen and error.mended != "rule":
                n += 1
                writer.writerow(_row(error))
                rank = _worst_last(error)
                heapq.heappush(worst, (rank, n, error))
                if len(worst) > PICTURED:
                    heapq.heappop(worst)
        ranked = [error for _, _, error in sorted(worst, key=lambda entry: entry[2].rank)]
        compared = None
        if known:
            looked = looked_keys(self.view.ctx.catalog, known, self.view.number)
            compared = confusion(known, looked, known_errors)
        return tally, Verdicts(ranked, n, text.getvalue().encode()), compared

    def _errors(self) -> Iterator[tuple[LabelError, str]]:
        ctx = self.view.ctx
        yield from read_errors(
            ctx.catalog, ctx.vocabulary, time=self.config.statistics.time, upto=self.view.number
        )

    def write_table(self) -> Path | None:
        """Write all verdicts beside the page; None if there is none."""
        if not self.verdicts.n:
            return None
        path = self.view.folder / TABLE
        write_atomic(path, [self.verdicts.table])
        return path


def _worst_last(error: LabelError) -> tuple[float, str, str, int]:
    worst, case, class_id, number = error.rank
    return -worst, case, class_id, number


def _row(error: LabelError) -> list[str]:
    chance = "" if error.probability is None else f"{error.probability:.4f}"
    return [
        error.case_id, error.class_id, error.source, error.label_id, error.drawn_by,
        "" if error.ml is None else f"{error.ml:.4g}", KINDS[error.kind].name, chance,
        "; ".join(error.found_by), "; ".join(error.witnesses), error.standing, became(error),
        error.by, undoing(error), repeated(error),
    ]  # fmt: skip
