"""Windows in slabs: the same as MONAI's in one piece, and nothing lost inside the body."""

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from training.predictors.sliding import cutter
from training.predictors.windows import body_mask, slabs

CPU = torch.device("cpu")


def whole(network, image, patch, **options):
    """All slabs put together; windows that were cut."""
    given = cutter(image, patch, 0.0)
    corners = []

    def cut(corner):
        corners.append(corner)
        return given(corner)

    found = None
    for slab in slabs(network, cut, image.shape[1:], patch, device=CPU, **options):
        if found is None:
            found = np.zeros((len(slab.values), *image.shape[1:]), np.float32)
        box = [slice(None)] * 4
        n = slab.values.shape[slab.axis + 1]
        box[slab.axis + 1] = slice(slab.start, slab.start + n)
        found[tuple(box)] += slab.values
    return found, corners


def net(seed=0, channels=3):
    torch.manual_seed(seed)
    layer = torch.nn.Conv3d(1, channels, 5, padding=2)
    return lambda x: torch.sigmoid(layer(x)).detach()


@pytest.mark.parametrize("shape", [(40, 24, 32), (24, 40, 28), (20, 24, 56)])
@pytest.mark.parametrize("batch", [1, 3])
def test_equal_to_monai(shape, batch):
    """Sides at which MONAI's steps and ours lie alike: a patch plus whole steps."""
    patch, overlap = (16, 16, 16), 0.75
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    network = net()
    expected = sliding_window_inference(
        torch.from_numpy(image)[None], patch, 4, network, overlap, mode="gaussian"
    )[0].numpy()
    found, _ = whole(network, image, patch, overlap=overlap, batch=batch)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_patch_larger_than_the_scan():
    image = np.random.default_rng(0).normal(size=(1, 10, 30, 12)).astype(np.float32)
    found, corners = whole(lambda x: x * 2, image, (16, 16, 16), overlap=0.5)
    np.testing.assert_allclose(found, image * 2, atol=1e-5)
    assert {(i, k) for i, _, k in corners} == {(0, 0)}


def test_logits_can_be_blended_and_activated_at_the_end():
    image = np.random.default_rng(2).normal(size=(1, 24, 20, 40)).astype(np.float32)
    torch.manual_seed(0)
    layer = torch.nn.Conv3d(1, 3, 3, padding=1).requires_grad_(False)
    expected, _ = whole(layer, image, (16, 16, 16), overlap=0.5)
    found, _ = whole(
        layer, image, (16, 16, 16), overlap=0.5, finish=lambda x: torch.softmax(x, dim=1)
    )
    np.testing.assert_allclose(found, torch.softmax(torch.from_numpy(expected), 0), atol=1e-5)


def test_body_windows_only_give_the_same_inside_the_body():
    generator = np.random.default_rng(4)
    hu = np.full((64, 48, 40), -1000.0, np.float32)
    hu[20:44, 16:32, 4:36] = 40
    hu[26:30, 20:28, 4:36] = -800  # lung
    hu += generator.normal(0, 5, hu.shape).astype(np.float32)
    body = body_mask(hu, (4.0, 4.0, 4.0), -300)
    assert body[20:44, 16:32, 4:36].all()
    network = net()
    everything, all_corners = whole(network, hu[None] / 1000, (16, 16, 16), overlap=0.5)
    found, corners = whole(network, hu[None] / 1000, (16, 16, 16), overlap=0.5, body=body)
    np.testing.assert_allclose(found[:, body], everything[:, body], atol=1e-6)
    assert len(corners) < 0.8 * len(all_corners)


def test_no_body_leaves_nothing_out():
    air = np.full((20, 18, 16), -1000.0, np.float32)
    assert body_mask(air, (3.0, 3.0, 3.0), -300).all()


def test_a_thin_table_and_dust_are_no_body():
    hu = np.full((60, 50, 40), -1000.0, np.float32)
    hu[20:40, 20:35, :] = 0
    hu[:, 2, :] = 300
    hu[55, 45, 20] = 500
    body = body_mask(hu, (4.0, 4.0, 4.0), -300)
    assert not body[:15].any()
    assert not body[50:, 40:].any()


def test_arms_beside_the_trunk_are_body():
    hu = np.full((60, 40, 30), -1000.0, np.float32)
    hu[20:40, 10:30, :] = 0
    hu[5:11, 15:21, :] = 0
    assert body_mask(hu, (4.0, 4.0, 4.0), -300)[5:11, 15:21].all()


def test_nothing_covered_gives_no_slab():
    image = np.zeros((1, 20, 20, 20), np.float32)
    found, corners = whole(net(), image, (16, 16, 16), overlap=0.5, body=np.zeros((20,) * 3, bool))
    assert found is None
    assert corners == []
