"""ROC analysis for tumours: equality with a plain loop, speed, and which score is best.

Run: ``python -m benchmarks.lesion_roc sweep|scores|sts|workspace PATH [--scans 1000]``.

- ``sweep``: a table of simulated scans (tumours in a third of them, three false positives a scan,
  two scans per patient). The operating point and all counts against a plain loop over thresholds,
  scans and candidates: they must be equal. Then the time of both, and of 1000 resamples.
- ``scores``: simulated soft predictions whose bright single voxels and faint large regions are
  false; the area of the ROC and the FROC score of each score, and both operating points.
- ``sts``: the real CTs with a tumour mask (VOXCURATE_DATA/sts_ct), soft predictions by a forest of
  voxels trained on the other scans; three patients: it shows that the path works, no more.
- ``workspace``: the same scores on the predictions of a workspace's last round.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.timing import best_of
from labeling.roc.analysis import Analysis, analyse
from labeling.roc.config import RocConfig
from labeling.roc.sweep import operating_index
from voxcurate.config import build
from voxcurate.lesions.candidates import SCORES, find_candidates
from voxcurate.lesions.curves import sweep
from voxcurate.lesions.matching import CaseRow, match, row_of
from voxcurate.predictions import probability_box

AFFINE = np.diag([1.5, 1.5, 3.0, 1.0])
SHAPE = (96, 80, 48)
STS_STEP = 4  # every so many voxels: enough to find tumours of many centimetres


def simulated_rows(n: int, seed: int = 0) -> list[CaseRow]:
    """Scans of a detector: lesions score higher than false positives, some are never hit."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        lesions = 1 + int(rng.poisson(0.5)) if rng.random() < 1 / 3 else 0
        hits: list[tuple[int, ...]] = [(k,) for k in range(lesions) if rng.random() < 0.995]
        scores = [float(rng.beta(5, 1.5)) for _ in hits]
        false = int(rng.poisson(3))
        scores += [float(rng.beta(1.2, 4)) for _ in range(false)]
        said = ("yes" if rng.random() < 0.97 else "") if lesions else rng.choice(["no"] * 8 + [""])
        rows.append(
            CaseRow(
                f"c{i:05d}", f"p{i // 2:05d}", tuple(scores), (*hits, *[()] * false),
                tuple([1.0] * lesions), bool(lesions), str(said),
            )
        )  # fmt: skip
    return rows


def plain_sweep(rows: Sequence[CaseRow]) -> list[tuple[float, int, int, int]]:
    """Threshold, lesions found, false positives, those that reports remove; a loop over all."""
    result = []
    every = sorted({s for r in rows for s in r.scores}, reverse=True)
    for threshold in every:
        found = false = removed = 0
        for row in rows:
            hit: set[int] = set()
            for score, lesions in zip(row.scores, row.hits, strict=True):
                if score >= threshold:
                    hit |= set(lesions)
                    if not lesions:
                        false += 1
                        removed += row.said == "no"
            found += len(hit)
        result.append((threshold, found, false, removed))
    return result


def plain_operating_point(
    table: Sequence[tuple[float, int, int, int]], n_lesions: int, sensitivity: float
) -> tuple[float, int, int, int]:
    """The first row of the table that finds enough, else as much as any."""
    wanted = min(sensitivity * n_lesions, max(found for _, found, _, _ in table))
    return next(row for row in table if row[1] >= wanted - 1e-9)


def run_sweep(n: int, console: Console) -> bool:
    """Equality and speed."""
    rows, config = simulated_rows(n), RocConfig()
    start = time.perf_counter()
    plain = plain_sweep(rows[: min(n, 300)])
    plain_s = time.perf_counter() - start
    few = rows[: min(n, 300)]
    found = sweep(few)
    ours = list(
        zip(found.thresholds.tolist(), found.found.tolist(), found.false.tolist(),
            found.removed.tolist(), strict=True)
    )[1:]  # fmt: skip
    kept = [row for row in plain if row[0] in set(found.thresholds.tolist())]
    at = operating_index(found, config)
    assert at is not None
    wanted = plain_operating_point(plain, found.n_lesions, config.sensitivity)
    same = ours == kept and ours[at - 1] == wanted
    sweep_s = best_of({"": lambda: sweep(rows)}, 5)[""]
    all_s = best_of({"": lambda: analyse("liver_tumor", rows, config)}, 2)[""]
    table = Table(title=f"{n} scans, {sum(len(r.scores) for r in rows)} candidates")
    for column in ("what", "scans", "time"):
        table.add_column(column, justify="left" if column == "what" else "right")
    table.add_row("plain loop, counts only", str(len(few)), f"{plain_s:.2f} s")
    table.add_row("sweep", str(n), f"{sweep_s * 1e3:.1f} ms")
    table.add_row("sweep, operating point, 1000 resamples", str(n), f"{all_s:.2f} s")
    console.print(table)
    console.print(f"equal to the plain loop at all {len(ours)} thresholds: {same}")
    show({"": analyse("liver_tumor", rows, config)}, console)
    return same


