"""Rounds over the real graph and its SQLite checkpoints, with stages that only leave a trace."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from agent import rounds
from agent.config import RoundConfig
from agent.rounds import run_round, run_series
from tests.voxcurate.factories import a_scan
from voxcurate.catalog import Catalog, Measure, Round
from voxcurate.config import dump_yaml
from voxcurate.errors import ConfigError, TrainingError
from voxcurate.stage import StageResult
from voxcurate.workspace import Workspace

pytestmark = pytest.mark.usefixtures("each_database")

ROOT = Path(__file__).parents[2]
PART = {"classes": ["liver"]}


def stages_of(root: Path, config: RoundConfig):
    """Four stages that write their name into ``trace.txt``; files in the workspace steer them:
    ``hang-<stage>``, ``fail-<stage>``, ``stop``, and ``answer`` (what people say)."""

    def stage(name, counts=None, failed=None):
        def run():
            with (root / "trace.txt").open("a") as stream:
                stream.write(f"{name}\n")
            if (root / f"hang-{name}").exists():
                time.sleep(600)
            if (root / f"fail-{name}").exists():
                raise TrainingError("want a label, found none", case_id="a_case")
            return StageResult(counts or {}, failed or {})

        return run

    def review():
        stage("review")()
        if config.wait_for_review and not (root / "answer").exists():
            from langgraph.types import interrupt

            interrupt({"waiting": 1})
        return StageResult({"not_looked_at": 0})

    stop = (root / "stop").exists()
    return {
        "clean": stage("clean", {"checked": 3}, {"a_case": "want 3 axes"}),
        "review": review,
        "train": stage("train", {"steps": 5}),
        "stop": stage("stop", {"stop": stop, "reason": "enough" if stop else "may still help"}),
    }


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A workspace with one scan and stages that leave a trace."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    workspace = Workspace.create(tmp_path / "w")
    catalog = Catalog(workspace.catalog_url)
    with catalog.write() as writer:
        writer.add(a_scan())
    monkeypatch.setattr(rounds, "round_stages", lambda _, c: stages_of(workspace.root, c))
    yield workspace, catalog
    catalog.close()


def trace(workspace):
    path = workspace.root / "trace.txt"
    return path.read_text().split() if path.exists() else []


def go(bench, **options):
    return run_round(*bench, quiet=True, **{"overrides": PART, "no_review": True, **options})


def test_a_round_runs_its_stages_once_and_says_how_it_went(bench):
    workspace, catalog = bench
    lines = []
    outcome = go(bench, say=lines.append)
    assert (outcome.number, outcome.status, outcome.failed, outcome.stop) == (1, "done", 1, False)
    assert outcome.counts["train"] == {"steps": 5}
    assert trace(workspace) == ["clean", "review", "train", "stop"]
    assert "  failed: a_case: want 3 axes" in lines
    row = catalog.one(Round, number=1)
    assert (row.status, row.stop_reason, row.facts["failed"]) == ("done", "may still help", 1)
    assert row.finished
    walls = catalog.rows(Measure, name="wall_s", round=1)
    assert [w.stage for w in walls] == ["clean", "review", "stop", "train"]
    assert go(bench).number == 2


def test_only_the_first_failures_are_told(bench, monkeypatch):
    failed = {f"c{n:02}": "broken" for n in range(30)}
    stages = {"clean": lambda: StageResult({}, failed)}
    monkeypatch.setattr(rounds, "round_stages", lambda *_: stages)
    lines = []
    go(bench, say=lines.append)
    assert lines[1:] == [f"  failed: c{n:02}: broken" for n in range(20)] + ["  ... and 10 more"]


def test_a_stage_that_cannot_run_is_the_only_one_to_run_again(bench):
    workspace, catalog = bench
    (workspace.root / "fail-train").touch()
    with pytest.raises(TrainingError):
        go(bench)
    assert catalog.one(Round, number=1).status == "running"
    (workspace.root / "fail-train").unlink()
    assert go(bench).status == "done"
    assert trace(workspace) == ["clean", "review", "train", "train", "stop"]


def test_it_waits_for_people_and_goes_on_with_what_they_said(bench):
    workspace, catalog = bench
    assert go(bench, no_review=False).status == "waiting"
    assert catalog.one(Round, number=1).status == "waiting"
    assert go(bench, no_review=False).status == "waiting"  # nobody has looked yet
    (workspace.root / "answer").touch()
    (workspace.root / "fail-train").touch()
    with pytest.raises(TrainingError):
        go(bench, no_review=False)
    assert catalog.one(Round, number=1).status == "running", "people are not waited for any more"
    (workspace.root / "fail-train").unlink()
    assert go(bench, no_review=False).status == "done"
    assert trace(workspace).count("clean") == 1


def test_a_waiting_round_goes_on_without_people_when_told(bench):
    assert go(bench, no_review=False).status == "waiting"
    assert go(bench, no_review=True).status == "done"
    assert trace(bench[0]) == ["clean", "review", "review", "train", "stop"]


def test_other_settings_are_refused_while_a_round_is_under_way(bench, tmp_path):
    _, catalog = bench
    go(bench, no_review=False)
    with pytest.raises(ConfigError, match="under way with other settings"):
        go(bench, overrides={**PART, "seed": 5})
    file = tmp_path / "round.yaml"
    file.write_text(dump_yaml({"classes": ["spleen"]}))
    with pytest.raises(ConfigError, match="under way with other settings"):
        go(bench, overrides=None, file=file)
    file.write_text(dump_yaml(PART))
    assert go(bench, overrides=None, file=file, no_review=False).status == "waiting"  # the same
    assert go(bench, overrides=None).status == "done"
    assert go(bench, overrides={**PART, "seed": 5}).number == 2
    assert catalog.one(Round, number=2).seed == 5


def test_what_cannot_start_leaves_no_round(bench, tmp_path, monkeypatch):
    _, catalog = bench
    with pytest.raises(ConfigError, match="no class is annotated"):
        go(bench, overrides={})
    with pytest.raises(ConfigError, match="vocabulary"):
        go(bench, overrides={"classes": ["nonsense"]})
    with pytest.raises(ConfigError, match="no such setting"):
        go(bench, overrides={"nonsense": 1})
    slip = tmp_path / "my_round.yaml"
    slip.write_text("zoo: {netwroks: [unet_small]}\n")
    told = "my_round.yaml: zoo.netwroks: no such setting, the nearest is zoo.networks$"
    with pytest.raises(ConfigError, match=told):
        go(bench, overrides=PART, file=slip)
    assert catalog.rows(Round) == []
    empty = Workspace.create(tmp_path / "empty")
    other = Catalog(empty.catalog_url)
    with pytest.raises(ConfigError, match="no scans yet"):
        run_round(empty, other, overrides=PART)
    other.close()


def test_checkpoints_of_a_catalog_that_is_gone_do_not_count(bench):
    workspace, catalog = bench
    go(bench)
    row = catalog.one(Round, number=1)
    engine = sa.create_engine(workspace.catalog_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM round"))
    engine.dispose()
    go(bench)
    assert trace(workspace).count("train") == 1 + (
        catalog.one(Round, number=1).started != row.started
    )


def test_lost_checkpoints_run_the_stages_again(bench):
    workspace, _ = bench
    go(bench, no_review=False)
    for path in (workspace.root / "rounds").glob("checkpoints.sqlite*"):
        path.unlink()
    assert go(bench).status == "done"
    assert trace(workspace).count("clean") == 2


def series(bench, n=2, **options):
    told = []
    outcomes = run_series(
        *bench,
        rounds=n,
        finished=lambda o: told.append((o.number, o.status)),
        quiet=True,
        **{"overrides": PART, "no_review": True, **options},
    )
    return [o.number for o in outcomes], told


def test_a_series_runs_its_rounds_and_the_next_call_another_one(bench):
    assert series(bench) == ([1, 2], [(1, "done"), (2, "done")])
    assert series(bench) == ([3, 4], [(3, "done"), (4, "done")])
    assert series(bench, 1) == ([5], [(5, "done")])


def test_a_series_stops_when_the_rule_says_so(bench):
    (bench[0].root / "stop").touch()
    assert series(bench, 3)[0] == [1]
    (bench[0].root / "stop").unlink()
    assert series(bench, 2)[0] == [2, 3]


@pytest.mark.parametrize("round_that_fails", [1, 2])
def test_an_interrupted_series_ends_with_as_many_rounds(bench, round_that_fails):
    workspace, catalog = bench
    if round_that_fails == 2:
        series(bench, 1)  # the round before, of another series
    (workspace.root / "fail-train").touch()
    with pytest.raises(TrainingError):
        series(bench)
    (workspace.root / "fail-train").unlink()
    series(bench)
    assert catalog.count(Round) == round_that_fails + 1


@pytest.mark.parametrize("cut", [1, 2])
def test_a_series_cut_off_in_a_report_makes_it_and_goes_on(bench, cut):
    def finished(outcome):
        if outcome.number == cut:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_series(*bench, rounds=2, finished=finished, quiet=True, overrides=PART, no_review=True)
    numbers, told = series(bench)
    assert told == [(n, "done") for n in range(cut, 3)]
    assert numbers == list(range(cut, 3))
    assert bench[1].count(Round) == 2


def test_a_series_waits_and_goes_on(bench):
    assert series(bench, no_review=False) == ([1], [(1, "waiting")])
    (bench[0].root / "answer").touch()
    assert series(bench, no_review=False) == ([1, 2], [(1, "done"), (2, "done")])


DRIVER = """
import sys
from pathlib import Path
from agent import rounds
from agent.cli.console import run_command
from tests.agent.test_rounds import PART, stages_of
from voxcurate.catalog import Catalog
from voxcurate.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
rounds.round_stages = lambda _, config: stages_of(workspace.root, config)

