"""What of the launcher for SLURM needs no cluster: scripts, and what its tools' words mean."""

import os
import subprocess

import pytest

from voxcurate.errors import ClusterError, ConfigError, JobRefusedError
from voxcurate.executors.cluster import ClusterConfig, Needs, load_cluster
from voxcurate.executors.launchers import JobSpec, JobState, Launcher, make_launcher
from voxcurate.executors.launchers.slurm import SlurmLauncher
from voxcurate.executors.launchers.slurm_queue import Seen, UnsureError, tool
from voxcurate.executors.shards.judging import last_words


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Puts a tool that says something in the place of all others."""

    def make(name, text):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}/usr/bin:/bin")

    return make


def options(text):
    """sbatch's options in a script."""
    lines = [line[10:] for line in text.splitlines() if line.startswith("#SBATCH --")]
    return dict(line.partition("=")[::2] for line in lines)


def script(tmp_path, needs, *, n=1, **cluster):
    pytest.importorskip("submitit", reason="submitit is not installed")
    jobs = [JobSpec(tmp_path / f"s{k}", f"predict-{k}", needs) for k in range(n)]
    return SlurmLauncher(ClusterConfig(kind="slurm", **cluster)).script(jobs)


def test_it_is_found_by_the_clusters_kind():
    launcher = make_launcher(load_cluster("slurm"))
    assert isinstance(launcher, SlurmLauncher)
    assert isinstance(launcher, Launcher)


def test_needs_of_the_whole_job_are_shared_by_its_nodes(tmp_path):
    needs = Needs(cpus=15, gpus=3.5, memory_gb=9, nodes=2, minutes=90.5)
    found = options(script(tmp_path, needs, options={"gpu_type": "a100"}))
    assert found["nodes"] == "2"
    assert found["ntasks-per-node"] == "1"
    assert found["cpus-per-task"] == "8"
    assert found["gres"] == "gpu:a100:2"
    assert found["mem"] == "4608M"
    assert found["time"] == "91"
    assert found["job-name"] == "predict-0"
    assert "wckey" not in found


def test_options_are_sbatchs_and_a_stages_count_before_the_clusters(tmp_path):
    own = Needs(options={"partition": "gpu", "requeue": False, "gres": "shard:1"})
    given = {"partition": "cpu", "account": "lab", "exclusive": True, "mail_type": "END"}
    text = script(tmp_path, own, options=given)
    found = options(text)
    assert (found["partition"], found["account"], found["gres"]) == ("gpu", "lab", "shard:1")
    assert (found["exclusive"], found["no-requeue"], found["mail-type"]) == ("", "", "END")
    assert "requeue" not in found
    assert "CUDA_VISIBLE_DEVICES" not in text


@pytest.mark.parametrize(
    ("minutes", "signal"), [(60, "B:TERM@120"), (4, "B:TERM@90"), (2, "B:TERM@30"), (1, "B:CONT@1")]
)
def test_a_notice_never_comes_when_a_job_has_just_begun(tmp_path, minutes, signal):
    assert options(script(tmp_path, Needs(minutes=minutes))).get("signal") == signal


