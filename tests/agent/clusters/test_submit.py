"""Submitting, refusing, cancelling; what starts jobs is a notebook unless a test says otherwise."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.clusters import cancelling, driving
from agent.clusters.cancelling import cancel_all, cancel_one
from agent.clusters.driving import check_no_driver, read_submitted, submit_driver
from agent.clusters.submit import Request, check, is_job, plan, shown
from tests.agent.clusters.conftest import a_round
from tests.agent.clusters.test_live import a_job, a_shard
from voxcurate.errors import ConfigError, WorkspaceError
from voxcurate.executors.cluster import ClusterConfig, Needs, load_cluster
from voxcurate.executors.launchers import JobSpec, JobState
from voxcurate.lock import FOLDER
from voxcurate.lock_record import create, myself
from voxcurate.workspace import Workspace

REQUEST = Request("mine", settings=("seed=3",), rounds=2, no_review=True, driver="job")


@pytest.fixture(autouse=True)
def mine(workspace):
    (workspace.root / "clusters").mkdir()
    (workspace.root / "clusters" / "mine.yaml").write_text(
        "kind: processes\ndefault: {cpus: 1, memory_gb: 2}\nhere: [review]\n"
        "stages: {predict: {cpus: 3}, driver: {memory_gb: 5}}\n"
    )


def submitted(workspace, notebook):
    cluster = load_cluster("mine", workspace.root)
    job = driving.driver_job(workspace, cluster, ["-m", "agent", "round"])
    return submit_driver(workspace, "mine", cluster, notebook, job)


def test_the_plan_shows_what_would_be_submitted_and_changes_nothing(workspace, catalog):
    before = sorted(path.name for path in workspace.root.iterdir())
    found = plan(workspace, catalog, REQUEST)
    words = found.driver.command
    assert words[:3] == ("-m", "agent", "round")
    assert "executor.kind=cluster" in words
    assert 'executor.cluster="mine"' in words
    assert words[words.index("--rounds") + 1] == "2"
    assert "--no-review" in words
    assert words[-2:] == ("-w", str(workspace.root))
    assert found.driver.needs.memory_gb == 5
    assert found.config.seed == 3
    assert [name for name in found.scripts if name in {"driver", "predict"}] == [
        "driver",
        "predict",
    ]
    assert "3 cores" in found.scripts["predict"]
    assert "review" not in ", ".join(found.scripts).split(", ")
    assert next(s for s in found.stages if s.name == "review").here
    assert sorted(path.name for path in workspace.root.iterdir()) == before


READER = "retrieval.reader=llm", "retrieval.engine.model=m"


def test_the_plan_has_the_jobs_of_language_models(workspace, catalog):
    (workspace.root / "clusters" / "big.yaml").write_text(
        "kind: ray\nstages: {chat: {cpus: 1, gpus: 1, memory_gb: 9, minutes: 5}}\n"
    )
    vllm = "retrieval.engine.engine=vllm"
    options = "retrieval.engine.options={tensor_parallel_size: 2}"
    asked = Request("mine", settings=(*READER, vllm, options, "retrieval.engine.cluster=big"))
    found = plan(workspace, catalog, asked)
    assert (
        "# a detached actor: 1 core, 2 GPUs, 9 GB, 5 min"
        in (found.scripts["chat (the reports' reader)"])
    )
    (model,) = found.models
    assert model.told().startswith("the reports' reader (vllm): jobs of stage chat on cluster big")
    assert model.plain()["needs"]["gpus"] == 2
    retrieve = next(stage for stage in found.stages if stage.name == "retrieve")
    assert retrieve.here  # it is the model that works
    nowhere = replace(asked, settings=(*READER, vllm, "retrieval.engine.cluster=nowhere"))
    with pytest.raises(ConfigError, match="no cluster 'nowhere'"):
        plan(workspace, catalog, nowhere)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ((*READER, "retrieval.engine.engine=vllm"), ["(vllm): in the driver, no job of its own"]),
        ((*READER, "retrieval.engine.engine=openai"), ["(openai): a server that runs already"]),
        (
            (*READER, "retrieval.engine={engine: openai, server: {kind: vllm}}"),
            ["(openai): in the driver"],
        ),
        (("labeling.judge.name=vision", "labeling.judge.engine.engine=vllm"), ["the judge (vllm)"]),
        (("labeling.judge.engine.engine=vllm",), []),  # the judge of anatomy asks nobody
        ((), []),
    ],
)
def test_the_plan_says_where_language_models_without_jobs_run(workspace, catalog, settings, told):
    found = plan(workspace, catalog, Request("mine", settings=settings))
    assert len(found.models) == len(told)
    assert all(words in model.told() for words, model in zip(told, found.models, strict=True))
    assert not [name for name in found.scripts if name.startswith("chat")]


def test_the_driver_of_processes_runs_here_unless_it_is_asked_for_as_a_job(workspace):
    box, slurm = ClusterConfig(kind="processes"), ClusterConfig(kind="slurm")
    assert not is_job(Request("x"), box)
    assert is_job(Request("x"), slurm)
    assert is_job(Request("x", driver="job"), box)
    assert not is_job(Request("x", driver="here"), slurm)


@pytest.mark.parametrize(
    ("request_", "match"),
    [
        (Request("nowhere"), "no cluster 'nowhere'"),
        (Request("mine", driver="there"), "want --driver here or job"),
        (Request("mine", settings=("nosuch=1",)), "nosuch"),
        (Request("mine", file=Path("absent.yaml")), "absent.yaml"),
    ],
)
def test_mistakes_are_told_before_anything_is_submitted(workspace, catalog, request_, match):
    with pytest.raises(ConfigError, match=match):
        check(workspace, catalog, request_)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("stages: {predikt: {gpus: 1}}", "'mine': stages: no stage 'predikt'; want predict"),
        ("here: [reviw]", "here: no stage 'reviw'; want review"),
        ("max_job: 3", "cluster 'mine': max_job: no such setting"),
        ("{kind: ray, options: {adress: x}}", "'mine': options: adress: no such setting"),
        ("environment: {HF_TOKEN: hf_s3cret}", "'mine': HF_TOKEN would stand in job scripts"),
        ("environment: {PGPASSWORD: s3cret}", "PGPASSWORD would stand"),
        ("python: apptainer exec --env HF_TOKEN=s3cret x.sif python", "HF_TOKEN would stand"),
        ("options: {export: 'ALL,OPENAI_API_KEY=s3cret'}", "OPENAI_API_KEY would stand"),
        ("stages: {chat: {options: {export: 'A_TOKEN=s3cret'}}}", "A_TOKEN would stand"),
        ("setup: ['cd x; export OPENAI_API_KEY=s3cret']", "OPENAI_API_KEY would stand"),
    ],
)
def test_slips_of_a_cluster_are_told(workspace, catalog, text, match):
    (workspace.root / "clusters" / "mine.yaml").write_text(text + "\n")
    with pytest.raises(ConfigError, match=match) as told:
        check(workspace, catalog, Request("mine"))
    assert "s3cret" not in str(told.value)


def test_what_only_looks_like_a_secret_is_none(workspace, catalog):
    setup = """setup: ['export A_KEY=$(cat f) B_TOKEN="$B" C_KEY=`f` D_KEY= KEYS=1']\n"""
    text = "environment: {TOKENIZERS_PARALLELISM: 'false', RAY_AUTH_TOKEN_PATH: /t, HF_TOKEN: ''}\n"
    (workspace.root / "clusters" / "mine.yaml").write_text(
        text + setup + "stages: {chat: {gpus: 1}}\n"
    )
    check(workspace, catalog, Request("mine"))


def test_a_round_under_way_keeps_its_settings_but_may_change_its_place(workspace, catalog):
    with catalog.write() as writer:
        writer.put(a_round(1))
    _, config = check(workspace, catalog, Request("mine"))
    assert (config.executor.kind, config.executor.cluster) == ("cluster", "mine")
    with pytest.raises(ConfigError, match="under way with other settings"):
        check(workspace, catalog, REQUEST)


def test_a_script_of_slurm_is_the_one_that_sbatch_would_get(workspace):
    pytest.importorskip("submitit", reason="SLURM needs submitit")
    cluster = ClusterConfig(kind="slurm", options={"partition": "gpu"})
    job = JobSpec(workspace.root / "x", "voxcurate-predict", Needs(cpus=4, gpus=1))
    text = shown(cluster, job)
    assert text.startswith("#!/bin/bash")
    assert "#SBATCH --partition=gpu" in text


def test_a_second_driver_is_refused_while_the_first_waits_or_runs(workspace, notebook):
    check_no_driver(workspace, ClusterConfig(), notebook)
    first = submitted(workspace, notebook)
    assert read_submitted(workspace) == first
    for state in (JobState.WAITING, JobState.RUNNING):
        notebook.state = state
        with pytest.raises(
            WorkspaceError, match=f"driver that is {state}: job 100 of cluster mine"
        ):
            check_no_driver(workspace, ClusterConfig(), notebook)
    notebook.state = JobState.LOST
    check_no_driver(workspace, ClusterConfig(), notebook)
    assert submitted(workspace, notebook).number == 2
    assert [job.attempt for job in notebook.launched] == [1, 2]


def test_a_second_driver_is_refused_while_somebody_writes(workspace, notebook):
    with workspace.lock(), pytest.raises(WorkspaceError, match=rf"process {os.getpid()} on "):
        check_no_driver(workspace, ClusterConfig(), notebook)
    check_no_driver(workspace, ClusterConfig(), notebook)


def test_of_a_driver_on_another_machine_too(workspace, notebook):
    (workspace.root / FOLDER).mkdir()
    create(workspace.root / FOLDER, 1, replace(myself(), machine="elsewhere", host="node7"))
    with pytest.raises(WorkspaceError, match="on node7"):
        check_no_driver(workspace, ClusterConfig(), notebook)


def test_cancelling_a_job_leaves_the_driver(workspace, notebook):
    folder = a_shard(workspace.root, "detect", "000001-aaa", ["s_000"])
    a_job(folder, 1, "11", begun=(0,), beat_age_s=1)
    told = cancel_one(workspace, ClusterConfig(), notebook, "11")
    assert (told.driver, told.jobs, notebook.cancelled) == ("", ("11",), ["11"])
    assert folder.stopped(1)


def test_cancelling_all_ends_the_driver_first_and_jobs_that_may_live(workspace, notebook):
    submitted(workspace, notebook)
    folder = a_shard(workspace.root, "detect", "000001-aaa", ["s_000", "s_001"])
    a_job(folder, 1, "11", begun=(0,), beat_age_s=1)
    a_job(folder, 2, "12", done=(1,), todo=(1,), ended=True)
    a_job(folder, 3, "13", beat_age_s=10_000)  # silent: perhaps it still runs
    told = cancel_all(workspace, ClusterConfig(), notebook)
    assert notebook.cancelled == ["100", "11", "13"]
    assert told.jobs == ("11", "13")
    assert told.driver.startswith("job 100 of cluster mine")


def test_a_driver_that_waits_on_another_cluster_is_ended_there(workspace, notebook, monkeypatch):
    submitted(workspace, notebook)
    asked = []
    there = type(notebook)(state=JobState.WAITING)
    monkeypatch.setattr(driving, "make_launcher", lambda found: asked.append(found) or there)
    with pytest.raises(WorkspaceError, match="a driver that is waiting: job 100"):
        check_no_driver(workspace, ClusterConfig(kind="slurm"), notebook)
    told = cancel_all(workspace, ClusterConfig(kind="slurm"), notebook)
    assert [found.name for found in asked] == ["mine", "mine"]
    assert (there.cancelled, notebook.cancelled) == (["100"], [])
    assert told.driver.startswith("job 100 of cluster mine")


HOLDER = """
import sys, time
from pathlib import Path
from voxcurate.workspace import Workspace
with Workspace(Path(sys.argv[1])).lock():
    print("got", flush=True)
    time.sleep(60)
"""


def test_cancelling_all_ends_a_driver_of_this_machine(workspace, notebook, monkeypatch):
    monkeypatch.setattr(cancelling, "PATIENCE_S", 20.0)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(workspace.root)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "got\n"
        told = cancel_all(workspace, ClusterConfig(), notebook)
        assert f"process {process.pid} on " in told.driver
        assert told.note == ""
        assert process.wait(timeout=20) != -signal.SIGKILL
        with Workspace(workspace.root).lock():
            pass
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
