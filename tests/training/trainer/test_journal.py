"""What a run tells, and that its switches do what they say."""

import json
import sys

import pytest
import torch

from tests.training.conftest import tiny
from tests.training.trainer.test_loop import run_of
from training.rounds.runs import _item
from training.trainer.devices import settled
from training.trainer.journal import Journal, last_facts
from training.trainer.loop import Training
from training.trainer.work import train_model
from voxcurate import progress


def scalars(folder):
    """Steps and values by name, as TensorBoard reads them."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = events.EventAccumulator(str(folder))
    found.Reload()
    return {
        name: [(e.step, e.value) for e in found.Scalars(name)] for name in found.Tags()["scalars"]
    }


def test_tensorboard_shows_what_the_log_says(world):
    item = _item(world.ctx, run_of(world, steps=3, compute={"tensorboard": True}))
    train_model(item.payload)
    log = world.ctx.workspace.root / item.payload["log"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    found = scalars(log.with_suffix(""))
    assert found["loss"] == [(x["step"], pytest.approx(x["loss"], rel=1e-6)) for x in lines]
    assert [step for step, _ in found["lr"]] == [1, 2, 3]
    assert "phase" not in found


def test_steps_that_come_again_are_in_tensorboard_once(tmp_path):
    """Killed after step 4, gone on after step 2."""
    for after, steps in ((0, (1, 2, 3, 4)), (2, (3, 4, 5))):
        journal = Journal(tmp_path / "m.jsonl", 5, tensorboard=True, quiet=True)
        journal.start(after)
        for step in steps:
            journal.write({"step": step, "loss": float(10 * after + step)})
        journal.close()
    assert scalars(tmp_path / "m")["loss"] == [(1, 1), (2, 2), (3, 23), (4, 24), (5, 25)]
    lines = (tmp_path / "m.jsonl").read_text().splitlines()
    assert [json.loads(line)["loss"] for line in lines] == [1, 2, 23, 24, 25]


def test_without_tensorboard_the_log_alone_is_written(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    journal = Journal(tmp_path / "m.jsonl", 1, tensorboard=True, quiet=True)
    journal.start(0)
    journal.write({"step": 1, "loss": 0.5})
    journal.close()
    assert last_facts(tmp_path / "m.jsonl")["loss"] == 0.5
    assert "pip install tensorboard" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["m.jsonl"]


def test_a_process_that_is_not_the_first_says_nothing(tmp_path, capsys):
    journal = Journal(tmp_path / "m.jsonl", 1, tensorboard=True, active=False)
    journal.start(0)
    journal.write({"step": 1, "loss": 0.5})
    journal.advance("loss 0.5")
    journal.close()
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""


def test_a_torn_line_and_those_after_the_checkpoint_go(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 1, "loss": 1}\n{"step": 2, "loss": 2}\n{"step": 3, "lo')
    Journal(path, 5, quiet=True).start(1)
    assert path.read_text() == '{"step": 1, "loss": 1}\n'


def test_progress_tells_step_loss_and_what_is_left(world, monkeypatch, capsys):
    monkeypatch.setattr(progress, "INTERVAL_S", 0.0)
    item = _item(world.ctx, run_of(world, steps=3))
    train_model({**item.payload, "quiet": False})
    lines = [line for line in capsys.readouterr().err.splitlines() if "train m" in line]
    assert lines[0].startswith("  train m: 1/3, about ")
    assert "(loss " in lines[0]
    assert lines[-1].startswith("  train m: 3/3 in ")
    train_model({**item.payload, "run": item.payload["run"] + "b"})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("exact", [True, False])
def test_deterministic_holds_while_a_run_goes_on_and_no_longer(world, monkeypatch, exact):
    """Torch's switches in a step and after the run; on a CPU both ways are exact."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    seen, real = [], Training._one_step

    def spy(self):
        seen.append(switches())
        return real(self)

    monkeypatch.setattr(Training, "_one_step", spy)
    before = switches()
    train_model(_item(world.ctx, run_of(world, steps=1, compute={"deterministic": exact})).payload)
    assert seen == [(exact, exact, not exact)]
    assert switches() == before


def test_switches_are_put_back_after_an_error():
    before = switches()
    exact = settled(tiny(compute={"deterministic": True}), torch.device("cpu"))
    exact.__enter__()
    assert switches() != before
    assert not exact.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert switches() == before


def switches():
    cudnn = torch.backends.cudnn
    return torch.are_deterministic_algorithms_enabled(), cudnn.deterministic, cudnn.benchmark
