"""``voxcurate compare``: two labellings of the same scans, class by class, without a workspace."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.console import DONE, SOME_FAILED, WIDTH, run_command, show_json
from agent.cli.options import ClassOption, JsonOption, LabelsOption, Layout, LayoutOption
from voxcurate.errors import ConfigError, CurationError

if TYPE_CHECKING:
    from rich.table import Table

    from voxcurate.classes import Vocabulary
    from voxcurate.comparison import Agreement, Comparison, Rules

CASES_SHOWN = 5  # up to so many, each case has its own table
THREADS = 4  # two volumes of each lie in memory


def compare(
    a: Annotated[Path, typer.Argument(help="Label map, folder of masks, or folder of cases.")],
    b: Annotated[Path, typer.Argument(help="The same of the other labelling.")],
    classes: ClassOption = None,
    tolerance_mm: Annotated[
        float | None,
        typer.Option(
            help="NSD tolerance for all classes; default: each class's own. Never below one voxel "
            "diagonal of the scan."
        ),
    ] = None,
    labels: LabelsOption = None,
    layout: LayoutOption = "auto",
    nsd: Annotated[bool, typer.Option("--nsd/--no-nsd", help="DSC and volumes only.")] = True,
    missing_is_empty: Annotated[
        bool,
        typer.Option("--missing-is-empty", help="A mask file that is not there is an empty mask."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two labellings: DSC, NSD and volumes per class, per case and over all cases.

    Cases are matched by name, classes by name whatever tool wrote them. Both empty: not scored,
    counted. One empty: DSC and NSD 0. A missing file is named and not scored. Cases that lie on
    different grids are named; the others go on, and the exit status is 1. Where one of the two is
    the truth, 'voxcurate evaluate' adds HD95, lesions, intervals and tests.

    Example: voxcurate compare predictions labelsTr --labels dataset.json --json > scores.json
    """

    def command() -> int:
        from voxcurate.classes import load_vocabulary
        from voxcurate.comparison import Rules

        vocabulary = load_vocabulary()
        if tolerance_mm is not None and not 0 <= tolerance_mm < float("inf"):
            raise ConfigError(f"want a tolerance of 0 mm or more, found {tolerance_mm}")
        rules = Rules(frozenset(), tolerance_mm, nsd, missing_is_empty)
        found = compared(
            a, b, vocabulary, rules, classes=classes or (), labels=labels, layout=layout
        )
        if as_json:
            show_json({"A": str(a), "B": str(b), **found.to_json()})
        else:
            typer.echo(f"A: {a}\nB: {b}")
            _show(found)
        return SOME_FAILED if found.failed or found.only_in_a or found.only_in_b else DONE

    run_command(command)


def compared(
    a: Path,
    b: Path,
    vocabulary: "Vocabulary",
    rules: "Rules",
    *,
    classes: Sequence[str] = (),
    labels: Path | None = None,
    layout: Layout = "auto",
) -> "Comparison":
    """Two trees, matched by the names of their cases; a single case matches a single case.

    Args:
        a: the first tree.
        b: the second one.
        vocabulary: for the classes' names and tolerances.
        rules: how to compare.
        classes: names of the only ones to compare; empty: all.
        labels: file with the names of label maps' values.
        layout: what files directly in a folder are.

    Raises:
        SourceError: one of them holds no labels.
        ConfigError: the two have no case in common, or none has a class that is asked for.
    """
    from agent.asked_classes import asked_classes, classes_there
    from agent.prediction_folders import cases_of, matched
    from voxcurate.comparison import Comparison, compare_case
    from voxcurate.progress import progress

    one, two = (
        cases_of(root, vocabulary, labels, layout, side) for root, side in ((a, "A"), (b, "B"))
    )
    there = classes_there([*one.values(), *two.values()])
    rules = replace(rules, classes=frozenset(asked_classes(classes, vocabulary, there)))
    two = matched(two, one, ("B", "A"))
    both = [case for case in one if case in two]

    def work(case: str) -> "dict[str, Agreement] | str":
        try:
            return compare_case(one[case], two[case], vocabulary, rules)
        except CurationError as error:
            return str(error)

    cases: dict[str, dict[str, Agreement]] = {}
    failed: dict[str, str] = {}
    n_threads = min(THREADS, len(os.sched_getaffinity(0)), len(both))
    with ThreadPoolExecutor(n_threads) as pool, progress("compare", len(both)) as bar:
        for case, result in zip(both, pool.map(work, both), strict=True):
            if isinstance(result, str):
                failed[case] = result
            else:
                cases[case] = result
            bar.advance()
    return Comparison(
        cases,
        tuple(sorted(one.keys() - two.keys())),
        tuple(sorted(two.keys() - one.keys())),
        failed,
    )


def _show(found: "Comparison") -> None:
    from rich.console import Console

    console = Console(width=max(WIDTH + 30, Console().width))
    if len(found.cases) <= CASES_SHOWN:
        for case, classes in found.cases.items():
            console.print(_case_table(case, classes))
    if len(found.cases) > 1:
        console.print(_summary_table(found))
    _warn("only in A", found.only_in_a)
    _warn("only in B", found.only_in_b)
    for case, why in found.failed.items():
        typer.echo(f"failed: {case}: {why}", err=True)


def _case_table(case: str, classes: "Mapping[str, Agreement]") -> "Table":
    is_told = any(row.state != "scored" for row in classes.values())
    columns = ["class", "DSC", "NSD", "at mm", "A mL", "B mL", "B - A mL"]
    table = _table(case, [*columns, *(["not scored"] if is_told else [])])
    for name, row in classes.items():
        volumes = (_ml(v) for v in (row.a_ml, row.b_ml, row.difference_ml))
        state = "" if row.state == "scored" else row.state
        tolerance = "" if row.tolerance_mm is None else f"{row.tolerance_mm:.2f}"
        told = [state] if is_told else []
        table.add_row(name, _score(row.dsc), _score(row.nsd), tolerance, *volumes, *told)
    return table


def _summary_table(found: "Comparison") -> "Table":
    columns = ["class", "n", "DSC", "NSD", "A mL", "B mL", "B - A mL", "not scored"]
    table = _table(f"{len(found.cases)} cases: median (quartiles)", columns)
    for name, line in found.summary.items():
        scores = (_quartiles(v, 3) for v in (line.dsc, line.nsd))
        volumes = (_quartiles(v, 1) for v in (line.a_ml, line.b_ml, line.difference_ml))
        out = {
            "empty": line.both_empty,
            "not in A": line.missing_in_a,
            "not in B": line.missing_in_b,
        }
        left = ", ".join(f"{n} {why}" for why, n in out.items() if n)
        table.add_row(name, str(line.n), *scores, *volumes, left)
    return table


def _table(title: str, columns: Sequence[str]) -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for n, column in enumerate(columns):
        is_words = column in ("class", "not scored")
        table.add_column(column, justify="left" if is_words else "right", no_wrap=n > 0)
    return table


def _warn(what: str, cases: Sequence[str], limit: int = 10) -> None:
    if cases:
        more = f" and {len(cases) - limit} more" if len(cases) > limit else ""
        typer.echo(f"{what}: {', '.join(cases[:limit])}{more}", err=True)


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _ml(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _quartiles(value: tuple[float, float, float] | None, digits: int) -> str:
    if value is None:
        return ""
    low, middle, high = (f"{v:.{digits}f}" for v in value)
    return f"{middle} ({low}, {high})"
