"""Statistics of labels on a terminal and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from agent.cli.console import WIDTH
from agent.report.agreement import BIAS_NOTE, about, bias_rows, bias_words, why_empty
from agent.report.blocks import ml
from agent.report.effort import computing_words, factor_words, time_rows
from labeling.config import AnnotationTimeConfig
from labeling.statistics.agreement import Agreement
from labeling.statistics.annotation_time import TimeEstimate
from labeling.statistics.figures import EVERY, Cell, LabelVolume, Pair, volume_quartiles

COLUMNS = ("labels", "absent", "1st quartile", "median", "3rd quartile")
MOST_RATERS = 12  # more do not fit; --json has all
MOST_CLASSES = 3  # matrices of more are not shown one by one
NOT_MEASURED = (
    "Models and labels were not compared in this round: 'voxcurate statistics --measure' does, "
    "once there are predictions."
)


@dataclass(frozen=True)
class Told:
    """What the command tells; `agreement` None: not measured, `time` None: of folders."""

    what: str
    volumes: Sequence[LabelVolume]
    agreement: Agreement | None = None
    time: TimeEstimate | None = None
    clock: AnnotationTimeConfig = field(default_factory=AnnotationTimeConfig)
    failed: Mapping[str, str] = field(default_factory=dict)
    asks_for_bias: bool = True
    is_round: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        groups = volume_quartiles(self.volumes, "class_id", "source", "trust")
        names = ("class", "source", "label")
        return {
            "what": self.what,
            "volumes_ml": [
                {**dict(zip(names, key, strict=True)), **asdict(found)}
                for key, found in groups.items()
            ],
            "agreement": self.agreement and self.agreement.to_json(),
            "time": self.time and {**self.time.to_json(), "settings": self.clock.model_dump()},
            "failed": dict(self.failed),
        }


def show(told: Told) -> None:
    """Tables on stdout, failures on stderr."""
    typer.echo(told.what)
    _show_volumes(told.volumes, with_trust=told.is_round)
    if told.agreement is None:
        typer.echo(NOT_MEASURED)
    elif told.agreement.matrix.get(EVERY):
        _show_matrix(told.agreement, is_round=told.is_round)
        if told.asks_for_bias:
            _show_bias(told.agreement)
    elif told.is_round:
        typer.echo(why_empty(told.agreement))
    elif len(told.agreement.raters) < 2:
        typer.echo("One folder alone: nothing to compare it with.")
    else:
        typer.echo("No two folders show the same structure of the same case: nothing to compare.")
    if told.time is not None:
        _show_time(told.time, told.clock)
    elif told.is_round:
        typer.echo("There are no scans in use or no classes, so there is nothing to annotate.")
    for case, why in told.failed.items():
        typer.echo(f"failed: {case}: {why}", err=True)


def _show_volumes(volumes: Sequence[LabelVolume], *, with_trust: bool) -> None:
    if not volumes:
        typer.echo("No volumes: no label counts yet." if with_trust else "No label could be read.")
        return
    by = ("class_id", "source", "trust") if with_trust else ("class_id", "source")
    first = ("class", "source", "label")[: len(by)]
    table = _table("Volumes in mL", *first, *COLUMNS, left=len(first))
    last = ""
    for key, found in volume_quartiles(volumes, *by).items():
        values = (found.low, found.median, found.high)
        cells = [str(found.n), str(found.absent), *("" if v is None else ml(v) for v in values)]
        name = key[0] if key[0] != last else ""
        table.add_row(name, *key[1:], *cells)
        last = key[0]
    _print(table)
    partial = sum(v.is_partial for v in volumes)
    if partial:
        typer.echo(f"{partial} labels speak of a part of their scan only and are left out.")


def _show_matrix(found: Agreement, *, is_round: bool) -> None:
    raters = found.raters[:MOST_RATERS]
    n_classes = len(found.matrix) - 1
    for class_id, cells in found.matrix.items():
        if class_id != EVERY and n_classes > MOST_CLASSES:
            continue
        title = "Mean DSC over classes" if class_id == EVERY else f"Mean DSC: {class_id}"
        table = _table(title, "", *(str(i) for i in range(1, len(raters))), left=1)
        for i, rater in enumerate(raters):
            row = [_cell(cells, (other.rater_id, rater.rater_id)) for other in raters[:i]]
            padding = [""] * (len(raters) - 1 - len(row))
            table.add_row(f"{i + 1} {rater.name}", *row, *padding)
        _print(table)
    if n_classes > MOST_CLASSES:
        typer.echo(f"Each of the {n_classes} classes: --class NAME, or --json.")
    if len(found.raters) > MOST_RATERS:
        typer.echo(f"... and {len(found.raters) - MOST_RATERS} more: --json")
    if is_round:
        typer.echo(about(found))
    else:
        typer.echo(
            f"{found.n_cases} of {found.n_eligible} cases are in two folders or more. Empty in "
            "both: not counted; in one: 0. Whether a network was trained on a case is not known."
        )
    if any(cell.seen for cells in found.matrix.values() for cell in cells.values()):
        typer.echo("*: scans that one of the two was trained on; there are no others.")


def _cell(cells: Mapping[Pair, Cell], pair: Pair) -> str:
    cell = cells.get(pair)
    return "" if cell is None else f"{cell.mean:.3f}{'*' if cell.seen else ''} ({cell.n})"


def _show_bias(found: Agreement) -> None:
    shown = [b for b in found.bias if b.paired is not None or b.counting is not None]
    if shown:
        head = (
            "architecture", "DSC people", "machines", "bias, same structures", "n",
            "bias, labels in use", "n", "machines' labels",
        )  # fmt: skip
        table = _table("Label bias", *head, left=1)
        for row in bias_rows(shown):
            table.add_row(*map(str, row))
        _print(table)
    for _, words in bias_words(found):
        typer.echo(words)
    if shown:
        typer.echo(BIAS_NOTE)


def _show_time(found: TimeEstimate, clock: AnnotationTimeConfig) -> None:
    table = _table("People's time, estimated", "way of working", "formula", "time", left=2)
    for row in time_rows(found, clock):
        table.add_row(*row)
    _print(table)
    typer.echo(f"{factor_words(found, clock)} {computing_words(found)}")
    typer.echo("What this assumes:")
    for line in found.assumptions:
        typer.echo(f"- {line}")


def _table(title: str, *columns: str, left: int) -> Table:
    table = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < left else "right", no_wrap=i >= left)
    return table


def _print(table: Table) -> None:
    Console(width=max(WIDTH + 30, Console().width)).print(table)
