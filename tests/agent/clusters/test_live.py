"""Jobs and stages from files that look like those of real jobs."""

import json
import pickle
import time
from datetime import UTC, datetime, timedelta

import pytest

from agent.clusters.live import find_job, jobs_of, shard_left, short_id, stages_of, totals
from agent.config import RoundConfig
from tests.agent.clusters.conftest import a_round
from voxcurate.catalog import WorkItem
from voxcurate.errors import ClusterError
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.shards.files import Contents, Order, ShardFolder, ShardWriter
from voxcurate.executors.shards.frames import BEGUN, DONE, END, FrameWriter
from voxcurate.protocols import Outcome, Task


def a_shard(root, stage, name, keys):
    folder = ShardFolder(root / "cluster" / stage / name)
    writer = ShardWriter(folder)
    for key in keys:
        writer.add(Task(key, None), 1.0, b"i" * 16, b"")
    writer.finish(Contents("module:work", "f", tuple(writer.entries)))
    return folder


def a_job(folder, number, job, *, done=(), begun=(), todo=None, ended=False, beat_age_s=None):
    folder.write_order(number, Order(todo=todo, job=job))
    if done or begun or ended:
        frames = FrameWriter(folder.new_outcomes(number))
        for place in begun:
            frames.add(BEGUN, place)
        for place in done:
            frames.add(DONE, place, pickle.dumps(Outcome("k")))
        if ended:
            frames.add(END, 0, b"{}")
        frames.close()
    if beat_age_s is not None:
        hand = {str(place): 12.5 for place in begun if place not in done}
        signs = {"host": "node1", "pid": 1, "hand": hand, "at": time.time() - beat_age_s}
        folder.write_beat(number, signs)


@pytest.fixture
def jobs(workspace):
    first = a_shard(workspace.root, "detect", "000001-aaa", ["s_000", "s_001", "s_002"])
    a_job(first, 1, "11", done=(0, 1), begun=(0, 1, 2), beat_age_s=3)
    a_job(first, 2, "12", todo=(2,))
    second = a_shard(workspace.root, "detect", "000002-bbb", ["s_003", "s_004"])
    a_job(second, 1, "13", done=(0,), begun=(0, 1), beat_age_s=1000)
    third = a_shard(workspace.root, "detect", "000003-ccc", ["s_005"])
    a_job(third, 1, "14", done=(0,), begun=(0,), ended=True, beat_age_s=1)
    return jobs_of(workspace.root, silence_s=300.0)


def test_the_state_of_each_job(jobs):
    assert [(j.job, j.state, j.done, j.items) for j in jobs] == [
        ("11", "running", 2, 3),
        ("12", "waiting", 0, 1),
        ("13", "lost", 1, 2),
        ("14", "ended", 1, 1),
    ]
    assert jobs[0].hand == {"s_002": 12.5}
    assert jobs[0].host == "node1"
    assert jobs[3].hand == {}


def test_items_that_no_job_has_done(workspace, jobs):
    assert shard_left(workspace.root, "detect") == 2
    assert shard_left(workspace.root, "clean") == 0


def test_half_written_and_damaged_files_do_no_harm(workspace, jobs):
    folder = workspace.root / "cluster" / "detect" / "000001-aaa"
    (folder / "beat.1.json").write_text('{"hand"')
    (folder / "try.2.json").write_text("")
    (workspace.root / "cluster" / "detect" / "000004-ddd").mkdir()
    with next(folder.glob("outcomes.1.*")).open("ab") as stream:
        stream.write(b"\x50\0\0\0\0\0\0\0torn")
    found = jobs_of(workspace.root, silence_s=300.0)
    assert [(j.job, j.state, j.done) for j in found][:2] == [
        ("11", "waiting", 2),
        ("13", "lost", 1),
    ]


def test_a_job_by_its_names(jobs):
    assert find_job(jobs, "11").job == "11"
    assert find_job(jobs, "000002-bbb").job == "13"
    assert find_job(jobs, "000001-aaa.2").job == "12"
    with pytest.raises(ClusterError, match="found 2"):
        find_job(jobs, "000001-aaa")  # two of it live
    with pytest.raises(ClusterError, match="found 0"):
        find_job(jobs, "99")