def command():
    catalog = Catalog(workspace.catalog_url)
    with workspace.lock():
        outcome = rounds.run_round(workspace, catalog, overrides=PART, quiet=True)
    print(outcome.status)
    return 0

import typer
try:
    run_command(command)
except typer.Exit as leave:
    sys.exit(leave.exit_code)
"""


def drive(workspace):
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(workspace.root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(workspace, stage):
    deadline = time.monotonic() + 60
    while stage not in trace(workspace):
        assert time.monotonic() < deadline, f"{stage} was never reached"
        time.sleep(0.05)


@pytest.mark.slow
def test_killed_in_mid_stage_another_process_goes_on_there(bench):
    workspace, catalog = bench
    (workspace.root / "hang-clean").touch()
    process = drive(workspace)
    wait_for(workspace, "clean")
    process.kill()
    process.communicate()
    assert catalog.one(Round, number=1).status == "running"
    (workspace.root / "hang-clean").unlink()

    out, errors = drive(workspace).communicate(timeout=60)
    assert out == "waiting\n", errors
    assert trace(workspace) == ["clean", "clean", "review"]
    (workspace.root / "answer").touch()
    (workspace.root / "hang-train").touch()
    process = drive(workspace)  # answered in another process, killed after it
    wait_for(workspace, "train")
    process.kill()
    process.communicate()
    (workspace.root / "hang-train").unlink()

    out, errors = drive(workspace).communicate(timeout=60)
    assert out == "done\n", errors
    assert trace(workspace) == ["clean", "clean", "review", "review", "train", "train", "stop"]
    assert catalog.count(Round) == 1


@pytest.mark.slow
def test_ctrl_c_leaves_with_130_and_without_a_traceback(bench):
    workspace, _ = bench
    (workspace.root / "hang-clean").touch()
    process = drive(workspace)
    wait_for(workspace, "clean")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors == "interrupted; the same command goes on from here\n"


def test_a_round_killed_before_it_was_closed_is_closed_by_the_next_call(bench):
    workspace, catalog = bench
    go(bench)
    with catalog.write() as writer:
        row = catalog.one(Round, number=1)
        facts = {k: v for k, v in row.facts.items() if k not in {"counts", "failed"}}
        writer.put(replace(row, status="running", finished="", facts=facts))
    outcome = go(bench)
    assert (outcome.number, outcome.status, outcome.failed) == (1, "done", 1)
    assert trace(workspace) == ["clean", "review", "train", "stop"]


def test_the_resolved_settings_lie_beside_the_round(bench):
    workspace, catalog = bench
    go(bench)
    text = workspace.round_path(1, "config.yaml").read_text()
    assert "liver" in text
    assert json.loads(json.dumps(catalog.one(Round, number=1).config))["classes"] == ["liver"]
