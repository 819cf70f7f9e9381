"""Do the anatomical rules leave right labels alone, and see planted faults? ``python -m
benchmarks.rules``.

Right labels: all of the real head-and-neck cases and every labelling of the TotalSegmentator CT
(people's and a tool's; what is wrong in them counts as a false alarm), and bodies of the synthetic
cohort. Told per rule: labels it was asked of, and the share it accuses, with Wilson's interval.

Faults are planted in the same cases, which are then given as they are, with axes flipped and in
another order, and with every third slice only. Found: a hard rule (any rule, in the last column)
accuses one of the structures that are wrong and did not before. Beside it stand OncoKit's rules in
voxel indices. Then the time of all rules of a 25-class scan, beside that of reading its label map.

Exit status 1 if more than 0.5 % of right labels are accused by a hard rule, or a scan takes a
second or more.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from agent.cohort.anatomy import Body, Pose, grid_points
from agent.cohort.person import draw_people
from agent.cohort.tissues import ORGAN_VALUE, Tissue
from benchmarks.peers import oncokit_rules
from benchmarks.report_scores import wilson
from benchmarks.rule_faults import FAULTS, GRIDS, Labels, Mask
from labeling.rules import HARD, RULE_WEIGHTS, Anatomy, load_anatomy, shipped_anatomies
from labeling.rules.case import CaseFacts
from labeling.rules.files import facts_of, read_case
from labeling.structures import Structure
from voxcurate.case_files import CaseFiles, find_cases
from voxcurate.classes import Vocabulary, load_vocabulary
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.volume import Affine, Volume

KBP = ("brainstem", "spinal_cord", "parotid_right", "parotid_left", "esophagus", "larynx",
       "mandible")  # fmt: skip
MOST_ACCUSED = 0.005
MOST_S = 1.0
BODY_SHAPE, BODY_SPACING = (120, 90, 112), (3.5, 3.5, 4.0)


def real_necks(data: Path, limit: int) -> Iterator[Labels]:
    """The real head-and-neck cases; organs that nobody drew are left out."""
    for folder in sorted((data / "openkbp_ct").glob("pt_*"))[: limit or None]:
        scan, organs = (read_nifti(folder / f"{n}.nii.gz") for n in ("ct", "organs"))
        masks = {c: organs.array == n for n, c in enumerate(KBP, 1)}
        yield Labels(folder.name, {c: m for c, m in masks.items() if m.any()}, scan.affine, scan)


def real_trunk(data: Path, vocabulary: Vocabulary) -> Iterator[Labels]:
    """Every label map of the TotalSegmentator CT."""
    folder = data / "totalsegmentator_ct"
    scan = read_nifti(folder / "example_ct.nii.gz")
    for path in sorted([*folder.glob("example_seg*.nii.gz"), *folder.glob("versions/*.nii.gz")]):
        (files,) = find_cases(path, vocabulary).values()
        if len(files.names) < 10 or "dicom" in path.name:
            continue
        volume = read_nifti(path)
        masks = {c: volume.array == n for n, c in files.names.items()}
        own = scan if scan.shape == volume.shape else None
        yield Labels(path.name, {c: m for c, m in masks.items() if m.any()}, volume.affine, own)


def bodies(n: int, seed: int) -> Iterator[Labels]:
    """Synthetic patients from the lungs to the pelvis, each lying a little differently."""
    for number, person in enumerate(draw_people(n, seed)):
        rng = np.random.default_rng([seed, number])
        affine = np.diag([*BODY_SPACING, 1.0])
        affine[:3, 3] = [-0.5 * n * s for n, s in zip(BODY_SHAPE, BODY_SPACING, strict=True)]
        affine[:3, 3] += rng.uniform(-5, 5, 3)
        pose = Pose(np.eye(3), rng.uniform(-8, 8, 3))
        phantom = Body(person, seed).draw(
            grid_points(BODY_SHAPE, affine), BODY_SHAPE, pose, visit=0, seed=seed
        )
        masks = {c: phantom.organs == v for c, v in ORGAN_VALUE.items()}
        right = (np.arange(BODY_SHAPE[0]) * BODY_SPACING[0] + affine[0, 3])[:, None, None]
        lung = phantom.tissue == Tissue.LUNG
        masks |= {"lung_left": lung & (right < pose.shift_mm[0]),
                  "lung_right": lung & (right >= pose.shift_mm[0])}  # fmt: skip
        yield Labels(f"body{number}", {c: m for c, m in masks.items() if m.any()}, affine)


def false_alarms(
    groups: Mapping[str, Sequence[Labels]], anatomy: Anatomy
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Per group the share of labels that a hard rule accuses; per rule and group the same."""
    totals, rows = {}, []
    for group, cases in groups.items():
        asked: dict[str, Counter[str]] = defaultdict(Counter)
        n = n_hard = n_any = 0
        for labels in cases:
            structures = labels.structures()
            outcomes = anatomy.outcomes(structures, facts_of(structures, labels.scan))
            worst: dict[tuple[str, str], str] = {}
            for v in outcomes:
                key = (v.rule, v.class_id)
                if worst.get(key) != "broken":
                    worst[key] = v.state if v.state != "unknown" else worst.get(key, v.state)
            for (rule, _), state in worst.items():
                asked[rule][state] += 1
            n += len(structures)
            broken = [v for v in outcomes if v.state == "broken"]
            n_hard += len({v.class_id for v in broken if v.hard})
            n_any += len({v.class_id for v in broken})
        totals[group] = {"labels": n, "hard": n_hard, "any": n_any}
        for rule in RULE_WEIGHTS:
            told = asked[rule]
            rows.append({
                "group": group, "rule": rule, "hard": rule in HARD,
                "asked": told["broken"] + told["holds"], "unknown": told["unknown"],
                "accused": told["broken"],
            })  # fmt: skip
    return totals, rows


