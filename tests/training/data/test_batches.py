"""Batches: shapes, masked reconstruction, synthetic tumours."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch

from tests.training.conftest import tiny
from training.config import AugmentConfig, MixConfig, RestorationConfig
from training.data.batches import Loader
from training.data.cases import PreparedCase
from training.mix.sampling import Pools, Sampler
from training.mix.schedule import Plan
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


def test_grown_tumours_are_counted_by_class_and_kept_in_the_state():
    one = loader(labelled=0, selective=0, synthetic=1)
    batch = one.batch(0)
    assert all(draw.grown >= 1 for draw in batch.draws)
    sampler = one._sampler
    sampler.learn(batch.draws, [float("nan")] * 3)
    total = sum(draw.grown for draw in batch.draws)
    assert sampler.grown.tolist() == [0, total]
    other = loader(labelled=0, selective=0, synthetic=1)._sampler
    other.restore(sampler.state())
    assert other.grown.tolist() == [0, total]


def test_case_without_proof_teaches_in_the_tumour_only():
    one = loader(labelled=0, selective=0, synthetic=1)
    one._sites = {1: Site(1, (0,), kin=(1,), unproven=frozenset({"a", "b"}))}
    for case_ in one._cases:
        case_.known[1], case_.weight[1] = False, 0.0
    batch = one.batch(0)
    np.testing.assert_array_equal(batch.weight[:, 1] > 0, batch.target[:, 1] > 0)
    assert batch.target[:, 1].any()


def test_any_position_alone_is_what_it_is_in_the_batch():
    one = loader(labelled=0.3, selective=0, unlabeled=0.3, synthetic=0.4)
    for step in range(4):
        draws = one.draw(step)
        whole = one.cut(step, draws)
        for n in (2, 0, 1):
            alone = one.cut(step, draws, [n])
            assert torch.equal(alone.image[0], whole.image[n])
            assert torch.equal(alone.target[0], whole.target[n])
            assert torch.equal(alone.hidden[0], whole.hidden[n])
            assert alone.draws[0] == whole.draws[n]


def test_threads_cut_what_one_thread_cuts():
    one = loader(labelled=0.3, selective=0, unlabeled=0.3, synthetic=0.4)
    draws = [one.draw(step) for step in range(6)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(one.cut, range(6), draws))
    for step, batch in enumerate(together):
        assert torch.equal(batch.image, one.cut(step, draws[step]).image)


def test_a_pickled_loader_cuts_the_same_without_carrying_the_scans(tmp_path):
    np.save(tmp_path / "image.npy", np.random.default_rng(1).integers(0, 200, (90, 80, 70)))
    one = loader(labelled=1, selective=0)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    one._cases[0] = replace(one._cases[0], image=mapped)
    one._cases[1] = replace(one._cases[1], image=mapped)
    stored = pickle.dumps(one)
    assert len(stored) < mapped.nbytes / 4
    other = pickle.loads(stored)  # noqa: S301
    assert isinstance(other._cases[0].image, np.memmap)
    for step in range(3):
        assert torch.equal(other.batch(step).image, one.batch(step).image)
