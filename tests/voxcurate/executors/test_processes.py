"""Jobs as processes: ids that outlive their driver, devices, sessions of their own."""

import os
import sys
import time

import pytest

from tests.voxcurate.executors.conformance import WORKERS, sharded
from tests.voxcurate.executors.test_local import alive, gone
from voxcurate.errors import JobRefusedError
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import JobSpec, JobState, Launcher, make_launcher
from voxcurate.executors.launchers.processes import (
    DEVICES,
    ProcessLauncher,
    machine,
    started,
)
from voxcurate.protocols import Task


def spec(folder, code, *, number=1, **needs):
    return JobSpec(folder, "a job", Needs(**needs), number, arguments=("-c", code))


def ended(launcher, ids):
    deadline = time.monotonic() + 30
    while set(launcher.states(ids).values()) != {JobState.ENDED}:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return True


def test_it_is_a_launcher_and_found_by_the_clusters_kind():
    launcher = make_launcher(ClusterConfig(kind="processes"))
    assert isinstance(launcher, ProcessLauncher)
    assert isinstance(launcher, Launcher)


def test_a_later_driver_asks_about_jobs_by_their_ids_and_cancels_them(tmp_path):
    first = ProcessLauncher(ClusterConfig())
    code = (
        "import subprocess, time; child = subprocess.Popen(['sleep', '600']);"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    task = spec(tmp_path, code)
    (job,) = first.launch([task])
    deadline = time.monotonic() + 30
    while not task.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pid = int(job.split(":")[0])
    assert os.getsid(pid) == pid
    later = ProcessLauncher(ClusterConfig())
    assert later.states([job]) == {job: JobState.RUNNING}
    later.cancel([job])
    first.states([job])
    assert gone([pid, int(task.log.read_text())])
    assert later.states([job]) == {job: JobState.ENDED}
    later.cancel([job])


@pytest.mark.parametrize("setup", [(), ("export MARK=1",)])
def test_a_container_may_be_put_before_python(tmp_path, setup):
    python = f"env 'WORDS=two words' {sys.executable}"
    launcher = ProcessLauncher(ClusterConfig(python=python, setup=setup))
    job = spec(tmp_path, "import os; print(os.environ['WORDS'])")
    assert ended(launcher, launcher.launch([job]))
    assert job.log.read_text() == "two words\n"


def test_another_process_with_the_same_number_is_not_the_job():
    me = os.getpid()
    launcher = ProcessLauncher(ClusterConfig())
    other = f"{me}:1::0:{machine()}"
    assert launcher.states([other, "rubbish"]) == {
        other: JobState.ENDED,
        "rubbish": JobState.LOST,
    }
    launcher.cancel([other])
    assert alive([me])


def test_a_job_of_another_machine_or_of_before_a_power_cut_is_lost():
    me = os.getpid()
    here = f"{me}:{started(me)}::0:{machine()}"
    launcher = ProcessLauncher(ClusterConfig())
    assert launcher.states([here, f"{here}1"]) == {
        here: JobState.RUNNING,
        f"{here}1": JobState.LOST,
    }
    launcher.cancel([f"{here}1"])
    assert alive([me])


def devices_of(launcher, folder, n, **needs):
    """The devices that `n` jobs see, one after the other; all of them still run."""
    code = f"import os, time; print(os.environ.get({DEVICES!r}), flush=True); time.sleep(600)"
    jobs = [spec(folder, code, number=k, **needs) for k in range(1, n + 1)]
    ids = launcher.launch(jobs)
    deadline = time.monotonic() + 30
    while not all(job.log.read_text() for job in jobs):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return ids, [job.log.read_text().strip() for job in jobs]


def test_devices_are_given_out_once_and_parts_of_them_are_shared(tmp_path):
    first = ProcessLauncher(ClusterConfig(), devices=("0", "3"))
    assert first.room(Needs(cpus=1, memory_gb=0.001, gpus=2)) == 1
    ids, seen = devices_of(first, tmp_path, 2, gpus=1)
    assert sorted(seen) == ["0", "3"]
    first.cancel(ids[:1])
    later = ProcessLauncher(ClusterConfig(), devices=("0", "3"))
    later.states(ids)
    (tmp_path / "b").mkdir()
    more, seen_later = devices_of(later, tmp_path / "b", 2, gpus=0.5)
    assert seen_later == [seen[0], seen[0]]
    first.cancel(ids)
    later.cancel(more)


def test_a_job_that_wants_no_device_sees_none(tmp_path):
    launcher = ProcessLauncher(ClusterConfig(), devices=("0",))
    ids, seen = devices_of(launcher, tmp_path, 1)
    assert seen == [""]
    launcher.cancel(ids)


def test_setup_and_environment_are_the_jobs(tmp_path):
    cluster = ClusterConfig(setup=("export A=1",), environment={"B": "2"})
    launcher = ProcessLauncher(cluster)
    job = spec(tmp_path, "import os; print(os.environ['A'] + os.environ['B'])")
    ids = launcher.launch([job])
    assert ended(launcher, ids)
    assert job.log.read_text() == "12\n"


def test_a_python_that_is_not_there_is_refused_at_once_after_a_setup_too(tmp_path):
    cluster = ClusterConfig(python="/no/such/python", setup=("true",), poll_s=0.1)
    executor = sharded(ProcessLauncher(cluster), tmp_path, cluster=cluster)
    with pytest.raises(JobRefusedError, match=r"no python on their node.* cluster/stage/.*\.log"):
        list(executor.run(f"{WORKERS}:echo", [Task("a", 1)]))
    (log,) = tmp_path.glob("cluster/stage/*/job.1.log")
    assert log.read_text().startswith("no program /no/such/python on ")


def test_variables_of_the_shell_may_name_python(tmp_path, monkeypatch):
    monkeypatch.setenv("MINE", sys.executable)
    for number, setup in enumerate([(), ("true",)], 1):
        launcher = ProcessLauncher(ClusterConfig(python="$MINE", setup=setup))
        job = spec(tmp_path, "print('here')", number=number)
        assert ended(launcher, launcher.launch([job]))
        assert job.log.read_text() == "here\n"


def test_what_cannot_be_started_is_told(tmp_path):
    launcher = ProcessLauncher(ClusterConfig(python=str(tmp_path / "none")))
    with pytest.raises(JobRefusedError, match="no process can be started: No such file"):
        launcher.launch([spec(tmp_path, "pass")])
