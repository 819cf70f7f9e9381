"""How an evaluation is printed."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from agent.cli.console import DONE, WIDTH, say, show_json

if TYPE_CHECKING:
    from agent.evaluation_folders import Evaluated
    from training.evaluation.tables import Table

BESIDE_CELL = 3  # columns of the terminal: a blank on both sides and a rule
WORST_SHOWN = 5


def show_round(table: Mapping[str, Any], *, as_json: bool) -> int:
    """DSC and NSD per class of a round's models."""
    if as_json:
        show_json(table)
        return DONE
    from rich.console import Console
    from rich.table import Table as Shown

    shown = Shown(title=table["title"], title_justify="left")
    for index, column in enumerate(table["columns"]):
        shown.add_column(column, justify="right" if index else "left", overflow="fold")
    for row in table["rows"]:
        shown.add_row(*(f"{c:.3f}" if isinstance(c, float) else str(c) for c in row))
    Console(width=max(WIDTH, Console().width)).print(shown)
    for line in table.get("notes", ()):
        typer.echo(line)
    return DONE


def show_folders(found: "Evaluated", out: Path | None) -> None:
    """Tables of each model, the tests between them, what went wrong on stderr."""
    from training.evaluation import lesion_tables, tables
    from voxcurate.classes import load_vocabulary

    names = {item.id: item.name or item.id for item in load_vocabulary()}
    for entry in found.summary["models"]:
        people = "" if entry["patients"] == entry["cases"] else f" of {entry['patients']} patients"
        before = found.measured[entry["name"]].reused
        known = f" ({before} scored before)" if before else ""
        title = f"{entry['name']}: {entry['cases']} scans{people}{known}"
        _table(tables.shown_classes(entry, names), title)
        if line := tables.calibration_line(entry, names):
            typer.echo(line)
        for class_id in entry["lesions"]:
            table = lesion_tables.shown_lesions(entry, class_id)
            _table(table, f"{entry['name']}: lesions, {names.get(class_id, class_id)}")
            for line in lesion_tables.lesion_lines(entry, class_id):
                typer.echo(line)
    for entry in found.summary["models"][:1]:
        _table(tables.shown_subgroups(entry))
        for class_id in entry["lesions"]:
            _table(lesion_tables.shown_lesion_groups(entry, class_id))
    for entry in found.summary["models"]:
        for other in tables.comparisons(entry):
            if other["tests"]:
                _table(tables.shown_tests(entry, other, names))
    _table(tables.shown_worst(found.summary["models"][0], names, WORST_SHOWN))
    if out is not None:
        typer.echo(f"Tables and pictures: {out}")
    for entry in found.summary["models"]:
        for line in tables.left_out_lines(entry):
            say(f"warning: {entry['name']}: {line}")
        for case, why in entry["failed"].items():
            say(f"failed: {entry['name']}: {case}: {why}")


def _table(table: "Table", title: str = "") -> None:
    if table.shown:
        _print(table, title or table.title)


def _print(table: "Table", title: str) -> None:
    """Words are wrapped where the terminal is narrow; numbers, and "(few)" beside them, never."""
    from rich.console import Console
    from rich.table import Table as Shown

    words = {"class", "case", "group", "", "empty", "two people", "size", "score"}
    shown = Shown(title=title, title_justify="left")
    used = [n for n in range(len(table.columns)) if n == 0 or any(row[n] for row in table.shown)]
    least = 1
    for n in used:
        column = table.columns[n]
        is_words = column in words
        cells = [column, *(row[n] for row in table.shown)]
        longest = max(
            len(part) for cell in cells for part in (cell.split() if is_words else [cell])
        )
        least += longest + BESIDE_CELL
        shown.add_column(
            column, justify="left" if is_words else "right", no_wrap=not is_words,
            min_width=longest,
        )  # fmt: skip
    for row in table.shown:
        shown.add_row(*(row[n] for n in used))
    Console(width=max(WIDTH + 30, least, Console().width)).print(shown)
