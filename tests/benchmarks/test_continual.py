"""Tasks one after the other, on phantoms: what is run, what is told, and that it goes on."""

import json

import numpy as np
import pytest
from rich.console import Console

from benchmarks import continual
from benchmarks.continual import Study, drops, run_study, task_mean
from benchmarks.continual_data import Subject, deal
from tests.training.conftest import _small_networks, phantom, tiny  # noqa: F401
from training.config import MixConfig

TASKS = (("mandible",), ("parotid_left",), ("parotid_right",))
MIX = MixConfig(labelled=0.5, selective=0, replay=0.5)


def subjects(n=7):
    for k in range(n):
        volume, masks = phantom(k)
        yield Subject(f"pt_{k}", volume, masks)


def test_cases_are_dealt_evenly_and_only_where_they_can_teach():
    drawn = {f"c{n}": ["mandible"] if n < 4 else ["parotid_left"] for n in range(10)}
    dealt, tested = deal(drawn, TASKS[:2], 2)
    assert len(tested) == 2
    assert not set(tested) & {c for some in dealt for c in some}
    assert all(
        drawn[c] == list(task) for task, some in zip(TASKS[:2], dealt, strict=True) for c in some
    )
    assert dealt == deal(dict(reversed(drawn.items())), TASKS[:2], 2)[0]


def test_drop_is_after_the_task_minus_at_the_end():
    after = [{"a": 0.8}, {"a": 0.7, "b": 0.9, "c": 0.5}, {"a": 0.6, "b": 0.5, "c": 0.5, "d": 0.4}]
    assert drops(after, [["a"], ["b", "c"], ["d"]]) == pytest.approx([0.2, 0.2])
    assert np.isnan(task_mean(after[0], ["d"]))


@pytest.mark.parametrize(
    ("method", "kind", "without", "distill"),
    [
        ("none", "full", ("replay",), 0),
        ("full", "full", (), 0),
        ("dynamic", "dynamic", (), 0),
        ("distill", "full", ("replay",), 1),
        ("selective+distill", "selective", (), 1),
    ],
)
def test_methods(method, kind, without, distill):
    config = Study(TASKS, tiny()).config(method)
    assert (config.replay.memory, config.without, config.training.distill) == (
        kind, without, distill,
    )  # fmt: skip


@pytest.mark.slow
def test_it_runs_and_goes_on(tmp_path, monkeypatch):
    study = Study(TASKS, tiny(mix=MIX, steps=2), size=1)
    methods = ("none", "linear", "full+distill")
    quiet = {"n_test": 1, "console": Console(quiet=True)}
    found = run_study(tmp_path, study, subjects(), methods, [0], **quiet)
    for run in found.values():
        known = [{c for task in TASKS[: n + 1] for c in task} for n in range(3)]
        assert [set(scores) for scores in run["after"]] == known
        assert run["after"][0] == found["none", 0]["after"][0]
        assert len(run["drops"]) == 2
    stored = json.loads((tmp_path / "linear_0.json").read_text())
    assert stored["after"] == found["linear", 0]["after"]
    monkeypatch.setattr(continual, "evaluate", None)  # all is there: nothing is done again
    assert run_study(tmp_path, study, subjects(), methods, [0], **quiet) == found