def test_a_process_goes_by_its_number(workspace):
    folder = a_shard(workspace.root, "clean", "000001-aaa", ["s_000"])
    a_job(folder, 1, "4711:99:0,1:0.5:3a.40", beat_age_s=1)
    (job,) = jobs_of(workspace.root, silence_s=300.0)
    assert short_id(job.job) == "4711"
    assert find_job([job], "4711") == find_job([job], job.job) == job
    assert [short_id(each) for each in ("12_3", "clean-1.1 /shared/w", "")] == [
        "12_3", "clean-1.1", "",
    ]  # fmt: skip


def test_the_stages_of_a_round(workspace, catalog, jobs):
    now = datetime.now(UTC)

    def line(stage, n, status="done", error="", ago_s=0.0):
        at = (now - timedelta(seconds=ago_s)).isoformat()
        return WorkItem(1, stage, f"s_{n:03d}", "", "f", status, 1, error, 36.0, updated=at)

    with catalog.write() as writer:
        writer.put(a_round(1))
        writer.put_all([line("clean", n, ago_s=9000 - 360 * n) for n in range(10)])
        writer.put_all([line("detect", n, ago_s=1800 - 600 * n) for n in range(3)])
        bad = (
            "took jobs down, 3 of them; the last one's words: cluster/detect/quarantined/s_003.log"
        )
        writer.put_all([line("detect", 3, "failed", bad), line("detect", 4, "failed", "no voxels")])
    cluster = ClusterConfig(default=Needs(cpus=4, workers=2, gpus=1))
    found = {s.name: s for s in stages_of(workspace.root, catalog, RoundConfig(), cluster, jobs)}
    clean, detect, judge = found["clean"], found["detect"], found["judge"]
    assert (clean.done, clean.left, clean.eta_s) == (10, 0, 0.0)
    assert clean.per_hour == pytest.approx(11.1, abs=0.1)  # 10 in 54 minutes
    assert (detect.done, detect.failed, detect.quarantined, detect.left) == (3, 2, 1, 3)
    assert detect.jobs == {"running": 1, "waiting": 1, "lost": 1, "ended": 1}
    assert detect.now
    assert detect.per_hour == pytest.approx(10.0, rel=0.01)  # 5 in half an hour
    assert detect.eta_s == pytest.approx(3 / 10 * 3600, rel=0.01)
    assert detect.gpu_hours == pytest.approx(5 * 36 / 2 / 3600)
    assert detect.core_hours_left == pytest.approx(3 * 60 / 2 / 3600 * 4)
    assert judge.left is None
    assert totals(found.values())["core_hours"] == pytest.approx((10 + 5) * 36 / 2 / 3600 * 4)
    assert totals(found.values())["core_hours_left"] is None
    assert found["train_zoo"].left == 0  # a later stage has begun
    assert json.dumps([s.name for s in found.values()])


def test_hours_so_far_are_of_what_the_jobs_had_asked_for(workspace, catalog):
    """Half of the work was done with other needs than those of today."""
    with catalog.write() as writer:
        writer.put(a_round(1))
        for n, (cores, gpus) in enumerate([(0.0, 0.0), (1.5, 0.5), (8.0, 0.0)]):
            writer.put(
                WorkItem(1, "clean", f"s_{n:03d}", "", "f", "done", seconds=36.0, cores=cores,
                         gpus=gpus)
            )  # fmt: skip
    for cpus in (4, 6):
        cluster = ClusterConfig(default=Needs(cpus=cpus, workers=2, gpus=1))
        (clean,) = (
            s for s in stages_of(workspace.root, catalog, RoundConfig(), cluster, ())
            if s.name == "clean"
        )  # fmt: skip
        untold = cpus / 2, 1 / 2  # of a line that an earlier version wrote
        assert clean.core_hours == pytest.approx(0.01 * (untold[0] + 1.5 + 8.0))
        assert clean.gpu_hours == pytest.approx(0.01 * (untold[1] + 0.5))


def test_of_a_round_that_is_over_nothing_is_left(workspace, catalog):
    with catalog.write() as writer:
        writer.put(a_round(1, status="done"))
    found = stages_of(workspace.root, catalog, RoundConfig(), ClusterConfig(), [])
    assert {stage.left for stage in found} == {0}
    assert totals(found)["eta_s"] == 0.0
