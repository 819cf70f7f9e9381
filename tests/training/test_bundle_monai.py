"""Bundles run under plain MONAI, in a process that cannot import this package."""

import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import torch

from tests.training.conftest import AFFINE, CLASSES, SHAPE, phantom, tiny
from training.bundle.carried import carried
from training.bundle.folder import BundleFacts, write_bundle
from training.bundle.scripts import ROOTS, ToScand
from training.config import NetworkConfig
from training.data.cases import grid_image
from training.data.grid import full_grid, to_grid
from training.data.patches import channels, positions, straight
from training.network import build_network
from training.network.text import HashingEmbedder, class_texts, embed_classes
from training.predictors.bundle import BundlePredictor
from training.predictors.spec import ZooModel, make_spec
from training.trainer.losses import segmentation_loss
from voxcurate.classes import load_vocabulary
from voxcurate.nifti import write_nifti

SPACING = (8.0, 8.0, 8.0)
PATCH = (16, 16, 16)
NETWORK = NetworkConfig(architecture="dynunet", channels=(8, 8, 8), features=8, deep_supervision=1)
BLOCKER = """
import sys

OURS = {"voxcurate", "training", "agent", "labeling", "retrieval", "cleaning", "pydantic"}


class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in OURS:
            raise ImportError(name + " is not to be imported here")


sys.meta_path.insert(0, Block())
"""
RUN = """
from monai.bundle import ConfigWorkflow

root = sys.argv[1]
flow = ConfigWorkflow(
    config_file=root + "/configs/inference.json",
    meta_file=root + "/configs/metadata.json",
    logging_file=False,
    workflow_type="infer",
    bundle_root=root,
    dataset_dir=sys.argv[2],
    output_dir=sys.argv[3],
)
flow.initialize()
flow.run()
assert not flow.check_properties(), flow.check_properties()
flow.finalize()
"""
LABEL = """
import json
import torch
from monai.bundle import ConfigParser, verify_net_in_out

# as MONAI Label's BundleInferTask goes about it
root = sys.argv[1]
sys.path.insert(0, root)
parser = ConfigParser()
parser.read_config(root + "/configs/inference.json")
parser.config.update({"bundle_root": root})
network = parser.get_parsed_content("network_def", instantiate=True)
state = torch.load(root + "/models/model.pt", map_location="cpu", weights_only=True)
assert set(network.state_dict()) == set(state)
network.load_state_dict(state, strict=False)
data = {"image": sys.argv[2] + "/phantom.nii.gz"}
for step in parser.get_parsed_content("preprocessing", instantiate=True).transforms:
    data = step(data)
inferer = parser.get_parsed_content("inferer", instantiate=True)
with torch.no_grad():
    data["pred"] = inferer(data["image"][None], network.eval())[0]
for step in parser.get_parsed_content("postprocessing", instantiate=True).transforms[:-1]:
    data = step(data)
print(tuple(data["pred"].shape), data["image"].meta["spatial_shape"].tolist())
verify_net_in_out(
    net_id="network_def",
    meta_file=root + "/configs/metadata.json",
    config_file=root + "/configs/inference.json",
    device="cpu",
)
"""


