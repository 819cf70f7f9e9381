"""The stage on predictions written by hand: what is truth, what is done again, what is told."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.training.conftest import AFFINE, SHAPE, build
from training.evaluation.config import EvaluateConfig
from training.evaluation.stage import run, scores_of_round
from voxcurate.catalog import Assembly, Measure, Model, Scan, WorkItem
from voxcurate.ids import content_id
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.predictions import Prediction, probability_box, write_prediction

CONFIG = EvaluateConfig(bootstrap=50, plots=False)
CLASS = "parotid_left"
TESTS = [f"phantom_{n}" for n in range(1, 9)]


@pytest.fixture
def world(tmp_path):
    """One scan to train on and eight to test on."""
    made = build(tmp_path, ("train", *["test"] * 8))
    yield made
    made.ctx.catalog.close()


def add_model(world, name, role, *, number=1, shift=0, cases=TESTS):
    """A model of a round whose predictions are the truth, moved by some voxels."""
    ctx = world.ctx
    facts = {"role": role, "network": "none"}
    model = Model(f"m_{name}", number, name, "none", "", f"sha_{name}", [CLASS], ["phantom_0"],
                  facts=facts)  # fmt: skip
    with ctx.catalog.write() as writer:
        writer.add(model)
        stage = {"zoo": "train_zoo", "flagship": "train_flagship"}[role]
        writer.put(
            WorkItem(number, stage, name, "", "f", "done", result={"model_id": model.model_id})
        )
        for case in cases:
            mask = np.roll(world.truth[case][CLASS], shift, axis=0).astype(np.float32) * 0.9
            path = ctx.workspace.root / f"{name}_{number}_{case}.vxp"
            write_prediction(
                path, Prediction({CLASS: probability_box(mask)}, SHAPE, AFFINE, name, True)
            )
            line = WorkItem(number, "predict", case, model.model_id, content_id(name), "done",
                            result={"path": path.name})  # fmt: skip
            writer.put(line)
    return model


def summary_of(world, number=1):
    path = world.ctx.workspace.round_path(number, "evaluation.json")
    return json.loads(path.read_text())


def test_the_flagship_is_tested_against_the_zoo_and_the_last_round(world):
    first = [
        add_model(world, "flagship", "flagship", shift=1),
        add_model(world, "net", "zoo", shift=2),
    ]
    result = run(world.ctx, CONFIG, first)
    assert not result.failed
    flagship = summary_of(world)["models"][0]
    (other,) = flagship["against_others"]
    assert (other["name"], other["dsc"]["n"], other["dsc"]["is_significant"]) == ("net", 8, True)
    assert other["dsc"]["mean"] > 0
    assert "against" not in flagship
    second = world.of_round(2)
    world.ctx = second
    better = add_model(world, "flagship2", "flagship", number=2)
    run(second, CONFIG, [better])
    against = summary_of(world, 2)["models"][0]["against"]
    assert (against["round"], against["name"]) == (1, "flagship")
    assert against["dsc"]["mean"] == pytest.approx(1 - flagship["mean"]["dsc"], abs=1e-6)
    assert against["dsc"]["interval"][0] > 0


def test_done_is_not_done_again_and_settings_of_tables_do_not_matter(world):
    model = add_model(world, "flagship", "flagship", shift=1)
    run(world.ctx, CONFIG, [model])
    before = scores_of_round(world.ctx, 1, model.model_id)
    lines = len(world.ctx.catalog.rows(WorkItem, stage="evaluate"))
    other = CONFIG.model_copy(update={"bootstrap": 20, "plots": True})
    run(world.ctx, other, [model])
    assert len(world.ctx.catalog.rows(WorkItem, stage="evaluate")) == lines == 8
    assert scores_of_round(world.ctx, 1, model.model_id) == before
    folder = world.ctx.workspace.round_path(1, "evaluation")
    assert {"evaluation.md", "cases.csv", "dsc.png", "reliability.png"} <= {
        path.name for path in folder.iterdir()
    }
    run(world.ctx, CONFIG.model_copy(update={"threshold": 0.95}), [model])
    assert summary_of(world)["models"][0]["mean"]["dsc"] == 0


def test_only_the_test_split_is_scored(world):
    model = add_model(world, "flagship", "flagship", cases=["phantom_0", *TESTS])
    run(world.ctx, CONFIG, [model])
    scores = scores_of_round(world.ctx, 1, model.model_id)
    assert set(scores) == set(TESTS)
    assert {row[CLASS]["dsc"] for row in scores.values()} == {1.0}
    rows = world.ctx.catalog.rows(Measure, stage="evaluate", name="hd95")
    assert {row.value for row in rows} == {0.0}


def test_a_scan_without_prediction_is_a_failed_item(world):
    model = add_model(world, "flagship", "flagship", cases=TESTS[1:])
    result = run(world.ctx, CONFIG, [model])
    assert list(result.failed) == [f"{TESTS[0]}/{model.model_id}"]
    assert summary_of(world)["models"][0]["cases"] == 7


def test_where_a_label_does_not_speak_the_prediction_is_not_judged(tmp_path):
    made = build(tmp_path, ("train", "test"), unknown=[("phantom_1", CLASS)])
    truth = made.truth["phantom_1"][CLASS]
    known = np.ones(SHAPE, bool)
    middle = int(np.argwhere(truth)[:, 1].mean())
    known[:, middle:] = False
    files = [
        write_mask(made.ctx.workspace.scratch, name, mask, AFFINE)
        for name, mask in (("half", truth & known), ("known", known))
    ]
    with made.ctx.catalog.write() as writer:
        label = adopt_mask(
            writer, made.ctx.workspace, files[0], case_id="phantom_1", class_id=CLASS,
            origin="original", round_number=0, known=files[1],
        )  # fmt: skip
        writer.point(Assembly(0, "phantom_1", CLASS, label.label_id, "original"))
    model = add_model(made, "flagship", "flagship", cases=["phantom_1"])
    run(made.ctx, CONFIG, [model])
    scores = scores_of_round(made.ctx, 1, model.model_id)["phantom_1"][CLASS]
    assert (scores["dsc"], scores["hd95"]) == (1.0, 0.0)
    assert scores["voxels"] == (truth & known).sum() < truth.sum()
    made.ctx.catalog.close()


def test_duplicates_are_one_patient(world):
    with world.ctx.catalog.write() as writer:
        for scan in writer.rows(Scan):
            if scan.case_id in TESTS[:2]:
                writer.put(replace(scan, duplicate_group="same"))
    model = add_model(world, "flagship", "flagship", shift=1)
    run(world.ctx, CONFIG, [model])
    entry = summary_of(world)["models"][0]
    assert (entry["cases"], entry["patients"]) == (8, 7)
