"""Is the chance that a label is wrong right? ``python -m benchmarks.label_errors.calibration``.

Reads what ``python -m benchmarks.label_errors --json FILE`` wrote (several files: several cohorts):
every label's noisy-or of the witnesses and whether it was planted. Prints how many of the labels
were wrong at each value, Brier score and expected calibration error (ECE: the mean distance of the
bins' probability and share, by their size), before and after `labeling.expert.calibration`.

A label that nobody made wrong counts as right. Real labels have errors of their own, which make
high probabilities look too high; synthetic ones have none.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.label_errors.planting import half_of
from labeling.expert.calibration import calibrated

EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0)
DETECTOR = "ours"
Floats = npt.NDArray[np.float64]


def read(path: Path, half: str, seeds: Sequence[int]) -> dict[tuple[str, float], list[list[float]]]:
    """Group of severities and rate to the labels' noisy-or and whether each is wrong."""
    found: dict[tuple[str, float], list[list[float]]] = {}
    for one in json.loads(path.read_text())["measured"]:
        if seeds and one["arm"]["seed"] not in seeds:
            continue
        own = found.setdefault((one["arm"]["group"], one["arm"]["rate"]), [])
        own += [
            [row["scores"][DETECTOR], float(bool(row["kind"]))]
            for row in one["rows"]
            if half in ("all", half_of(row["case_id"]))
        ]
    return found


def reliability(chance: Floats, wrong: Floats, edges: Sequence[float] = EDGES) -> dict[str, Any]:
    """Bins with count, mean probability and share of wrong ones; Brier score and ECE."""
    place = np.clip(np.searchsorted(edges, chance, side="right") - 1, 0, len(edges) - 2)
    bins, error = [], 0.0
    for n in range(len(edges) - 1):
        own = place == n
        if own.any():
            told, share = float(chance[own].mean()), float(wrong[own].mean())
            bins.append(
                {"from": edges[n], "to": edges[n + 1], "n": int(own.sum()), "told": told,
                 "wrong": share}
            )  # fmt: skip
            error += float(own.mean()) * abs(told - share)
    brier = float(((chance - wrong) ** 2).mean())
    return {"n": len(chance), "bins": bins, "brier": brier, "ece": error}


def main(arguments: list[str] | None = None) -> int:
    """Read, count, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.label_errors.calibration", description=__doc__
    )
    parser.add_argument("files", type=Path, nargs="+", help="of benchmarks.label_errors --json")
    parser.add_argument("--half", choices=("even", "odd", "all"), default="even")
    parser.add_argument("--seeds", default="", help="only these, as in 2,3; default: all")
    given = parser.parse_args(arguments)
    seeds = [int(seed) for seed in given.seeds.split(",") if seed]
    console = Console(width=110)
    for path in given.files:
        groups = read(path, given.half, seeds)
        table = Table(title=f"{path.stem}: noisy-or of the witnesses -> recalibrated")
        for column in ("errors", "labels", "wrong", "Brier", "ECE"):
            table.add_column(column, justify="left" if column == "errors" else "right")
        every = np.array([row for rows in groups.values() for row in rows])
        named = [(f"{g}, {100 * rate:g} %", np.array(r)) for (g, rate), r in sorted(groups.items())]
        for name, rows in [*named, ("all", every)]:
            before = reliability(rows[:, 0], rows[:, 1])
            after = reliability(_recalibrated(rows[:, 0]), rows[:, 1])
            table.add_row(
                name, str(len(rows)), f"{rows[:, 1].mean():.3f}",
                f"{before['brier']:.4f} -> {after['brier']:.4f}",
                f"{before['ece']:.4f} -> {after['ece']:.4f}",
            )  # fmt: skip
        console.print(table)
        _show_bins(every, console)
    return 0


def _show_bins(rows: Floats, console: Console) -> None:
    table = Table(title="of all")
    for column in ("noisy-or", "labels", "mean", "recalibrated", "wrong"):
        table.add_column(column, justify="right")
    found = reliability(rows[:, 0], rows[:, 1])
    told = _recalibrated(rows[:, 0])
    for b in found["bins"]:
        own = (rows[:, 0] >= b["from"]) & ((rows[:, 0] < b["to"]) | (b["to"] == EDGES[-1]))
        table.add_row(
            f"{b['from']:.2f} to {b['to']:.2f}", str(b["n"]), f"{b['told']:.3f}",
            f"{told[own].mean():.3f}", f"{b['wrong']:.3f}",
        )  # fmt: skip
    console.print(table)


def _recalibrated(evidence: Floats) -> Floats:
    return np.array([calibrated(x) for x in evidence])


if __name__ == "__main__":
    sys.exit(main())
