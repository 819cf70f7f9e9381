"""What of the launcher for Ray needs no cluster."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from voxcurate.errors import ClusterError, ConfigError, JobRefusedError
from voxcurate.executors.cluster import ClusterConfig, Needs, load_cluster
from voxcurate.executors.launchers import JobSpec, make_launcher
from voxcurate.executors.launchers.ray import (
    RayLauncher,
    actor_of,
    end_of,
    job_id,
    refuse,
    resources,
    script,
)

BIG = {"CPU": 8.0, "GPU": 1.0, "memory": 40e9, "accelerator_type:A100": 1.0, "scratch": 3.0}
SMALL = {"CPU": 64.0, "memory": 10e9}
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed"
)


def spec(folder: Path, name: str = "predict", attempt: int = 1) -> JobSpec:
    return JobSpec(folder, name, Needs(), attempt)


def ray(**options: bool | float | str) -> ClusterConfig:
    return ClusterConfig(kind="ray", options=options)


def test_an_id_names_the_actor_and_where_its_end_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "a shard"

    found = job_id(spec(folder, "predict 3"))

    assert found == job_id(spec(folder, "predict 3"))
    assert actor_of(found).startswith("predict-3.")
    assert str(tmp_path) not in actor_of(found)  # what people see of it
    assert end_of(found) == folder / "job.1.end"
    assert end_of("of another scheduler") is not None
    assert end_of("123") is None


def test_each_folder_and_attempt_has_its_own(tmp_path: Path) -> None:
    jobs = [spec(tmp_path / name, attempt=n) for name in "ab" for n in (1, 2)]
    assert len({actor_of(job_id(job)) for job in jobs}) == 4


@pytest.mark.parametrize(
    "needs",
    [
        {"cpus": 8, "memory_gb": 40, "gpus": 1},
        {"cpus": 1, "memory_gb": 1, "gpus": 0.25},
        {"cpus": 64, "memory_gb": 10},
        {"cpus": 1, "memory_gb": 1, "options": {"accelerator_type": "A100", "scratch": 3}},
    ],
)
def test_what_fits_on_one_node_is_taken(needs: dict[str, object]) -> None:
    refuse(resources(Needs.model_validate(needs)), [SMALL, BIG])


@pytest.mark.parametrize(
    "needs",
    [
        {"cpus": 9, "gpus": 1},  # each of them is there, but not on one node
        {"cpus": 1, "gpus": 2},
        {"cpus": 1, "memory_gb": 41},
        {"cpus": 1, "options": {"accelerator_type": "H100"}},
        {"cpus": 1, "options": {"scratch": 4}},
    ],
)
def test_what_fits_on_none_is_refused(needs: dict[str, object]) -> None:
    with pytest.raises(JobRefusedError, match=r"could ever hold .* 8 cores, 1 GPU, 40\.0 GB"):
        refuse(resources(Needs.model_validate(needs)), [SMALL, BIG])


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({"nodes": 2}, "one node"),
        ({"gpus": 1.5}, "part of one GPU"),
        ({"options": {"partition": "gpu"}}, "amount of the resource"),
    ],
)
def test_what_ray_cannot_give_is_refused(needs: dict[str, object], words: str) -> None:
    with pytest.raises(JobRefusedError, match=words):
        resources(Needs.model_validate(needs))


def test_the_shell_becomes_the_job(tmp_path: Path) -> None:
    cluster = ClusterConfig(
        kind="ray", setup=("x='of the setup'",), environment={"A": "it's $x", "B": "2"}
    )
    code = "import os, sys; print(os.getpid(), os.environ['A'], os.environ['B'], sys.argv[1])"
    job = JobSpec(tmp_path, "job", Needs(), arguments=("-c", code, "a b"))

    with subprocess.Popen(
        ["bash", "-c", script(cluster, job)], stdout=subprocess.PIPE, text=True
    ) as process:
        words, _ = process.communicate()

    assert words == f"{process.pid} it's $x 2 a b\n"
    assert sys.executable in script(cluster, job)
    other = ClusterConfig(kind="ray", python="apptainer exec vox.sif python")
    assert "\nexec apptainer exec vox.sif python -c " in script(other, job)


def test_a_variable_must_have_a_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="variable's name"):
        script(ClusterConfig(kind="ray", environment={"A B": ""}), spec(tmp_path))


@needs_ray
def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="partition: no such setting"):
        RayLauncher(ray(partition="gpu"))


@needs_ray
def test_nodes_may_join_and_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes: list[dict[str, float]] = []
    calls: list[str] = []

    def ask(call: str, *_: object) -> object:
        calls.append(call)
        return list(nodes)

    for join_s, refused in [(60.0, ClusterError), (0.0, JobRefusedError)]:
        launcher = RayLauncher(ray(join_s=join_s))
        monkeypatch.setattr(launcher, "_ask", ask)
        job = spec(tmp_path)
        with pytest.raises(ClusterError) as first:  # no node yet
            launcher.launch([job])
        assert first.type is refused
        nodes.append(BIG)
        assert launcher.launch([job]) == [job_id(job)]
        nodes.clear()
        with pytest.raises(ClusterError) as later:  # it was there
            launcher.launch([job])
        assert later.type is ClusterError
    assert calls == ["nodes", "nodes", "launch", "nodes"] * 2


@needs_ray
def test_the_shipped_cluster_makes_one() -> None:
    launcher = make_launcher(load_cluster("ray"))
    assert isinstance(launcher, RayLauncher)
    assert launcher.launch([]) == []
    assert launcher.states([]) == {}
    launcher.cancel([])  # nothing of it asks a cluster


@needs_ray
@pytest.mark.slow
def test_no_cluster_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0" * 64)
    launcher = RayLauncher(
        ray(address="127.0.0.1:1", timeout_s=4.0, token_file=str(tmp_path / "token"))
    )
    with pytest.raises(ClusterError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        launcher.states([job_id(spec(tmp_path))])
