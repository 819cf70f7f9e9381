"""Stage statistics in a small workspace: the right masks are compared on the right cases."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from labeling.assembly import assemble
from labeling.config import LabelingConfig, StatisticsConfig
from labeling.fusion import fuse
from labeling.statistics import agreement
from labeling.statistics.agreement import Agreement, agreement_of_json, architecture, sample, stored
from labeling.statistics.agreement_case import case_of_json, work
from labeling.statistics.figures import EVERY
from tests.labeling.conftest import AFFINE, CLASSES, SHAPE, build
from voxcurate.catalog import Label, Measure, Model, WorkItem
from voxcurate.labels import adopt_mask, read_mask, write_mask
from voxcurate.metrics import dsc
from voxcurate.predictions import open_prediction

CONFIG = LabelingConfig()


def unlabelled(keep=()):
    return {n: (lambda masks: {c: m for c, m in masks.items() if c in keep}) for n in (0, 1, 2)}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Three nets of two architectures; cases 0 to 2 have no labels but of the liver."""
    world = build(
        tmp_path_factory.mktemp("agree") / "ws",
        planted=unlabelled(("liver",)), n_train=6, n_validation=2, n_test=2, models=3,
    )  # fmt: skip
    with world.ctx.catalog.write() as writer:
        writer.put(replace(writer.rows(Model, model_id="model2")[0], architecture="swin"))
    assert not fuse.run(world.ctx, CONFIG).failed
    assert not assemble.run(world.ctx, CONFIG).failed
    assert not agreement.run(world.ctx, CONFIG).failed
    return world


def lines(world):
    return {x.subject: x for x in world.ctx.catalog.rows(WorkItem, stage="statistics")}


def masks_of(world, case_id, class_id):
    """Rater -> mask, read the slow way."""
    ctx = world.ctx
    found = {}
    for model in ("model0", "model1", "model2"):
        path = ctx.workspace.prediction_path(1, model, case_id)
        found[model] = open_prediction(path).full(class_id) > 127.5
    for origin, rater in (("original", "original"), ("pseudo", "ensemble")):
        label = ctx.catalog.one(Label, case_id=case_id, class_id=class_id, origin=origin)
        if label is not None:
            found[rater] = read_mask(ctx.workspace.root, label.path, SHAPE)
    return found


def test_every_pair_has_the_dsc_of_its_masks(world):
    for case_id in ("src_case00", "src_case04", "src_case09"):
        case = case_of_json(case_id, lines(world)[case_id].result)
        for class_id in CLASSES:
            masks = masks_of(world, case_id, class_id)
            for a, b in combinations(masks, 2):
                assert case.between(class_id, a, b) == pytest.approx(
                    dsc(masks[a], masks[b]), abs=1e-6
                )


def test_a_machines_label_counts_only_where_no_person_drew(world):
    case = case_of_json("src_case00", lines(world)["src_case00"].result)
    assert case.between("spleen", "model0", "counting") is not None
    assert case.between("spleen", "model0", "original") is None
    assert case.between("liver", "model0", "counting") is None
    assert case.between("liver", "model0", "original") is not None


def test_seen_is_what_the_predictions_say(world):
    case = case_of_json("src_case04", lines(world)["src_case04"].result)
    assert case.seen == {"model0", "model2", "ensemble", "counting"}  # model1 left it out
    assert case_of_json("x", lines(world)["src_case09"].result).seen == frozenset()


def test_the_round_keeps_matrix_bias_and_numbers(world):
    found = stored(world.ctx)
    assert (found.n_cases, found.n_eligible, found.patients) == (10, 10, 10)
    assert [r.rater_id for r in found.raters] == [
        "model0", "model1", "model2", "ensemble", "counting", "original",
    ]  # fmt: skip
    cell = found.matrix["liver"]["model1", "original"]
    assert cell.n == 6  # validation, test, and the two training cases that it left out
    assert not cell.seen
    assert 0.7 < cell.mean < 1
    assert found.matrix[EVERY]["ensemble", "original"].n == 2  # fused by networks that saw none
    assert [b.architecture for b in found.bias] == ["swin", "unet"]
    assert found.bias[0].verdict() == "unknown"
    assert found.bias[0].patients == 2
    assert agreement_of_json(json.loads(json.dumps(found.to_json()))) == found


