"""Probes: on this process, and as real jobs of this machine."""

import threading
import time
from pathlib import Path

import pytest

from agent.clusters import preflight as module
from agent.clusters import probe as probes
from agent.clusters.disk import to_be_written
from agent.clusters.preflight import run_preflight, sites
from agent.clusters.probe import files_mark, probe
from agent.config import RoundConfig
from voxcurate.config import build
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import make_launcher


@pytest.fixture
def asked(workspace, tmp_path):
    folder = tmp_path / "meeting"
    folder.mkdir()
    (folder / "driver").write_text("token")
    over = threading.Event()
    thread = threading.Thread(target=module._answer, args=(folder, over))
    thread.start()
    yield {
        "workspace": str(workspace.root), "folder": str(folder), "token": "token",
        "packages": ["numpy", "no-such-package"], "models": {}, "modules": ["json", "nosuch"],
        "torch": False, "database": "sqlite:///x", "key": str(workspace._key_path()),
    }  # fmt: skip
    over.set()
    thread.join()


def test_a_probe_tells_what_is_there(asked):
    facts = probe(asked)
    assert facts["packages"]["no-such-package"] == ""
    assert facts["packages"]["numpy"]
    assert facts["modules"] == {"json": True, "nosuch": False}
    assert facts["workspace"]["sees"]
    assert facts["workspace"]["answered"]
    assert abs(facts["workspace"]["ahead_s"]) <= facts["workspace"]["unsure_s"] + 0.01
    assert facts["database"] == {}
    assert facts["key"]
    assert facts["code"] == probe(asked)["code"]


def test_a_machine_with_another_folder_is_found_out(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "ANSWER_S", 0.2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert "error" in probe({**asked, "folder": str(elsewhere)})["workspace"]
    (elsewhere / "driver").write_text("another token")
    space = probe({**asked, "folder": str(elsewhere)})["workspace"]
    assert (space["sees"], space["answered"]) == (False, False)


def test_a_clock_that_is_ahead_is_measured(asked, monkeypatch):
    real = time.time
    monkeypatch.setattr(probes.time, "time", lambda: real() + 100.0)
    monkeypatch.setattr(module, "time", type("Clock", (), {"time": staticmethod(real)}))
    space = probe(asked)["workspace"]
    assert space["ahead_s"] == pytest.approx(100.0, abs=space["unsure_s"] + 0.1)


def test_models_are_compared_by_content(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "weights").write_bytes(b"12")
    first = files_mark(tmp_path / "a")
    assert first == files_mark(tmp_path / "b")
    assert (first["files"], first["bytes"]) == (1, 2)
    (tmp_path / "b" / "sub" / "weights").write_bytes(b"13")
    assert files_mark(tmp_path / "b")["mark"] != first["mark"]
    assert "error" in files_mark(tmp_path / "c")


def test_stages_that_need_the_same_share_a_probe():
    gpu = Needs(cpus=4, gpus=1, minutes=600, shard_minutes=5)
    cluster = ClusterConfig(
        stages={"predict": gpu, "train_zoo": gpu.model_copy(update={"minutes": 6000}),
                "driver": Needs(memory_gb=3)},
        here=("review",),
    )  # fmt: skip
    found = {site.name: site for site in sites(cluster, driver=True)}
    assert set(found) == {"retrieve and 14 more", "train_zoo and 1 more", "driver"}
    assert found["train_zoo and 1 more"].needs.minutes == 10
    assert found["driver"].needs.memory_gb == 3
    assert "driver" not in {site.name for site in sites(cluster, driver=False)}


def test_of_a_job_on_several_nodes_each_has_its_part():
    many = Needs(cpus=64, gpus=8, nodes=2, memory_gb=256)
    cluster = ClusterConfig(stages={"train_flagship": many})
    found = {site.name: site.needs for site in sites(cluster, driver=False)}["train_flagship"]
    assert (found.nodes, found.gpus, found.cpus, found.memory_gb) == (1, 4, 32, 128)


def test_language_models_in_jobs_have_nodes_of_their_own():
    engine = {"engine": "vllm", "model": "m", "options": {"tensor_parallel_size": 2}}
    reading = {"reader": "llm", "engine": {**engine, "cluster": "big"}}
    config = build(RoundConfig, {"retrieval": reading})
    big = ClusterConfig(name="big", stages={"chat": Needs(cpus=8, gpus=1)})
    (site,) = module._chats(config, big)
    assert (site.name, site.needs.gpus, site.needs.cpus) == ("chat", 2, 8)
    assert module._chats(config, ClusterConfig(name="other")) == []
    assert module._modules(config) == {}
    assert module._modules(config, chat=True) == {"vllm": "wanted by the reports' reader"}
    config = build(RoundConfig, {"retrieval": {"reader": "llm", "engine": engine}})
    assert module._chats(config, big) == []
    assert list(module._modules(config)) == ["vllm"]


def test_disk_by_hand(workspace, catalog):
    config = build(RoundConfig, {"zoo": {"networks": ["unet_small", "segresnet_small"]}})
    folder = workspace.root / "predictions" / "1" / "m"
    folder.mkdir(parents=True)
    (folder / "s_000.vxp").write_bytes(bytes(3_000_000))
    (folder / "s_001.vxp").write_bytes(bytes(1_000_000))
    found = {each.what: each for each in to_be_written(workspace, catalog, config, 5)}
    assert (found["predictions"].n, found["predictions"].each_mb) == (20, 2.0)
    assert found["predictions"].gb == pytest.approx(0.04)
    assert found["predictions"].told() == "predictions: 10 scans x 2 models = 20 x 2 MB = 0.04 GB"
    assert found["labels"].n == 50
    assert found["labels"].each_mb == pytest.approx(100 * 90 * 80 * 1.6e-3 / 1e6)
    assert found["attention"].n == 8


def test_a_model_by_name_would_be_downloaded(workspace, catalog):
    engine = {"engine": "vllm", "model": "some/model"}
    config = build(RoundConfig, {"labeling": {"judge": {"name": "vision", "engine": engine}}})
    cluster = ClusterConfig(default=Needs(cpus=1, memory_gb=1))
    found = run_preflight(workspace, catalog, config, cluster, make_launcher(cluster))
    (bad,) = [check for check in found.checks if check.status == "failed"]
    assert bad.name == "model of the judge"
    assert "folder" in bad.wanted


@pytest.mark.slow
def test_real_jobs_of_this_machine(workspace, catalog):
    cluster = ClusterConfig(
        poll_s=0.2,
        default=Needs(cpus=1, memory_gb=1),
        stages={"driver": Needs(cpus=1, memory_gb=2)},
    )
    said: list[str] = []
    found = run_preflight(
        workspace, catalog, RoundConfig(), cluster, make_launcher(cluster), say=said.append
    )
    assert len(said) == 2
    assert [c for c in found.checks if c.status == "failed"] == []
    names = {check.name for check in found.checks if check.where.startswith("driver (")}
    assert {"catalog", "workspace", "clock", "python"} <= names
    assert not (workspace.root / "preflight").exists()
    assert not list(Path(workspace.root).glob("cluster/*"))


@pytest.mark.slow
def test_a_node_whose_python_is_missing(workspace, catalog, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 0.5)
    cluster = ClusterConfig(
        poll_s=0.2, python="/no/such/python", default=Needs(cpus=1, memory_gb=1)
    )
    found = run_preflight(
        workspace, catalog, RoundConfig(), cluster, make_launcher(cluster), driver=False
    )
    bad = [check for check in found.checks if check.status == "failed"]
    assert [check.name for check in bad] == ["probe"]
    assert bad[0].mend