def simulated_volume(
    rng: np.random.Generator, positive: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """A soft prediction and its truth: tumours of 8 to 30 mm, bright with noise; faint large
    regions and single bright voxels that are none."""
    from scipy import ndimage

    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1) * np.diag(AFFINE)[:3]
    truth = np.zeros(SHAPE, np.bool_)
    soft = np.zeros(SHAPE, np.float32)

    def blob(diameter: float, height: float) -> Any:
        centre = rng.uniform(0.2, 0.8, 3) * SHAPE * np.diag(AFFINE)[:3]
        r = np.sqrt((((grid - centre) / (diameter / 2)) ** 2).sum(-1))
        return r, height / (1 + np.exp(8 * (r - 1)))

    for _ in range(int(rng.integers(1, 3)) if positive else 0):
        r, p = blob(float(rng.uniform(8, 30)), float(np.clip(rng.normal(0.7, 0.22), 0.15, 1)))
        truth |= r <= 1
        soft = np.maximum(soft, p)
    for _ in range(rng.poisson(1.5)):
        _, p = blob(float(rng.uniform(6, 40)), float(np.clip(rng.normal(0.3, 0.12), 0.06, 0.8)))
        soft = np.maximum(soft, p)
    noise = ndimage.gaussian_filter(rng.normal(size=SHAPE), 0.8).astype(np.float32)
    soft = np.clip(soft * (1 + 0.8 * noise), 0, 1)
    for place in rng.integers(0, SHAPE, (rng.poisson(1.0), 3)):
        i, j, k = (slice(max(0, p - 1), p + 1) for p in place)
        soft[i, j, k] = rng.uniform(0.5, 1.0)
    return soft, truth


def volume_rows(
    cases: Iterator[tuple[str, Any, Any, Any]], config: RocConfig
) -> dict[str, list[CaseRow]]:
    """Rows for each score: of name, soft prediction, truth and affine of each case."""
    rows: dict[str, list[CaseRow]] = {score: [] for score in SCORES}
    for name, soft, truth, affine in cases:
        found = find_candidates([probability_box(soft)], truth.shape, affine, config)
        hits = match(found, truth, config)
        plain = [
            {"scores": dict(c.scores), "hits": h, "ignored": i}
            for c, h, i in zip(found.candidates, hits.hits, hits.ignored, strict=True)
        ]
        for score in SCORES:
            rows[score].append(
                row_of(name, name, plain, score, positive=bool(truth.any()),
                       lesions_ml=hits.lesions_ml)
            )  # fmt: skip
    return rows


def run_scores(n: int, console: Console) -> None:
    """The scores on simulated volumes."""
    rng = np.random.default_rng(7)
    cases = [(f"c{i:04d}", *simulated_volume(rng, i % 2 == 0), AFFINE) for i in range(n)]
    for share in (0.0, 0.5, 0.7):
        config = RocConfig(contain=False, split_below=share)
        title = f"{n} simulated volumes, split below {share:g}"
        compare(volume_rows(iter(cases), config), console, title)


def run_sts(console: Console) -> None:
    """Real CTs, a forest of voxels on the others."""
    folder = Path(os.environ.get("VOXCURATE_DATA", "../shared/data")) / "sts_ct"
    cases = list(sts_cases(folder))
    for share in (0.0, 0.5, 0.7):
        config = RocConfig(contain=False, split_below=share)
        title = f"sts_ct, 3 real scans, split below {share:g}"
        compare(volume_rows(iter(cases), config), console, title)


