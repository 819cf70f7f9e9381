"""Ready predictions as a predictor."""

import numpy as np
import pytest

from labeling.folder_predictor import FolderPredictor
from tests.labeling.conftest import phantom
from voxcurate.classes import load_vocabulary
from voxcurate.errors import GeometryError, SourceError, VolumeReadError
from voxcurate.nifti import write_nifti
from voxcurate.protocols import Predictor

VOCABULARY = load_vocabulary()


@pytest.fixture
def folder(tmp_path):
    volume, masks = phantom(0)
    soft = (masks["liver"] * np.float32(0.75)).astype(np.float32)
    write_nifti(tmp_path / "x_1" / "liver.nii.gz", volume.with_array(soft))
    hard = masks["kidney_left"].astype(np.uint8)
    write_nifti(tmp_path / "x_1" / "segmentations" / "lkid.nii.gz", volume.with_array(hard))
    scaled = (masks["spleen"] * 128).astype(np.uint8)
    write_nifti(tmp_path / "x_1" / "spleen.nii.gz", volume.with_array(scaled))
    return tmp_path


def test_soft_hard_and_scaled_masks_are_probabilities(folder):
    volume, masks = phantom(0)
    predictor = FolderPredictor(folder, VOCABULARY, model_id="other").for_case("x_1")
    assert isinstance(predictor, Predictor)
    assert predictor.classes == ("kidney_left", "liver", "spleen")
    found = predictor.predict(volume)
    for class_id, value in (("liver", 0.75), ("kidney_left", 1.0), ("spleen", 128 / 255)):
        assert np.allclose(found[class_id], masks[class_id] * value)
        assert found[class_id].dtype == np.float32


def test_what_is_wrong_is_told_with_the_case(folder, tmp_path):
    volume, _ = phantom(0)
    predictor = FolderPredictor(folder, VOCABULARY, model_id="other")
    with pytest.raises(SourceError):
        predictor.for_case("x_2").predict(volume)
    with pytest.raises(SourceError, match="vocabulary"):
        FolderPredictor(tmp_path / "x_1" / "segmentations", VOCABULARY, model_id="other")
    with pytest.raises(SourceError, match="no folder"):
        FolderPredictor(tmp_path / "none", VOCABULARY, model_id="other")
    moved = volume.affine.copy()
    moved[0, 3] += 3
    from voxcurate.volume import Volume

    with pytest.raises(GeometryError, match="geometry"):
        predictor.for_case("x_1").predict(Volume(volume.array, moved))
    bad = np.full(volume.shape, 3.0, np.float32)
    write_nifti(folder / "x_1" / "liver.nii.gz", volume.with_array(bad))
    with pytest.raises(VolumeReadError, match="0 to 1"):
        predictor.for_case("x_1").predict(volume)