def learnt():
    """A network that has seen one phantom for a few seconds."""
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    settings = tiny().grid
    volume, masks = phantom(0)
    grid, hu = grid_image(volume, "CT", SPACING, settings)
    target = np.stack([to_grid(masks[c], grid) for c in CLASSES]) >= 0.5
    texts = class_texts(CLASSES, load_vocabulary())
    vectors = embed_classes(HashingEmbedder(), list(texts.values()))
    prior = [float(mask.mean()) for mask in target]
    network = build_network(NETWORK, 5, prior, vectors)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(60):
        corner = [int(generator.integers(n - p + 1)) for n, p in zip(hu.shape, PATCH, strict=True)]
        box = tuple(slice(c, c + p) for c, p in zip(corner, PATCH, strict=True))
        middle = [c + (p - 1) / 2 for c, p in zip(corner, PATCH, strict=True)]
        where = positions(hu.shape, SPACING, straight(middle), PATCH)
        image = torch.from_numpy(channels(hu[box], where, settings.windows))[None]
        wanted = torch.from_numpy(target[(slice(None), *box)].astype(np.float32))[None]
        loss = sum(
            segmentation_loss(
                network.heads(f),
                torch.nn.functional.adaptive_max_pool3d(wanted, f.shape[2:]),
                torch.ones(1, len(CLASSES), 1, 1, 1),
            )[0]
            for f in network.features(image)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    facts = BundleFacts(
        name="m", model_id="m1", classes=CLASSES, spacing=SPACING, network=NETWORK,
        training=tiny(patch=PATCH), training_cases=("phantom_0",), training_patients=("p",),
        prior=tuple(prior), licence="CC0", embedder="hashing", texts=texts,
        inside={"parotid_left": "mandible"},
    )  # fmt: skip
    return facts, network


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A bundle, and a folder with a phantom that it has not seen."""
    root = tmp_path_factory.mktemp("monai")
    facts, network = learnt()
    write_bundle(root / "bundle", facts, network.state_dict())
    (root / "scans").mkdir()
    write_nifti(root / "scans" / "phantom.nii.gz", phantom(1)[0])
    return root


def alone(code, *arguments):
    """Run code where this package cannot be imported."""
    return subprocess.run(
        [sys.executable, "-I", "-c", BLOCKER + code, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip


def dsc(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.slow
def test_plain_monai_finds_what_our_predictor_finds(world):
    found = alone(RUN, world / "bundle", world / "scans", world / "out")
    assert found.returncode == 0, found.stderr[-2000:]
    image = nib.load(world / "out" / "phantom_seg.nii.gz")
    labels = np.asarray(image.dataobj)
    assert labels.shape == SHAPE
    assert labels.dtype == np.uint8
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-4)
    spec = make_spec(
        {"name": "m", "kind": "bundle", "licence": "CC0", "weights": str(world / "bundle")}
    )
    predictor = BundlePredictor(ZooModel(spec, world / "bundle"), load_vocabulary())
    volume, masks = phantom(1)
    for class_id, part in predictor.predict(volume, "phantom_1"):
        ours = np.zeros(SHAPE, dtype=bool)
        ours[part.box] = part.array >= 128
        assert dsc(ours, masks[class_id]) > 0.7  # it has learnt something
        assert dsc(ours, labels == CLASSES.index(class_id) + 1) > 0.99


@pytest.mark.slow
def test_steps_of_monai_label_and_the_networks_ends(world):
    found = alone(LABEL, world / "bundle", world / "scans")
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.splitlines()[0] == f"(1, {', '.join(map(str, SHAPE))}) {list(SHAPE)}"


def test_scripts_import_nothing_of_ours(world):
    files = sorted((world / "bundle" / "scripts").glob("*.py"))
    assert {"__init__.py", "scripts.py", "model.py", "grid.py"} <= {f.name for f in files}
    for path in files:
        text = path.read_text()
        assert "from training" not in text
        assert "from voxcurate" not in text
    assert {f.name for f in files} - {"__init__.py"} == set(carried(ROOTS))


def test_an_inner_class_wins_over_the_one_around_it():
    inner = ToScand("pred", inside=(0, 1))
    grid = full_grid((4, 3, 2), np.diag([2.0, 2, 2, 1]), (2.0, 2.0, 2.0))
    p = np.zeros((3, 4, 3, 2), np.float32)
    p[1] = 0.9
    p[2, :2] = 0.6
    p[1, 3] = 0.4
    found = inner._labels(p, grid)
    assert found[:, 0, 0].tolist() == [2, 2, 1, 0]


def test_files_say_what_they_were_made_from(world):
    inference = json.loads((world / "bundle" / "configs" / "inference.json").read_text())
    assert inference["postprocessing"]["transforms"][0]["inside"] == [3, 0, 0]
    assert "parotid_left" in (world / "bundle" / "docs" / "README.md").read_text()
