"""Does refinement mend borders, and does it leave good ones? ``python -m benchmarks.refining``.

Labels that count as true get border errors (`agent.cohort.label_errors`: eroded, dilated, noisy,
cut off) of all severities; each method draws the border anew; the product's judge, which has
learned what is usual from other patients, says whether it accepts that. The same is done to labels
that nothing was done to. NSD at the class's tolerance, mean surface distance in mm, DSC.

Parameters were chosen on the part ``choose`` of the cases (and other synthetic people);
``report`` is for the figures.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from agent.cohort.label_errors import Scene, Severity, corrupt_label
from benchmarks.label_errors import synthetic
from benchmarks.label_errors.arms import settings
from benchmarks.label_errors.planting import Truth, half_of
from benchmarks.label_errors.workspaces import base
from benchmarks.refining_methods import BASELINES
from labeling.body import body_frame
from labeling.config import LabelingConfig
from labeling.expert.detect import results_of
from labeling.expert.features import hu_median
from labeling.expert.judge import AnatomyJudge
from labeling.expert.layout import Layout
from labeling.expert.support import Support, supports
from labeling.expert.suspicion import Usual, weigh
from labeling.predicted import Predictions
from labeling.refine.border import border_of
from labeling.refine.config import RefineConfig
from labeling.refine.judged import choose
from labeling.refine.methods import Refined, make_refiner, unlike
from labeling.refine.points import choose_points
from labeling.rules import Anatomy, CaseFacts, load_anatomy
from labeling.structures import Structure, dice
from voxcurate.classes import load_vocabulary
from voxcurate.config import build, parse_overrides
from voxcurate.metrics import nsd
from voxcurate.stage import StageContext
from voxcurate.volume import Volume

KINDS = ("eroded", "dilated", "noisy_border", "cut_off")
SEVERITIES: tuple[Severity, ...] = ("subtle", "moderate", "gross")
UNTOUCHED = "untouched"
VESSELS = ("aorta", "postcava", "vein", "artery", "vena", "vessel", "celiac", "trunk")
LEAST_VOXELS = 50  # of a structure of a single CT
BETTER_MM = 0.05  # of the mean surface distance: less is the same border
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Row:
    """One method on one label: what it was and what became of it, by the accepted proposal or the
    best guess."""

    data: str
    case_id: str
    class_id: str
    kind: str
    severity: str
    method: str
    dsc: tuple[float, float]
    nsd: tuple[float, float]
    msd: tuple[float, float]
    changed: bool
    accepted: bool
    seconds: float
    guess: str
    confidence: float
    change: float


@dataclass(frozen=True, eq=False)
class Case:
    """A scan with its true structures, the models' probabilities, and what is usual elsewhere."""

    name: str
    volume: Volume
    truth: Mapping[str, Structure]
    supports: Mapping[str, Support]
    usual: Usual


def part_of(case_id: str) -> str:
    """``choose`` or ``report``, by a hash of the case other than that of its half."""
    return "report" if hashlib.sha256(case_id.encode()).digest()[1] % 2 else "choose"


def cases_of(ctx: StageContext, config: LabelingConfig, half: str, part: str) -> Iterator[Case]:
    """Cases of a workspace; what is usual is learned from the other half."""
    from voxcurate.nifti import read_nifti
    from voxcurate.predictions import open_prediction

    truth = Truth(ctx)
    others = {c: r for c, r in results_of(ctx, "detect").items() if half_of(c) != half}
    suspicions, usual = weigh(ctx, config, others)
    list(suspicions)
    predictions = Predictions(ctx, config)
    for case in sorted(truth.labels):
        if half_of(case) != half or (part and part_of(case) != part):
            continue
        volume = read_nifti(ctx.workspace.root / truth.scans[case].path)
        own = {
            c: Structure.of(c, truth.mask(case, c), volume.affine)
            for c, label in truth.labels[case].items()
            if label.voxels
        }
        lines = predictions.of([case]).get(case, [])
        lines = [x for x in lines if x.result.get("out_of_fold")] or list(lines)
        opened = [open_prediction(ctx.workspace.root / x.result["path"]) for x in lines]
        yield Case(case, volume, own, supports(opened, list(own)), usual)


def single_case(scan: Path, labels: Path) -> Iterator[Case]:
    """A CT of which there is no other patient, so nothing is usual and the judge cannot tell."""
    from labeling.rules.files import read_case
    from voxcurate.case_files import find_cases
    from voxcurate.readers import read_volume

    for name, files in find_cases(labels, load_vocabulary()).items():
        own = {c: s for c, s in read_case(files).items() if s.voxels >= LEAST_VOXELS}
        yield Case(name, read_volume(scan), own, {}, Usual({}, Layout({})))


