"""Augmentation on the device shows what augmentation on the host shows."""

import numpy as np
import pytest
import torch

from tests.training.conftest import tiny
from tests.training.trainer.test_loop import run_of
from training.config import AugmentConfig, MixConfig
from training.data.batches import Loader
from training.data.cases import PreparedCase
from training.data.on_device import DeviceLoader
from training.mix.sampling import Pools, Sampler
from training.mix.schedule import plan_of
from training.rounds.runs import _item
from training.trainer.work import train_model

SHAPE = (26, 22, 20)


def case(name, partly):
    generator = np.random.default_rng(len(name))
    masks = np.zeros((9, *SHAPE), bool)  # more than one byte of classes
    masks[0, 3:13, 5:17, 4:16] = True
    masks[8, 14:24, 5:17, 4:16] = True
    speaks = generator.random((9, *SHAPE)) < 0.9
    smooth = np.linspace(-1000, 900, np.prod(SHAPE)).reshape(SHAPE)
    return PreparedCase(
        name, smooth.astype(np.int16), np.packbits(masks & speaks, axis=0),
        np.packbits(speaks, axis=0) if partly else None,
        np.array([True] * 8 + [partly]), np.linspace(0.5, 1, 9, dtype=np.float32),
        masks.reshape(9, -1).sum(1), [np.argwhere(m).astype(np.int16) for m in masks],
        (3.0, 4.0, 5.0),
    )  # fmt: skip


def both(patch=(24, 16, 32), noise_hu=0.0, mirror=True, **mix):
    augment = AugmentConfig(noise_hu=noise_hu, rotation_deg=20, scale=0.3)
    config = tiny(mix=MixConfig(**mix), batch=4, augment=augment, patch=patch)
    cases, raw = [case("a", False), case("bb", True)], [case("raw", False)]
    plan = plan_of(10, config, [])
    swap = np.array([8, 1, 2, 3, 4, 5, 6, -1, 0]) if mirror else None

    def sampler():
        return Sampler(cases, Pools(2, raw=1), plan, config, 3)

    return [kind(cases, raw, {}, swap, sampler(), config) for kind in (Loader, DeviceLoader)]


@pytest.mark.parametrize("patch", [(24, 16, 32), (16, 16, 16)])
@pytest.mark.parametrize("mirror", [True, False])
def test_same_samples_without_noise(patch, mirror):
    host, device = both(patch, mirror=mirror, labelled=1, selective=0)
    for step in range(3):
        wanted = host.batch(step)
        found = device.blocks(step, device.draw(step)).on(torch.device("cpu"))
        assert found.draws == wanted.draws
        torch.testing.assert_close(found.image, wanted.image, atol=2e-3, rtol=0)
        torch.testing.assert_close(found.original, wanted.original, atol=2e-3, rtol=0)
        assert (found.target != wanted.target).float().mean() < 1e-4  # ties
        torch.testing.assert_close(
            found.weight.expand_as(found.target).mean(),
            wanted.weight.expand_as(wanted.target).mean(), atol=1e-4, rtol=0,
        )  # fmt: skip
        assert not found.hidden.any()


def test_noise_has_the_same_strength():
    quiet, _ = both(labelled=1, selective=0, mirror=False)
    host, device = both(labelled=1, selective=0, mirror=False, noise_hu=200.0)

    def spread(batch, still):
        away = (batch.image[:, 1] - still.image[:, 1]) * 1250
        inner = still.image[:, 1].abs() < 0.5
        return [float(a[i].std()) for a, i in zip(away, inner, strict=True)]

    still = quiet.batch(1)
    on_host = spread(host.batch(1), still)
    on_device = spread(device.blocks(1, device.draw(1)).on(torch.device("cpu")), still)
    np.testing.assert_allclose(on_device, on_host, rtol=0.1, atol=2)


def test_samples_of_other_kinds_come_from_the_host_in_their_places():
    host, device = both(labelled=0.5, selective=0, unlabeled=0.5, replay=0)
    mixed = 0
    for step in range(6):
        wanted = host.batch(step)
        found = device.blocks(step, device.draw(step)).on(torch.device("cpu"))
        assert found.draws == wanted.draws
        assert torch.equal(found.hidden, wanted.hidden)
        torch.testing.assert_close(found.image, wanted.image, atol=2e-3, rtol=0)
        mixed += len({d.kind for d in found.draws}) > 1
    assert mixed


def test_processes_get_their_own_samples():
    _, device = both(labelled=1, selective=0)
    draws = device.draw(0)
    whole = device.blocks(0, draws).on(torch.device("cpu"))
    part = device.blocks(0, draws, [1, 3]).on(torch.device("cpu"))
    assert torch.equal(part.image, whole.image[[1, 3]])


def test_it_trains(world):
    run = run_of(world, augment=AugmentConfig(on_device=True), steps=2, device="cpu")
    assert np.isfinite(train_model(_item(world.ctx, run).payload)["loss"])
