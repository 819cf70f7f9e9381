"""How often the scan checks find planted damage, and what they say of undamaged scans.

Run: ``python -m benchmarks.checks synthetic --half measure``,
``python -m benchmarks.checks real --data ../shared/data --half measure``.

The limits of `cleaning.check.config.CheckConfig` were set on the half called ``tune`` (synthetic:
seeds 101 and 102; real: every second scan); ``measure`` is the other half. Exit status 1 if an
undamaged scan is rejected beyond 1 %, any real one at all, or a kind of damage is found in less
than 98 %.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from agent.cohort.anatomy import Body
from agent.cohort.corruption import NIFTI_KINDS, VOLUME_KINDS, corrupt
from agent.cohort.corruption import Volume as Damaged
from agent.cohort.dicom_writer import make_series, write_series
from agent.cohort.nifti_writer import write_nifti
from agent.cohort.person import draw_people
from agent.cohort.plan import ScanPlan, plan_cohort
from agent.cohort.scanner import Acquired, acquire
from agent.cohort.series_damage import SERIES_KINDS, damage_series
from cleaning.check.config import CheckConfig
from cleaning.check.examine import examine_item
from cleaning.check.reasons import Reason
from cleaning.check.rules import Check, check
from voxcurate.dicom import find_series
from voxcurate.nifti import read_nifti
from voxcurate.volume import Volume

SEEDS = {"tune": (101, 102), "measure": (201, 202, 203)}
REAL = (
    "openkbp_ct/*/ct.nii.gz",
    "sts_ct/*/CT_image.nii.gz",
    "totalsegmentator_ct/example_ct*.nii.gz",
    "ct_no_mask_3mm/*.nii.gz",
)
REAL_DICOM = (
    "totalsegmentator_ct/example_ct_dicom",
    "dcmqi_dicom_seg_sr/segmentations/ct-3slice",
)
MR = "msd_hippocampus_mr/images/*.nii.gz"
FILES = ("truncated_file", "empty_file")
# what no rule can see in a crop of a limb; and what a rule needs to have seen in the clean scan
ONLY_IN_TRUNKS = ("front_back", "upside_down", "swapped_in_plane", "permuted", "stepped", "cut_off")
NEEDS = {"mirrored": "liver_right", "upside_down": "head_up", "front_back": "gas_in_front"}
# further damage, of noise and planes, that is not in the cohort's makers
EXTRA = (
    "noise 180 HU",
    "empty slice",
    "repeated slice",
    "clipped above 400",
    "wide 8 bits",
    "offset -40 HU",
    "offset -60 HU",
)


def main() -> int:
    """Print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("synthetic", "real"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--half", choices=("tune", "measure"), default="measure")
    parser.add_argument("--patients", type=int, default=8)
    parser.add_argument("--every", type=int, default=1, help="damage every n-th scan only")
    given = parser.parse_args()
    if given.what == "synthetic":
        result = synthetic(SEEDS[given.half], given.patients, given.every)
    else:
        result = real(given.data, given.half, given.every)
    sys.stdout.write(json.dumps({"half": given.half, **result}, indent=1) + "\n")
    return int(not result["reached"])


def synthetic(seeds: Iterable[int], patients: int, every: int = 1) -> dict[str, Any]:
    """Clean scans of cohorts, and each kind of damage on every `every`-th of them."""
    clean: list[Check] = []
    found: dict[str, list[Check]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            for n, (plan, scan) in enumerate(scans_of(seed, patients)):
                volume = Volume(scan.image, scan.affine)
                clean.append(check(volume))
                if n % every:
                    continue
                for kind, result in _damaged(volume, seed * 1000 + n, Path(folder)):
                    found[kind].append(result)
                for kind, result in _damaged_series(plan, scan, seed, Path(folder) / f"{seed}_{n}"):
                    found[kind].append(result)
    return _summary(clean, found, max_rejects=0.01)


def real(data: Path, half: str, every: int = 1) -> dict[str, Any]:
    """The real CTs of one half, clean and damaged; the MR given as CT."""
    paths = sorted(path for pattern in REAL for path in data.glob(pattern))
    mine = paths[::2] if half == "tune" else paths[1::2]
    clean = [examine_item(path, "CT", CheckConfig())[0] for path in mine]
    if half == "measure":
        for name in REAL_DICOM:
            for series in find_series(data / name):
                clean.append(examine_item(series.files, "CT", CheckConfig())[0])
    found: dict[str, list[Check]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for n, path in enumerate(mine[::every]):
            volume = read_nifti(path)
            is_limb = clean[n * every].evidence.get("region_limb_mm", 0) > 0
            for kind, result in _damaged(volume, n, Path(folder)):
                hidden = (is_limb and kind in ONLY_IN_TRUNKS) or (
                    kind in NEEDS and NEEDS[kind] not in clean[n * every].evidence
                )
                if not hidden:
                    found[kind].append(result)
            is_abdomen = clean[n * every].evidence.get("region_abdomen_mm", 0) > 0
            if not is_abdomen:
                wanted = CheckConfig(wanted_regions=("abdomen",))
                found["wrong region"].append(check(volume, "CT", wanted))
    told = [examine_item(path, "CT", CheckConfig())[0] for path in sorted(data.glob(MR))]
    n_mr = sum("mr_values" in _codes(one) for one in told)
    as_mr = [examine_item(path, "MR", CheckConfig())[0].verdict for path in sorted(data.glob(MR))]
    summary = _summary(clean, found, max_rejects=0.0)
    return {
        **summary,
        "mr_given_as_ct": {"scans": len(told), "recognised_as_mr": n_mr},
        "mr_given_as_mr": dict(Counter(as_mr)),
    }


def scans_of(seed: int, patients: int) -> Iterator[tuple[ScanPlan, Acquired]]:
    """The undamaged scans of a cohort, as `agent.cohort` makes them."""
    people = draw_people(patients, seed)
    for plan in plan_cohort(people, seed):
        if plan.copy_of is None and not plan.corruption:
            yield plan, acquire(plan, Body(people[plan.person], seed), seed)


def _damaged(volume: Volume, seed: int, folder: Path) -> Iterator[tuple[str, Check]]:
    kinds = dict.fromkeys((*NIFTI_KINDS, *VOLUME_KINDS, *EXTRA))
    for kind in kinds:
        rng = np.random.default_rng([seed, 77])
        if kind in (*FILES, "four_d", "wrong_spacing"):
            yield kind, _damaged_file(volume, kind, rng, folder)
            continue
        if kind in EXTRA:
            image = _extra(volume, kind, rng)
            yield kind, check(Volume(image, volume.affine))
            continue
        damaged = corrupt(Damaged(volume.array, volume.affine), kind, rng)
        path = folder / "damaged.nii"
        if kind == "sheared":
            from voxcurate.nifti import write_nifti as write

            write(path, Volume(damaged.image, damaged.affine))
            yield kind, examine_item(path, "CT", CheckConfig())[0]
        else:
            yield kind, check(Volume(damaged.image, damaged.affine))
    yield from _damaged_headers(volume, folder)


def _damaged_file(volume: Volume, kind: str, rng: np.random.Generator, folder: Path) -> Check:
    damaged = corrupt(Damaged(volume.array, volume.affine), kind, rng)
    path = folder / "damaged.nii.gz"
    write_nifti(path, damaged.image, damaged.affine)
    content = path.read_bytes()
    if kind in FILES:
        path.write_bytes(content[: int(0.6 * len(content))] if kind == FILES[0] else b"")
    return examine_item(path, "CT", CheckConfig())[0]


def _damaged_headers(volume: Volume, folder: Path) -> Iterator[tuple[str, Check]]:
    """Headers that lie, on a file that is else whole."""
    import nibabel as nib

    path = folder / "header.nii"
    changes: dict[str, dict[str, Any]] = {
        "poses disagree": {"quatern_b": 1.0, "quatern_c": 0.0, "quatern_d": 0.0},
        "no pose": {"qform_code": 0, "sform_code": 0},
        "unit micrometres": {"xyzt_units": 3},
        "huge shape": {"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]},
        "complex type": {"datatype": 32},
        "singular affine": {"srow_x": [0] * 4, "qform_code": 0},
    }
    for kind, fields in changes.items():
        image = nib.Nifti1Image(volume.array, volume.affine)
        image.header.set_xyzt_units("mm")
        image.set_qform(volume.affine, 1, strip_shears=True)
        header = image.to_bytes()
        raw = nib.Nifti1Header(header[:348], check=False)
        for name, value in fields.items():
            raw[name] = value
        path.write_bytes(raw.binaryblock + header[348:])
        yield kind, examine_item(path, "CT", CheckConfig())[0]


def _extra(volume: Volume, kind: str, rng: np.random.Generator) -> Any:
    image = volume.array.astype(np.float32)
    axis = int(np.argmax(np.abs(volume.affine[2, :3])))
    planes = np.moveaxis(image, axis, 0)
    body = np.flatnonzero((planes > -300).mean(axis=(1, 2)) > 0.02)
    k = int(body[body.size // 2])
    if kind == "noise 180 HU":
        return image + rng.normal(0, 180, image.shape).astype(np.float32)
    if kind == "empty slice":
        planes[k] = -1024
    elif kind == "repeated slice":
        planes[k] = planes[k - 1]
    elif kind.startswith("offset"):
        image += float(kind.split()[1])
    elif kind == "clipped above 400":
        image = np.clip(image, -1024, 400)
    else:
        image = np.rint((np.clip(image, -1000, 1000) + 1000) / 2000 * 255)
    return image


def _damaged_series(
    plan: ScanPlan, scan: Acquired, seed: int, folder: Path
) -> Iterator[tuple[str, Check]]:
    """Each kind of damage on the scan written as a DICOM series."""
    from agent.cohort.scanner import reorient

    person = draw_people(plan.person + 4, seed)[plan.person]
    straight = replace(reorient(scan, "LPS"))
    spacing = np.linalg.norm(straight.affine[:3, :3], axis=0)
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])  # a DICOM series is axial
    series = make_series(person, date(2020, 5, 17), plan.phase, seed, plan.index)
    for kind in ("clean series", *SERIES_KINDS):
        paths = write_series(folder / kind, series, straight.image, affine)
        if kind != "clean series":
            damage_series(paths, kind, np.random.default_rng([seed, plan.index]))
        files = sorted((folder / kind).iterdir())
        yield f"series: {kind}", examine_item(files, "CT", CheckConfig())[0]
        for path in files:
            path.unlink()


def _codes(found: Check) -> list[str]:
    return [reason.code for reason in found.reasons]


def _summary(
    clean: list[Check], found: dict[str, list[Check]], *, max_rejects: float
) -> dict[str, Any]:
    clean = [*clean, *found.pop("series: clean series", [])]
    verdicts = Counter(one.verdict for one in clean)
    kinds: dict[str, dict[str, Any]] = {}
    for kind, results in found.items():
        seen = Counter(one.verdict for one in results)
        first = Counter(_strongest(one.reasons) for one in results if one.reasons)
        kinds[kind] = {
            "scans": len(results),
            "sensitivity": round(1 - seen["pass"] / len(results), 4),
            "rejected": seen["reject"],
            "suspect": seen["suspect"],
            "reasons": dict(first.most_common(3)),
        }
    n = sum(kind["scans"] for kind in kinds.values())
    hits = sum(round(kind["sensitivity"] * kind["scans"]) for kind in kinds.values())
    low = {name: kind["sensitivity"] for name, kind in kinds.items() if kind["sensitivity"] < 0.98}
    rejects = verdicts["reject"] / max(1, len(clean))
    return {
        "clean": {
            "scans": len(clean),
            **dict(verdicts),
            "reject_rate": round(rejects, 4),
            "reasons": dict(Counter(code for one in clean for code in _codes(one))),
        },
        "damage": kinds,
        "sensitivity_overall": round(hits / max(1, n), 4),
        "below_0.98": low,
        "reached": not low and rejects <= max_rejects,
    }


def _strongest(reasons: tuple[Reason, ...]) -> str:
    return next((r.code for r in reasons if r.severity == "reject"), reasons[0].code)


if __name__ == "__main__":
    raise SystemExit(main())
