"""Killed for good at any moment, a run goes on and ends as if nothing had been."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from tests.training.conftest import build
from tests.training.trainer.test_loop import logged, run_of
from training.rounds.runs import _item
from training.trainer import checkpoints, loop
from training.trainer.checkpoints import BEFORE, NAME, read_checkpoint, write_checkpoint
from training.trainer.loop import Training, TrainingPausedError
from training.trainer.work import train_model
from voxcurate.errors import TrainingError

STEPS = 9
SETTINGS = {"steps": STEPS, "checkpoint_every": 3, "prefetch": 2}


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def before_step(at):
    real = Training._one_step

    def step(self):
        if self.step == at:
            die()
        return real(self)

    Training._one_step = step


def before_update(at):
    real = Training._follow

    def follow(self):
        if self.step == at:
            die()
        real(self)

    Training._follow = follow


def while_writing(at):
    def torn(state, stream):
        if state["step"] == at:
            stream.write(b"PK half a file")
            stream.flush()
            die()
        save(state, stream)

    save = torch.save
    checkpoints.torch.save = torn


def before_renaming(at):
    real = Path.replace

    def replace(self, target):
        if Path(target).name == NAME and loop_step() == at:
            die()
        return real(self, target)

    Path.replace = replace


def after_saving(at):
    real = loop.write_checkpoint

    def write(folder, state):
        real(folder, state)
        if state["step"] == at:
            die()

    loop.write_checkpoint = write


RUNNING: list[loop.Training] = []


def loop_step():
    return RUNNING[0].step if RUNNING else -1


MOMENTS = (
    (before_step, 1),
    (before_step, 4),
    (before_update, 5),
    (while_writing, 6),
    (before_renaming, 6),
    (after_saving, 6),
    (before_update, 8),
    (while_writing, 9),
)


def train(payload, moment, report):
    """In a process of its own."""
    torch.set_num_threads(1)
    start = Training.run

    def run(self, *args):
        RUNNING.append(self)
        return start(self, *args)

    Training.run = run
    if moment is not None:
        moment[0](moment[1])
    value = train_model(payload)
    Path(report).write_text(json.dumps(value))


def in_process(payload, moment, report):
    child = multiprocessing.get_context("fork").Process(
        target=train, args=(payload, moment, report)
    )
    child.start()
    child.join()
    return child.exitcode


@pytest.mark.slow
def test_killed_at_any_moment_gives_the_same_weights_and_losses(tmp_path):
    """Eight kills, one after the other, of one run; in steps, between them and while saving."""
    torch.set_num_threads(1)
    whole, other = build(tmp_path / "a"), build(tmp_path / "b")
    for world in (whole, other):
        world.ctx.catalog.close()
    undisturbed = _item(whole.ctx, run_of(whole, **SETTINGS))
    report = tmp_path / "report.json"
    assert in_process(undisturbed.payload, None, report) == 0
    expected = json.loads(report.read_text())
    killed = _item(other.ctx, run_of(other, **SETTINGS))
    report.unlink()
    for moment in MOMENTS:
        assert in_process(killed.payload, moment, report) == -signal.SIGKILL, moment
        assert not report.exists()
    assert in_process(killed.payload, None, report) == 0
    found = json.loads(report.read_text())
    assert found["sha256"] == expected["sha256"]
    told = ("step", "loss", "dice", "lr", "phase")
    lines, wanted = logged(killed), logged(undisturbed)
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert [[x[k] for k in told] for x in lines] == [[x[k] for k in told] for x in wanted]


def state(step):
    return {"identity": {"seed": "a"}, "step": step, "weights": torch.arange(1000.0) + step}


def test_a_torn_checkpoint_gives_way_to_the_one_before(tmp_path, caplog):
    for step in (1, 2):
        write_checkpoint(tmp_path, state(step))
    whole = (tmp_path / NAME).read_bytes()
    for torn in (whole[: len(whole) // 2], b"", whole[:1500] + b"\xff" + whole[1501:]):
        (tmp_path / NAME).write_bytes(torn)
        assert read_checkpoint(tmp_path, {"seed": "a"})["step"] == 1
    assert "unreadable checkpoint" in caplog.text
    (tmp_path / BEFORE).write_bytes(b"torn too")
    assert read_checkpoint(tmp_path, {"seed": "a"}) is None


def test_writing_leaves_nothing_beside(tmp_path):
    (tmp_path / f".{NAME}.123.tmp").write_bytes(b"of a killed process")
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, state(step))
    assert {path.name for path in tmp_path.iterdir()} == {NAME, BEFORE}
    assert read_checkpoint(tmp_path, {"seed": "a"})["step"] == 3


def test_a_full_disk_is_told_and_the_last_checkpoint_stays(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, state(1))

    def full(_, stream):
        stream.write(b"PK half a file")
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"of step 2 \(No space left on device\)") as caught:
        write_checkpoint(tmp_path, state(2))
    assert str(tmp_path) not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert read_checkpoint(tmp_path, {"seed": "a"})["step"] == 1


def test_a_case_that_breaks_between_two_starts_is_told(world):
    """The draws of a checkpoint mean cases by their place."""
    compute = {"time_budget_s": 1e-6}
    item = _item(world.ctx, run_of(world, steps=3, compute=compute))
    with pytest.raises(TrainingPausedError):
        train_model(item.payload)
    shutil.rmtree(item.payload["cache"] + "/images")
    world.ctx.workspace.scan_path("phantom_0").write_bytes(b"no image")
    with pytest.raises(TrainingError, match="other usable cases"):
        train_model(item.payload)


def test_a_checkpoint_of_another_run_is_refused_by_name(tmp_path):
    write_checkpoint(tmp_path, state(1))
    with pytest.raises(TrainingError, match="other seed"):
        read_checkpoint(tmp_path, {"seed": "b"})


def test_another_configuration_in_the_same_folder_is_refused(world):
    item = _item(world.ctx, run_of(world, steps=4, checkpoint_every=2))
    train_model(item.payload)
    other = _item(world.ctx, run_of(world, steps=4, checkpoint_every=2, learning_rate=0.5))
    with pytest.raises(TrainingError, match="other training"):
        train_model({**other.payload, "run": item.payload["run"]})


def test_time_budget_interrupts_and_the_same_call_goes_on(tmp_path):
    whole, other = build(tmp_path / "a"), build(tmp_path / "b")
    undisturbed = train_model(_item(whole.ctx, run_of(whole, steps=5)).payload)
    limited = run_of(other, steps=5, compute={"time_budget_s": 1e-6})
    item = _item(other.ctx, limited)
    for step in range(1, 5):
        with pytest.raises(TrainingPausedError, match=f"step {step} of 5"):
            train_model(item.payload)
    assert train_model(item.payload)["sha256"] == undisturbed["sha256"]
    whole.ctx.catalog.close()
    other.ctx.catalog.close()
