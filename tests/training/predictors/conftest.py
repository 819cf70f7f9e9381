"""Small real models of every kind, and a scan on which their answers are known."""

import json
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from tests.training.conftest import AFFINE, SHAPE, build, phantom, zoo_config
from training.predictors.spec import ZooModel, make_spec
from training.rounds import zoo
from training.rounds.models import of_round
from voxcurate.classes import load_vocabulary
from voxcurate.protocols import PREDICTORS, load

VOCABULARY = load_vocabulary()
BONE_HU = 400  # of the phantom only the mandible is above


@pytest.fixture(scope="package", autouse=True)
def no_process_left():
    """The process that a predicting worker keeps warm ends with these tests."""
    yield
    from training import predict

    if predict._isolated is not None:
        predict._isolated.close()


@dataclass(frozen=True)
class Made:
    """A predictor of the suite; `truth`: class to what it must say of `phantom(0)`, if known."""

    predictor: Any
    truth: Any = None


def make(scratch, kind, weights=None, **values):
    """A predictor of plain values."""
    spec = make_spec({"kind": kind, "licence": "CC0", "weights": str(weights or ""), **values}
                     if weights is not None else {"kind": kind, "licence": "CC0", **values},
                     name="tested")  # fmt: skip
    model = ZooModel(spec, Path(weights) if weights is not None else None)
    return load(PREDICTORS, kind)(model, VOCABULARY, scratch=scratch)


def script(folder, body, name="tool.py"):
    """A Python script that gets INPUT and OUTPUT; its command line."""
    path = folder / name
    start = "import sys, time, numpy as np, nibabel as nib\ngiven, out = sys.argv[1:3]\n"
    path.write_text(start + textwrap.dedent(body))
    return [sys.executable, str(path), "{input}", "{output}"]


THRESHOLD = """
image = nib.load(given)
mask = (np.asanyarray(image.dataobj) > 400).astype(np.uint8)
nib.save(nib.Nifti1Image(mask, image.affine), out + "/jaw.nii.gz")
nib.save(nib.Nifti1Image(0 * mask, image.affine), out + "/nobody_knows_it.nii.gz")
"""


def their_bundle(folder, *, side=16, features=None):
    """A bundle as MONAI's model zoo has them: one voxel's HU decides, channel 1 is bone.

    Args:
        side: of its windows, voxels.
        features: of a BasicUNet with random weights, which takes memory and time.
    """
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    names = {"0": "background", "1": "Mandible"}
    output = {"outputs": {"pred": {"channel_def": names}}}
    (folder / "configs" / "metadata.json").write_text(json.dumps({"network_data_format": output}))
    keys = {"keys": "image"}
    steps = [
        {"_target_": "LoadImaged", **keys},
        {"_target_": "EnsureChannelFirstd", **keys},
        {"_target_": "Orientationd", **keys, "axcodes": "RAS"},
        {"_target_": "Spacingd", **keys, "pixdim": [7.0, 8.0, 9.0], "mode": "bilinear"},
        {"_target_": "ScaleIntensityRanged", **keys, "a_min": 0, "a_max": 1000, "b_min": 0,
         "b_max": 1, "clip": True},
    ]  # fmt: skip
    if features is None:
        network = {"_target_": "torch.nn.Conv3d", "kernel_size": 1}
        weights = decisive()
    else:
        from monai.networks.nets import BasicUNet

        network = {"_target_": "BasicUNet", "features": [features] * 6}
        weights = BasicUNet(3, 1, 2, [features] * 6).state_dict()
    inference = {
        "bundle_root": ".",
        "dataset_dir": "/nowhere",
        "datalist": "$list(sorted(glob.glob(@dataset_dir)))",
        "network_def": {**network, "in_channels": 1, "out_channels": 2},
        "preprocessing": {"_target_": "Compose", "transforms": steps},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [side] * 3, "overlap": 0.5},
        "postprocessing": {"_target_": "Compose", "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True}]},
    }  # fmt: skip
    (folder / "configs" / "inference.json").write_text(json.dumps(inference))
    torch.save(weights, folder / "models" / "model.pt")
    return folder


def decisive():
    """Weights of a 1x1x1 convolution: the second logit is 200 (x - 0.4), the first 0."""
    weight = torch.tensor([0.0, 200.0]).reshape(2, 1, 1, 1, 1)
    return {"weight": weight, "bias": torch.tensor([0.0, -80.0])}