def wrong_labels(case: Case, name: str, per: int, seed: int) -> Iterator[tuple[str, str, Mask]]:
    """A label untouched (for the first seed), and with errors."""
    truth = case.truth[name]
    if seed == 0:
        yield UNTOUCHED, "", truth.full()
    mark = hashlib.sha256(f"{case.name}/{name}/{seed}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(mark[:16], np.uint32))
    ways = [(k, s) for k in KINDS for s in SEVERITIES]
    scene = Scene({name: truth.full()}, np.asarray(case.volume.affine))
    for n in rng.permutation(len(ways))[: per or None]:
        kind, severity = ways[int(n)]
        drawn = corrupt_label(kind, name, scene, severity, rng.integers(2**31, size=4).tolist())
        if drawn is not None:
            yield kind, severity, drawn.mask


def measure(
    data: str,
    case: Case,
    methods: Sequence[str],
    anatomy: Anatomy,
    config: LabelingConfig,
    refine: RefineConfig,
    per: int,
    seed: int,
    *,
    models: bool = True,
) -> Iterator[Row]:
    """All methods on all labels of a case."""
    vocabulary = anatomy.vocabulary
    refiner = make_refiner(refine)
    hu = {c: hu_median(s, case.volume.array) for c, s in case.truth.items()}
    middle = body_frame(case.volume.array, case.volume.affine).middle
    known = case.supports if models else {}
    for name in sorted(case.truth):
        truth = case.truth[name]
        around = {c: s for c, s in case.truth.items() if c != name}
        apart = [s for c, s in around.items() if not anatomy.may_share(c, name)]
        facts = CaseFacts({c: x for c, x in hu.items() if c != name}, middle)
        judge = AnatomyJudge(
            case.usual, anatomy, config.judge, context=around, facts=facts, supports=known
        )
        tolerance = vocabulary[name].tolerance_mm if name in vocabulary else 2.0
        for kind, severity, mask in wrong_labels(case, name, per, seed):
            label = Structure.of(name, mask, case.volume.affine)
            border = border_of(
                label, case.volume, band_mm=refine.band_mm, margin_mm=refine.reach_mm,
                support=known.get(name), others=apart,
            )  # fmt: skip
            points = choose_points(border, refine.points)
            was = _scores(label, truth, tolerance)
            for method in methods:
                start = time.perf_counter()
                if method in BASELINES:
                    masks = {method: BASELINES[method](border, points)}
                else:
                    masks = refiner.refine(border, points)
                made = {n: border.structure(m) for n, m in masks.items()}
                made = unlike(label, made, refine.least_change)
                seconds = time.perf_counter() - start
                said = choose(judge, case.volume, Refined(label, made, points), refine)
                guess = said.choice or next(iter(made), "")
                now = _scores(made[guess], truth, tolerance) if guess else was
                dsc, nsd_, msd = zip(was, now, strict=True)
                yield Row(
                    data, case.name, name, kind, severity, method, dsc, nsd_, msd,
                    changed=bool(made), accepted=said.choice is not None, seconds=seconds,
                    guess=guess, confidence=said.confidence,
                    change=1.0 - (dice(label, made[guess]) or 0.0) if guess else 0.0,
                )  # fmt: skip


def _scores(s: Structure, truth: Structure, tolerance_mm: float) -> tuple[float, float, float]:
    box = truth.joined(s).box
    one, two = s.within(box), truth.within(box)
    steps = np.linalg.norm(truth.affine[:3, :3], axis=0)
    spacing = (float(steps[0]), float(steps[1]), float(steps[2]))
    agreement = dice(s, truth) or 0.0
    return agreement, nsd(one, two, spacing, tolerance_mm), mean_surface_mm(one, two, spacing)


def mean_surface_mm(one: Mask, two: Mask, spacing: Sequence[float]) -> float:
    """Mean distance between the border voxels of two masks, both ways, mm."""
    from scipy import ndimage

    from voxcurate.masks import surface

    first, second = (surface(np.pad(m, 1)) for m in (one, two))
    away = [ndimage.distance_transform_edt(~m, sampling=spacing) for m in (first, second)]
    total = float(away[1][first].sum() + away[0][second].sum())
    return total / max(int(first.sum() + second.sum()), 1)


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Means before and after, and what the judge's word was worth."""
    took = [r for r in rows if r.accepted]
    after = [r.nsd[r.accepted] for r in rows]
    return {
        "n": len(rows),
        "nsd": _means(rows, "nsd"),
        "msd_mm": _means(rows, "msd"),
        "dsc": _means(rows, "dsc"),
        "changed": sum(r.changed for r in rows),
        "accepted": len(took),
        "better": sum(r.msd[1] < r.msd[0] - BETTER_MM for r in took),
        "worse": sum(r.msd[1] > r.msd[0] + BETTER_MM for r in took),
        "nsd_judged": round(float(np.mean(after)), 4) if rows else None,
        "nsd_gain_of_accepted": _gain(took),
        "ms": round(1000 * float(np.mean([r.seconds for r in rows])), 1) if rows else None,
    }


def _means(rows: Sequence[Row], name: str) -> list[float]:
    pairs = np.array([getattr(r, name) for r in rows])
    return [round(float(x), 4) for x in pairs.mean(axis=0)] if len(rows) else []


def _gain(rows: Sequence[Row]) -> float | None:
    return round(float(np.mean([r.nsd[1] - r.nsd[0] for r in rows])), 4) if rows else None


def kind_of(class_id: str) -> str:
    """``vessel`` or ``organ``."""
    return "vessel" if any(word in class_id for word in VESSELS) else "organ"


def show(rows: Sequence[Row], console: Console) -> dict[str, Any]:
    """Tables by error, and of the default method by class; the figures as plain data."""
    methods = list(dict.fromkeys(r.method for r in rows))
    groups = {"untouched": [r for r in rows if r.kind == UNTOUCHED]}
    for severity in SEVERITIES:
        groups[f"border {severity}"] = [
            r for r in rows if r.severity == severity and r.kind != "cut_off"
        ]
    groups |= {k: [r for r in rows if r.kind == k] for k in KINDS}
    for part in ("vessel", "organ"):
        groups[f"{part}s, border errors"] = [
            r for r in rows
            if kind_of(r.class_id) == part and r.kind not in (UNTOUCHED, "cut_off")
        ]  # fmt: skip
    for name in sorted({r.class_id for r in rows}):
        for what, wanted in (("untouched", True), ("border errors", False)):
            groups[f"{name}, {what}"] = [
                r for r in rows
                if r.class_id == name and r.kind != "cut_off"
                and (r.kind == UNTOUCHED) == wanted
            ]  # fmt: skip
    told: dict[str, Any] = {}
    for method in methods:
        table = Table(title=method, title_justify="left")
        for column in (
            "", "n", "NSD", "after", "MSD mm", "after", "changed", "accepted", "better", "worse",
            "NSD judged", "ms",
        ):  # fmt: skip
            table.add_column(column, justify="right" if column else "left")
        for name, group in groups.items():
            found = figures([r for r in group if r.method == method])
            told.setdefault(method, {})[name] = found
            if found["n"]:
                table.add_row(
                    name, str(found["n"]), *(f"{x:.3f}" for x in found["nsd"]),
                    *(f"{x:.2f}" for x in found["msd_mm"]),
                    *(str(found[k]) for k in ("changed", "accepted", "better", "worse")),
                    f"{found['nsd_judged']:.3f}", str(found["ms"]),
                )  # fmt: skip
        console.print(table)
    return told


def main(arguments: list[str] | None = None) -> int:
    """Refine, judge, count, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refining", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for workspaces")
    parser.add_argument("--predicted", type=Path, help="workspace with predictions (real cases)")
    parser.add_argument("--half", choices=("even", "odd"), default="even")
    parser.add_argument("--people", type=int, default=0, help="synthetic ones")
    parser.add_argument("--scan", type=Path, help="a single CT, nothing usual known")
    parser.add_argument("--labels", type=Path, help="of that CT: label map or masks")
    parser.add_argument("--part", choices=("choose", "report", ""), default="choose")
    parser.add_argument("--cases", type=int, default=0, help="the first so many only")
    parser.add_argument("--per-structure", type=int, default=0, help="errors; 0: all")
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--methods", nargs="+", default=["geodesic", *BASELINES])
    parser.add_argument("--no-models", action="store_true", help="without probabilities")
    parser.add_argument("--set", nargs="*", default=[], help="RefineConfig, as key=value")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    config = settings()
    refine = build(RefineConfig, parse_overrides(given.set))
    vocabulary = load_vocabulary()
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    sources: dict[str, Iterator[Case]] = {}
    if given.predicted:
        ctx = base(given.folder / "real", given.predicted, config)
        sources["real"] = cases_of(ctx, config, given.half, given.part)
    if given.people:
        seed = {"choose": 11, "report": 12}.get(given.part, 11)
        made = given.folder / f"people_{given.people}_{seed}"
        if not (made / "workspace" / "config.yaml").is_file():
            synthetic.build(made, given.people, seed)
        ctx = base(given.folder / f"synthetic_{given.people}_{seed}", made, config)
        sources["synthetic"] = cases_of(ctx, config, "even", "")
    if given.scan and given.labels:
        sources["single"] = single_case(given.scan, given.labels)
    rows: list[Row] = []
    for data, cases in sources.items():
        for n, case in enumerate(cases):
            if given.cases and n >= given.cases:
                break
            for seed in given.seed:
                rows += measure(
                    data, case, given.methods, anatomy, config, refine, given.per_structure, seed,
                    models=not given.no_models,
                )  # fmt: skip
    found = show(rows, Console(width=150))
    if given.json:
        plain = {"figures": found, "rows": [asdict(r) for r in rows]}
        given.json.write_text(json.dumps(plain) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
