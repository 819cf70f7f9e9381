"""Label versions on a terminal: what counts, histories, conflicts, versions of the dataset."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from textwrap import indent
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from agent.cli.console import DONE, SOME_FAILED, WIDTH, show_failures, show_json
from agent.commands import check_cases
from voxcurate.catalog import Assembly, Catalog, Label, Measure, Round, Scan
from voxcurate.catalog.schema import TABLES
from voxcurate.catalog.statements import conditions, newest_pointers
from voxcurate.errors import ConfigError
from voxcurate.stage import IN_COHORT

if TYPE_CHECKING:
    from labeling.assembly.history import History
    from labeling.assembly.undo import Undone
    from labeling.assembly.versions import Change
    from labeling.config import AssembleConfig
    from voxcurate.stage import StageResult

TRUST_STYLES = {"gold": "bold yellow", "human": "green", "retired": "red", "pseudo": "cyan"}
TRUSTS = ("gold", "human", "original", "judged", "pseudo", "synthetic", "retired")
LABEL_COLUMNS = ("origin", "model_id", "round", "ml", "known_path")
NUMBERS = {"round", "mL", "voxels", "cases", "labels"}  # columns
MOST = 200  # lines of a list on a terminal; --json has all


def counting_labels(
    catalog: Catalog, cases: Sequence[str], classes: Sequence[str], trust: str
) -> Iterator[dict[str, Any]]:
    """The labels that count of scans that cleaning left in, by case and class, one after the other
    as the database finds them.

    Raises:
        ConfigError: no such case, or no such trust.
    """
    table, label, scan = TABLES[Assembly], TABLES[Label], TABLES[Scan]
    check_cases(catalog, cases)
    if trust not in ("", *TRUSTS):
        raise ConfigError(f"want a trust of {', '.join(TRUSTS)}; found {trust!r}")
    chosen = {"case_id": list(cases), "class_id": list(classes), "trust": trust}
    for wanted in conditions(table, {name: value for name, value in chosen.items() if value}):
        query = (
            newest_pointers(wanted)
            .add_columns(*(label.c[name].label(f"label_{name}") for name in LABEL_COLUMNS))
            .join(label, label.c.label_id == table.c.label_id)
            .join(scan, scan.c.case_id == table.c.case_id)
            .where(scan.c.status.in_(IN_COHORT))
            .order_by(table.c.case_id, table.c.class_id)
        )
        with catalog.engine.connect() as connection:
            options = connection.execution_options(yield_per=1000)
            for row in options.execute(query).mappings():
                yield _counting(row)


def _counting(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "case_id": row["case_id"],
        "class_id": row["class_id"],
        "trust": row["trust"],
        "origin": row["label_origin"],
        "ml": row["label_ml"],
        "drawn_in_round": row["label_round"],
        "since_round": row["round"],
        "model_id": row["label_model_id"],
        "partly_known": bool(row["label_known_path"]),
        "label_id": row["label_id"],
    }


def show_labels(rows: Iterator[Mapping[str, Any]], *, as_json: bool) -> int:
    """Print the labels that count; on a terminal the first of them."""
    if as_json:
        show_json_rows(rows)
        return DONE
    shown = list(islice(rows, MOST))
    table = _table("case", "class", "trust", "mL", "round", "drawn by", "version")
    for row in shown:
        maker = row["model_id"] or row["origin"]
        partly = " (partly known)" if row["partly_known"] else ""
        table.add_row(
            row["case_id"],
            row["class_id"],
            _styled(row["trust"]),
            f"{row['ml']:.1f}{partly}",
            str(row["drawn_in_round"]),
            maker,
            row["label_id"],
        )
    _print(table)
    if next(rows, None) is None:
        typer.echo(f"{len(shown)} labels")
    else:
        typer.echo(
            f"the first {MOST} labels; --case, --class or --trust asks for fewer, --json for all"
        )
    return DONE


def show_assembled(result: "StageResult", config: "AssembleConfig") -> int:
    """Print what an assembly did, in words."""
    counts = dict(result.counts)
    trusts = {trust: counts[trust] for trust in TRUSTS if counts.get(trust)}
    told = ", ".join(f"{n} {trust}" for trust, n in trusts.items()) or "none"
    typer.echo(f"{counts['cases']} scans, {sum(trusts.values())} labels: {told}")
    typer.echo(f"{counts['changed']} changed now")
    if counts.get("conflicts"):
        n, cases = counts["conflicts"], counts["cases_in_conflict"]
        typer.echo(f"conflicts: {n} on {cases} scans; 'voxcurate labels conflicts' lists them")
    if waiting := counts.get("pseudo_labels_withheld"):
        named = ", ".join(f"{class_id} ({dsc:.2f})" for class_id, dsc in waiting.items())
        typer.echo(
            f"machines' labels wait until their models' median DSC with trusted labels reaches "
            f"{config.minimum_dsc:.2f}: {named}"
        )
    if unknown := counts.get("left_unknown"):
        named = ", ".join(f"{class_id} ({n} scans)" for class_id, n in unknown.items())
        typer.echo(
            f"unknown, not absent: {named}: the models found nothing there, but how well they find "
            f"it nobody can measure (that takes {config.minimum_labels} trusted labels)"
        )
    typer.echo(f"version of the dataset: {counts['dataset_version']}")
    show_failures(result.failed)
    return SOME_FAILED if result.failed else DONE


def show_json_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """A list as JSON on stdout, of any length in little memory."""
    between = "["
    for row in rows:
        text = json.dumps(row, indent=2, default=str, ensure_ascii=False)
        typer.echo(between + indent("\n" + text, "  "), nl=False)
        between = ","
    typer.echo("\n]" if between == "," else "[]")


def show_history(found: "History", *, as_json: bool) -> int:
    """Print the history of a structure, oldest first."""
    if as_json:
        show_json(asdict(found))
        return DONE
    now = found.current
    state = f"{now.label_id} counts, as {now.trust}, since round {now.round}" if now else "unknown"
    typer.echo(f"{found.class_id} of {found.case_id}: {state}; {len(found.versions)} versions")
    table = _table("round", "when", "stage", "what", "version", "instead of", "who", "why")
    for step in found.steps:
        size = f" ({step.ml:.1f} mL)" if step.ml is not None else ""
        is_now = now is not None and step.what == "drawn" and step.label_id == now.label_id
        table.add_row(
            str(step.round),
            step.when[:16].replace("T", " "),
            step.stage,
            step.what,
            f"{'[bold]' if is_now else ''}{step.label_id}{size}{'[/bold]' if is_now else ''}",
            step.other,
            step.who,
            step.why,
        )
    _print(table)
    return DONE


def show_undone(undone: "Undone", *, as_json: bool) -> int:
    """Print what counts now."""
    if as_json:
        show_json(asdict(undone))
        return DONE
    place = f"{undone.class_id} of {undone.case_id}"
    typer.echo(
        f"{place}: {undone.label_id} ({undone.trust}) counts, not {undone.instead_of} any more"
    )
    if undone.set_aside:
        typer.echo(f"set aside: {', '.join(undone.set_aside)}")
    typer.echo("The next 'voxcurate assemble' or round writes it as a version of the dataset.")
    return DONE


def conflicts_of(catalog: Catalog) -> list[dict[str, Any]]:
    """Conflicts of each case as its last assembly found them, the largest first."""
    columns = ("round", "case_id", "class_id", "model_id", "value", "facts")
    rounds = [0, *(number for (number,) in catalog.columns(Round, "number"))]  # for the index
    where: dict[str, Any] = {"round": rounds, "stage": "assemble", "name": "conflict_ml"}
    kept = {case_id for (case_id,) in catalog.columns(Scan, "case_id", status=IN_COHORT)}
    rows = [row for row in catalog.columns(Measure, *columns, **where) if row[1] in kept]
    last: dict[str, int] = {}
    for number, case_id, *_ in rows:
        last[case_id] = max(number, last.get(case_id, 0))
    found = [
        {
            "case_id": case_id,
            "class_id": class_id,
            "other": other,
            "ml": value,
            "voxels": facts["voxels"],
            "box": facts["box"],
            "round": number,
        }
        for number, case_id, class_id, other, value, facts in rows
        if class_id and number == last[case_id]
    ]
    return sorted(found, key=lambda c: (-c["ml"], c["case_id"], c["class_id"], c["other"]))


def show_conflicts(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> int:
    """Print the conflicts."""
    if as_json:
        show_json(list(rows))
        return DONE
    if not rows:
        typer.echo("No two labels that count claim the same voxels.")
        return DONE
    table = _table("case", "class", "and", "mL", "voxels", "box (I, J, K)")
    for row in rows[:MOST]:
        box = " ".join(f"{low}:{high}" for low, high in row["box"])
        table.add_row(
            row["case_id"], row["class_id"], row["other"], f"{row['ml']:.2f}",
            str(row["voxels"]), box,
        )  # fmt: skip
    _print(table)
    _tell_rest(len(rows), "conflicts")
    return DONE


def show_versions(heads: Sequence[Mapping[str, Any]], current: str, *, as_json: bool) -> int:
    """Print the versions of the dataset."""
    if as_json:
        show_json({"current": current, "versions": list(heads)})
        return DONE
    if not heads:
        typer.echo("No version yet: 'voxcurate assemble' or a round writes one.")
        return DONE
    table = _table("version", "round", "made", "cases", "labels", "by trust")
    for head in heads:
        trust = ", ".join(f"{n} {name}" for name, n in head["trust"].items())
        mark = " (current)" if head["version"] == current else ""
        table.add_row(
            f"{head['version']}{mark}",
            str(head["round"]),
            head["created"][:16].replace("T", " "),
            str(head["cases"]),
            str(head["labels"]),
            trust,
        )
    _print(table)
    return DONE


def show_changes(changes: "Iterable[Change]", *, as_json: bool) -> int:
    """Print the structures that differ."""
    if as_json:
        show_json_rows(asdict(change) for change in changes)
        return DONE
    table, n = _table("case", "class", "was", "is"), 0
    for n, change in enumerate(changes, 1):
        if n > MOST:
            continue
        table.add_row(
            change.case_id,
            change.class_id,
            f"{change.old_trust} {change.old}".strip() or "unknown",
            f"{change.new_trust} {change.new}".strip() or "unknown",
        )
    if n:
        _print(table)
    _tell_rest(n, "structures differ")
    return DONE


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in NUMBERS else "left")
    return table


def _print(table: Table) -> None:
    Console(width=None if Console().is_terminal else WIDTH + 80, soft_wrap=False).print(table)


def _styled(trust: str) -> str:
    style = TRUST_STYLES.get(trust)
    return f"[{style}]{trust}[/]" if style else trust


def _tell_rest(n: int, what: str) -> None:
    rest = f", {n - MOST} not shown; --json has all" if n > MOST else ""
    typer.echo(f"{n} {what}{rest}")
