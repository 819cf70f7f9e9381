"""Are errors called by their right names? ``python -m benchmarks.error_kinds CATALOG...``

Catalogs as `benchmarks.label_errors` leaves them in its folder (``runs/*/workspace``): labels with
planted errors, and what detection and the judge said of them. Told is what `labeling.errors` makes
of that. Work on the even patients; ``--half odd`` is for reporting.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.label_errors.planting import half_of
from labeling.errors.kinds import KINDS, PLANTED_ONLY
from labeling.errors.known import RIGHT, Confusion, confusion, looked_keys
from labeling.errors.reader import read_errors
from voxcurate.catalog import Catalog, Label
from voxcurate.classes import load_vocabulary


def compare(path: Path, half: str) -> Confusion:
    """What the labels of one catalog were taken for, in its first round."""
    catalog = Catalog(f"sqlite:///{path}")
    try:
        labels = catalog.columns(Label, "case_id", "class_id", "facts", origin="original")
        known = {
            (case, name): str(facts.get("planted") or RIGHT)
            for case, name, facts in labels
            if half_of(case) == half
        }
        found = read_errors(catalog, load_vocabulary(), upto=1)
        looked = looked_keys(catalog, known, 1)
        return confusion(known, looked, [error for error, _ in found])
    finally:
        catalog.close()


def main() -> int:
    """Print the table; always exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalogs", nargs="+", type=Path)
    parser.add_argument("--half", choices=("even", "odd"), default="even")
    given = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    for path in given.catalogs:
        counts.update(compare(path, given.half).counts)
    show(Confusion(counts))
    return 0


def show(found: Confusion) -> None:
    """Truth in lines, what labels were taken for in columns."""
    table = Table("truth", "labels", *found.answers)
    for true in found.truths:
        table.add_row(
            true,
            str(found.total(true)),
            *(str(found.counts.get((true, told), "")) for told in found.answers),
        )
    told = sum(n for (true, answer), n in found.counts.items() if true != RIGHT and answer in KINDS)
    console = Console(width=220)
    console.print(table)
    console.print(
        f"{found.found} of {found.wrong} told as errors, {found.named} of {told} by the right name "
        f"({', '.join(f'{a} as {b}' for a, b in PLANTED_ONLY.items())})"
    )


if __name__ == "__main__":
    sys.exit(main())