def recall(
    groups: Mapping[str, Sequence[Labels]], anatomy: Anatomy, seed: int, every: int
) -> list[dict[str, Any]]:
    """Per fault and grid: planted, found by a hard rule, by any, and by the peer."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for cases in groups.values():
        for number, labels in enumerate(cases[::every]):
            for kind, fault in FAULTS.items():
                rng = np.random.default_rng([seed, number, *kind.encode()])
                planted = fault(labels, rng)
                if planted is None:
                    continue
                for grid, move in GRIDS.items():
                    before, affine = move(labels.masks, labels.affine)
                    after, _ = move(planted[0], labels.affine)
                    _count(counts[kind, grid], before, after, affine, planted[1], anatomy)
    return [
        {"fault": kind, "grid": grid, **counts[kind, grid]}
        for kind in FAULTS for grid in GRIDS if counts[kind, grid]
    ]  # fmt: skip


def _count(
    tally: Counter[str],
    before: Mapping[str, Mask],
    after: Mapping[str, Mask],
    affine: Affine,
    wrong: set[str],
    anatomy: Anatomy,
) -> None:
    told = []
    for masks in (before, after):
        found = anatomy.check(
            {c: Structure.of(c, m, affine) for c, m in masks.items()}, CaseFacts()
        )
        told.append({(v.class_id, v.rule, v.other, v.hard) for v in found if v.class_id in wrong})
    new = told[1] - told[0]
    tally["planted"] += 1
    tally["hard"] += any(v[3] for v in new)
    tally["any"] += bool(new)
    peer = oncokit_rules.accused(after) & wrong - oncokit_rules.accused(before)
    tally["oncokit"] += bool(peer)
    tally["oncokit_false"] += bool(oncokit_rules.accused(before))


def speed(anatomy: Anatomy, repeats: int = 3) -> dict[str, float]:
    """Seconds for a 512 x 512 x 300 label map with 25 classes: to read it, and for all rules; also
    where the masks may overlap."""
    volume, names = large_scan()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.nii.gz"
        write_nifti(path, volume)
        files = CaseFiles("case", label_map=path, names=names)
        best = dict.fromkeys(("read", "rules of a label map", "rules of masks"), float("inf"))
        for _ in range(repeats):
            start = perf_counter()
            structures = read_case(files)
            best["read"] = min(best["read"], perf_counter() - start)
            for name, disjoint in (("rules of a label map", True), ("rules of masks", False)):
                fresh = {
                    c: Structure(c, s.mask, s.box, s.shape, s.affine) for c, s in structures.items()
                }
                start = perf_counter()
                anatomy.outcomes(fresh, CaseFacts(disjoint=disjoint))
                best[name] = min(best[name], perf_counter() - start)
    return best


def large_scan() -> tuple[Volume, dict[int, str]]:
    """Ellipsoids where 25 organs of the trunk lie, 7.5 % of the voxels."""
    shape, spacing = (512, 512, 300), np.array([0.8, 0.8, 1.5])
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -spacing * np.array(shape) / 2
    labels = np.zeros(shape, np.uint8, order="F")
    for n, (centre, radii) in enumerate(LARGE.values(), 1):
        at = (np.array(centre) - affine[:3, 3]) / spacing
        size = np.array(radii) / spacing
        low = np.maximum(np.floor(at - size).astype(int), 0)
        high = np.minimum(np.ceil(at + size).astype(int) + 1, shape)
        axes = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        inside = sum(((x - a) / s) ** 2 for x, a, s in zip(axes, at, size, strict=True)) <= 1
        part = labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        part[inside & (part == 0)] = n
    return Volume(labels, affine), dict(enumerate(LARGE, 1))


LARGE: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "aorta": ((-10, -20, 20), (11, 11, 190)), "postcava": ((18, -15, -20), (11, 9, 150)),
    "kidney_left": ((-60, -40, -10), (30, 25, 55)), "kidney_right": ((60, -40, -20), (30, 25, 55)),
    "spleen": ((-100, -40, 50), (30, 40, 55)), "gall_bladder": ((60, 40, 10), (14, 14, 25)),
    "pancreas": ((-10, 15, 20), (60, 14, 16)), "stomach": ((-60, 30, 60), (45, 35, 50)),
    "adrenal_gland_left": ((-35, -25, 50), (10, 6, 14)),
    "adrenal_gland_right": ((35, -25, 50), (10, 6, 14)),
    "duodenum": ((30, 20, 0), (14, 14, 35)), "bladder": ((0, 30, -180), (40, 30, 30)),
    "prostate": ((0, 25, -215), (20, 16, 9)), "rectum": ((0, -30, -180), (20, 15, 40)),
    "femur_left": ((-90, 0, -200), (22, 22, 24)), "femur_right": ((90, 0, -200), (22, 22, 24)),
    "esophagus": ((-5, -30, 150), (9, 7, 70)), "spinal_cord": ((0, -75, 80), (6, 6, 140)),
    "liver": ((70, 20, 50), (90, 70, 75)), "lung_left": ((-80, 0, 150), (60, 80, 72)),
    "lung_right": ((80, 0, 155), (60, 80, 66)), "heart": ((-20, 40, 130), (50, 45, 50)),
    "colon": ((0, 60, -80), (120, 40, 40)), "intestine": ((0, 30, -110), (90, 50, 50)),
    "celiac_trunk": ((-8, 0, 35), (5, 10, 4)),
}  # fmt: skip


def _show(result: Mapping[str, Any]) -> None:
    console = Console(width=120)
    table = Table(title="labels believed right", title_justify="left")
    for column in ("group", "labels", "accused by a hard rule", "95 %", "by any rule"):
        table.add_column(column, justify="left" if column == "group" else "right")
    for group, t in result["false_alarms"].items():
        low, high = wilson(t["hard"], t["labels"])
        table.add_row(
            group, str(t["labels"]), f"{t['hard']} ({t['hard'] / t['labels']:.2%})",
            f"{low:.2%} to {high:.2%}", f"{t['any']} ({t['any'] / t['labels']:.2%})",
        )  # fmt: skip
    console.print(table)
    table = Table(title="by rule, all groups", title_justify="left")
    for column in ("rule", "hard", "asked", "unknown", "accused", "share", "95 %"):
        table.add_column(column, justify="left" if column in ("rule", "hard") else "right")
    for rule in RULE_WEIGHTS:
        own = [r for r in result["by_rule"] if r["rule"] == rule]
        n, k, u = (sum(r[key] for r in own) for key in ("asked", "accused", "unknown"))
        low, high = wilson(k, n)
        share = f"{k / n:.2%}" if n else ""
        hard = "hard" if rule in HARD else ""
        table.add_row(rule, hard, str(n), str(u), str(k), share, f"{low:.2%} to {high:.2%}")
    console.print(table)
    table = Table(title="planted faults: share found", title_justify="left")
    for column in ("fault", "grid", "planted", "hard rules", "any rule", "OncoKit", "its alarms"):
        table.add_column(column, justify="left" if column in ("fault", "grid") else "right")
    for row in result["recall"]:
        n = row["planted"]
        shares = [f"{row.get(k, 0) / n:.2f}" for k in ("hard", "any", "oncokit", "oncokit_false")]
        table.add_row(row["fault"], row["grid"], str(n), *shares)
    console.print(table)
    for name, seconds in result["seconds"].items():
        console.print(f"{name}: {seconds:.2f} s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).parents[1] / "../shared/data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("VOXCURATE_DATA", root)))
    parser.add_argument("--cases", type=int, default=0, help="real cases; 0: all")
    parser.add_argument("--bodies", type=int, default=12)
    parser.add_argument("--every", type=int, default=1, help="plant in every so manyth case")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(arguments)
    vocabulary = load_vocabulary()
    anatomy = load_anatomy(vocabulary, shipped_anatomies())
    groups: dict[str, Sequence[Labels]] = {"synthetic bodies": [*bodies(args.bodies, args.seed)]}
    if args.data.is_dir():
        groups["real head and neck"] = [*real_necks(args.data, args.cases)]
        groups["TotalSegmentator"] = [*real_trunk(args.data, vocabulary)]
    totals, rows = false_alarms(groups, anatomy)
    result: dict[str, Any] = {
        "false_alarms": totals,
        "by_rule": rows,
        "recall": recall(groups, anatomy, args.seed, args.every),
        "seconds": speed(anatomy),
    }
    if args.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
    else:
        _show(result)
    n, k = (sum(t[key] for t in totals.values()) for key in ("labels", "hard"))
    slow = max(v for name, v in result["seconds"].items() if name != "read") >= MOST_S
    return int(k > MOST_ACCUSED * n or slow)


if __name__ == "__main__":
    raise SystemExit(main())
