"""The loop: rate, killed and resumed, losses that are no numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.conftest import CLASSES, build, flagship_config, tiny
from training.data.cases import CacheError
from training.mix.schedule import Plan, plan_of
from training.rounds import flagship
from training.rounds.cases import case_specs, current_labels
from training.rounds.models import of_round
from training.rounds.payload import Run
from training.rounds.runs import _item
from training.trainer.loop import Training
from training.trainer.rates import rate
from training.trainer.work import train_model
from voxcurate.errors import TrainingError


def run_of(world, **changes):
    labels = current_labels(world.ctx, 0)
    cases = case_specs(world.ctx, world.ctx.scans("train"), labels, CLASSES)
    training = tiny(**changes)
    return Run("m", "flagship", "unet_small", CLASSES, training, training.steps, cases)


def logged(item):
    return [json.loads(line) for line in Path(item.payload["log"]).read_text().splitlines()]


def test_rate_warms_up_and_ends_at_zero():
    config = tiny(steps=100, warmup=0.1)
    rates = [rate(step, Plan(100, 100), config) for step in range(100)]
    assert rates[0] == pytest.approx(config.learning_rate / 10)
    assert max(rates) == pytest.approx(config.learning_rate)
    assert rates[-1] < 0.01 * config.learning_rate
    assert np.argmax(rates) in (9, 10)


def test_annealing_goes_on_where_the_mix_ends():
    config = tiny(steps=100, warmup=0.1)
    plan = Plan(100, 80, (4,))
    rates = [rate(step, plan, config) for step in range(100)]
    assert rates[79] == pytest.approx(rates[80], rel=0.02)
    assert np.all(np.diff(rates[80:]) < 0)
    assert rates[99] == pytest.approx(config.learning_rate / 3 / 20)


def test_without_gold_there_is_one_phase():
    assert plan_of(100, tiny(), []) == Plan(100, 100)
    assert plan_of(100, tiny(), [3]) == Plan(100, 50, (3,))


class _KilledError(BaseException):
    """Stands for kill -9: nothing may catch it."""


def test_killed_and_resumed_gives_the_same_weights(tmp_path, monkeypatch):
    whole = build(tmp_path / "a")
    item = _item(whole.ctx, run_of(whole, steps=7, checkpoint_every=3))
    undisturbed = train_model(item.payload)
    other = build(tmp_path / "b")
    item = _item(other.ctx, run_of(other, steps=7, checkpoint_every=3))
    real = Training._one_step

    def dying(self):
        if self.step == 5:
            raise _KilledError
        return real(self)

    monkeypatch.setattr(Training, "_one_step", dying)
    with pytest.raises(_KilledError):
        train_model(item.payload)
    monkeypatch.undo()
    resumed = train_model(item.payload)
    assert resumed["sha256"] == undisturbed["sha256"]
    assert resumed["loss"] == undisturbed["loss"]
    steps = [line["step"] for line in logged(item)]
    assert steps == list(range(1, 8))
    whole.ctx.catalog.close()
    other.ctx.catalog.close()


def test_broken_checkpoint_starts_anew(world, caplog):
    item = _item(world.ctx, run_of(world))
    folder = world.ctx.workspace.root / "cache" / "training" / "runs" / item.payload["run_id"]
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"torn")
    assert train_model(item.payload)["steps"] == 4
    assert "unreadable checkpoint" in caplog.text


def test_loss_that_is_no_number_stops_with_a_reason(world, monkeypatch):
    item = _item(world.ctx, run_of(world, steps=10, max_bad_steps=2))
    real = Training._loss

    def never(self, batch):
        loss, details = real(self, batch)
        return loss * float("nan"), details

    monkeypatch.setattr(Training, "_loss", never)
    with pytest.raises(TrainingError, match=r"no number in 3 steps \(3 in a row\).*phantom_"):
        train_model(item.payload)


def test_one_bad_step_is_skipped(world, monkeypatch):
    item = _item(world.ctx, run_of(world))
    real = Training._loss

    def sometimes(self, batch):
        loss, details = real(self, batch)
        return (loss * float("nan"), details) if self.step == 1 else (loss, details)

    monkeypatch.setattr(Training, "_loss", sometimes)
    assert train_model(item.payload)["bad_steps"] == 1


@pytest.mark.slow
def test_it_learns(tmp_path):
    """Eighty steps on two phantoms: the loss falls clearly."""
    world = build(tmp_path, ("train", "train", "test"))
    item = _item(world.ctx, run_of(world, steps=80, learning_rate=1e-2))
    train_model(item.payload)
    losses = [line["loss"] for line in logged(item)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    world.ctx.catalog.close()


def test_warm_start_moves_heads_with_their_class(world):
    flagship.run(world.ctx, flagship_config())
    fewer = world.of_round(2, classes=("mandible", "parotid_left"))
    config = flagship_config().model_copy(update={"keep_classes": False})
    result = flagship.run(fewer, config)
    assert not result.failed
    assert of_round(fewer, "flagship")[0].classes == ["mandible", "parotid_left"]


def test_weights_are_not_poisoned_by_a_bad_gradient(world, monkeypatch):
    """The loss is fine, its gradient is not: the step is skipped."""
    item = _item(world.ctx, run_of(world, steps=3, compute={"loaders": 1}))
    real = Training._loss

    def sometimes(self, batch):
        loss, details = real(self, batch)
        if self.step == 1:
            loss = loss + (loss.detach() - loss).abs().sqrt() * 0  # 0 with a NaN gradient
        return loss, details

    monkeypatch.setattr(Training, "_loss", sometimes)
    value = train_model(item.payload)
    assert value["bad_steps"] == 1
    assert value["bad_cases"]
    assert np.isfinite(value["loss"])
    (event,) = [line for line in logged(item) if line.get("event")]
    assert (event["step"], event["event"]) == (2, "bad_step")


def test_bad_steps_in_all_are_limited_too(world, monkeypatch):
    item = _item(world.ctx, run_of(world, steps=12, max_bad_steps=5, max_bad_total=2))
    real = Training._loss

    def every_other(self, batch):
        loss, details = real(self, batch)
        return loss * (float("nan") if self.step % 2 else 1.0), details

    monkeypatch.setattr(Training, "_loss", every_other)
    with pytest.raises(TrainingError, match=r"no number in 3 steps \(1 in a row\)"):
        train_model(item.payload)


def test_poly_falls_slower_than_a_cosine_at_the_end():
    plan, warm = Plan(100, 100), 0.01
    poly = [rate(s, plan, tiny(warmup=warm, schedule="poly")) for s in range(100)]
    cosine = [rate(s, plan, tiny(warmup=warm)) for s in range(100)]
    assert np.all(np.diff(poly[1:]) < 0)
    assert poly[90] > cosine[90]
    assert poly[50] == pytest.approx(1e-3 * (1 - 49 / 99) ** 0.9)


def test_broken_cases_are_left_out_on_record_and_the_rest_trains(world):
    world.ctx.workspace.scan_path("phantom_0").write_bytes(b"no image")
    result = flagship.run(world.ctx, flagship_config())
    assert list(result.failed) == ["flagship/phantom_0"]
    (model,) = of_round(world.ctx, "flagship")
    assert model.training_cases == ["phantom_1", "phantom_2", "phantom_3"]
    again = flagship.run(world.ctx, flagship_config())
    assert again.counts["trained"] == 0
    assert list(again.failed) == ["flagship/phantom_0"]


def test_no_case_that_can_be_used_is_an_error(world):
    for n in range(4):
        world.ctx.workspace.scan_path(f"phantom_{n}").write_bytes(b"no image")
    with pytest.raises(TrainingError, match=r"no labelled case can be used: phantom_0: ct"):
        train_model(_item(world.ctx, run_of(world)).payload)


def test_a_full_disk_ends_the_run_and_is_no_broken_case(world, monkeypatch):
    item, real = _item(world.ctx, run_of(world)), np.save

    def full(path, array):
        if array.dtype == np.int16:
            raise OSError(28, "No space left on device")
        real(path, array)

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(CacheError):
        train_model(item.payload)


def test_the_log_is_json_where_the_last_loss_is_no_number(world, monkeypatch):
    item = _item(world.ctx, run_of(world))
    real = Training._loss

    def last(self, batch):
        loss, details = real(self, batch)
        return (loss * float("nan"), details) if self.step == 3 else (loss, details)

    monkeypatch.setattr(Training, "_loss", last)
    value = train_model(item.payload)
    assert "NaN" not in Path(item.payload["log"]).read_text()
    lines = [line for line in logged(item) if "loss" in line]
    assert [line["loss"] is None for line in lines] == [False, False, False, True]
    assert value["loss"] == lines[2]["loss"]


def test_a_class_that_no_patch_has_shown_is_told(world, monkeypatch):
    real = Training._loss

    def blind(self, batch):
        loss, details = real(self, batch)
        return loss, {**details, "seen": torch.zeros(3, dtype=torch.bool)}

    monkeypatch.setattr(Training, "_loss", blind)
    assert train_model(_item(world.ctx, run_of(world)).payload)["unseen_classes"] == list(CLASSES)
