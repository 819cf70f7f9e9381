"""Pictures of real scans: sides, skeleton, and that a swapped label is seen as swapped."""

import io

import numpy as np
import pytest
from PIL import Image

from labeling.projections import Look, ScanPictures
from labeling.vision.judge import VisionJudge
from tests.labeling.vision.engines import Engine
from voxcurate.nifti import read_nifti

pytestmark = pytest.mark.real_data
PAROTID_RIGHT, PAROTID_LEFT = 3, 4


def columns(png):
    rgb = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    red = (rgb[..., 0] > 60) & (rgb[..., 1] == 0) & (rgb[..., 2] == 0)
    return np.flatnonzero(red.any(0)).mean()


@pytest.fixture
def cases(real_data):
    found = []
    for path in sorted((real_data / "openkbp_ct").glob("pt_*"))[::10]:
        organs = read_nifti(path / "organs.nii.gz").array.astype(np.uint8)
        if {PAROTID_RIGHT, PAROTID_LEFT} <= set(np.unique(organs).tolist()):
            found.append((read_nifti(path / "ct.nii.gz"), organs))
    return found


def test_the_patients_right_is_on_the_left_and_bones_are_seen(cases):
    assert cases
    for volume, organs in cases:
        pictures = ScanPictures(volume, windows=("bone", "skeleton"))
        shadows = pictures.shadows(organs, {PAROTID_RIGHT: "right", PAROTID_LEFT: "left"})
        right, left = (columns(pictures.png(Look("bone"), shadows[s])) for s in ("right", "left"))
        assert right < left
        skeleton = Image.open(io.BytesIO(pictures.png(Look("skeleton")))).convert("L")
        assert 0.02 < (np.asarray(skeleton) > 60).mean() < 0.5


def test_swapped_side_is_asked_and_the_right_one_wins(cases):
    volume, organs = cases[0]
    swapped, good = organs == PAROTID_RIGHT, organs == PAROTID_LEFT
    engine = Engine(lambda a, b: "1" if columns(a) > columns(b) else "2")
    assert VisionJudge(engine).judge(volume, "parotid_left", [swapped, good]).choice == 1
