"""What every predictor promises, whatever it is."""

import numpy as np
import pytest

from tests.training.conftest import AFFINE, SHAPE, phantom
from tests.training.predictors.conftest import MAKERS, VOCABULARY
from training.predictors.spec import KINDS
from voxcurate.errors import CurationError
from voxcurate.predictions import Prediction, open_prediction, write_prediction
from voxcurate.protocols import PREDICTORS, Predictor
from voxcurate.volume import Volume


def full(parts, shape=SHAPE):
    """Class to uint8 over the whole scan."""
    found = {}
    for class_id, part in parts:
        assert class_id not in found
        found[class_id] = np.zeros(shape, np.uint8)
        found[class_id][part.box] = part.array
    return found


def test_every_kind_is_in_the_suite():
    assert set(PREDICTORS) == set(KINDS)
    tested = {name.removeprefix("our_").removeprefix("their_").split("_")[0] for name in MAKERS}
    assert tested == set(KINDS)


def test_it_keeps_the_protocol(made):
    predictor = made.predictor
    assert isinstance(predictor, Predictor)
    assert predictor.licence
    assert predictor.model_id
    assert all(class_id in VOCABULARY for class_id in predictor.classes)


def test_boxes_lie_in_the_scan_and_hold_uint8(made):
    volume, _ = phantom(0)
    n = 0
    for class_id, part in made.predictor.predict(volume, "c"):
        assert class_id in VOCABULARY
        assert not made.predictor.classes or class_id in made.predictor.classes
        assert part.array.dtype == np.uint8
        sides = [axis.stop - axis.start for axis in part.box]
        assert list(part.array.shape) == sides
        assert all(0 <= a.start <= a.stop <= s for a, s in zip(part.box, SHAPE, strict=True))
        n += 1
    assert n >= 1


def test_it_says_what_is_known(made):
    volume, _ = phantom(0)
    found = full(made.predictor.predict(volume, "c"))
    for class_id, mask in (made.truth or {}).items():
        np.testing.assert_array_equal(found[class_id] >= 128, mask)


def test_again_it_says_the_same_and_the_scan_is_untouched(made):
    volume, _ = phantom(0)
    before = volume.array.copy()
    one = full(made.predictor.predict(volume, "c"))
    two = full(made.predictor.predict(volume, "c"))
    assert one.keys() == two.keys()
    for class_id, values in one.items():
        np.testing.assert_array_equal(values, two[class_id])
    np.testing.assert_array_equal(volume.array, before)


def test_storage_order_of_the_scan_does_not_matter(made, request):
    """Axes permuted and flipped: the answer goes along. nnU-Net itself reads axes as stored."""
    if type(made.predictor).__name__ == "NnUNetPredictor":
        pytest.skip("nnU-Net's networks see the axes as they are stored")
    if request.node.callspec.params["made"] == "folder_npz":
        pytest.skip("a .npz does not say where it lies")
    volume, _ = phantom(0)
    affine = AFFINE.copy()
    affine[:3, 3] += affine[:3, 0] * (SHAPE[0] - 1)
    affine[:3, 0] *= -1
    turned = Volume(np.ascontiguousarray(volume.array[::-1].transpose(2, 0, 1)),
                    affine[:, [2, 0, 1, 3]])  # fmt: skip
    expected = full(made.predictor.predict(volume, "c"))
    found = full(made.predictor.predict(turned, "c"), turned.shape)
    assert found.keys() == expected.keys()
    for class_id, values in expected.items():
        again = found[class_id].transpose(1, 2, 0)[::-1]
        np.testing.assert_allclose(again.astype(int), values.astype(int), atol=3)


def test_it_can_be_kept_in_a_file(made, tmp_path):
    volume, _ = phantom(0)
    parts = dict(made.predictor.predict(volume, "c"))
    path = tmp_path / "kept.vxp"
    write_prediction(path, Prediction(parts, volume.shape, volume.affine, "m", False))
    for class_id, part in parts.items():
        np.testing.assert_array_equal(open_prediction(path).box(class_id).array, part.array)


def test_it_leaves_nothing_in_the_scratch_folder(made):
    volume, _ = phantom(0)
    before = set(made.predictor.scratch.rglob("*"))
    list(made.predictor.predict(volume, "c"))
    assert set(made.predictor.scratch.rglob("*")) == before


def test_one_voxel_is_a_scan(made):
    """It answers, or says in words why it cannot."""
    volume = Volume(np.full((1, 1, 1), 40, np.int16), np.diag([5.0, 5.0, 5.0, 1.0]))
    try:
        found = full(made.predictor.predict(volume, "c"), (1, 1, 1))
    except CurationError as error:
        found = str(error)
    assert found
