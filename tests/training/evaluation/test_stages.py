"""Stages and subtypes in a round's evaluation: when, against which truth, and what is told."""

import json

import numpy as np
import pytest

from tests.training.conftest import AFFINE, SHAPE, build
from training.evaluation.config import EvaluateConfig
from training.evaluation.stage import run
from training.evaluation.stages import classes_to_stage, subtype_classes
from voxcurate.catalog import Model, WorkItem
from voxcurate.predictions import Prediction, probability_box, write_prediction

CONFIG = EvaluateConfig(bootstrap=50, plots=False)
TUMOUR, ARTERY = "pancreatic_tumor", "superior_mesenteric_artery"
PDAC, CYST = "pancreatic_pdac", "pancreatic_cyst"


def box(*sides):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(*side) for side in sides)] = True
    return mask


VESSEL = box((10, 13), (10, 13), (1, 21))
LARGE, SMALL = box((13, 20), (8, 15), (8, 14)), box((13, 15), (10, 12), (9, 11))
NOTHING = box((0, 0), (0, 0), (0, 0))


@pytest.fixture
def world(tmp_path):
    made = build(tmp_path, ("train", "test", "test", "test"))
    yield made
    made.ctx.catalog.close()


def predict(world, masks):
    """A model whose predictions are these masks: case -> class -> mask."""
    ctx = world.ctx
    classes = sorted({c for own in masks.values() for c in own})
    model = Model("m_net", 1, "net", "none", "", "sha", classes, ["phantom_0"],
                  facts={"role": "flagship", "network": "none"})  # fmt: skip
    with ctx.catalog.write() as writer:
        writer.add(model)
        done = {"model_id": model.model_id}
        writer.put(WorkItem(1, "train_flagship", "net", "", "f", "done", result=done))
        for case, own in masks.items():
            path = ctx.workspace.root / f"{case}.vxp"
            boxes = {c: probability_box(m.astype(np.float32) * 0.9) for c, m in own.items()}
            write_prediction(path, Prediction(boxes, SHAPE, AFFINE, "net", True))
            result = {"path": path.name}
            writer.put(WorkItem(1, "predict", case, model.model_id, "f", "done", result=result))
    return model


def evaluated(world, model, config=CONFIG):
    result = run(world.ctx, config, [model])
    path = world.ctx.workspace.round_path(1, "evaluation.json")
    text = world.ctx.workspace.round_path(1, "evaluation") / "evaluation.md"
    return result, json.loads(path.read_text())["models"][0], text.read_text()


def test_a_stage_needs_a_tumour_and_a_vessel():
    assert classes_to_stage([TUMOUR, ARTERY, "aorta", "liver"], CONFIG) == [TUMOUR, ARTERY, "aorta"]
    assert classes_to_stage([TUMOUR, "aorta"], CONFIG) == []
    assert classes_to_stage([ARTERY], CONFIG) == []
    off = EvaluateConfig(stages=False)
    assert classes_to_stage([TUMOUR, ARTERY], off) == subtype_classes([PDAC, CYST], off) == []
    assert subtype_classes([PDAC], CONFIG) == []
    assert subtype_classes([CYST, PDAC], CONFIG) == [PDAC, CYST]


def test_predictions_are_staged_beside_the_true_masks(world):
    for case, tumour in (("phantom_1", LARGE), ("phantom_2", LARGE), ("phantom_3", NOTHING)):
        world.add_label(case, TUMOUR, tumour)
    world.add_label("phantom_1", ARTERY, VESSEL)
    model = predict(world, {
        "phantom_1": {TUMOUR: LARGE, ARTERY: VESSEL}, "phantom_2": {TUMOUR: SMALL, ARTERY: VESSEL},
        "phantom_3": {TUMOUR: NOTHING, ARTERY: VESSEL},
    })  # fmt: skip
    result, entry, text = evaluated(world, model)
    assert not result.failed
    told = entry["staging"]
    assert set(told["cases"]) == {"phantom_1", "phantom_2", "phantom_3"}
    assert told["cases"]["phantom_1"] == told["true"]["phantom_1"]
    seen = {v["vessel"]: v["state"] for v in told["true"]["phantom_2"]["vessels"]}
    assert seen["SMA"] == "unknown"  # its label has no artery, though the model shows one
    assert told["cases"]["phantom_3"]["stage"] == told["true"]["phantom_3"]["stage"] == "no tumour"
    assert told["same_stage"]["n"] == 3
    assert told["same_stage"]["share"] == pytest.approx(2 / 3, abs=1e-6)  # a small one is not T3
    assert "subtypes" not in told
    assert "### Stages and subtypes" in text
    assert "research only" in text.lower()
    again, second, _ = evaluated(world, model)
    assert second == entry
    assert again.counts["scored"] == 3
    _, without, text = evaluated(world, model, CONFIG.model_copy(update={"stages": False}))
    assert "staging" not in without
    assert "T stage" not in text


def test_subtypes_are_compared_where_all_are_labelled(world):
    for case, pdac, cyst in (("phantom_1", LARGE, NOTHING), ("phantom_2", NOTHING, LARGE)):
        world.add_label(case, PDAC, pdac)
        world.add_label(case, CYST, cyst)
    world.add_label("phantom_3", PDAC, LARGE)  # whether there is a cyst is unknown
    model = predict(world, {
        "phantom_1": {PDAC: LARGE, CYST: SMALL}, "phantom_2": {PDAC: LARGE, CYST: SMALL},
        "phantom_3": {PDAC: LARGE, CYST: NOTHING},
    })  # fmt: skip
    result, entry, text = evaluated(world, model)
    assert not result.failed
    found = entry["staging"]["subtypes"]
    assert found["patients"] == 2
    assert found["truth"] != found["called"]
    assert found["recall"][PDAC]["value"] == 1
    assert found["recall"][CYST]["value"] == 0
    assert "cases" not in entry["staging"]  # no vessel, no stage
    assert "Subtypes of 2 patients: accuracy 50 %" in text
