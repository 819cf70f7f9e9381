"""Batches: shapes, masked reconstruction, synthetic tumours."""

import numpy as np
import torch

from tests.training.conftest import tiny
from training.batches import Loader
from training.cases import PreparedCase
from training.config import AugmentConfig, MixConfig, RestorationConfig
from training.sampling import Pools, Sampler
from training.schedule import Plan
from training.synthetic.samples import Site

SHAPE = (26, 22, 20)


def case(name, organ=True):
    masks = np.zeros((2, *SHAPE), bool)
    masks[0, 5:20, 5:17, 4:16] = organ
    image = np.random.default_rng(1).integers(0, 200, SHAPE).astype(np.int16)
    return PreparedCase(
        name, image, np.packbits(masks, axis=0), None, np.array([organ, organ]),
        np.array([1.0, 1.0], np.float32), masks.reshape(2, -1).sum(1),
        [np.argwhere(m).astype(np.int16) for m in masks], (3.0, 4.0, 5.0),
    )  # fmt: skip


def loader(restoration=None, **mix):
    config = tiny(
        mix=MixConfig(**mix), batch=3, augment=AugmentConfig(mirror=False),
        restoration=restoration or RestorationConfig(),
    )  # fmt: skip
    cases, raw = [case("a"), case("b")], [case("r", organ=False)]
    sampler = Sampler(cases, Pools(2, 0, 1, [(0, 1), (1, 1)]), Plan(9, 9), config, seed=5)
    return Loader(cases, raw, {1: Site(1, (0,), kin=(1,))}, None, sampler, config)


def test_labelled_batch():
    batch = loader(labelled=1, selective=0).batch(0)
    assert batch.image.shape == (3, 5, 16, 16, 16)
    assert batch.target.shape == (3, 2, 16, 16, 16)
    assert batch.weight.shape == (3, 2, 1, 1, 1)
    assert batch.image.dtype == torch.float32
    assert not batch.hidden.any()
    assert set(batch.target.unique().tolist()) <= {0.0, 1.0}


def test_unlabeled_sample_is_spoiled_and_teaches_no_class():
    for way in ({"genesis": 0.0}, {"blocks": 0.0}):
        batch = loader(RestorationConfig(**way), labelled=0, selective=0, unlabeled=1).batch(0)
        assert all(draw.kind == "unlabeled" for draw in batch.draws)
        assert not batch.weight.any()
        hidden = batch.hidden.bool()
        assert hidden.flatten(1).any(dim=1).all()
        torch.testing.assert_close(batch.original[~hidden], batch.image[:, :1][~hidden])
        assert (batch.original - batch.image[:, :1])[hidden].abs().max() > 0.1


def test_synthetic_sample_has_a_lesion_in_its_organ():
    batches = [loader(labelled=0, selective=0, synthetic=1).batch(n) for n in range(3)]
    lesions = torch.cat([batch.target[:, 1] for batch in batches])
    organs = torch.cat([batch.target[:, 0] for batch in batches])
    assert lesions.any()
    assert not (lesions.bool() & ~organs.bool()).any()


def test_same_step_same_batch():
    one, two = loader(labelled=1, selective=0), loader(labelled=1, selective=0)
    one.batch(0)
    assert torch.equal(one.batch(7).image, two.batch(7).image)
    assert not torch.equal(one.batch(7).image, one.batch(8).image)
