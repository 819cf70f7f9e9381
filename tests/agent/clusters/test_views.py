"""The commands as they are typed: what they print fits a terminal of 80 columns, and is JSON."""

import json
from dataclasses import asdict, replace
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from agent.cli.jobs_view import fitted
from agent.cli.main import app
from agent.clusters import asking, reading
from agent.clusters.driving import Submitted
from agent.clusters.live import Job, StageState
from agent.clusters.overview import Overview
from tests.agent.clusters.conftest import a_round
from tests.agent.clusters.test_live import a_job, a_shard
from voxcurate.catalog import WorkItem
from voxcurate.executors.cluster import ClusterConfig


@pytest.fixture
def shown(workspace, catalog, monkeypatch):
    """The output of a command in a workspace with work on a cluster."""
    monkeypatch.setenv("COLUMNS", "80")
    (workspace.root / "clusters").mkdir()
    (workspace.root / "clusters" / "mine.yaml").write_text("kind: processes\n")
    with catalog.write() as writer:
        executor = {"kind": "cluster", "cluster": "mine"}
        begun = a_round(1)
        writer.put(replace(begun, config={**begun.config, "executor": executor}))
        writer.put_all(
            [
                WorkItem(1, "clean", f"s_{n:03d}", "", "f", "done", seconds=9000.0,
                         updated=f"2026-01-0{n + 1}T00:00:00+00:00")
                for n in range(8)
            ]
        )  # fmt: skip
        bad = "took jobs down, 3 of them"
        last = WorkItem(1, "clean", "s_008", "", "f", "failed", 3, bad, 1.0)
        writer.put(replace(last, updated="2026-01-09T00:00:00+00:00"))
    folder = a_shard(workspace.root, "clean", "000001-aaa", ["s_008", "s_009"])
    a_job(folder, 1, "123456_78", begun=(0, 1), beat_age_s=2)

    def run(*words, code=0):
        result = CliRunner().invoke(app, [*words, "-w", str(workspace.root)])
        assert result.exit_code == code, result.output
        return result.stdout

    return run


def test_jobs_fits_a_narrow_terminal(shown):
    text = shown("jobs")
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text.partition("core-hours:")[0]
    row = next(line for line in text.splitlines() if line.startswith("clean "))
    assert row.split() == ["clean", "8", "1", "1", "1q", "1r", "0.047", "21h20", "40+5"]
    assert "123456_78" in text
    assert "12 s_008, 12 s_009" in text


def an_overview(*, stages=16, jobs=12, driver="process 1 on node1"):
    left = {"left": 3, "per_hour": 1e4, "eta_s": 90.0, "core_hours": 0.25, "gpu_hours": 0.05}
    rows = [
        StageState("s", f"a_stage_of_round_{n:02d}", 1500 * (n < 3), 0, 0, **left,
                   core_hours_left=0.25, gpu_hours_left=0.05, now=n == 2)
        for n in range(stages)
    ]  # fmt: skip
    rows[:2] = [replace(row, left=0) for row in rows[:2]]
    rows[2] = replace(rows[2], jobs={"running": 1, "lost": 1})
    working = [
        Job("clean", f"{n:06d}-abc", 1, str(n), "running", "node1", 8, 0, {}, 1.0, "")
        for n in range(jobs)
    ]
    return Overview(driver, True, 0.0, None, (1, "running"), rows, working)


def drawn(found, **sizes):
    console = Console(file=StringIO(), force_terminal=True, color_system=None, **sizes)
    console.print(fitted(found, console))
    return console.file.getvalue().splitlines()


def test_a_low_terminal_has_the_stage_at_work_and_jobs():
    lines = drawn(an_overview(), width=80, height=24)
    assert len(lines) < 24
    assert sum(line.startswith("a_stage") for line in lines) == 1
    assert "... and 2 stages done, 13 to come: 'voxcurate jobs'" in lines
    jobs = sum("node1   " in line for line in lines)
    assert jobs > 5
    assert f"... and {12 - jobs} more jobs (--json lists all)" in lines
    assert (
        sum(line.startswith("a_stage") for line in drawn(an_overview(), width=80, height=60)) == 16
    )


def test_all_columns_fit_a_narrow_terminal():
    text = "\n".join(drawn(an_overview(), width=80, height=60))
    assert "…" not in text
    assert "0.05+0.05" in text


def test_a_job_that_was_given_up_is_not_listed():
    found = an_overview(jobs=2)
    lost = replace(found.jobs[0], shard="000009-old", job="99", state="lost", over=True)
    text = "\n".join(drawn(replace(found, jobs=[*found.jobs, lost]), width=80, height=60))
    assert "lost" not in text.partition("jobs: r running")[2].partition("\n")[2]


def test_jobs_for_programs(shown):
    told = json.loads(shown("jobs", "--json"))
    (job,) = told["jobs"]
    assert (job["job"], job["state"], job["items"]) == ("123456_78", "running", 2)
    assert told["round"] == {"number": 1, "status": "running"}
    assert told["driver"]["lives"] is False


