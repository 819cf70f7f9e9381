"""What items cost in a round that was run: seconds by stage, bytes by scan.

``python -m benchmarks.scale costs WORKSPACE`` prints what `MEASURED` holds of one such round.
"""

import json
import sqlite3
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

QUANTILES = np.linspace(0.0, 1.0, 21)

# Two rounds on 60 head-and-neck CTs of OpenKBP (128 x 128 x 128 voxels, 7 classes, 3 models and
# the flagship), preset `cpu`, two shared cores (docs/LOG.md, 2026-11-21).
MEASURED: dict[str, Any] = {
    "scans": 60,
    "seconds": {
        "clean": 0.0548,
        "detect": 0.0725,
        "evaluate": 0.212,
        "fuse": 0.149,
        "ingest": 0.16,
        "judge": 0.0946,
        "predict": 3.0827,
        "review": 0.1084,
        "train_flagship": 400.0494,
        "train_zoo": 180.2927,
    },
    "items": {
        "clean": 60,
        "detect": 96,
        "evaluate": 96,
        "fuse": 96,
        "ingest": 60,
        "judge": 74,
        "predict": 252,
        "review": 39,
        "train_flagship": 2,
        "train_zoo": 3,
    },
    "predict_shape": [
        0.089,
        0.25,
        0.346,
        0.462,
        0.497,
        0.567,
        0.715,
        0.742,
        0.757,
        0.776,
        0.795,
        0.821,
        1.073,
        1.152,
        1.229,
        1.643,
        1.672,
        1.712,
        1.782,
        1.842,
        3.81,
    ],
    "bytes_per_scan": {
        "scans": 376613,
        "labels": 59570,
        "predictions": 101434,
        "attention": 62480,
        "catalog": 70109,
    },
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the costs of a workspace as JSON."""
    parser = ArgumentParser(prog="benchmarks.scale costs", description=__doc__)
    parser.add_argument("workspace", type=Path)
    asked = parser.parse_args(arguments)
    sys.stdout.write(json.dumps(costs(asked.workspace), indent=1) + "\n")
    return 0


def costs(root: Path) -> dict[str, Any]:
    """Of each stage the items that were done, not carried over, and their seconds; `shape` are
    quantiles of seconds over their mean. Bytes of each folder by scan, the catalog's too."""
    lines = "SELECT seconds FROM work_item WHERE stage = ? AND status = 'done' AND seconds > 0"
    with closing(sqlite3.connect(root / "catalog.sqlite")) as connection:
        scans = int(connection.execute("SELECT count(*) FROM scan").fetchone()[0])
        stages = [s for (s,) in connection.execute("SELECT DISTINCT stage FROM work_item")]
        found = {}
        for stage in sorted(stages):
            seconds = np.array([s for (s,) in connection.execute(lines, [stage])])
            if len(seconds):
                found[stage] = _stage(seconds)
    return {"scans": scans, "stages": found, "bytes_per_scan": _bytes(root, scans)}


def _stage(seconds: Any) -> dict[str, Any]:
    mean = float(seconds.mean())
    shape = [round(float(v), 3) for v in np.quantile(seconds / mean, QUANTILES)]
    return {"items": len(seconds), "mean_s": round(mean, 4), "shape": shape}


def _bytes(root: Path, scans: int) -> dict[str, int]:
    folders = ("scans", "labels", "predictions", "attention")
    found = {name: _size(root / name) // scans for name in folders}
    return {**found, "catalog": (root / "catalog.sqlite").stat().st_size // scans}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
