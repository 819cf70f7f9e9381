"""The SAM refiner with a real, tiny, random SAM in a folder: counts, shapes, prompts, errors."""

import numpy as np
import pytest

from labeling.refine.config import RefineConfig
from labeling.refine.methods import Refiner, make_refiner, refine
from labeling.refine.points import choose_points
from labeling.refine.sam import _load, outwards, pictures, prompt_of, slice_axis
from tests.labeling.refine.scenes import AFFINE, SHAPE, ball, border, scan, structure
from voxcurate.errors import ConfigError

TRUE = ball()
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # transformers is both


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved SAM of 52,000 random weights with its processor."""
    torch = pytest.importorskip("torch")
    kinds = pytest.importorskip("transformers")
    place = tmp_path_factory.mktemp("sam")
    torch.manual_seed(0)
    vision = kinds.SamVisionConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_dim=32, image_size=64,
        patch_size=16, output_channels=32, window_size=2, global_attn_indexes=[1],
        num_pos_feats=16,
    )  # fmt: skip
    prompts = kinds.SamPromptEncoderConfig(
        hidden_size=32, image_size=64, patch_size=16, mask_input_channels=4
    )
    decoder = kinds.SamMaskDecoderConfig(
        hidden_size=32, mlp_dim=32, num_hidden_layers=1, num_attention_heads=2, iou_head_depth=2,
        iou_head_hidden_dim=32,
    )  # fmt: skip
    kinds.SamModel(
        kinds.SamConfig(
            vision_config=vision.to_dict(),
            prompt_encoder_config=prompts.to_dict(),
            mask_decoder_config=decoder.to_dict(),
        )
    ).save_pretrained(place)
    images = kinds.SamImageProcessor(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 16}, mask_pad_size={"height": 16, "width": 16},
    )  # fmt: skip
    kinds.SamProcessor(images).save_pretrained(place)
    return place


def config(folder, **options):
    return RefineConfig(method="sam", sam_folder=str(folder), sam_device="cpu", **options)


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_every_slice_is_encoded_once_and_asked_once(folder, batch):
    chosen = config(folder, sam_batch=batch)
    refiner = make_refiner(chosen)
    made = border(TRUE, scan(TRUE))
    n = int(TRUE.any(axis=(0, 1)).sum())
    found = refiner.refine(made, choose_points(made))
    assert isinstance(refiner, Refiner)
    assert refiner.asked == {"images": n, "batches": -(-n // batch), "prompts": n}
    assert found["sam"].shape == made.mask.shape
    assert found["sam"].dtype == bool


def test_batches_do_not_change_the_answer_and_only_the_band_changes(folder):
    made = border(TRUE, scan(TRUE))
    points = choose_points(made)
    one, many = (
        make_refiner(config(folder, sam_batch=b)).refine(made, points)["sam"] for b in (1, 100)
    )
    assert (one != many).mean() < 1e-3
    assert one[made.inside].all()
    assert not one[made.outside].any()


def test_a_structure_of_the_scan_comes_back(folder):
    chosen = config(folder)
    found = refine(structure(ball(12.0)), scan(TRUE), make_refiner(chosen), chosen)
    assert all(s.shape == SHAPE for s in found.proposals.values())


def test_the_network_gets_prompts_in_its_own_pixels(folder, monkeypatch):
    refiner = make_refiner(config(folder))
    seen = []
    forward = refiner.model.forward

    def spy(*args, **options):
        if "input_points" in options:
            seen.append(options)
        return forward(*args, **options)

    monkeypatch.setattr(refiner.model, "forward", spy)
    made = border(TRUE, scan(TRUE))
    refiner.refine(made, choose_points(made))
    rows, columns = made.mask.shape[:2]  # slices lie along the last axis
    for options in seen:
        places, corners = options["input_points"], options["input_boxes"]
        assert places.shape[:2] == options["input_labels"].shape[:2] == (1, 1)
        assert places.shape[2] == options["input_labels"].shape[2]
        assert corners.shape == (1, 1, 4)
        limits = np.array([columns, rows]) * 64 / max(rows, columns)
        assert (places.numpy() <= limits + 1).all()
        x0, y0, x1, y1 = corners.numpy().ravel()
        assert 0 <= x0 < x1 <= limits[0] + 1
        assert 0 <= y0 < y1 <= limits[1] + 1
    assert {1, 0} == set(seen[0]["input_labels"].numpy().ravel().tolist())


def test_slices_go_outwards_from_the_largest():
    mask = np.zeros((6, 4, 4), bool)
    for n, size in enumerate([0, 2, 3, 4, 1, 0]):
        mask[n, :size, 0] = True
    assert list(outwards(mask, [1, 2, 3, 4])) == [(3, None), (4, 3), (2, 3), (1, 2)]


def test_prompts_are_as_x_and_y_and_inside_what_was_seen():
    mask = np.zeros((12, 20), bool)
    mask[2:9, 4:15] = True
    seen = np.zeros_like(mask)
    seen[3:8, 5:10] = True
    given = (np.array([[4, 12]]), np.array([[0, 0]]))
    prompt = prompt_of(mask, seen, np.zeros_like(mask), given)
    assert prompt.box == (4.0, 2.0, 14.0, 8.0)
    inner = prompt.points[prompt.labels == 1]
    assert inner[0].tolist() == [12.0, 4.0]
    assert all(seen[int(y), int(x)] for x, y in inner[1:])
    outer = prompt.points[prompt.labels == 0]
    assert outer[0].tolist() == [0.0, 0.0]
    assert not any(mask[int(y), int(x)] for x, y in outer)


def test_pictures_span_the_structure_and_slices_are_axial():
    made = border(TRUE, scan(TRUE))
    shown = pictures(made.values, made.mask, made.free)
    assert shown.shape == (*made.values.shape, 3)
    assert shown[made.inside].mean() > shown[made.outside].mean() + 60
    assert slice_axis(made) == 2
    turned = AFFINE[:, [2, 0, 1, 3]]
    from labeling.refine.border import border_of
    from labeling.structures import Structure
    from voxcurate.volume import Volume

    volume = Volume(np.moveaxis(scan(TRUE).array, 2, 0).copy(), turned)
    other = border_of(Structure.of("liver", np.moveaxis(TRUE, 2, 0), turned), volume, band_mm=5.0)
    assert slice_axis(other) == 0


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"sam_folder": ""}, "local model folder"),
        ({"sam_folder": "nowhere"}, "holds no model"),
        ({"sam_device": "abacus"}, "abacus"),
    ],
)
def test_what_is_missing_is_named(folder, options, why):
    _load.cache_clear()
    with pytest.raises(ConfigError, match=why):
        make_refiner(RefineConfig(**{"method": "sam", "sam_folder": str(folder), **options}))


def test_a_broken_folder_is_named_without_its_path(folder, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "sam"}')
    with pytest.raises(ConfigError, match="cannot be loaded") as caught:
        make_refiner(config(tmp_path))
    assert str(tmp_path) not in str(caught.value)


def test_nothing_is_downloaded(folder, monkeypatch):
    import socket

    def refuse(*_):
        raise AssertionError("went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    _load.cache_clear()
    make_refiner(config(folder))
