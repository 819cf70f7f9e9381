"""The SLURM launcher against a real cluster: what happens to jobs, and what is said of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.conftest import until
from voxcurate.errors import ClusterError, JobRefusedError
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import JobSpec, JobState, Launcher
from voxcurate.executors.launchers.slurm import SlurmLauncher

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(400)]
SMALL = Needs(cpus=1, memory_gb=0.1, minutes=10)
SAYS = """
import json, os, signal, sys, time
from pathlib import Path
told = Path(sys.argv[1]) / "told"

def tell(word):
    with told.open("a") as stream:
        stream.write(json.dumps({"word": word, "pid": os.getpid(), **os.environ}) + "\\n")

signal.signal(signal.SIGTERM, lambda *_: (tell("notice"), sys.exit(0)))
tell("start")
if sys.argv[2] != "stay":
    sys.exit(int(sys.argv[2]))
time.sleep(600)
"""


@pytest.fixture
def launcher(slurm):
    return SlurmLauncher(ClusterConfig(name="test", kind="slurm"))


@pytest.fixture
def spec(tmp_path):
    """Makes a job that tells when it starts and when it hears a notice."""

    def make(does="stay", needs=SMALL, name="a", **changes):
        folder = tmp_path / "stage" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "says.py").write_text(SAYS)
        arguments = (str(folder / "says.py"), str(folder), does)
        return JobSpec(folder, f"test-{name}", needs, arguments=arguments, **changes)

    return make


def told(job):
    """What a job told so far."""
    path = job.folder / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def words(job):
    return [one["word"] for one in told(job)]


def started(job, times=1):
    until(lambda: words(job).count("start") == times, f"start {times} of {job.name}")


def started_again(slurm, name, job):
    """Wait for a requeued job; SLURM itself lets two minutes pass."""

    state = ("squeue", "-h", "-r", "-t", "all", "-j", name, "-o", "%T")
    until(lambda: slurm.ask(*state) == "PENDING" and slurm.change(name, "StartTime=now+3"))
    started(job, 2)


def becomes(launcher, name, state):
    until(lambda: launcher.states([name])[name] == state, f"{name} to be {state}")


def test_is_a_launcher(launcher):
    assert isinstance(launcher, Launcher)
    assert launcher.launch([]) == []
    assert launcher.states([]) == {}
    launcher.cancel([])


def test_jobs_with_the_same_needs_are_one_array_each_with_its_own_folder(slurm, spec):
    config = ClusterConfig(
        kind="slurm",
        setup=("echo of the setup",),
        environment={"SAID": "it's 5 %j"},
        options={"parallel": 1},
    )
    launcher = SlurmLauncher(config)
    gpu = Needs(cpus=1, memory_gb=0.1, minutes=10, gpus=1.5)
    names = ["with space %j", "it's", "plain"]
    jobs = [spec("0", name=name) for name in names] + [spec("0", name="gpu", needs=gpu)]
    ids = launcher.launch(jobs)
    assert [name.partition("_")[2] for name in ids] == ["0", "1", "2", ""]
    for name in ids:
        becomes(launcher, name, JobState.ENDED)
    assert [words(job) for job in jobs] == [["start"]] * 4
    assert all(told(job)[0]["SAID"] == "it's 5 %j" for job in jobs)
    assert all(job.log.read_text() == "of the setup\n" for job in jobs)
    seen = [told(job)[0]["CUDA_VISIBLE_DEVICES"] for job in jobs]
    assert (seen[:3], len(seen[3].split(","))) == ([""] * 3, 2)
    shown = slurm.ask("scontrol", "show", "job", ids[0])
    assert "ArrayTaskThrottle=1" in shown
    assert "JobName=test\n" in shown


def test_a_cancelled_job_hears_of_it_and_is_lost(launcher, spec):
    job = spec()
    (name,) = launcher.launch([job])
    started(job)
    assert launcher.states([name, "987654"]) == {name: JobState.RUNNING, "987654": JobState.LOST}
    launcher.cancel([name, "987654"])
    becomes(launcher, name, JobState.LOST)
    assert words(job) == ["start", "notice"]
    assert "CANCELLED" in job.log.read_text()
    launcher.cancel([name])


def test_a_job_that_dies_has_ended(launcher, spec):
    jobs = [spec(name="killed"), spec("3", name="failed")]
    ids = launcher.launch(jobs)
    started(jobs[0])
    os.kill(told(jobs[0])[0]["pid"], signal.SIGKILL)
    for name in ids:
        becomes(launcher, name, JobState.ENDED)


def test_a_requeued_job_waits_and_starts_again_under_its_id(slurm, launcher, spec):
    job = spec()
    (name,) = launcher.launch([job])
    started(job)
    assert slurm.ask("scontrol", "requeue", name) is not None
    becomes(launcher, name, JobState.WAITING)
    started_again(slurm, name, job)
    becomes(launcher, name, JobState.RUNNING)
    assert words(job) == ["start", "notice", "start"]
    assert told(job)[-1]["SLURM_RESTART_COUNT"] == "1"
    assert "REQUEUE" in job.log.read_text()


def test_a_preempted_job_hears_of_it_and_starts_again(slurm, launcher, spec):
    whole = Needs(cpus=2, memory_gb=3, minutes=10)
    jobs = [spec(name=name, needs=whole) for name in "ab"]
    ids = launcher.launch(jobs)
    for job in jobs:
        started(job)
    urgent = spec(name="c", needs=whole.model_copy(update={"options": {"partition": "urgent"}}))
    (hasty,) = launcher.launch([urgent])
    started(urgent)
    states = launcher.states(ids)
    assert sorted(states.values()) == [JobState.RUNNING, JobState.WAITING]
    (victim,) = (n for n in range(2) if states[ids[n]] == JobState.WAITING)
    assert words(jobs[victim]) == ["start", "notice"]
    launcher.cancel([hasty])
    started_again(slurm, ids[victim], jobs[victim])


def test_a_job_out_of_its_time_gets_a_notice_and_is_lost(slurm, launcher, spec):
    heeding = spec(name="heeding")
    deaf = spec(name="deaf")
    text = SAYS.replace("sys.exit(0)", "0").replace(
        "time.sleep(600)", "[time.sleep(1) for _ in range(600)]"
    )
    (deaf.folder / "says.py").write_text(text)
    first, second = launcher.launch([heeding, deaf])
    for name, job in ((first, heeding), (second, deaf)):
        started(job)
        assert slurm.change(name, "EndTime=now+100")
    for job in (heeding, deaf):
        until(lambda job=job: words(job) == ["start", "notice"], "the notice")
    becomes(launcher, first, JobState.ENDED)  # by itself
    assert slurm.change(second, "EndTime=now")
    becomes(launcher, second, JobState.LOST)
    assert "CANCELLED" in deaf.log.read_text()


def test_jobs_outlive_the_scheduler(slurm, launcher, spec):
    job = spec()
    (name,) = launcher.launch([job])
    started(job)
    slurm.order("stop slurmctld")
    for call in (launcher.states, launcher.cancel):
        with pytest.raises(ClusterError) as caught:
            call([name])
        assert not isinstance(caught.value, JobRefusedError)
    with pytest.raises(ClusterError) as caught:
        launcher.launch([spec(name="b")])
    assert not isinstance(caught.value, JobRefusedError)
    slurm.order("start slurmctld")
    until(lambda: slurm.ask("scontrol", "ping") is not None)
    another = SlurmLauncher(launcher.cluster)
    becomes(another, name, JobState.RUNNING)
    another.cancel([name])
    becomes(another, name, JobState.LOST)
    assert words(job) == ["start", "notice"]


def test_a_job_whose_node_is_gone_starts_again_elsewhere(slurm, launcher, spec):
    job = spec(needs=SMALL.model_copy(update={"cpus": 2}))
    (name,) = launcher.launch([job])
    started(job)
    node = told(job)[0]["SLURMD_NODENAME"]
    slurm.order(f"kill {node}")
    step = int(slurm.ask("pgrep", "-f", rf"slurmstepd: \[{name}.batch\]"))
    os.kill(step, signal.SIGKILL)
    os.kill(told(job)[0]["pid"], signal.SIGKILL)
    try:
        becomes(launcher, name, JobState.WAITING)
        started_again(slurm, name, job)
        assert told(job)[-1]["SLURMD_NODENAME"] != node
    finally:
        slurm.bring_back(node)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"memory_gb": 500}, "(?i)memory|configuration"),
        ({"gpus": 9}, "configuration"),
        ({"options": {"partition": "none_such"}}, "partition"),
        ({"options": {"constraint": "none_such"}}, "feature"),
        ({"options": {"no_such_option": "x"}}, "option"),
    ],
)
def test_what_cannot_be_is_refused_at_once(slurm, launcher, spec, change, why):
    jobs = [spec(name="a"), spec(name="b", needs=SMALL.model_copy(update=change))]
    with pytest.raises(JobRefusedError, match=why):
        launcher.launch(jobs)
    until(lambda: slurm.ask("squeue", "-h", "-t", "PENDING,RUNNING,COMPLETING") == "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"cpus": 64}, "PartitionConfig"),
        ({"nodes": 5, "cpus": 5}, "PartitionConfig"),
        ({"minutes": 60, "options": {"partition": "short"}}, "Partition(TimeLimit|Config)"),
        ({"options": {"dependency": "afternotok:JOB"}}, "DependencyNeverSatisfied"),
    ],
)
def test_what_would_wait_for_ever_is_refused_too(slurm, launcher, spec, change, why):
    (first,) = launcher.launch([spec("0", name="first")])
    options = {k: v.replace("JOB", first) for k, v in change.get("options", {}).items()}
    job = spec(needs=SMALL.model_copy(update={**change, "options": options}))
    (name,) = launcher.launch([job])
    with pytest.raises(JobRefusedError, match=why):
        until(lambda: launcher.states([name]) is None)
    until(lambda: "CANCELLED" in slurm.ask("squeue", "-h", "-t", "all", "-j", name, "-o", "%T"))


def test_a_job_waits_for_another(launcher, spec):
    first = spec(name="first")
    (name,) = launcher.launch([first])
    started(first)
    after = SMALL.model_copy(update={"options": {"dependency": f"afterany:{name}"}})
    second = spec("0", name="second", needs=after)
    (later,) = launcher.launch([second])
    becomes(launcher, later, JobState.WAITING)
    assert launcher.waiting == {later: "Dependency"}
    launcher.cancel([name])
    becomes(launcher, later, JobState.ENDED)
    assert words(second) == ["start"]


def test_why_jobs_wait_is_told_once(slurm, launcher, spec, caplog):
    for node in ("n1", "n2"):
        slurm.ask("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    try:
        (name,) = launcher.launch([spec()])
        until(
            lambda: launcher.states([name]) and launcher.waiting[name] not in ("None", "Priority")
        )
        launcher.states([name])
        assert [r.why for r in caplog.records if r.message == "jobs wait"] == [
            launcher.waiting[name]
        ]
    finally:
        for node in ("n1", "n2"):
            slurm.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")


def test_a_thousand_jobs_are_one_submission_and_one_question(
    slurm, launcher, spec, tmp_path, monkeypatch
):
    calls = spied(tmp_path, monkeypatch, "sbatch", "squeue", "scancel")
    held = SMALL.model_copy(update={"options": {"begin": "now+1hour"}})
    jobs = [spec(name=f"{n:04d}", needs=held) for n in range(1005)]
    ids = launcher.launch(jobs)
    assert len(set(ids)) == 1005
    assert set(launcher.states(ids).values()) == {JobState.WAITING}
    launcher.cancel(ids)
    assert set(launcher.states(ids).values()) == {JobState.LOST}
    assert calls() == {"sbatch": 2, "squeue": 2, "scancel": 3}


def test_an_answer_that_was_lost_does_not_double_a_job(
    slurm, launcher, spec, tmp_path, monkeypatch
):
    lost = 'echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1'
    calls = spied(tmp_path, monkeypatch, "sbatch", after=lost)
    with pytest.raises(ClusterError, match="timed out"):
        launcher.launch([spec()])
    monkeypatch.undo()
    monkeypatch.setenv("SLURM_CONF", str(slurm.folder / "slurm.conf"))
    job = spec(attempt=1)
    ids = launcher.launch([job])
    started(job, 1)
    until(lambda: slurm.ask("squeue", "-h", "-o", "%i", "-t", "PENDING,RUNNING") == ids[0])
    assert calls() == {"sbatch": 1}


def test_a_job_inherits_nothing_of_the_job_around_its_driver(launcher, spec, monkeypatch):
    for name in ("SLURM_MEM_PER_CPU", "SLURM_NTASKS", "SBATCH_MEM_BIND", "PMI_RANK"):
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("SBATCH_PARTITION", "short")  # the user's own
    job = spec("0", needs=SMALL.model_copy(update={"minutes": 5}))
    (name,) = launcher.launch([job])
    becomes(launcher, name, JobState.ENDED)
    got = told(job)[0]
    assert not {"SLURM_MEM_PER_CPU", "SBATCH_MEM_BIND", "PMI_RANK"} & got.keys()
    assert got["SLURM_JOB_PARTITION"] == "short"
    assert got["SLURM_NTASKS"] == "1"


def test_nothing_is_left_when_whoever_holds_the_cluster_is_killed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c", numbered=False)
    holder = (
        "import subprocess, sys\n"
        "keeper = subprocess.Popen([sys.executable, '-m', 'tests.cluster.slurm', sys.argv[1]],"
        " stdin=subprocess.PIPE)\n"
        "keeper.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout.readline().strip() != "ready":
            pytest.skip("no SLURM cluster")
        conf = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        job = ["sbatch", "--mem=50", "--output=/dev/null", "--wrap", f"sleep 600 {folder}"]
        subprocess.run(job, env=conf, check=True, capture_output=True)
        until(lambda: len(running(folder)) >= 6, "the job")
        process.kill()
    until(lambda: not running(folder), "the end of all processes", 20)


def running(folder):
    """Processes that name a folder in their command line or environment; ours aside."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            try:
                named = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in named:
                found.append(path.name)
    return found


def spied(tmp_path, monkeypatch, *tools, after="exit $status"):
    """Counts calls of SLURM's tools by wrappers before them in the path."""
    folder = tmp_path / "spied"
    folder.mkdir()
    for name in tools:
        real = shutil.which(name)
        script = folder / name
        script.write_text(
            f'#!/bin/sh\necho >> {folder}/{name}.calls\n{real} "$@"; status=$?\n{after}\n'
        )
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return lambda: {name: (folder / f"{name}.calls").read_text().count("\n") for name in tools}