def test_the_second_call_computes_nothing_and_says_the_same(world):
    before = world.ctx.catalog.rows(Measure, stage="statistics")
    counts = agreement.run(world.ctx, CONFIG).counts
    assert (counts["computed"], counts["reused"], counts["cases"]) == (0, 10, 10)
    assert world.ctx.catalog.rows(Measure, stage="statistics") == before


def test_a_smaller_sample_is_stated_and_spreads_over_both_kinds(world):
    few = CONFIG.model_copy(update={"statistics": StatisticsConfig(cases=4)})
    counts = agreement.run(world.ctx, few).counts
    assert (counts["cases"], counts["eligible"]) == (4, 10)
    assert stored(world.ctx).n_cases == 4
    none = CONFIG.model_copy(update={"statistics": StatisticsConfig(cases=0)})
    assert agreement.run(world.ctx, none).counts["raters"] == 0
    assert stored(world.ctx) == Agreement((), {}, (), 0, 10, 0)
    agreement.run(world.ctx, CONFIG)


def test_another_round_has_not_measured_it(world):
    assert stored(world.ctx, 7) is None


def test_a_partly_known_label_is_compared_where_it_speaks(world, tmp_path):
    known = np.zeros(SHAPE, bool)
    known[:, : SHAPE[1] // 2] = True
    masks = masks_of(world, "src_case09", "liver")
    with world.ctx.catalog.write() as writer:
        label = adopt_mask(
            writer, world.ctx.workspace,
            write_mask(tmp_path, "m", masks["original"], AFFINE),
            case_id="src_case09", class_id="liver", origin="revised", round_number=1,
            known=write_mask(tmp_path, "k", known, AFFINE),
        )  # fmt: skip
    path = world.ctx.workspace.prediction_path(1, "model0", "src_case09")
    payload = {
        "root": str(world.ctx.workspace.root), "shape": list(SHAPE), "classes": ["liver"],
        "threshold": 0.5, "seen": [], "predictions": {"model0": str(path)},
        "labels": {"revised": {"liver": [label.path, label.known_path]}},
    }  # fmt: skip
    found = case_of_json("x", work(payload)).between("liver", "model0", "revised")
    assert found == pytest.approx(dsc(masks["model0"] & known, masks["original"] & known), abs=1e-6)


def test_what_cannot_be_read_fails_alone(tmp_path):
    world = build(tmp_path / "ws", planted={}, n_train=2, n_validation=1, n_test=1)
    label = world.label("src_case01", "liver")
    (world.ctx.workspace.root / label.path).unlink()
    result = agreement.run(world.ctx, CONFIG)
    assert list(result.failed) == ["src_case01"]
    assert "gone" in result.failed["src_case01"]
    assert result.counts["cases"] == 3


def test_the_sample_prefers_unseen_cases_and_keeps_both_kinds():
    cases = {f"c{i:03d}": (i % 2 == 0, i % 10 == 0) for i in range(200)}
    found = sample(cases, 30, 1)
    assert len(found) == 30
    assert found == sorted(found)
    assert sum(cases[c][1] for c in found) == 15
    assert all(cases[c][0] for c in found)
    assert sample(cases, 30, 1) == found != sample(cases, 30, 2)
    assert sum(cases[c][1] for c in sample(cases, 100, 1)) == 20  # all that there are
    assert sample(cases, 999, 1) == sorted(cases)
    labelled = dict.fromkeys(cases, (True, True))
    assert len(sample(labelled, 7, 1)) == 7
    assert sample(cases, 0, 1) == []


def test_models_from_elsewhere_stand_for_themselves_but_for_known_designs():
    model = Model("m", 1, "theirs", "command", "", "", [], [], facts={"role": "external"})
    assert architecture(model) == "theirs"
    for kind in ("nnunet", "totalsegmentator"):
        facts = {"role": "external", "spec": {"kind": kind}}
        assert architecture(replace(model, facts=facts)) == "nnU-Net"
    facts = {"role": "external", "spec": {"kind": "network", "architecture": "SwinUNETR"}}
    assert architecture(replace(model, facts=facts)) == "SwinUNETR"
    assert architecture(replace(model, facts={"role": "zoo"}, architecture="UNet")) == "UNet"