@pytest.fixture
def squeue(shown, workspace, tmp_path, monkeypatch):
    """Jobs of a SLURM cluster that say nothing, and what its ``squeue`` says."""
    (workspace.root / "clusters" / "mine.yaml").write_text("kind: slurm\n")
    folder = a_shard(workspace.root, "clean", "000002-bbb", ["s_000", "s_001", "s_002", "s_003"])
    for number, job in enumerate(("21", "22", "23"), 1):
        a_job(folder, number, job, todo=(number,))
    a_job(folder, 4, "24", todo=(0,), beat_age_s=720)
    told = Submitted("mine", "slurm", "20", 1, "2026-01-01 00:00:00 UTC")
    (workspace.root / "driver").mkdir()
    (workspace.root / "driver" / "submitted.json").write_text(json.dumps(asdict(told)))

    def say(text):
        for name, said in {"squeue": text, "sacct": "exit 1"}.items():
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{said}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")

    return say


QUEUE = """cat <<END
20|PENDING|Priority|
21|PENDING|Resources|
22|RUNNING|None|
24|RUNNING|None|
END"""


def states(text):
    return {line.split()[0]: line.split()[2] for line in text.splitlines() if " clean " in line}


def test_the_scheduler_knows_a_queued_job_from_a_forgotten_one(shown, squeue):
    squeue(QUEUE)
    text = shown("jobs")
    assert max(map(len, text.splitlines())) <= 80
    found = states(text)
    assert found == {
        "123456_78": "running", "21": "queued", "22": "starting", "23": "gone", "24": "lost",
    }  # fmt: skip
    assert "(Resources)" in text
    assert "of it: in the queue (Priority)" in text
    assert "gone: the scheduler has no such job; 'voxcurate submit' does its items" in text
    told = json.loads(shown("jobs", "--json"))
    assert [job["scheduler"] for job in told["jobs"]] == [
        "",
        "queued",
        "started",
        "gone",
        "started",
    ]
    assert told["unasked"] == ""


def test_a_scheduler_that_says_nothing_is_named_and_not_waited_for(shown, squeue, monkeypatch):
    squeue("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    text = shown("jobs")
    assert "the scheduler says nothing: squeue:" in text
    assert states(text)["21"] == "waiting"
    monkeypatch.setattr(asking.Asking.__init__, "__defaults__", (0.1,))
    squeue("exec sleep 5")
    assert "the scheduler says nothing: no answer within 0.1 s" in shown("jobs")


def test_of_an_unknown_cluster_nothing_is_asked(shown, squeue, workspace):
    (workspace.root / "clusters" / "mine.yaml").write_text("max_job: 3\n")
    assert "the scheduler says nothing: cluster 'mine': max_job: no such" in shown("jobs")


def test_looks_in_a_row_ask_once(monkeypatch):
    calls = []
    monkeypatch.setattr(asking, "asked", lambda _, ids: calls.append(ids) or {})
    memory = asking.Asking()
    slurm = ClusterConfig(kind="slurm")
    assert memory.about(slurm, []) == ({}, "")
    assert [memory.about(slurm, ["1"]) for _ in range(3)] == [({}, "")] * 3
    assert calls == [["1"]]
    other = asking.Asking()
    assert "another machine" in other.about(ClusterConfig(), ["1"], is_here=False)[1]
    local = ClusterConfig(kind="ray", options={"address": "local"})
    assert "driver's own" in other.about(local, ["1"])[1]
    assert len(calls) == 1


def test_a_dry_run_for_people_and_programs(shown):
    text = shown("submit", "--cluster", "mine", "--dry-run")
    before_scripts = text.partition("--- a job of")[0]
    assert max(map(len, before_scripts.splitlines())) <= 80
    assert "items known after clean: clean_pair, clean_labels\n" in text
    assert "nothing is submitted" in text
    assert "not yet measured" in text
    assert "the driver runs here" in text
    told = json.loads(shown("submit", "--cluster", "mine", "--dry-run", "--json"))
    clean = next(stage for stage in told["stages"] if stage["name"] == "clean")
    assert (clean["items"], clean["seconds"]) == (2, 9000.0)
    assert told["driver"] is None


def test_logs_and_cancel(shown):
    text = shown("logs", "s_008")
    assert "round 1 clean s_008: failed (3 tries" in text
    assert "error: took jobs down" in text
    shown("logs", "nothing", code=2)
    shown("logs", "driver", code=2)
    shown("cancel", code=2)
    shown("cancel", "123", "--all", code=2)
    shown("submit", "--cluster", "nowhere", "--dry-run", code=2)


def test_who_may_only_read_can_look_but_not_submit(shown, workspace, monkeypatch):
    monkeypatch.setattr(reading, "is_writable", lambda _: False)
    before = {path: path.stat().st_mtime_ns for path in workspace.root.rglob("*")}
    assert "round 1: running" in shown("jobs")
    shown("submit", "--cluster", "mine", "--dry-run")
    shown("logs", "s_008")
    for words in (["submit"], ["preflight"], ["cancel", "--all"]):
        result = CliRunner().invoke(app, [*words, "--cluster", "mine", "-w", str(workspace.root)])
        assert result.exit_code == 2
        assert "cannot be written to from here" in result.output
    assert {path: path.stat().st_mtime_ns for path in workspace.root.rglob("*")} == before
