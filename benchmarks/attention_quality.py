"""Does attention find the errors? ``python -m benchmarks.attention_quality --folder CACHE``.

Three small networks are trained by three-fold cross-validation on real head-and-neck CTs
(`benchmarks.attention_quality_cohort`; about 25 minutes of processor time, once), so that each scan
has predictions of three networks that never saw it. They go through the product's own fusion,
attention and scores. Shown are, against the true error ``1 - DSC`` of the fused masks: rank
correlation of every score, for cases, structures and each class, and the precision in the top 10 %
of the list; a random order stands in every table. Half of the cases (by a hash) is for choosing a
score, the other half confirms it. Then Table 1 of AbdomenAtlas-8K: error regions that are attended,
attended regions that are errors, and the same by voxels. Exit status 1 if on the confirming half
the default score of cases correlates by less than 0.5, or the top 10 % of cases or of structures
are not better than random by two standard deviations.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.attention_quality_cohort import open_cohort, prediction_files, train_and_predict
from labeling.attention.evaluation import Detection, detect_errors, ranking, table_one
from labeling.attention.maps import MAP_SCALE, conflict_matrix, fuse_and_attend
from labeling.attention.scores import STRONG, ClassScore, case_score, class_scores
from labeling.config import PriorityConfig, Score
from voxcurate.catalog import Label
from voxcurate.labels import read_mask
from voxcurate.metrics import dsc
from voxcurate.predictions import open_prediction
from voxcurate.stage import StageContext

KINDS: tuple[Score, ...] = get_args(Score)
DEFAULT = PriorityConfig().score
WANTED_RHO = 0.5
BOOTSTRAP = 2000


@dataclass(frozen=True)
class Structure:
    """A structure with a true mask: its score, its true error, and what attention found of it."""

    case: str
    name: str
    score: ClassScore
    error: float
    seen: Detection


def measure(context: StageContext, min_region_mm3: float) -> list[Structure]:
    """Fuse and attend every case with the product's functions, and compare with the truth."""
    found = []
    for case, files in prediction_files(context).items():
        predictions = [open_prediction(path) for path in files]
        names = list(dict.fromkeys(c for p in predictions for c in p.classes))
        vocabulary = context.vocabulary
        allowed = [(a, b) for a in names for b in names if vocabulary.may_overlap(a, b)]
        fusion = fuse_and_attend(
            predictions, names, conflict_matrix(names, allowed), class_maps=True
        )
        shape, affine = predictions[0].shape, predictions[0].affine
        voxel_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
        least = max(1, int(np.ceil(min_region_mm3 / voxel_mm3)))
        scores = class_scores(fusion, voxel_mm3, shape[2])
        for label in context.catalog.rows(Label, case_id=case, origin="original"):
            if label.class_id not in scores or not label.voxels:
                continue
            truth = read_mask(context.workspace.root, label.path, shape) > 0
            pseudo, attention = np.zeros(shape, bool), np.zeros(shape, np.uint8)
            pseudo[fusion.masks[label.class_id][0]] = fusion.masks[label.class_id][1]
            attention[fusion.maps[label.class_id][0]] = fusion.maps[label.class_id][1]
            seen = detect_errors(
                attention, pseudo, truth, above=STRONG * MAP_SCALE, min_region_voxels=least
            )
            error = 1 - dsc(pseudo, truth)
            found.append(Structure(case, label.class_id, scores[label.class_id], error, seen))
    return found


def is_development(case: str) -> bool:
    """Half of the cases, by a hash of their place among the ids."""
    return hashlib.sha256(case.encode()).digest()[0] % 2 == 0


def rank_cases(structures: Sequence[Structure], kind: Score) -> tuple[list[float], list[float]]:
    """Score and mean true error of each case, over its structures with a truth."""
    by_case: dict[str, list[Structure]] = {}
    for s in structures:
        by_case.setdefault(s.case, []).append(s)
    scores = [case_score({s.name: s.score for s in own}, kind) for own in by_case.values()]
    return scores, [float(np.mean([s.error for s in own])) for own in by_case.values()]


def rank_structures(
    structures: Sequence[Structure], kind: Score
) -> tuple[list[float], list[float]]:
    """Score and true error of each structure."""
    return [s.score.score(kind) for s in structures], [s.error for s in structures]


