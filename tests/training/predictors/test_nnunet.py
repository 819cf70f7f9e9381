"""nnU-Net's folders: the same as nnU-Net's own predictor gives. Needs the extra `zoo`."""

import json

import numpy as np
import pytest
import torch

from tests.conftest import oblique_affine
from tests.training.predictors.conftest import make
from training.predictors.spec import ZooModel, make_spec
from voxcurate.classes import load_vocabulary
from voxcurate.errors import ConfigError
from voxcurate.volume import Volume

PATCH = (16, 24, 16)  # z, y, x as nnU-Net has them
LABELS = {"background": 0, "Mandible": 1, "parotid_left": 2}


def plans(spacing=(9.0, 8.0, 7.0), transpose=(0, 1, 2), patch=PATCH, features=(4, 8)):
    """Plans as nnU-Net's planner writes them, for a network of two stages."""
    conv = "torch.nn.modules.conv.Conv3d"
    norm = "torch.nn.modules.instancenorm.InstanceNorm3d"
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": 2, "features_per_stage": list(features), "conv_op": conv,
            "kernel_sizes": [[3, 3, 3], [3, 3, 3]], "strides": [[1, 1, 1], [2, 2, 2]],
            "n_conv_per_stage": [1, 1], "n_conv_per_stage_decoder": [1], "conv_bias": True,
            "norm_op": norm, "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None, "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }  # fmt: skip
    resampling = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    name = "resample_data_or_seg_to_shape"
    full = {
        "data_identifier": "x", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
        "patch_size": list(patch), "spacing": list(spacing),
        "normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [False],
        "resampling_fn_data": name, "resampling_fn_seg": name, "resampling_fn_probabilities": name,
        "resampling_fn_data_kwargs": resampling,
        "resampling_fn_seg_kwargs": {**resampling, "is_seg": True},
        "resampling_fn_probabilities_kwargs": resampling,
        "architecture": architecture, "batch_dice": False,
    }  # fmt: skip
    facts = {"max": 900.0, "mean": 50.0, "median": 40.0, "min": -1000.0,
             "percentile_00_5": -900.0, "percentile_99_5": 800.0, "std": 300.0}  # fmt: skip
    return {
        "dataset_name": "Dataset001_Test", "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(spacing),
        "original_median_shape_after_transp": [22, 26, 30],
        "image_reader_writer": "SimpleITKIO", "transpose_forward": list(transpose),
        "transpose_backward": list(np.argsort(transpose).tolist()),
        "experiment_planner_used": "ExperimentPlanner", "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": facts},
        "configurations": {"3d_fullres": full},
    }  # fmt: skip


def trained_folder(folder, *, folds=(0,), seed=0, **options):
    """A trained model's folder with random weights."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    made = plans(**options)
    dataset = {"channel_names": {"0": "CT"}, "labels": LABELS, "numTraining": 4,
               "file_ending": ".nii.gz"}  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(made))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    shape = made["configurations"]["3d_fullres"]["architecture"]
    for fold in folds:
        torch.manual_seed(seed + fold)
        network = get_network_from_plans(
            shape["network_class_name"], shape["arch_kwargs"], shape["_kw_requires_import"], 1,
            len(LABELS), deep_supervision=False,
        )  # fmt: skip
        (folder / f"fold_{fold}").mkdir()
        torch.save(
            {
                "network_weights": network.state_dict(), "trainer_name": "nnUNetTrainer",
                "init_args": {"configuration": "3d_fullres"},
                "inference_allowed_mirroring_axes": (0, 1, 2),
            },
            folder / f"fold_{fold}" / "checkpoint_final.pth",
        )  # fmt: skip
    return folder


def scan(shape=(30, 26, 40), spacing=(7.0, 8.0, 9.0)):
    """A body of noise: what a random network says varies from voxel to voxel."""
    array = np.random.default_rng(5).normal(0, 200, shape).astype(np.int16)
    return Volume(array, oblique_affine(spacing))


def theirs(folder, volume, *, mirroring=False):
    """Probabilities of nnU-Net's own predictor, array order ``(I, J, K)``."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    own = nnUNetPredictor(device=torch.device("cpu"), use_mirroring=mirroring, allow_tqdm=False)
    own.initialize_from_trained_model_folder(str(folder), None)
    image = volume.array.transpose(2, 1, 0)[None].astype(np.float32)
    facts = {"spacing": list(volume.spacing[::-1])}
    _, found = own.predict_single_npy_array(image, facts, None, None, True)
    return found.transpose(0, 3, 2, 1)


def ours(folder, volume, scratch, **options):
    predictor = make(scratch, "nnunet", folder, floor=0, body_only=False, **options)
    found = {}
    for class_id, part in predictor.predict(volume):
        found[class_id] = np.zeros(volume.shape, np.uint8)
        found[class_id][part.box] = part.array
    return np.stack([found["mandible"], found["parotid_left"]])


@pytest.mark.parametrize("mirroring", [False, True])
@pytest.mark.parametrize("options", [{}, {"transpose": (1, 0, 2), "spacing": (8.0, 9.0, 7.0)}])
def test_equal_to_nnunets_own_predictor(tmp_path, mirroring, options):
    pytest.importorskip("nnunetv2")
    folder = trained_folder(tmp_path / "model", folds=(0, 1), **options)
    expected = theirs(folder, scan(), mirroring=mirroring)[1:] * 255
    found = ours(folder, scan(), tmp_path, mirroring=mirroring)
    assert np.ptp(expected) > 30
    inner = (slice(None), *(slice(4, -4),) * 3)  # its float16 loses what lies in corners
    np.testing.assert_allclose(found[inner], expected[inner], atol=1.5)
    assert np.abs(found - expected).mean() < 0.5


def test_resampled_it_is_close_to_nnunets_own(tmp_path):
    """On noise, the worst case: it samples logits, we average probabilities."""
    pytest.importorskip("nnunetv2")
    folder = trained_folder(tmp_path / "model", spacing=(6.0, 6.5, 7.5))
    expected = theirs(folder, scan())[1:] * 255
    found = ours(folder, scan(), tmp_path)
    assert np.abs(found - expected).mean() < 12
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.9


def test_a_scan_smaller_than_the_patch(tmp_path):
    pytest.importorskip("nnunetv2")
    folder = trained_folder(tmp_path / "model")
    small = scan((9, 17, 8))
    expected = theirs(folder, small)[1:] * 255
    np.testing.assert_allclose(ours(folder, small, tmp_path), expected, atol=1.5)


def test_without_nnunet_the_extra_is_named(tmp_path, monkeypatch):
    from training.predictors import nnunet

    monkeypatch.setattr(nnunet, "find_spec", lambda name: None)
    spec = make_spec({"kind": "nnunet", "licence": "CC0", "weights": "x"}, name="n")
    with pytest.raises(ConfigError, match=r"pip install 'voxcurate\[zoo\]'"):
        nnunet.NnUNetPredictor(ZooModel(spec, tmp_path), load_vocabulary())
