"""Numbers of items and their cost, against counts made by hand."""

import pytest

from agent.clusters.forecast import LEDGER, Forecast, forecast
from agent.config import RoundConfig
from agent.stages import LEDGER_NAMES, STAGE_NAMES
from tests.agent.clusters.conftest import a_round
from voxcurate.catalog import Model, WorkItem
from voxcurate.executors.cluster import ClusterConfig, Needs

NEEDS = Needs(cpus=4, workers=2, gpus=1, memory_gb=8, shard_minutes=1, max_items=50)


def by_name(catalog, config=None, cluster=None):
    found = forecast(catalog, config or RoundConfig(), cluster or ClusterConfig())
    return {each.name: each for each in found}


def lines(catalog, number, stage, n, *, variant="", seconds=2.0, status="done"):
    with catalog.write() as writer:
        writer.put_all(
            [
                WorkItem(number, stage, f"s_{k:03d}", variant, "f", status, seconds=seconds)
                for k in range(n)
            ]
        )


def test_every_stage_of_the_ledger_belongs_to_its_stage_of_the_round():
    assert [*LEDGER, "stop"] == list(STAGE_NAMES)
    for stage, names in LEDGER.items():
        for name in names:
            assert LEDGER_NAMES.get(name, name) == stage or name == "assemble_conflicts"
    assert set(LEDGER_NAMES) <= {name for names in LEDGER.values() for name in names}


def test_before_the_first_round_what_depends_on_later_finds_is_unknown(catalog):
    found = by_name(catalog)
    n_networks = len(RoundConfig().zoo.networks)
    assert found["clean"].items == 10
    assert found["train_zoo"].items == n_networks
    assert found["predict"].items == 10 * n_networks + 2
    assert found["fuse"].items == found["detect"].items == 8
    assert found["evaluate"].items == 2 * (1 + n_networks)
    assert found["judge"].items is None
    assert found["judge"].why == "known after detect"
    assert found["retrieve"].items == 0  # no reports
    assert found["clean"].seconds is None
    assert found["clean"].shards is None


def test_what_is_done_in_this_round_is_not_left(catalog):
    with catalog.write() as writer:
        writer.put(a_round(1))
    lines(catalog, 1, "clean", 4)
    lines(catalog, 1, "detect", 2, status="failed")
    found = by_name(catalog)
    assert (found["clean"].items, found["clean"].done) == (6, 4)
    assert found["detect"].items == 8  # failed ones are tried again


def test_a_cohort_counts_instead_of_all_scans(catalog):
    with catalog.write() as writer:
        writer.put(a_round(1, facts={"cohort": ["s_000", "s_001", "s_009"]}))
    found = by_name(catalog)
    assert found["clean"].items == 3
    assert found["fuse"].items == 2


def test_the_next_round_keeps_the_zoo_and_its_predictions(catalog):
    n = len(RoundConfig().zoo.networks)
    with catalog.write() as writer:
        writer.put(a_round(1, status="done"))
        for k in range(n):
            writer.put(Model(f"m{k}", 1, f"zoo{k}", "unet", "", "", [], [], facts={"role": "zoo"}))
        writer.put(Model("flag", 1, "flagship", "unet", "", "", [], [], facts={"role": "flagship"}))
    for k in range(n):
        lines(catalog, 1, "predict", 10, variant=f"m{k}")
    lines(catalog, 1, "predict", 10, variant="flag")
    lines(catalog, 1, "judge", 5)
    found = by_name(catalog)
    assert found["train_zoo"].items == 0
    assert found["predict"].items == 10 + 2  # last round's flagship; the new one on test scans
    assert (found["judge"].items, found["judge"].why) == (5, "as in round 1")


def test_cost_is_that_of_measured_items(catalog):
    with catalog.write() as writer:
        writer.put(a_round(1))
    lines(catalog, 1, "clean", 3, seconds=6.0)
    lines(catalog, 1, "clean", 1, variant="copied", seconds=0.0)  # of another round
    lines(catalog, 1, "clean", 1, variant="failed", seconds=600.0, status="failed")
    cluster = ClusterConfig(stages={"clean": NEEDS})
    clean = by_name(catalog, cluster=cluster)["clean"]
    assert (clean.seconds, clean.measured) == (6.0, 3)


@pytest.mark.parametrize(
    ("items", "seconds", "shards", "core_hours", "gpu_hours"),
    [
        (100, 6.0, 5, 100 * 6 / 2 / 3600 * 4, 100 * 6 / 2 / 3600),  # 20 fit into 2 x 60 s
        (100, 0.5, 2, 100 * 0.5 / 2 / 3600 * 4, 100 * 0.5 / 2 / 3600),  # max_items
        (3, 500.0, 3, 3 * 500 / 2 / 3600 * 4, 3 * 500 / 2 / 3600),  # longer than a shard
        (0, None, 0, 0.0, 0.0),
        (100, None, None, None, None),
        (None, 6.0, None, None, None),
    ],
)
def test_shards_and_hours_by_hand(items, seconds, shards, core_hours, gpu_hours):
    each = Forecast("predict", "predict", NEEDS, items, seconds=seconds)
    assert each.shards == shards
    assert each.core_hours == (None if core_hours is None else pytest.approx(core_hours))
    assert each.gpu_hours == (None if gpu_hours is None else pytest.approx(gpu_hours))


def test_without_gpus_no_gpu_hours_though_nothing_is_measured():
    assert Forecast("clean", "clean", Needs(), 10).gpu_hours == 0.0