def interval(scores: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the rank correlation, by resampling cases."""
    from scipy.stats import rankdata

    generator = np.random.default_rng(0)
    pairs = np.array([scores, errors])
    found = []
    for _ in range(BOOTSTRAP):
        part = pairs[:, generator.integers(0, pairs.shape[1], pairs.shape[1])]
        ranks = np.array([rankdata(row) for row in part])
        if (ranks.std(axis=1) > 0).all():
            found.append(float(np.corrcoef(ranks)[0, 1]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def random_rho(n: int) -> float:
    """Standard deviation of the rank correlation of a random order."""
    return float(1 / np.sqrt(n - 1))


def evaluate(structures: Sequence[Structure]) -> dict[str, Any]:
    """Everything that is shown, as plain data."""
    halves = {
        "development": [s for s in structures if is_development(s.case)],
        "confirmation": [s for s in structures if not is_development(s.case)],
        "all": list(structures),
    }
    ways = {"cases": rank_cases, "structures": rank_structures}
    orders: dict[str, Any] = {}
    for what, way in ways.items():
        orders[what] = {}
        for kind in KINDS:
            row = {half: asdict(ranking(*way(own, kind))) for half, own in halves.items()}
            orders[what][kind] = {**row, "interval": interval(*way(structures, kind))}
    names = sorted({s.name for s in structures})
    by_class = {name: [s for s in structures if s.name == name] for name in names}
    classes = {
        name: {
            "median_dsc": float(np.median([1 - s.error for s in own])),
            **{kind: asdict(ranking(*rank_structures(own, kind))) for kind in KINDS},
        }
        for name, own in by_class.items()
    }
    detections = {name: [s.seen for s in own] for name, own in by_class.items()}
    best = max(KINDS, key=lambda kind: orders["cases"][kind]["development"]["spearman"])
    return {
        "orders": orders,
        "classes": classes,
        "table_1": table_one(detections),
        "chosen_on_development": best,
        "reached": reached(orders),
    }


def reached(orders: Mapping[str, Any]) -> dict[str, bool]:
    """What the default score does of what was asked for, on the confirming half."""
    cases, structures = (orders[way][DEFAULT]["confirmation"] for way in ("cases", "structures"))
    return {
        f"rank correlation of cases {WANTED_RHO} or more": cases["spearman"] >= WANTED_RHO,
        "top 10 % of cases": _is_better(cases),
        "top 10 % of structures": _is_better(structures),
    }


def _is_better(rank: Mapping[str, Any]) -> bool:
    return bool(rank["precision_at_top"] >= rank["random"] + 2 * rank["random_sd"])


def show(found: Mapping[str, Any], console: Console) -> None:
    """The tables."""
    for what, kinds in found["orders"].items():
        console.print(_orders(what, kinds))
    table = Table("class", "n", "median DSC", title="rank correlation with 1 - DSC by class")
    for kind in KINDS:
        table.add_column(kind, justify="right")
    table.add_column(f"top 10 % ({DEFAULT})", justify="right")
    table.add_column("random", justify="right")
    for name, row in found["classes"].items():
        cells = [f"{row[kind]['spearman']:.2f}" for kind in KINDS]
        top = row[DEFAULT]
        table.add_row(
            name, str(top["n"]), f"{row['median_dsc']:.3f}", *cells,
            f"{top['precision_at_top']:.2f}", f"{top['random']:.2f} ± {top['random_sd']:.2f}",
        )  # fmt: skip
    console.print(table)
    title = f"attended (above {STRONG}) against true errors, as Table 1"
    table = Table("class", "scans", "errors", "attended", title=title)
    for column in ("sensitivity", "precision", "voxel sensitivity", "voxel precision"):
        table.add_column(column, justify="right")
    for name, row in found["table_1"].items():
        shown = [
            _with_sd(row, key)
            for key in ("sensitivity", "precision", "voxel_sensitivity", "voxel_precision")
        ]
        table.add_row(name, str(row["scans"]), str(row["errors"]), str(row["attended"]), *shown)
    console.print(table)
    console.print(
        f"chosen on the development half: {found['chosen_on_development']}; default: {DEFAULT}; "
        "on the confirming half, reached: "
        + ", ".join(f"{what}: {'yes' if done else 'no'}" for what, done in found["reached"].items())
    )


def _orders(what: str, kinds: Mapping[str, Any]) -> Table:
    first = next(iter(kinds.values()))
    sizes = {half: first[half]["n"] for half in ("development", "confirmation", "all")}
    title = f"{what}: score against true error; n = {', '.join(map(str, sizes.values()))}"
    table = Table("score", title=title)
    for half in sizes:
        table.add_column(f"rho, {half}", justify="right")
    table.add_column("95 % of all", justify="right")
    for half in sizes:
        table.add_column(f"top 10 %, {half}", justify="right")
    for kind, row in kinds.items():
        low, high = row["interval"]
        table.add_row(
            kind,
            *(f"{row[half]['spearman']:.3f}" for half in sizes),
            f"{low:.2f} to {high:.2f}",
            *(f"{row[half]['precision_at_top']:.2f}" for half in sizes),
        )
    table.add_row(
        "random order",
        *(f"0 ± {random_rho(n):.2f}" for n in sizes.values()),
        "",
        *(f"{first[half]['random']:.2f} ± {first[half]['random_sd']:.2f}" for half in sizes),
    )
    return table


def _with_sd(row: Mapping[str, Any], key: str) -> str:
    return "" if row[key] is None else f"{row[key]:.2f} ± {row[f'{key}_sd']:.2f}"


def main() -> int:
    """Train (once), measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("VOXCURATE_DATA", "../shared/data")) / "openkbp_ct"
    parser.add_argument("--data", type=Path, default=default, help="folder with the scans")
    parser.add_argument("--source", default="openkbp", help="description of the folder")
    parser.add_argument("--folder", type=Path, required=True, help="keeps networks, predictions")
    parser.add_argument("--effort", type=float, default=1.0, help="times the usual training steps")
    parser.add_argument("--min-region-mm3", type=float, default=0.0, help="Table 1: smallest")
    parser.add_argument("--json", type=Path, help="write all figures there too")
    given = parser.parse_args()
    context = open_cohort(given.folder, given.data, given.source)
    train_and_predict(context, given.effort)
    found = evaluate(measure(context, given.min_region_mm3))
    show(found, Console(width=140))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(not all(found["reached"].values()))


if __name__ == "__main__":
    sys.exit(main())
