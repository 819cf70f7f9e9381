"""Label errors of a workspace whose stages were really run, for two rounds."""

from dataclasses import replace

import numpy as np
import pytest

from labeling.assembly import assemble
from labeling.config import JudgeConfig, LabelingConfig
from labeling.errors.reader import AT_ONCE, count_errors, looked_at, read_errors
from labeling.expert import detect, judge
from labeling.fusion import fuse
from tests.labeling.conftest import AFFINE, PLANTED, build, misplace_liver
from voxcurate.catalog import Assembly, WorkItem
from voxcurate.labels import adopt_mask, write_mask

pytestmark = pytest.mark.slow
CONFIG = LabelingConfig(judge=JudgeConfig(auto_mend=("pseudo", "judged", "original")))
CASE = "src_case05"  # of which the liver is misplaced


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two rounds: what was mended in the first is wrong again in the second."""
    made = build(tmp_path_factory.mktemp("errors") / "ws", planted=PLANTED)
    first = made.ctx
    for stage in (fuse, detect, judge, assemble):
        stage.run(first, CONFIG)
    second = replace(first, round=2)
    with first.catalog.write() as writer:
        for line in first.catalog.rows(WorkItem, stage="predict"):
            writer.put(replace(line, round=2))
    wrong = misplace_liver(made.truth[CASE])["liver"]
    file = write_mask(first.workspace.scratch, "again", np.roll(wrong, 1, 2), AFFINE)
    with first.catalog.write() as writer:
        label = adopt_mask(
            writer, first.workspace, file, case_id=CASE, class_id="liver", origin="original",
            round_number=1,
        )  # fmt: skip
        writer.point(Assembly(1, CASE, "liver", label.label_id, "original"))
    for stage in (fuse, detect, judge, assemble):
        stage.run(second, CONFIG)
    return replace(made, ctx=second)


@pytest.fixture(scope="module")
def errors(world):
    return [error for error, _ in read_errors(world.ctx.catalog, world.ctx.vocabulary)]


def of(errors, case, class_id, scope="label"):
    return [e for e in errors if (e.case_id, e.class_id, e.scope) == (case, class_id, scope)]


def test_planted_errors_are_told_by_their_names(errors):
    for side in ("kidney_left", "kidney_right"):
        assert of(errors, "src_case01", side)[0].kind == "left_right_swap"
    assert of(errors, "src_case03", "spleen")[0].kind == "missing"
    assert of(errors, CASE, "liver")[0].kind in ("misplaced", "wrong_class")


def test_how_they_were_mended_is_told(errors):
    spleen = of(errors, "src_case03", "spleen")[0]
    assert (spleen.standing, spleen.mended, spleen.mended_round) == ("mended", "prediction", 1)
    assert spleen.by.startswith("judge:")
    assert spleen.instead
    assert spleen.drawn_by == "source"
    assert {e.mended for e in of(errors, "src_case01", "kidney_left")} <= {"prediction", "repair"}


def test_the_mended_error_that_comes_back_is_told(world, errors):
    first, again = of(errors, CASE, "liver")
    assert (first.round, again.round) == (1, 2)
    assert again.again == first.kind
    assert again.again_round == 1
    assert first.instead
    tally, _ = count_errors(world.ctx.catalog, world.ctx.vocabulary)
    assert (CASE, "liver") in {(e.case_id, e.class_id) for e in tally.back}
    assert tally.again_in[2, "label"] == 1
    assert ("liver", {1: 1, 2: 1}) in [
        (r.class_id, dict(r.by_round)) for r in tally.recurrences() if r.scope == "label"
    ]


def test_as_of_the_first_round_nothing_has_come_back(world):
    then = [e for e, _ in read_errors(world.ctx.catalog, world.ctx.vocabulary, upto=1)]
    assert len(of(then, CASE, "liver")) == 1
    assert not any(e.again for e in then)


def test_rates_are_of_the_labels_that_were_looked_at(world):
    tally, looked = count_errors(world.ctx.catalog, world.ctx.vocabulary)
    assert looked.labels[1, "label", "", ""] == 44  # 11 train and validation scans, 4 classes
    assert looked.patients[1, "label", "", ""] == 11
    assert looked.labels[1, "label", "class", "liver"] == 11
    assert looked.labels[1, "label", "origin", "people"] == 44
    assert "machines" in {key[3] for key in looked.labels if key[:3] == (2, "label", "origin")}
    rate = tally.rate(looked, 1)
    assert rate.errors >= 4
    assert rate.value == pytest.approx(1000 * rate.errors / 44)


def test_filters_and_small_batches_tell_the_same(world, errors, monkeypatch):
    catalog, vocabulary = world.ctx.catalog, world.ctx.vocabulary
    livers = [e for e, _ in read_errors(catalog, vocabulary, classes=["liver"])]
    assert livers == [e for e in errors if e.class_id == "liver"]
    one = [e for e, _ in read_errors(catalog, vocabulary, cases=[CASE])]
    assert one == [e for e in errors if e.case_id == CASE]
    assert not list(read_errors(catalog, vocabulary, sources=["another"]))
    assert AT_ONCE > 3
    monkeypatch.setattr("labeling.errors.reader.AT_ONCE", 3)
    assert [e for e, _ in read_errors(catalog, vocabulary)] == errors


def test_looking_as_of_a_round_leaves_later_ones_out(world):
    assert {key[0] for key in looked_at(world.ctx.catalog, upto=1).labels} == {1}
