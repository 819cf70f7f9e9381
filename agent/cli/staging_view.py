"""Stages, subtypes and readers as people read them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from agent.cli.console import WIDTH, show_failures

RESEARCH = "For research only, not a medical device."
SHOWN = 40
Told = Mapping[str, Any]


def show_stages(told: Told, out: Path | None) -> None:
    """A line per case, the reasons of a single one, and the counts."""
    cases: Mapping[str, Told] = told["cases"]
    names = [vessel["name"] for vessel in told["settings"]["vessels"]]
    rows = []
    for case, one in list(cases.items())[:SHOWN]:
        by_name = {vessel["vessel"]: vessel for vessel in one["vessels"]}
        found = one["resectability"]
        size = "" if one["size_mm"] is None else f"{one['size_mm']:.1f}"
        vessels = [_degrees(by_name.get(name)) for name in names]
        rows.append([case, one["label"], size, *vessels, found["label"] if found else ""])
    if rows:
        _table("stage", ["case", "stage", "mm", *names, "by angles alone"], rows)
    if len(cases) > SHOWN:
        typer.echo(f"... and {len(cases) - SHOWN} more (--out writes all)")
    if len(cases) == 1:
        (one,) = cases.values()
        for line in (*one["reasons"], *(f"doubtful: {doubt}" for doubt in one["doubts"])):
            typer.echo(f"  {line}")
    counts = ", ".join(f"{label} {n}" for label, n in told["counts"].items())
    before = f" ({told['reused']} done before)" if told["reused"] else ""
    typer.echo(f"{len(cases)} cases{before}: {counts or 'none'}")
    if "against_truth" in told:
        _against(told["against_truth"])
    if out is not None:
        typer.echo("tables and pictures written")
    show_failures(told["failed"])
    typer.echo(RESEARCH)


def show_subtypes(told: Told) -> None:
    """The confusion, figures per class and over all."""
    _confusion(told, "subtypes: truth by rows, calls by columns")
    rows = [
        [name, _share(told["ppv"][name]), _share(told["recall"][name])] for name in told["classes"]
    ]
    _table("", ["class", "PPV", "recall"], rows)
    typer.echo(f"patients {told['patients']}")
    for key in ("accuracy", "accuracy_found", "balanced_accuracy"):
        name = {"accuracy_found": "accuracy of those found"}.get(key, key.replace("_", " "))
        typer.echo(f"{name}: {_share(told[key])}")
    if told["missing"]:
        typer.echo(f"no prediction: {', '.join(told['missing'][:SHOWN])}")
    show_failures(told["failed"])
    typer.echo(RESEARCH)


def show_readers(told: Told) -> None:
    """Readers, groups and the model, and the differences."""
    lines = [*told["readers"], *told["groups"], *([told["model"]] if told["model"] else [])]
    figures = [f for f in lines[0]["figures"] if any(line["figures"][f] for line in lines)]
    rows = [
        [
            line["name"],
            line["group"] if line["kind"] == "reader" else line["kind"],
            str(line["cases"]),
            *(_share(line["figures"][f]) for f in figures),
        ]
        for line in lines
    ]
    title = f"{told['cases']} cases, {told['with_tumour']} with a tumour"
    _table(title, ["", "group", "cases", *(f.replace("_", " ") for f in figures)], rows)
    sizes = list(lines[-1]["sensitivity_by_size"])
    if sizes:
        whole = [line for line in lines if line["kind"] != "reader"]
        by_size = [
            [x["name"], *(_share(x["sensitivity_by_size"][s]) for s in sizes)] for x in whole
        ]
        _table("sensitivity by size", ["", *sizes], by_size)
    if told["auc"]:
        typer.echo(f"ROC area of the model: {_number(told['auc'])}")
    if told["tests"]:
        rows = [
            [
                t["group"], t["figure"],
                f"{t['model_minus_group']:+.3f} [{t['low']:+.3f} to {t['high']:+.3f}]",
                f"{t['p']:.3f}", str(t["cases"]),
            ]
            for t in told["tests"]
        ]  # fmt: skip
        _table("model minus group", ["group", "figure", "difference", "p", "cases"], rows)
    typer.echo(RESEARCH)


def _against(found: Told) -> None:
    _confusion(found, "stage: truth by rows, found by columns")
    typer.echo(f"stage right: {_share(found['accuracy'])}")
    sure = found["certain_only"]
    if sure["patients"] != found["patients"]:
        typer.echo(f"of those without a lower bound: {_share(sure['accuracy'])}")
    if found["without_case"]:
        typer.echo(f"told, but not staged: {', '.join(found['without_case'][:SHOWN])}")


def _confusion(found: Told, title: str) -> None:
    rows = [
        [name, *map(str, row)] for name, row in zip(found["classes"], found["counts"], strict=True)
    ]
    _table(title, ["", *found["columns"]], rows)


def _degrees(vessel: Told | None) -> str:
    if vessel is None:
        return ""
    if vessel["state"] == "unknown":
        return "unknown"
    if vessel["state"] == "none":
        return "none"
    bound = ">= " if vessel["state"] == "at least" else ""
    return f"{bound}{vessel['degrees']}°"


def _share(estimate: Told | None) -> str:
    if estimate is None:
        return "n/a"
    if estimate["low"] is None or estimate["high"] is None:
        return f"{estimate['value']:.1%} of {estimate['n']}"
    span = f"{estimate['low']:.0%} to {estimate['high']:.0%}"
    return f"{estimate['value']:.1%} [{span}] of {estimate['n']}"


def _number(estimate: Told) -> str:
    if estimate["low"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} [{estimate['low']:.3f} to {estimate['high']:.3f}]"


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left")
    for n, column in enumerate(columns):
        table.add_column(column, justify="right" if n else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(width=max(WIDTH, Console().width)).print(table)