def stored(path, array, affine=AFFINE):
    """A file as another tool writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.asarray(array), affine), path)


@pytest.fixture(scope="session")
def our_bundle(tmp_path_factory):
    """A bundle that our training wrote."""
    world = build(tmp_path_factory.mktemp("trained"))
    zoo.run(world.ctx, zoo_config())
    model = of_round(world.ctx, "zoo")[0]
    yield world.ctx.workspace.root / model.path
    world.ctx.catalog.close()


FAKE_TOTALSEGMENTATOR = """#!{python}
import json, os, pathlib, sys
import nibabel as nib, numpy as np
words = sys.argv[1:]
home = pathlib.Path(os.environ["TOTALSEG_HOME_DIR"])
config = json.loads((home / "config.json").read_text())
assert config["send_usage_stats"] is False
assert "VOXCURATE_SECRET" not in os.environ
image = nib.load(words[words.index("-i") + 1])
out = pathlib.Path(words[words.index("-o") + 1])
out.mkdir(exist_ok=True)
mask = (np.asanyarray(image.dataobj) > 400).astype(np.uint8)
for name in words[words.index("--roi_subset") + 1:]:
    if name.startswith("-"):
        break
    nib.save(nib.Nifti1Image(mask, image.affine), out / (name + ".nii.gz"))
"""


def program(folder, text):
    """An executable file."""
    path = folder / "TotalSegmentator"
    path.write_text(text.replace("{python}", sys.executable))
    path.chmod(0o755)
    return path


MAKERS = (
    "our_bundle", "their_bundle", "network", "nnunet", "totalsegmentator", "command",
    "folder_masks", "folder_soft", "folder_labels", "folder_channels", "folder_npz",
)  # fmt: skip


@pytest.fixture(params=MAKERS)
def made(request, tmp_path, monkeypatch):
    """Each kind of predictor once."""
    volume, masks = phantom(0)
    bone = {"mandible": volume.array > BONE_HU}
    files = tmp_path / "files"
    match request.param:
        case "our_bundle":
            return Made(make(tmp_path, "bundle", request.getfixturevalue("our_bundle"), floor=0))
        case "their_bundle":
            return Made(make(tmp_path, "bundle", their_bundle(files)), bone)
        case "network":
            from monai.networks.nets import BasicUNet

            torch.manual_seed(0)
            arguments = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3,
                         "features": [4, 4, 4, 4, 4, 4]}  # fmt: skip
            torch.save({"net": BasicUNet(**arguments).state_dict()}, tmp_path / "weights.pt")
            return Made(
                make(tmp_path, "network", tmp_path / "weights.pt", architecture="BasicUNet",
                     arguments=arguments, classes={0: "mandible", 2: "parotid_left"},
                     spacing_mm=(7.0, 8.0, 9.0), patch=(32, 32, 32), floor=0)
            )  # fmt: skip
        case "nnunet":
            pytest.importorskip("nnunetv2")
            from tests.training.predictors.test_nnunet import trained_folder

            return Made(make(tmp_path, "nnunet", trained_folder(files), floor=0))
        case "totalsegmentator":
            monkeypatch.setenv("VOXCURATE_SECRET", "must not be seen")
            tool = program(tmp_path, FAKE_TOTALSEGMENTATOR)
            classes = {"jaw": "mandible"}
            return Made(make(tmp_path, "totalsegmentator", program=str(tool), classes=classes),
                        bone)  # fmt: skip
        case "command":
            command = script(tmp_path, THRESHOLD)
            return Made(make(tmp_path, "command", command=command, classes={"jaw": "mandible"}),
                        bone)  # fmt: skip
        case "folder_masks":
            stored(files / "c" / "segmentations" / "Mandible.nii.gz",
                   bone["mandible"].astype(np.uint8))  # fmt: skip
            return Made(make(tmp_path, "folder", files), bone)
        case "folder_soft":
            soft = np.where(bone["mandible"], np.float32(0.75), np.float32(0.25))
            stored(files / "c" / "mandible.nii.gz", soft)
            return Made(make(tmp_path, "folder", files), bone)
        case "folder_labels":
            array = np.zeros(SHAPE, np.int16)
            array[masks["parotid_left"]] = 7
            array[bone["mandible"]] = 2
            stored(files / "c.nii.gz", array)
            return Made(make(tmp_path, "folder", files, classes={2: "mandible", 7: None}), bone)
        case "folder_channels":
            soft = bone["mandible"].astype(np.float32) * 0.9
            stored(files / "c.nii.gz", np.stack([1 - soft, soft], -1))
            return Made(make(tmp_path, "folder", files, classes={1: "mandible"}), bone)
        case "folder_npz":
            soft = bone["mandible"].astype(np.float16).transpose(2, 1, 0)
            files.mkdir()
            np.savez_compressed(files / "c.npz", probabilities=np.stack([1 - soft, soft]))
            return Made(make(tmp_path, "folder", files, classes={1: "mandible"}), bone)
    raise AssertionError(request.param)
