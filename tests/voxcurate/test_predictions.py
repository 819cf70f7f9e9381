import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.conftest import ellipsoid, oblique_affine
from voxcurate.errors import CurationError, GeometryError, VolumeReadError
from voxcurate.predictions import (
    EMPTY_BOX,
    Prediction,
    ProbabilityBox,
    open_prediction,
    probability_box,
    write_prediction,
)

SHAPE = (11, 9, 7)


def soft(centre: Any = (5, 4, 3)) -> Any:
    return 0.9 * ellipsoid(SHAPE, centre, (3, 2, 2)).astype(np.float32)


def prediction(**classes: ProbabilityBox) -> Prediction:
    return Prediction(
        classes=classes,
        shape=SHAPE,
        affine=oblique_affine(),
        model_id="round1/unet",
        out_of_fold=True,
        model_sha256="ab" * 32,
        fold=2,
        meta={"patch": [96, 96, 96]},
    )


@pytest.fixture
def path(tmp_path):
    write_prediction(
        tmp_path / "deep" / "case.vxp",
        prediction(liver=probability_box(soft()), spleen=probability_box(soft((8, 6, 3)) * 0)),
    )
    return tmp_path / "deep" / "case.vxp"


def test_a_file_gives_back_what_was_written(path):
    opened = open_prediction(path)
    assert list(opened.classes) == ["liver", "spleen"]
    assert opened.box("liver").box == (slice(2, 9), slice(2, 7), slice(1, 6))
    np.testing.assert_array_equal(opened.full("liver"), np.rint(soft() * 255))
    np.testing.assert_array_equal(opened.affine, oblique_affine())
    assert opened.shape == SHAPE
    assert (opened.model_id, opened.model_sha256) == ("round1/unet", "ab" * 32)
    assert (opened.fold, opened.out_of_fold) == (2, True)
    assert opened.meta == {"patch": [96, 96, 96]}


def test_nothing_predicted_is_an_empty_box(path):
    part = open_prediction(path).box("spleen")
    assert part.box == EMPTY_BOX
    assert part.array.shape == (0, 0, 0)
    assert not open_prediction(path).full("spleen").any()


def test_a_buffer_is_overwritten(path):
    buffer = np.full(SHAPE, 7, np.uint8)
    assert open_prediction(path).full("liver", out=buffer) is buffer
    np.testing.assert_array_equal(buffer, np.rint(soft() * 255))
    with pytest.raises(GeometryError, match="buffer"):
        open_prediction(path).full("liver", out=np.zeros((2, 2, 2), np.uint8))


def test_an_opened_prediction_travels_between_processes(path):
    copy = pickle.loads(pickle.dumps(open_prediction(path)))  # noqa: S301
    np.testing.assert_array_equal(copy.full("liver"), open_prediction(path).full("liver"))


def test_same_content_same_bytes(path, tmp_path):
    write_prediction(tmp_path / "again", open_prediction(path))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@given(
    hnp.arrays(np.float32, (4, 3, 5), elements=st.floats(0, 1, width=32)),
    st.sampled_from([0.0, 0.02, 0.5]),
)
def test_quantised_to_the_nearest_step_and_cropped(probability, floor):
    part = probability_box(probability, floor=floor)
    whole = np.zeros(probability.shape, np.uint8)
    whole[part.box] = part.array
    kept = whole > 0
    assert np.abs(whole[kept] / 255 - probability[kept]).max(initial=0) <= 0.5 / 255 + 1e-6
    assert (probability[~kept] < max(floor, 0.5 / 255) + 0.5 / 255).all()
    for axis in range(3):
        planes = np.moveaxis(part.array, axis, 0)
        assert not planes.size or (planes[0].any() and planes[-1].any())


def test_bytes_that_are_already_quantised_are_kept():
    array = np.rint(soft() * 255).astype(np.uint8)
    array[0, 0, 0] = 3
    assert probability_box(array).box[0] == slice(0, 9)
    assert probability_box(array, floor=0.02).box[0] == slice(2, 9)


@pytest.mark.parametrize("bad", [np.nan, 1.5, -0.5, np.inf])
def test_values_that_are_no_probabilities(bad):
    probability = soft()
    probability[5, 4, 3] = bad
    with pytest.raises(CurationError, match="probabilities"):
        probability_box(probability)


def test_a_box_outside_the_volume_is_refused(tmp_path):
    part = ProbabilityBox((slice(8, 12), slice(0, 1), slice(0, 1)), np.ones((4, 1, 1), np.uint8))
    with pytest.raises(GeometryError, match="liver"):
        write_prediction(tmp_path / "p", prediction(liver=part))
    assert not list(tmp_path.iterdir())


def test_an_unknown_class_names_the_known_ones(path):
    with pytest.raises(VolumeReadError, match="liver, spleen"):
        open_prediction(path).full("kidney")


def test_every_truncation_is_an_error(path, tmp_path):
    data = path.read_bytes()
    for length in range(len(data)):
        (tmp_path / "cut").write_bytes(data[:length])
        with pytest.raises(VolumeReadError):
            open_prediction(tmp_path / "cut")


def test_every_damaged_byte_is_noticed(path, tmp_path):
    data = path.read_bytes()
    for at in range(len(data)):
        (tmp_path / "bad").write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        with pytest.raises(VolumeReadError):
            open_prediction(tmp_path / "bad").full("liver")


def test_no_such_file(tmp_path):
    with pytest.raises(VolumeReadError, match="cannot read"):
        open_prediction(tmp_path / "none")


def test_asking_for_a_class_reads_nothing(path):
    opened = open_prediction(path)
    path.unlink()
    assert "liver" in opened.classes
    assert "aorta" not in opened.classes
    assert list(opened.classes) == ["liver", "spleen"]
    with pytest.raises(VolumeReadError, match="cannot read"):
        opened.box("liver")
