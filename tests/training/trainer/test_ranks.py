"""Several processes: the same weights in all, the batch shared, one that writes."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.conftest import build, tiny
from tests.training.trainer.test_loop import run_of
from training.mix.sampling import Draw
from training.rounds.runs import _item
from training.trainer.devices import make_fabric, pick_precision
from training.trainer.outputs import Outcome, outcome_of_all
from training.trainer.ranks import train_in_ranks
from training.trainer.work import train_model
from voxcurate.errors import TrainingError

TWO = {"compute": {"devices": 2}, "device": "cpu", "batch": 2, "steps": 3}

SPY = """
import os, sys
from pathlib import Path
import torch
from training.trainer import ranks
from training.trainer.loop import Training

stepwise = Training.stepwise

def watched(self):
    yield from stepwise(self)
    rank = self.fabric.global_rank
    told = {"network": self.network.state_dict(), "own": list(self._own),
            "dice": torch.tensor(self.sampler.dice)}
    torch.save(told, Path(sys.argv[3]) / f"rank{rank}.pt")

Training.stepwise = watched

first = Training._gradients

def short(self, batch):
    if self.portion.parts == 1 and os.environ.get("SHORT") and self.fabric.global_rank == 1:
        raise torch.OutOfMemoryError
    return first(self, batch)

Training._gradients = short
sys.exit(ranks.main(*sys.argv[1:3]))
"""


def launched(folder):
    """A launcher that starts two processes which tell how they ended."""
    (folder / "spy.py").write_text(SPY)
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    return (
        *torchrun, "--nproc-per-node", "2", str(folder / "spy.py"),
        "{payload}", "{result}", str(folder),
    )  # fmt: skip


@pytest.mark.slow
def test_two_processes_end_with_the_same_weights(tmp_path):
    world = build(tmp_path)
    compute = {"devices": 2, "launcher": launched(tmp_path)}
    item = _item(world.ctx, run_of(world, **{**TWO, "compute": compute}))
    value = train_model(item.payload)
    first, second = (torch.load(tmp_path / f"rank{n}.pt") for n in range(2))
    assert (first["own"], second["own"]) == ([0], [1])
    assert torch.equal(first["dice"], second["dice"])
    assert all(torch.equal(v, second["network"][k]) for k, v in first["network"].items())
    lines = Path(item.payload["log"]).read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]
    assert len(list(Path(item.payload["scratch"]).glob("bundle_*"))) == 1
    assert value["steps"] == 3
    world.ctx.catalog.close()


@pytest.mark.slow
def test_memory_short_in_one_process_makes_all_take_less(tmp_path, monkeypatch):
    monkeypatch.setenv("SHORT", "1")
    world = build(tmp_path)
    compute = {"devices": 2, "launcher": launched(tmp_path)}
    settings = {**TWO, "compute": compute, "batch": 4, "steps": 2}
    value = train_model(_item(world.ctx, run_of(world, **settings)).payload)
    assert value["parts"] == 2
    world.ctx.catalog.close()


def test_an_error_in_a_process_is_told(world):
    settings = {**TWO, "compute": {"devices": 2, "launcher": ("false",)}}
    item = _item(world.ctx, run_of(world, **settings))
    with pytest.raises(TrainingError, match="processes of the training died"):
        train_in_ranks(item.payload, tiny(**settings))


def test_several_nodes_need_a_launcher(world):
    config = tiny(compute={"nodes": 2})
    with pytest.raises(TrainingError, match="launcher"):
        train_in_ranks(_item(world.ctx, run_of(world)).payload, config)


def test_the_outcome_of_all_has_the_samples_in_the_order_of_the_batch():
    def part(rank):
        draws = [Draw("labelled", n, (0.0, 0.0, 0.0), -1) for n in range(rank, 4, 2)]
        seen = np.array([True, rank == 1, False])
        values = np.array([float(d.case) for d in draws])
        dice = np.array([0.2 + 0.4 * rank, 0.5, 0.9])
        return Outcome(rank, 3.0, draws, dice, seen, values, values[:, None])

    whole = outcome_of_all([part(0), part(1)])
    assert [d.case for d in whole.draws] == [0, 1, 2, 3]
    assert whole.losses.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(whole.dice, [0.4, 0.5, 0])
    assert whole.seen.tolist() == [True, True, False]
    assert (whole.loss, whole.norm) == (0.5, 3.0)


def test_alone_a_run_ignores_the_job_around_it(monkeypatch):
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "x", "WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    assert make_fabric(tiny(device="cpu")).world_size == 1


def test_precision():
    cpu = torch.device("cpu")
    assert [pick_precision(p, cpu) for p in ("auto", "fp32", "bf16")] == ["fp32", "fp32", "bf16"]
    with pytest.raises(TrainingError, match="fp16 needs a GPU"):
        pick_precision("fp16", cpu)


def test_bf16_trains(world):
    run = run_of(world, precision="bf16", device="cpu", steps=2)
    assert np.isfinite(train_model(_item(world.ctx, run).payload)["loss"])