def sts_cases(folder: Path) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, soft prediction, truth and affine of each scan, coarsened."""
    from sklearn.ensemble import RandomForestClassifier  # type: ignore[import-untyped]

    from voxcurate.nifti import read_nifti

    scans = []
    for path in sorted(folder.glob("*/CT_image.nii.gz")):
        ct, mask = read_nifti(path), read_nifti(path.parent / "CT_mask.nii.gz")
        affine = ct.affine.copy()
        steps = [STS_STEP, STS_STEP, 1]
        affine[:3, :3] = affine[:3, :3] * steps
        part = np.ascontiguousarray(ct.array[::STS_STEP, ::STS_STEP]).astype(np.float32)
        scans.append((path.parent.name, part, mask.array[::STS_STEP, ::STS_STEP] != 0, affine))
    for n, (name, ct_array, truth, affine) in enumerate(scans):
        rng = np.random.default_rng(n)
        known = [s for m, s in enumerate(scans) if m != n]
        x, y = [], []
        for _, array, mask, _ in known:
            features = voxel_features(array)
            yes, no = np.flatnonzero(mask), np.flatnonzero(~mask & (array > -200))
            some = np.concatenate([rng.choice(yes, 3000), rng.choice(no, 6000)])
            x.append(features.reshape(-1, features.shape[-1])[some])
            y.append(mask.ravel()[some])
        forest = RandomForestClassifier(60, min_samples_leaf=20, random_state=n)
        forest.fit(np.concatenate(x), np.concatenate(y))
        own = voxel_features(ct_array).reshape(-1, x[0].shape[1])
        soft = forest.predict_proba(own)[:, 1].reshape(ct_array.shape)
        yield name, np.where(ct_array > -200, soft, 0).astype(np.float32), truth, affine


def voxel_features(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """HU at four scales, and their spread at two, in soft tissue's window."""
    from scipy import ndimage

    near = np.clip(array, -200, 300)
    smooth = [ndimage.gaussian_filter(near, s) for s in (0.5, 1.5, 3, 6)]
    spread = [np.sqrt(np.maximum(ndimage.gaussian_filter(near**2, s) - m**2, 0))
              for s, m in ((1.5, smooth[1]), (3, smooth[2]))]  # fmt: skip
    return np.stack([near, *smooth, *spread], -1)


def run_workspace(root: Path, console: Console) -> None:
    """The scores on the predictions of a workspace's last round; the workspace is not changed."""
    import shutil
    from dataclasses import replace

    from agent.by_hand import by_hand
    from agent.lesions import asked_of
    from labeling.roc import stage
    from labeling.roc.reports import said_of

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "w"
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns("cache", "logs"))
        with by_hand(copy) as (context, config):
            asked = asked_of(context, config)
            stage.run(replace(context, quiet=True), config.labeling, asked)
            said = said_of(context.catalog, asked, list(context.cases()), 0.5)
            results = stage._recorded(context, context.round)
            for class_id in stage.lesion_classes(context, config.labeling.roc):
                rows = {}
                for score in SCORES:
                    own = config.labeling.roc.model_copy(update={"score": score})
                    rows[score] = stage.rows_of(
                        results, class_id, own, said, stage._patients(context)
                    )
                compare(rows, console, class_id)


def compare(rows: dict[str, list[CaseRow]], console: Console, title: str) -> None:
    """The scores beside each other."""
    found = {
        score: analyse("lesion", own, build(RocConfig, {"score": score, "draws": 500}))
        for score, own in rows.items()
    }
    show(found, console, title)


def show(found: dict[str, Analysis], console: Console, title: str = "") -> None:
    """A line per score."""
    table = Table(title=title or None, title_justify="left")
    head = ("score", "lesions", "ROC area", "FROC", "threshold", "found", "FP/scan",
            "left", "min/scan", "at 90 %: FP/scan")  # fmt: skip
    for column in head:
        table.add_column(column, justify="right" if column != "score" else "left")
    for score, analysis in found.items():
        told = analysis.to_json(curve=False)
        point, spans = told["operating_point"], told["intervals"]
        if point is None:
            table.add_row(score, str(told["lesions"]), "", "", "none")
            continue
        easy = np.flatnonzero(analysis.sweep.sensitivity >= 0.9 - 1e-12)
        rate = f"{analysis.sweep.false_per_scan[easy[0]]:.2f}" if easy.size else "never"
        area = "" if told["auc"] is None else f"{told['auc']:.3f} {_span(spans.get('auc'))}"
        table.add_row(
            score, str(told["lesions"]), area, f"{told['froc_score']:.3f}",
            f"{point['threshold']:.3f}",
            f"{point['sensitivity']:.3f} {_span(spans.get('sensitivity'))}",
            f"{point['false_per_scan']:.2f} {_span(spans.get('false_per_scan'))}",
            f"{point['left_per_scan']:.2f}", f"{point['minutes_per_scan']:.2f}", rate,
        )  # fmt: skip
    console.print(table)


def _span(span: Sequence[float | None] | None) -> str:
    return "" if span is None else f"({span[0]:.2f}-{span[1]:.2f})"


def main() -> int:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("part", choices=("sweep", "scores", "sts", "workspace"))
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--scans", type=int, default=0)
    given = parser.parse_args()
    console = Console(width=150)
    if given.part == "sweep":
        return 0 if run_sweep(given.scans or 1000, console) else 1
    if given.part == "scores":
        run_scores(given.scans or 80, console)
    elif given.part == "sts":
        run_sts(console)
    else:
        run_workspace(given.path, console)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
