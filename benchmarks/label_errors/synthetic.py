"""Synthetic abdominal CTs whose labels are the truth, with predictions that are made up.

Nothing is trained: each of three "networks" sees every border displaced by a few millimetres (half
of it the same for all three), and now and then loses a structure. What is measured on them says
how labels are compared, ruled and judged, not how well networks predict.
"""

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from agent.cohort.anatomy import Body
from agent.cohort.person import draw_people
from agent.cohort.plan import ScanPlan, plan_cohort
from agent.cohort.scanner import Acquired, acquire
from agent.cohort.tissues import CLASSES
from voxcurate.catalog import Assembly, Catalog, Model, Scan, WorkItem
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.nifti import write_nifti
from voxcurate.predictions import Prediction, probability_box, write_prediction
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

NETWORKS = ("one", "two", "three")
ORGANS = tuple(name for name in CLASSES if not name.endswith("tumor"))
WAVE_MM = 12.0  # of a displaced border
OFF_MM = (1.5, 4.0)  # standard deviation of the displacement
SOFT_MM = 2.0
LOST = 0.02  # of the structures of each network
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def build(folder: Path, patients: int, seed: int = 0) -> None:
    """``folder/key`` and ``folder/workspace``, as `benchmarks.attention_quality` leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_text(hashlib.sha256(b"synthetic scans of a benchmark").hexdigest())
    workspace = Workspace.create(folder / "workspace", key_file="../key")
    catalog = Catalog(workspace.catalog_url)
    people = draw_people(patients, seed)
    plans = [p for p in plan_cohort(people, seed) if not p.corruption and p.copy_of is None]
    cases = [f"synthetic_{plan.index:05d}" for plan in plans]
    with catalog.write() as writer:
        for network in NETWORKS:
            writer.add(Model(network, 1, network, "made up", "", network, list(ORGANS), []))
    for case_id, plan in zip(cases, plans, strict=True):
        scan = acquire(plan, Body(people[plan.person], seed), seed)
        _add(workspace, catalog, case_id, plan, scan)
        _predict(workspace, catalog, case_id, scan, [seed, plan.index])
    catalog.close()


def _add(
    workspace: Workspace, catalog: Catalog, case_id: str, plan: ScanPlan, scan: Acquired
) -> None:
    path = workspace.scan_path(case_id)
    write_nifti(path, Volume(scan.image, scan.affine))
    record = Scan(
        case_id, "synthetic", f"p{plan.person}", f"g{plan.person}", "train", "CT",
        workspace.relative(path), f"synthetic {case_id}", list(scan.image.shape),
        list(scan.spacing), scan.affine.tolist(), licence="CC0-1.0", complete=list(ORGANS),
    )  # fmt: skip
    masks = scan.masks()
    with catalog.write() as writer:
        writer.add(record)
        for name in ORGANS:
            file = write_mask(workspace.scratch, f"{case_id}_{name}", masks[name], scan.affine)
            label = adopt_mask(
                writer, workspace, file, case_id=case_id, class_id=name, origin="original",
                round_number=0,
            )  # fmt: skip
            writer.point(Assembly(0, case_id, name, label.label_id, "original"))


def _predict(
    workspace: Workspace, catalog: Catalog, case_id: str, scan: Acquired, seed: list[int]
) -> None:
    masks = scan.masks()
    spacing = np.asarray(scan.spacing)
    shape = masks[ORGANS[0]].shape
    i, j, k = shape
    for n, network in enumerate(NETWORKS):
        boxes = {}
        for m, name in enumerate(ORGANS):
            common, own = (np.random.default_rng([*seed, m, x]) for x in (0, n + 1))
            whole = np.zeros(shape, np.float32)
            if masks[name].any() and own.random() >= LOST:
                box, chance = _displaced(masks[name], spacing, common, own)
                whole[box] = chance
            boxes[name] = probability_box(whole, floor=0.02)
        path = workspace.prediction_path(1, network, case_id)
        write_prediction(path, Prediction(boxes, (i, j, k), scan.affine, network, True))
        result = {"path": workspace.relative(path), "out_of_fold": True}
        with catalog.write() as writer:
            writer.put(
                WorkItem(1, "predict", case_id, network, f"{case_id}{network}", "done",
                         result=result)
            )  # fmt: skip


def _displaced(
    mask: Mask, spacing: Floats, common: np.random.Generator, own: np.random.Generator
) -> tuple[tuple[slice, ...], npt.NDArray[np.float32]]:
    """A box around a structure and how likely each voxel of it is inside a displaced border."""
    margin = np.ceil(15.0 / spacing).astype(int)
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    box = tuple(
        slice(max(0, s.start - m), min(n, s.stop + m))
        for s, m, n in zip(found, margin, mask.shape, strict=True)
    )
    inside = ndimage.distance_transform_edt(mask[box], sampling=spacing)
    outside = ndimage.distance_transform_edt(~mask[box], sampling=spacing)
    off = sum(_wave(inside.shape, spacing, rng) for rng in (common, own)) / np.sqrt(2)
    depth = inside - outside + common.uniform(*OFF_MM) * off
    return box, np.asarray(1 / (1 + np.exp(-depth / SOFT_MM)), np.float32)


def _wave(shape: tuple[int, ...], spacing: Floats, rng: np.random.Generator) -> Floats:
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), WAVE_MM / 2 / spacing)
    return np.asarray(noise / noise.std())
