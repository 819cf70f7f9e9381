"""A real nnU-Net v2, trained by its own commands, run as a model of the zoo.

Wanted: ``VOXCURATE_NNUNET_PYTHON``, the Python of an environment with ``voxcurate[zoo]``; a trained
folder for a label map of two classes in ``VOXCURATE_NNUNET_MODEL`` spares the training.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from voxcurate.config import dump_yaml
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.volume import Volume

PYTHON = os.environ.get("VOXCURATE_NNUNET_PYTHON", "")
TRAINED = os.environ.get("VOXCURATE_NNUNET_MODEL", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="VOXCURATE_NNUNET_PYTHON names no Python with nnU-Net"),
]
MAIN = "from agent.cli.main import main; main()"
ROOT = Path(__file__).parents[3]
CLASSES = {1: "mandible", 2: "parotid_left"}
TURN = np.array([[0.0, -0.9, 0.0], [1.1, 0.0, 0.0], [0.0, 0.0, 1.3]])  # x and y change places


def phantom(seed):
    """A bright ball and a dark one in noise; MR-like values; the axes are not stored as RAS."""
    rng = np.random.default_rng(seed)
    shape = np.array((26, 34, 22))
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    array = rng.normal(100, 10, shape)
    labels = np.zeros(shape, np.uint8)
    for value, (centre, bright) in enumerate([((9, 10, 10), 200), ((17, 23, 11), 20)], 1):
        ball = np.linalg.norm(grid - centre - rng.integers(-2, 3, 3), axis=-1) < 6
        array[ball] = rng.normal(bright, 10, int(ball.sum()))
        labels[ball] = value
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = TURN, (-30, 12, 5)
    return Volume(array.astype(np.int16), affine), Volume(labels, affine)


def call(*words, **variables):
    """Run a command; its output if it fails."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "nnUNet_compile": "f",
                   "nnUNet_n_proc_DA": "1", "PYTHONPATH": str(ROOT), **variables}  # fmt: skip
    done = subprocess.run(
        [str(w) for w in words], env=environment, cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def tool(name):
    return Path(PYTHON).parent / name


def make_small(path):
    """Its own plans with a network and a patch that train in seconds."""
    plans = json.loads(path.read_text())
    settings = plans["configurations"]["3d_fullres"]
    settings |= {"batch_size": 2, "patch_size": [16, 24, 16]}
    n = 3  # of two stages deep supervision would weigh none
    arguments = settings["architecture"]["arch_kwargs"]
    arguments |= {
        "n_stages": n,
        "features_per_stage": [8, 16, 32],
        "n_conv_per_stage_decoder": [1, 1],
    }
    arguments |= {"kernel_sizes": [[3] * 3] * n, "strides": [[1] * 3, [2] * 3, [2] * 3]}
    arguments["n_conv_per_stage"] = [1, 1, 1]
    path.write_text(json.dumps(plans))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder that ``nnUNetv2_train`` leaves behind."""
    if TRAINED:
        return Path(TRAINED)
    root = tmp_path_factory.mktemp("nnunet")
    folders = {f"nnUNet_{n}": str(root / n) for n in ("raw", "preprocessed", "results")}
    raw = root / "raw" / "Dataset001_Balls"
    for n in range(5):
        image, labels = phantom(n)
        write_nifti(raw / "imagesTr" / f"ball_{n}_0000.nii.gz", image)
        write_nifti(raw / "labelsTr" / f"ball_{n}.nii.gz", labels)
    dataset = {
        "channel_names": {"0": "MRI"}, "numTraining": 5, "file_ending": ".nii.gz",
        "labels": {"background": 0, "Mandible": 1, "parotid_left": 2},
    }  # fmt: skip
    (raw / "dataset.json").write_text(json.dumps(dataset))
    plan = ("-d", 1, "-c", "3d_fullres", "-npfp", 1, "-np", 1)
    call(tool("nnUNetv2_plan_and_preprocess"), *plan, **folders)
    make_small(root / "preprocessed" / raw.name / "nnUNetPlans.json")
    train = (1, "3d_fullres", 0, "-tr", "nnUNetTrainer_1epoch", "-device", "cpu")
    call(tool("nnUNetv2_train"), *train, **folders)
    (found,) = (root / "results" / raw.name).iterdir()
    return found


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Two scans that it has not seen."""
    folder = tmp_path_factory.mktemp("scans")
    for n in (10, 11):
        write_nifti(folder / f"scan_{n}.nii.gz", phantom(n)[0])
    return folder


@pytest.fixture(scope="module")
def theirs(model, scans, tmp_path_factory):
    """Case to label map and probabilities ``(C, I, J, K)`` of nnU-Net's own command."""
    folder = tmp_path_factory.mktemp("theirs")
    given, out = folder / "in", folder / "out"
    given.mkdir()
    for path in scans.iterdir():
        (given / path.name.replace(".nii.gz", "_0000.nii.gz")).symlink_to(path)
    call(tool("nnUNetv2_predict_from_modelfolder"), *words(model, given, out))
    found = {}
    for path in sorted(out.glob("*.nii.gz")):
        soft = np.load(path.with_name(path.name.replace(".nii.gz", ".npz")))["probabilities"]
        labels = np.asanyarray(nibabel.load(path).dataobj)
        found[path.name.removesuffix(".nii.gz")] = labels, soft.transpose(0, 3, 2, 1)
    return found


def words(model, given, out):
    """What nnU-Net's command is given, without mirroring."""
    return ["-i", given, "-o", out, "-m", model, "-f", "0", "--disable_tta", "-device", "cpu",
            "-npp", "1", "-nps", "1", "--disable_progress_bar", "--save_probabilities"]  # fmt: skip


def predicted(python, spec, scans, folder, *options):
    """Case to class to what ``voxcurate predict`` writes."""
    (folder / "tool.yaml").write_text(dump_yaml(spec))
    call(python, "-c", MAIN, "predict", "--model", folder / "tool.yaml", "--input", scans,
         "--out", folder / "out", "--modality", "MR", *options,
         XDG_CONFIG_HOME=str(folder / "config"))  # fmt: skip
    return {
        case.name: {c: read_nifti(case / f"{c}.nii.gz") for c in CLASSES.values()}
        for case in (folder / "out" / "tool").iterdir()
        if case.name.startswith("scan_")
    }


def in_its_own(model, **values):
    """nnU-Net's own command as a model."""
    command = [str(w) for w in words("{weights}", "{input_folder}", "{output_folder}")]
    return {
        "kind": "command", "licence": "CC0", "modality": "any", "weights": str(model),
        "command": [str(tool("nnUNetv2_predict_from_modelfolder")), *command],
        "input_name": "{case}_0000.nii.gz", "classes": CLASSES, **values,
    }  # fmt: skip


def test_its_command_in_its_own_environment_gives_the_same_masks(model, scans, theirs, tmp_path):
    spec = in_its_own(model, output_name="{case}.nii.gz", values="labels")
    found = predicted(sys.executable, spec, scans, tmp_path)
    assert found.keys() == theirs.keys()
    for case, (labels, _) in theirs.items():
        for value, class_id in CLASSES.items():
            np.testing.assert_array_equal(found[case][class_id].array, labels == value)
            affine = nibabel.load(scans / f"{case}.nii.gz").affine
            np.testing.assert_allclose(found[case][class_id].affine, affine, atol=1e-4)
        assert set(np.unique(labels)) == {0, 1, 2}


def test_its_command_in_its_own_environment_gives_the_same_probabilities(
    model, scans, theirs, tmp_path
):
    spec = in_its_own(model, output_name="{case}.npz")
    found = predicted(sys.executable, spec, scans, tmp_path, "--soft")
    for case, (_, soft) in theirs.items():
        for value, class_id in CLASSES.items():
            apart = found[case][class_id].array - 255 * soft[value].astype(np.float64)
            assert np.abs(apart).max() <= 0.51


def test_our_windows_say_what_it_says(model, scans, theirs, tmp_path):
    spec = {
        "kind": "nnunet", "licence": "CC0", "modality": "any", "weights": str(model), "floor": 0,
        "classes": CLASSES if TRAINED else {},
    }  # fmt: skip
    if TRAINED:
        names = json.loads((model / "dataset.json").read_text())["labels"]
        spec["classes"] = {name: CLASSES[n] for name, n in names.items() if n}
    found = predicted(PYTHON, spec, scans, tmp_path, "--soft")
    for case, (labels, soft) in theirs.items():
        for value, class_id in CLASSES.items():
            apart = np.abs(found[case][class_id].array - 255 * soft[value].astype(np.float64))
            assert apart.mean() < 0.5
            assert ((found[case][class_id].array >= 128) != (labels == value)).mean() < 2e-3
