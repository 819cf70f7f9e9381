"""Portions of a batch, and what memory that runs short does to a run."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.trainer.test_loop import logged, run_of
from training.data.batches import Batch
from training.mix.sampling import Draw
from training.rounds.runs import _item
from training.trainer.loop import Training, TrainingPausedError
from training.trainer.parts import Portion, portions, read_portion, write_portion
from training.trainer.work import train_model
from voxcurate.errors import TrainingError


def batch(n=5, shape=(16, 24, 32)):
    values = torch.arange(n * np.prod(shape), dtype=torch.float32).reshape(n, 1, *shape)
    draws = tuple(Draw("labelled", k, (0.0, 0.0, 0.0), -1) for k in range(n))
    return Batch(values, values > 3, torch.ones(n, 1, 1, 1, 1), values, values, draws)


def test_parts_are_the_batch_in_order():
    whole = batch()
    for parts in (1, 2, 3, 5, 9):
        pieces = portions(whole, Portion(parts, (16, 24, 32)))
        assert torch.equal(torch.cat([p.image for p in pieces]), whole.image)
        assert [d.case for p in pieces for d in p.draws] == [0, 1, 2, 3, 4]
        assert max(len(p.draws) for p in pieces) == -(-5 // min(parts, 5))


def test_a_smaller_patch_is_the_middle():
    (piece,) = portions(batch(1), Portion(1, (8, 8, 16)))
    assert torch.equal(piece.image, batch(1).image[..., 4:12, 8:16, 8:24])
    assert torch.equal(piece.target, batch(1).target[..., 4:12, 8:16, 8:24])
    assert piece.weight.shape == (1, 1, 1, 1, 1)


def test_first_fewer_samples_then_smaller_patches_that_networks_take():
    portion, seen = Portion(1, (96, 96, 64)), []
    while portion is not None:
        seen.append((portion.parts, portion.patch))
        portion = portion.smaller(4)
    assert [parts for parts, _ in seen[:3]] == [1, 2, 4]
    assert seen[-1] == (4, (64, 64, 64))
    assert all(n % 32 == 0 for _, patch in seen for n in patch)


def test_a_portion_is_handed_on(tmp_path):
    assert read_portion(tmp_path) is None
    write_portion(tmp_path, Portion(4, (16, 16, 24)))
    assert read_portion(tmp_path) == Portion(4, (16, 16, 24))


def test_of_two_portions_the_smaller():
    whole, single = Portion(1, (48, 32, 48)), Portion(4, (48, 32, 48))
    small = Portion(4, (32, 32, 32))
    for one, other, wanted in ((whole, single, single), (single, small, small)):
        assert one.or_smaller(other) == other.or_smaller(one) == wanted


def test_the_portion_left_behind_wins_over_an_older_checkpoint_s(world, monkeypatch):
    """Short of memory twice, with a checkpoint in between: not back to what did not fit."""
    changes = {"patch": (64, 48, 64), "steps": 2, "checkpoint_every": 1}
    item = _item(world.ctx, run_of(world, **changes, compute={"time_budget_s": 1e-6}))
    short_above(monkeypatch, 1, 48)
    with pytest.raises(TrainingPausedError):
        train_model(item.payload)
    write_portion(Path(item.payload["run"]), Portion(1, (32, 32, 32)))
    value = train_model(item.payload)
    assert value["patch"] == [32, 32, 32]


def short_above(monkeypatch, samples, side, error=torch.OutOfMemoryError, words=""):
    """A device that holds so many samples of so many voxels a side."""
    real = Training._loss

    def loss(self, given):
        if len(given.draws) > samples or max(given.image.shape[2:]) > side:
            raise error(words)
        return real(self, given)

    monkeypatch.setattr(Training, "_loss", loss)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError, "CUDA out of memory"),
        (RuntimeError, "DefaultCPUAllocator: can't allocate memory"),
        (RuntimeError, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    ],
)
def test_short_memory_splits_the_batch_and_says_so(world, monkeypatch, error, words):
    short_above(monkeypatch, 1, 99, error, words)
    item = _item(world.ctx, run_of(world, batch=4, steps=2))
    value = train_model(item.payload)
    assert (value["parts"], value["patch"]) == (4, [16, 16, 16])
    events = [line for line in logged(item) if line.get("event") == "out_of_memory"]
    assert [(e["step"], e["parts"]) for e in events] == [(1, 2), (1, 4)]
    assert np.isfinite(value["loss"])


def test_then_the_patch_shrinks(world, monkeypatch):
    short_above(monkeypatch, 1, 32)
    value = train_model(_item(world.ctx, run_of(world, patch=(48, 32, 48), steps=1)).payload)
    assert value["patch"] == [32, 32, 32]


def test_and_at_the_end_it_is_an_error(world, monkeypatch):
    short_above(monkeypatch, 0, 0)
    with pytest.raises(TrainingError, match="out of memory with single samples of 16x16x16"):
        train_model(_item(world.ctx, run_of(world)).payload)


def test_another_runtime_error_is_not_taken_for_it(world, monkeypatch):
    def broken(self, given):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(Training, "_loss", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        train_model(_item(world.ctx, run_of(world)).payload)


def test_split_gradients_are_the_batch_s_where_the_loss_is_a_mean(world, monkeypatch):
    """With a loss that is a mean over samples, any split gives the same step."""
    sums = []

    def mean_loss(self, given):
        found = self._model(given.image, True, False)
        return found.logits[0].mean(), {
            "losses": torch.zeros(len(given.draws)),
            "features": torch.zeros(len(given.draws), 2),
        }

    real = Training._gradients

    def gradients(self, given):
        self.portion = Portion(parts, self.portion.patch)
        outcome = real(self, given)
        grads = [p.grad for p in self.network.parameters() if p.grad is not None]
        sums.append(sum(g.abs().sum().item() for g in grads))
        return outcome

    monkeypatch.setattr(Training, "_loss", mean_loss)
    monkeypatch.setattr(Training, "_gradients", gradients)
    for parts in (1, 2):
        run = run_of(world, batch=2, steps=1, learning_rate=1e-3 + parts * 1e-6)
        train_model(_item(world.ctx, run).payload)
    assert sums[0] == pytest.approx(sums[1], rel=1e-4)


@pytest.mark.parametrize(
    "begun", [("step",), ("step", "exp_avg"), ("step", "exp_avg", "exp_avg_sq")]
)
def test_memory_that_runs_short_in_the_optimiser_changes_no_weight(world, monkeypatch, begun):
    """As if it had run short before: what its first step has begun to keep is forgotten."""

    def weights_of(place):
        item = _item(world.ctx, run_of(world, batch=2, compute={"loaders": 1}))
        real, failed = getattr(*place), []

        def short(self, *given, **named):
            if not failed:
                failed.append(self)
                if isinstance(self, torch.optim.Optimizer):
                    weights = self.param_groups[0]["params"][:2]
                    for weight in weights:
                        made = {name: torch.zeros_like(weight) for name in begun}
                        self.state[weight].update(made, step=torch.tensor(0.0))
                raise torch.OutOfMemoryError("CUDA out of memory")
            return real(self, *given, **named)

        monkeypatch.setattr(*place, short)
        value = train_model(item.payload)
        monkeypatch.undo()
        assert value["parts"] == 2
        shutil.rmtree(item.payload["run"])
        return value["sha256"]

    assert weights_of((torch.optim.AdamW, "step")) == weights_of((Training, "_gradients"))


def test_memory_short_in_a_step_that_is_not_whole_waits_for_the_next_call(world, monkeypatch):
    """A scaler's optimiser may have changed some weights: only the checkpoint knows them."""
    item = _item(world.ctx, run_of(world, batch=2))
    monkeypatch.setattr(Training, "_scaler", property(lambda self: _Scaler()))
    real = torch.optim.AdamW.step

    def short(self, *given, **named):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.optim.AdamW, "step", short)
    with pytest.raises(TrainingError, match=r"same call goes on from the last checkpoint"):
        train_model(item.payload)
    monkeypatch.setattr(torch.optim.AdamW, "step", real)
    assert train_model(item.payload)["parts"] == 2


class _Scaler:
    """A scaler that scales nothing."""

    def get_scale(self):
        return 1.0

    def update(self, scale=None):
        assert scale is None or scale == 1.0

    def state_dict(self):
        return {}
