"""A small workspace: abdominal phantoms in world coordinates, two models, planted errors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from tests.conftest import oblique_affine
from voxcurate.catalog import Assembly, Catalog, Label, Model, Scan, WorkItem
from voxcurate.classes import load_vocabulary
from voxcurate.executors import ExecutorConfig
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.nifti import write_nifti
from voxcurate.predictions import Prediction, probability_box, write_prediction
from voxcurate.stage import StageContext
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

SHAPE = (34, 27, 25)
AFFINE = oblique_affine((9.0, 10.0, 11.0), (0.05, -0.04, 0.06), (-150.0, -120.0, -140.0))
CLASSES = ("liver", "spleen", "kidney_left", "kidney_right")
# centre relative to the scan's middle and radii, both in mm along R, A, S
ORGANS = {
    "liver": ((55.0, 15.0, 25.0), (62.0, 50.0, 55.0)),
    "spleen": ((-85.0, -20.0, 30.0), (30.0, 30.0, 38.0)),
    "kidney_left": ((-55.0, -45.0, -40.0), (26.0, 22.0, 42.0)),
    "kidney_right": ((55.0, -45.0, -50.0), (26.0, 22.0, 42.0)),
}
HU = {"liver": 110, "spleen": 120, "kidney_left": 180, "kidney_right": 180}


def world():
    """World coordinates of every voxel, ``(I, J, K, 3)``, and of the scan's middle."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    points = grid @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    middle = (np.array(SHAPE) - 1) / 2 @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    return points, middle


def phantom(seed):
    """A CT and its organs; `seed` moves and scales them a little."""
    rng = np.random.default_rng(seed)
    points, middle = world()
    body = (((points - middle)[..., :2] / (140.0, 105.0)) ** 2).sum(-1) <= 1
    hu = np.where(body, 40 + rng.normal(0, 10, SHAPE), -1000.0)
    drift = rng.normal(0, 3, 3)
    masks, taken = {}, np.zeros(SHAPE, bool)
    for name in ("kidney_left", "kidney_right", "spleen", "liver"):
        centre, radii = ORGANS[name]
        at = middle + np.array(centre) + drift + rng.normal(0, 2, 3)
        size = np.array(radii) * rng.normal(1, 0.04, 3)
        mask = ((((points - at) / size) ** 2).sum(-1) <= 1) & ~taken
        taken |= mask
        masks[name] = mask
        hu[mask] += HU[name] - 40
    return Volume(hu.astype(np.int16), AFFINE), masks


def soft(mask, seed):
    """A model's probabilities: the mask blurred, with its own noise."""
    rng = np.random.default_rng(seed)
    blurred = ndimage.gaussian_filter(mask.astype(np.float32), 0.7)
    noise = ndimage.gaussian_filter(rng.normal(size=mask.shape), 1.5).astype(np.float32)
    sharp = 1 / (1 + np.exp(-12 * (blurred - 0.5 + 0.5 * noise)))
    return np.where(ndimage.binary_dilation(mask, iterations=2), sharp, 0).astype(np.float32)


@dataclass
class World:
    """A workspace with its truth, for tests of stages."""

    ctx: StageContext
    truth: dict[str, Any]
    current: dict[str, Any]

    def label(self, case_id, class_id):
        """The current version's record."""
        pointer = self.ctx.catalog.current()[case_id, class_id]
        return self.ctx.catalog.one(Label, label_id=pointer.label_id)


def build(root, *, planted, unlabelled=(), n_train=9, n_validation=2, n_test=2, models=2):
    """A workspace after ingest and prediction of round 1.

    Args:
        planted: case number to a function of its masks that gives the labels to store; a class
            that it leaves out has no label, an empty mask is a negative.
        unlabelled: classes without any label.
    """
    workspace = Workspace.create(root, key_file="../key")
    catalog = Catalog(workspace.catalog_url)
    vocabulary = load_vocabulary()
    ctx = StageContext(
        workspace, catalog, vocabulary, 1, 0, CLASSES,
        executor_config=ExecutorConfig(kind="serial"), quiet=True,
    )  # fmt: skip
    splits = ["train"] * n_train + ["validation"] * n_validation + ["test"] * n_test
    truth, stored = {}, {}
    for n, split in enumerate(splits):
        case_id = f"src_case{n:02d}"
        volume, masks = phantom(n)
        truth[case_id] = masks
        path = workspace.scan_path(case_id)
        write_nifti(path, volume)
        labels = {c: m for c, m in masks.items() if c not in unlabelled}
        labels = planted[n](dict(labels)) if n in planted else labels
        stored[case_id] = labels
        scan = Scan(
            case_id, "src", f"p{n}", f"g{n}", split, "CT", workspace.relative(path), f"sha{n}",
            list(SHAPE), list(volume.spacing), AFFINE.tolist(),
        )  # fmt: skip
        files = {
            c: write_mask(workspace.scratch, f"{case_id}_{c}", m, AFFINE) for c, m in labels.items()
        }
        with catalog.write() as writer:
            writer.add(scan)
            for class_id, file in files.items():
                label = adopt_mask(
                    writer, workspace, file, case_id=case_id, class_id=class_id,
                    origin="original", round_number=0,
                )  # fmt: skip
                writer.point(Assembly(0, case_id, class_id, label.label_id, "original"))
    for m in range(models):
        model_id = f"model{m}"
        cases = [c for n, c in enumerate(truth) if n % models != m and splits[n] == "train"]
        with catalog.write() as writer:
            writer.add(Model(model_id, 1, f"net{m}", "unet", "", f"sha{m}", list(CLASSES), cases))
        for n, (case_id, masks) in enumerate(truth.items()):
            path = workspace.prediction_path(1, model_id, case_id)
            boxes = {
                c: probability_box(soft(mask, 100 * n + 10 * m + i))
                for i, (c, mask) in enumerate(masks.items())
            }
            is_apart = case_id not in cases
            write_prediction(path, Prediction(boxes, SHAPE, AFFINE, model_id, is_apart))
            result = {"path": workspace.relative(path), "out_of_fold": is_apart}
            line = WorkItem(1, "predict", case_id, model_id, f"f{n}{m}", "done", result=result)
            with catalog.write() as writer:
                writer.put(line)
    return World(ctx, truth, stored)


def swap_kidneys(masks):
    """Left for right."""
    left, right = masks["kidney_left"], masks["kidney_right"]
    return {**masks, "kidney_left": right, "kidney_right": left}


def lose_spleen(masks):
    """The spleen is said to be absent."""
    return {**masks, "spleen": np.zeros(SHAPE, bool)}


def misplace_liver(masks):
    """The liver label lies in the wrong corner of the scan."""
    return {**masks, "liver": np.roll(masks["spleen"], (0, 0, -12), (0, 1, 2))}


PLANTED = {1: swap_kidneys, 3: lose_spleen, 5: misplace_liver}


@pytest.fixture
def world_with_errors(tmp_path):
    """Thirteen cases, three of them with wrong labels; two models of good predictions."""
    return build(tmp_path / "ws", planted=PLANTED)