def test_the_script_becomes_the_job_with_its_surroundings(tmp_path):
    folder = tmp_path / "with space %j"
    folder.mkdir()
    says = 'import os, sys; print([os.environ["A"], os.environ["CUDA_VISIBLE_DEVICES"], *sys.argv])'
    job = JobSpec(folder, "a", Needs(), arguments=("-c", says, "it's", "b c"))
    pytest.importorskip("submitit", reason="submitit is not installed")
    config = ClusterConfig(kind="slurm", environment={"A": "$x 'y'"}, setup=("B=1", "export A=$B"))
    text = SlurmLauncher(config).script([job])
    done = subprocess.run(["bash"], input=text, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(["$x 'y'", "", "-c", "it's", "b c"])
    assert options(text)["output"] == f"'{folder}/job.1.log'".replace("%", "%%")


def test_each_task_of_an_array_has_its_own_command(tmp_path):
    text = script(tmp_path, Needs(), n=3, python="echo", options={"parallel": 2})
    assert options(text)["array"] == "0-2%2"
    assert options(text)["job-name"] == "predict"
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "2"}
    done = subprocess.run(["bash"], input=text, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == f"-m voxcurate.executors.shards.job {tmp_path}/s2 1"


@pytest.mark.parametrize("n", [1, 3])
def test_a_python_that_nodes_lack_is_told_where_the_driver_looks(tmp_path, n):
    text = script(tmp_path, Needs(), n=n, python="/no/python -q")
    for k in range(n):
        (tmp_path / f"s{k}").mkdir()
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": str(n - 1)}
    done = subprocess.run(["bash"], input=text, env=environment, capture_output=True, text=True)
    assert done.returncode == 127
    assert "no program /no/python on " in done.stderr
    signs = (tmp_path / f"s{n - 1}" / "beat.1.json").read_text()
    assert last_words(signs) == {"why": "refused", "kind": "python is not there"}


def test_a_variable_needs_a_name(tmp_path):
    with pytest.raises(ConfigError, match="name in `environment`, found 'A;B'"):
        script(tmp_path, Needs(), environment={"A;B": "1"})


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Unable to contact slurm controller (connect failure)", ClusterError),
        ("Slurm backup controller in standby mode", ClusterError),
        ("If munged is up, restart with --num-threads=10", ClusterError),
        ("QOSMaxSubmitJobPerUserLimit", ClusterError),
        ("Socket timed out on send/recv operation", UnsureError),
        ("Zero Bytes were transmitted or received", UnsureError),
        ("Requested node configuration is not available", JobRefusedError),
        ("Invalid account or account/partition combination specified", JobRefusedError),
        ("Requested time limit is invalid (missing or exceeds some limit)", JobRefusedError),
    ],
)
def test_a_refusal_is_told_from_a_scheduler_that_is_away(fake, said, error):
    fake("sbatch", f'echo "sbatch: error: {said}" >&2; exit 1')
    with pytest.raises(ClusterError, match="sbatch: ") as caught:
        tool(["sbatch"])
    assert type(caught.value) is error
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("word", "reason", "state", "never"),
    [
        ("PENDING", "Priority", JobState.WAITING, False),
        ("PENDING", "AssocGrpCpuLimit", JobState.WAITING, False),
        ("PENDING", "QOSMaxJobsPerUserLimit", JobState.WAITING, False),
        ("PENDING", "QOSMaxWallDurationPerJobLimit", JobState.WAITING, True),
        ("PENDING", "AssocMaxCpuPerJobLimit", JobState.WAITING, True),
        ("PENDING", "PartitionTimeLimit", JobState.WAITING, True),
        ("PENDING", "launch failed requeued held", JobState.LOST, False),
        ("REQUEUE_HOLD", "", JobState.WAITING, False),
        ("COMPLETING", "", JobState.RUNNING, False),
        ("OUT_OF_MEMORY", "", JobState.ENDED, False),
        ("NODE_FAIL", "", JobState.LOST, False),
        ("TIMEOUT", "TimeLimit", JobState.LOST, False),
        ("a later word", "", JobState.WAITING, False),
    ],
)
def test_what_slurms_words_mean(word, reason, state, never):
    seen = Seen(word, reason)
    assert (seen.state, seen.never) == (state, never)


def test_jobs_that_the_queue_has_forgotten_are_asked_of_the_accounting(fake):
    fake("squeue", 'echo "5_0|RUNNING|None|x"; echo "8|RUNNING|None|another"')
    fake("sacct", r'printf "5_1|COMPLETED\n5_2|CANCELLED by 0\n6|OUT_OF_MEMORY\n"')
    launcher = SlurmLauncher(ClusterConfig(kind="slurm"))
    running, ended, lost = JobState.RUNNING, JobState.ENDED, JobState.LOST
    want = {"5_0": running, "5_1": ended, "5_2": lost, "6": ended, "7": lost}
    assert launcher.states(list(want)) == want
    fake("sacct", 'echo "Slurm accounting storage is disabled" >&2; exit 1')
    assert launcher.states(["5_1"]) == {"5_1": lost}


def test_of_jobs_that_are_refused_in_part_none_is_left(fake, tmp_path):
    pytest.importorskip("submitit", reason="submitit is not installed")
    calls = tmp_path / "calls"
    fake("sbatch", f'grep -q "time=7" && exit 1; echo 5; echo submitted >> {calls}')
    fake("scancel", f'echo "scancel: error: connect failure" >&2; echo away >> {calls}; exit 1')
    launcher = SlurmLauncher(ClusterConfig(kind="slurm"))
    first, second = (JobSpec(tmp_path, "a", Needs(minutes=n)) for n in (60, 7))
    with pytest.raises(JobRefusedError, match="exit 1"):
        launcher.launch([first, second])
    mark = options(launcher.script([first]))["comment"]
    fake("squeue", f'echo "5|RUNNING|None|{mark}"; echo "6|RUNNING|None|another"')
    fake("scancel", f'echo "$@" >> {calls}')
    launcher.launch([first])
    assert calls.read_text().split("\n") == ["submitted", "away", "--quiet 5", "submitted", ""]


def test_without_slurm_it_says_what_is_wanted(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="submitit is not installed")
    launcher = SlurmLauncher(ClusterConfig(kind="slurm"))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(JobRefusedError, match="sbatch is not there"):
        launcher.launch([JobSpec(tmp_path, "a", Needs())])
