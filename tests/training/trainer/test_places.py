"""Processes on several machines: which is which, and that none outlives who started it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from training.config import ComputeConfig
from training.trainer.lifeline import held, hold_on
from training.trainer.places import find_place, meeting_point, srun, without_places
from voxcurate.errors import TrainingError

JOB = {"SLURM_JOB_ID": "77", "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_PER_TASK": "12"}
TASK = {
    "SLURM_JOB_ID": "77",
    "SLURM_STEP_ID": "1",
    "SLURM_STEP_NODELIST": "gpu[03-04],big1",
    "SLURM_PROCID": "5",
    "SLURM_NTASKS": "8",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}


def test_the_share_of_a_node_is_divided_among_its_processes():
    command = srun(ComputeConfig(nodes=2, devices=4), ["-m", "x"], JOB)
    assert command[0] == "srun"
    assert {"--nodes=2", "--ntasks=8", "--ntasks-per-node=4", "--cpus-per-task=3"} <= {*command}
    assert command[-3:] == [sys.executable, "-m", "x"]


def test_a_job_must_be_there_and_large_enough():
    with pytest.raises(TrainingError, match="want a SLURM job"):
        srun(ComputeConfig(nodes=2), [], {})
    with pytest.raises(TrainingError, match="4 nodes are configured, but the SLURM job has 2"):
        srun(ComputeConfig(nodes=4), [], JOB)


def test_places_are_made_of_slurms_variables():
    task = {**TASK, "MASTER_ADDR": "a", "MASTER_PORT": "1"}
    assert find_place(task) == 5
    found = [task[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "GROUP_RANK")]
    assert found == ["5", "8", "1", "1"]
    assert (task["MASTER_ADDR"], task["MASTER_PORT"]) == ("a", "1")


def test_without_a_meeting_point_it_is_the_first_node_on_a_port_of_the_step():
    one, same, later = {**TASK}, {**TASK, "SLURM_PROCID": "0"}, {**TASK, "SLURM_STEP_ID": "2"}
    assert [find_place(task) for task in (one, same, later)] == [5, 0, 5]
    assert one["MASTER_ADDR"] == same["MASTER_ADDR"] == "gpu03"
    assert one["MASTER_PORT"] == same["MASTER_PORT"] != later["MASTER_PORT"]


def test_what_torchrun_says_counts_before_slurm():
    task = {**TASK, "RANK": "3", "WORLD_SIZE": "4"}
    assert find_place(task) == 3
    assert task["WORLD_SIZE"] == "4"
    assert find_place({}) == 0


def test_the_meeting_point_is_here_in_a_jobs_script_only():
    assert {*meeting_point({"SLURM_NODEID": "0"})} == {"MASTER_ADDR", "MASTER_PORT"}
    assert meeting_point({"SLURM_NODEID": "1"}) == {}


def test_places_of_another_training_are_not_handed_on():
    around = {"RANK": "1", "MASTER_PORT": "2", "LOCAL_WORLD_SIZE": "3", "SLURM_JOB_ID": "4"}
    assert without_places(around) == {"SLURM_JOB_ID": "4"}


HOLDER = """
import sys, time
from training.trainer.lifeline import held
with held() as port:
    sys.stdout.write(f"{port}\\n")
    sys.stdout.flush()
    time.sleep(60)
"""
RANK = """
import sys, time
from training.trainer.lifeline import hold_on
hold_on(f"127.0.0.1:{sys.argv[1]}")
sys.stdout.write("held\\n")
sys.stdout.flush()
time.sleep(60)
"""


def started(code, *words):
    return subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True)


def test_ranks_end_with_who_holds_them_even_when_that_is_killed():
    with started(HOLDER) as holder:
        port = holder.stdout.readline().strip()
        with started(RANK, port) as first, started(RANK, port) as second:
            assert [each.stdout.readline() for each in (first, second)] == ["held\n"] * 2
            first.kill()
            first.wait()
            time.sleep(0.2)
            assert second.poll() is None  # of its fellows it hears through torch
            os.kill(holder.pid, signal.SIGKILL)
            assert second.wait(30) == 1
        with started(RANK, port) as late:
            assert late.wait(30) == 1


def test_ranks_end_when_the_launcher_has_ended():
    with held() as port:
        rank = started(RANK, str(port))
        assert rank.stdout.readline() == "held\n"
    with rank:
        assert rank.wait(30) == 1
    with pytest.raises(TrainingError, match="does not answer"):
        hold_on(f"127.0.0.1:{port}")
