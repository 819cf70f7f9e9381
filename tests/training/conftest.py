"""A small workspace for training: phantoms of a body with two sided organs, oblique geometry."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.conftest import oblique_affine
from training.config import (
    AnnealConfig,
    AugmentConfig,
    FlagshipConfig,
    GridConfig,
    TrainingConfig,
    ZooConfig,
)
from voxcurate.catalog import Assembly, Catalog, Scan
from voxcurate.classes import load_vocabulary
from voxcurate.executors import ExecutorConfig
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.nifti import write_nifti
from voxcurate.stage import StageContext
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

SHAPE = (30, 26, 22)
AFFINE = oblique_affine((7.0, 8.0, 9.0), (0.05, -0.04, 0.06), (-100.0, -110.0, -90.0))
CLASSES = ("parotid_left", "parotid_right", "mandible")
SPLITS = ("train", "train", "train", "train", "validation", "test")


def phantom(seed):
    """A CT and masks; the left parotid lies at smaller x (RAS), the mandible in front."""
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    points = grid @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    middle = (np.array(SHAPE) - 1) / 2 @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    away = points - middle - generator.normal(0, 2, 3)
    hu = np.where(((away[..., :2] / (80, 70)) ** 2).sum(-1) <= 1, 40.0, -1000.0)
    hu += generator.normal(0, 8, SHAPE)
    masks = {
        "parotid_left": ((away - (-45, 0, 0)) ** 2).sum(-1) <= 22**2,
        "parotid_right": ((away - (45, 0, 0)) ** 2).sum(-1) <= 22**2,
        "mandible": ((away - (0, 40, 0)) ** 2).sum(-1) <= 20**2,
    }
    for name, mask in masks.items():
        hu[mask] = 900 if name == "mandible" else -60
    return Volume(np.rint(hu).astype(np.int16), AFFINE), masks


@pytest.fixture(autouse=True, scope="session")
def _small_networks():
    """Shipped networks keep their architecture, at a width that tests can afford."""
    from training.config import network_config
    from training.rounds import payload

    def narrow(name):
        return network_config(name).model_copy(update={"channels": (8, 8, 8), "features": 8})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payload, "network_config", narrow)
        yield


@dataclass
class World:
    """A workspace and its truth."""

    ctx: StageContext
    truth: dict[str, Any]

    def of_round(self, number, **changes):
        """The context of another round."""
        return dataclasses.replace(self.ctx, round=number, **changes)

    def add_label(self, case_id, class_id, mask, *, origin="original", number=0, **more):
        """A label version and its pointer."""
        workspace = self.ctx.workspace
        file = write_mask(workspace.scratch, f"{case_id}_{class_id}", mask, AFFINE)
        with self.ctx.catalog.write() as writer:
            label = adopt_mask(
                writer, workspace, file, case_id=case_id, class_id=class_id, origin=origin,
                round_number=number, **more,
            )  # fmt: skip
            writer.point(Assembly(number, case_id, class_id, label.label_id, origin))
        return label


def build(root, splits=SPLITS, unknown=()):
    """A workspace with one phantom per split given; `unknown` (case, class) pairs get no label."""
    workspace = Workspace.create(root / "workspace", key_file=str(root / "key"))
    catalog = Catalog(workspace.catalog_url)
    ctx = StageContext(
        workspace, catalog, load_vocabulary(), 1, classes=CLASSES, quiet=True,
        executor_config=ExecutorConfig(kind="serial"),
    )  # fmt: skip
    world = World(ctx, {})
    for n, split in enumerate(splits):
        case_id = f"phantom_{n}"
        volume, masks = phantom(n)
        write_nifti(workspace.scan_path(case_id), volume)
        path = workspace.relative(workspace.scan_path(case_id))
        scan = Scan(
            case_id, "phantom", f"person_{n}", f"group_{n}", split, "CT", path, f"sha_{n}",
            list(SHAPE), list(volume.spacing), AFFINE.tolist(), licence="CC0",
        )  # fmt: skip
        with catalog.write() as writer:
            writer.add(scan)
        world.truth[case_id] = masks
        for class_id, mask in masks.items():
            if (case_id, class_id) not in unknown:
                world.add_label(case_id, class_id, mask)
    return world


@pytest.fixture
def world(tmp_path):
    """Four training cases, one for validation, one for testing; one label is unknown."""
    made = build(tmp_path, unknown=[("phantom_1", "mandible")])
    yield made
    made.ctx.catalog.close()


def tiny(**changes):
    """A training of a few steps."""
    values = {
        "steps": 4,
        "batch": 1,
        "patch": (16, 16, 16),
        "learning_rate": 1e-3,
        "grid": GridConfig(spacing_mm=(8.0, 8.0, 8.0)),
        "checkpoint_every": 50,
        "log_every": 1,
        "augment": AugmentConfig(),
        "anneal": AnnealConfig(share=0.5),
        **changes,
    }
    return TrainingConfig(**values)


def zoo_config(**changes):
    """Two networks of one kind, two folds."""
    return ZooConfig(networks=("unet_small", "dynunet_small"), training=tiny(**changes))


def flagship_config(**changes):
    """A flagship of a few steps."""
    return FlagshipConfig(training=tiny(**changes))
