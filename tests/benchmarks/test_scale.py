"""The simulated cluster breaks jobs in every way, and nothing is lost; the sizing is arithmetic."""

import json
from types import SimpleNamespace

import pytest

from benchmarks import scale_cluster, scale_ledger, scale_overhead, scale_simulate, scale_sizing


def simulated(capsys, folder, *options):
    sizes = ["--scans", "60", "--models", "3", "--devices", "8", "--shard-minutes", "3"]
    status = scale_simulate.main([*sizes, "--folder", str(folder), *options])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return status, {name: value for line in lines for name, value in line.items()}


@pytest.mark.slow
def test_a_cluster_that_breaks_all_the_time_loses_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    # a seed at which no item is in hand at three deaths by chance: it would be blamed for them
    status, found = simulated(capsys, tmp_path, "--worse", "10", "--tick", "5", "--seed", "1")
    assert (status, found["lost"], found["recorded_twice"]) == (0, 0, 0)
    assert found["quarantined"] == found["poison"] > 0
    assert len(found["happened"]) >= 5, found["happened"]
    assert found["device_h_wasted"] >= 0


@pytest.mark.slow
def test_a_calm_cluster_takes_what_it_must(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    status, found = simulated(capsys, tmp_path, "--calm")
    assert (status, found["lost"], found["executed_twice"], found["happened"]) == (0, 0, 0, {})
    assert found["took_h"] > found["ideal_h"]


def test_what_is_lost_is_told(monkeypatch):
    cluster = SimpleNamespace(
        poison={"a"}, executed={"a": 1, "b": 3}, jobs={}, happened={}, held_s=10.0, load_s=1.0
    )
    recorded = scale_simulate.np.array([0, 2, 0])
    world = SimpleNamespace(
        cluster=cluster,
        items=range(3),
        recorded=recorded,
        useful_s=8.0,
        facts={"failed": {"a": ""}},
    )
    catalog = SimpleNamespace(count=lambda *_, **__: 1)
    found = scale_simulate._judged(world, catalog, SimpleNamespace(devices=2), 5.0, 1.0)
    assert (found["lost"], found["recorded_twice"], found["executed_twice"]) == (1, 1, 2)
    assert found["sound"] is False
    assert found["over_ideal"] == 0.25  # 8 s on two devices took 5


def test_sizing_is_the_arithmetic_that_it_says():
    asked = scale_sizing._parser().parse_args(["--gpu-seconds", "36", "--models", "10"])
    predict = next(row for row in scale_sizing.rows(asked) if row.stage == "predict")
    assert scale_sizing.hours(predict, 1000, 10, asked) == pytest.approx(10 * (1 + asked.overhead))
    assert scale_sizing.training_hours(1, asked) == 8 * scale_sizing.training_hours(64, asked)
    one, two = (scale_sizing.disk_gb(n, asked) for n in (100, 200))
    assert {name: 2 * size for name, size in one.items()} == pytest.approx(two)


@pytest.mark.slow
def test_small_measurements_come_out(capsys, tmp_path):
    for way in ("local", "futures, 100 at a time"):
        assert scale_overhead.measured(way, 20)["items"] == 20
    url = f"sqlite:///{tmp_path / 'c.sqlite'}"
    figures = list(scale_ledger.figures(tmp_path, url, 30))
    assert all(figure["items_per_s"] > 0 for figure in figures)
    assert len(figures) == 9
    assert scale_cluster.Faults().times(2.0).hang == 2 * scale_cluster.Faults().hang
