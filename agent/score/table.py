"""The rows of a score and how they are shown."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

NOT_RUN = "not run"


@dataclass(frozen=True)
class ScoreRow:
    """One measured number and what it must be compared with.

    Attributes:
        stage: of the pipeline.
        measure: what was measured.
        value: the number; None if the stage did not run or there is nothing to divide by.
        reference: what the other number is: chance, or a trivial method.
        reference_value: its score on the same data; None if there is none.
        n: how many items (cases, pairs, strings...) the value rests on.
        note: details.
    """

    stage: str
    measure: str
    value: float | None
    reference: str = ""
    reference_value: float | None = None
    n: int = 0
    note: str = ""


def not_run(stage: str, measure: str, why: str = "") -> ScoreRow:
    """The row of a stage that left nothing to score."""
    return ScoreRow(stage, measure, None, note=f"{NOT_RUN}: {why}" if why else NOT_RUN)


@dataclass(frozen=True)
class ScoreTable:
    """All rows of one scoring, in the order of the pipeline."""

    rows: tuple[ScoreRow, ...]

    def __iter__(self) -> Iterator[ScoreRow]:
        return iter(self.rows)

    def find(self, stage: str, measure: str) -> ScoreRow:
        """The row of that stage and measure.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if (row.stage, row.measure) == (stage, measure):
                return row
        raise KeyError(f"{stage}: {measure}")

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data, one mapping per row."""
        return [asdict(row) for row in self.rows]

    def render(self) -> "Table":
        """A table for the terminal."""
        from rich.table import Table

        table = Table(title="Scores against the cohort's truth", title_justify="left")
        table.add_column("stage")
        table.add_column("measure")
        table.add_column("value", justify="right")
        table.add_column("beside", justify="right")
        table.add_column("what that is")
        table.add_column("n", justify="right")
        table.add_column("note")
        stage = ""
        for row in self.rows:
            table.add_row(
                row.stage if row.stage != stage else "",
                row.measure,
                _shown(row),
                "" if row.reference_value is None else _number(row.reference_value),
                row.reference,
                str(row.n) if row.n else "",
                "" if row.value is None and row.note == NOT_RUN else row.note,
            )
            stage = row.stage
        return table


def gather(*parts: Iterable[ScoreRow]) -> ScoreTable:
    """One table from the rows of several parts; a NaN becomes "undefined"."""
    return ScoreTable(tuple(_defined(row) for part in parts for row in part))


def _defined(row: ScoreRow) -> ScoreRow:
    value, beside = row.value, row.reference_value
    if beside is not None and math.isnan(beside):
        row = replace(row, reference_value=None)
    if value is not None and math.isnan(value):
        row = replace(row, value=None, note=f"undefined; {row.note}".rstrip("; "))
    return row


def _shown(row: ScoreRow) -> str:
    if row.value is not None:
        return _number(row.value)
    return NOT_RUN if row.note.startswith(NOT_RUN) else "-"


def _number(value: float) -> str:
    if float(value).is_integer() and abs(value) >= 2:
        return f"{int(value):,}"
    return f"{value:.3f}"
