"""The benchmark of label errors: its scores by plain loops, and all of it on small phantoms."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from agent.cohort.label_errors import dsc
from benchmarks.label_errors.__main__ import main
from benchmarks.label_errors.arms import settings as labeling_settings
from benchmarks.label_errors.detectors import (
    DETECTORS,
    issue_share,
    self_confidence,
    softmin,
)
from benchmarks.label_errors.mending import Outcome
from benchmarks.label_errors.pairs import Answer
from benchmarks.label_errors.pairs import evaluate as evaluate_pairs
from benchmarks.label_errors.pairs import main as ask_pairs
from benchmarks.label_errors.planting import Truth, choose
from benchmarks.label_errors.scoring import Row, auprc, auroc, flagged, share
from benchmarks.label_errors.tables import mending, reached, show
from benchmarks.label_errors.workspaces import context, copy, next_round, plant
from labeling.expert import detect
from tests.labeling.conftest import CLASSES, build
from voxcurate.catalog import Label, WorkItem
from voxcurate.labels import read_mask


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """A folder as `benchmarks.attention_quality` leaves it: phantoms with predictions."""
    folder = tmp_path_factory.mktemp("predicted")
    build(folder / "workspace", planted={})
    return folder


def counts(inside, outside):
    """The table of two lists of probabilities (x 255)."""
    return np.stack([np.bincount(outside, minlength=256), np.bincount(inside, minlength=256)])


levels = st.lists(st.integers(0, 255), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(levels, levels)
def test_scores_of_soft_voxels_are_those_of_plain_loops(inside, outside):
    table = counts(inside, outside)
    quality = [p / 255 for p in inside] + [1 - p / 255 for p in outside]
    weights = [np.exp((1 - q) / 0.1) for q in quality]
    mean = sum(q * w for q, w in zip(quality, weights, strict=True)) / sum(weights)
    assert softmin(table) == pytest.approx(mean)
    region = [p / 255 for p in inside] + [1 - p / 255 for p in outside if p > 127]
    assert self_confidence(table) == pytest.approx(np.mean(region))
    wrong = sum(1 - p / 255 >= 0.9 for p in inside) + sum(p / 255 >= 0.7 for p in outside)
    assert issue_share(table, 0.9, 0.7) == pytest.approx(wrong / len(quality))


def test_an_empty_label_without_prediction_is_no_suspect():
    assert self_confidence(counts([], [0, 3, 100])) == 1.0


def test_areas_on_paper():
    scores, wrong = np.array([0.9, 0.8, 0.8, 0.1]), np.array([1.0, 0.0, 1.0, 0.0])
    once = np.ones(4)
    assert auroc(scores, wrong, once) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert auprc(scores, wrong, once) == pytest.approx((1 + 2 / 3) / 2)
    assert np.isnan(auroc(scores, np.zeros(4), once))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(1, 3)), min_size=2))
def test_a_weight_counts_as_so_many_labels(rows):
    scores, wrong, weights = (np.array(x, float) for x in zip(*rows, strict=True))
    n = weights.astype(int)
    many = np.repeat(scores, n), np.repeat(wrong, n), np.ones(n.sum())
    assert auroc(scores, wrong, weights) == pytest.approx(auroc(*many), nan_ok=True)
    assert auprc(scores, wrong, weights) == pytest.approx(auprc(*many), nan_ok=True)


def test_each_data_set_has_its_own_share_flagged():
    rows = [
        Row(0.05, seed, f"c{n}", "liver", "", "", {"dice": n + 100.0 * seed, "random": n / 40})
        for seed in (0, 1)
        for n in range(40)
    ]
    marked = flagged(rows, "dice", 0.05)
    assert np.flatnonzero(marked).tolist() == [38, 39, 78, 79]


def test_shares_have_counts_and_intervals():
    found = share([True, False, True, True], ["a", "a", "b", "c"])
    assert (found["n"], found["hits"], found["share"]) == (4, 3, 0.75)
    assert found["share_95"][0] <= 0.75 <= found["share_95"][1]
    assert share([], []) == {"n": 0, "hits": 0}


def test_what_is_planted_stands_as_the_original(predicted, tmp_path):
    truth = Truth(context(predicted))
    assert len(truth.labels) == 11  # train and validation; test labels are left alone
    errors = choose(truth, 0.3, 1, ("gross",))
    again = choose(truth, 0.3, 1, ("gross",))
    assert [e for e, _ in errors] == [e for e, _ in again]
    assert all((a == b).all() for (_, a), (_, b) in zip(errors, again, strict=True))
    assert len(errors) in (13, 14)  # 0.3 of 44; a swap has two sides
    assert len({(e.case_id, e.class_id) for e, _ in errors}) == len(errors)
    copy(predicted, tmp_path / "copy")
    ctx = context(tmp_path / "copy")
    plant(ctx, errors)
    pointers = ctx.catalog.current()
    for error, mask in errors:
        key = (error.case_id, error.class_id)
        (label,) = ctx.catalog.rows(Label, case_id=key[0], class_id=key[1], origin="original")
        assert pointers[key].label_id == label.label_id
        stored = read_mask(ctx.workspace.root, label.path, mask.shape)
        assert (stored == mask).all()
        assert dsc(stored, truth.mask(*key)) == pytest.approx(error.dsc, abs=1e-4)
    untouched = context(predicted).catalog.rows(Label)
    assert len(untouched) == 13 * len(CLASSES)
    assert not any("planted" in label.facts for label in untouched)


def test_the_next_round_looks_again_at_changed_cases_only(predicted, tmp_path):
    copy(predicted, tmp_path / "copy")
    ctx = context(tmp_path / "copy")
    config = labeling_settings()
    assert detect.run(ctx, config).counts["computed"] == 11
    second = next_round(ctx)
    assert detect.run(second, config).counts["computed"] == 0
    copy(predicted, tmp_path / "copy", learned=False)
    assert context(tmp_path / "copy").catalog.count(WorkItem) == 0


@pytest.mark.slow
def test_all_of_it_on_phantoms(predicted, tmp_path, capsys):
    told = tmp_path / "figures.json"
    arguments = ["--predicted", str(predicted), "--folder", str(tmp_path / "runs")]
    status = main(
        [*arguments, "--rates", "0.1", "--mend-rates", "0.1", "--half", "all", "--json", str(told)]
    )
    assert status == 0  # nothing was asked for at this rate
    written = json.loads(told.read_text())
    (one,) = written["figures"]
    assert set(one["detectors"]) == set(DETECTORS)
    assert one["detectors"]["ours"]["wrong"] in (4, 5)
    assert one["detectors"]["ours"]["auroc"] > 0.9 > one["detectors"]["random"]["auroc"]
    assert one["mending"]["2"]["mended"]["n"] == one["detectors"]["ours"]["wrong"]
    assert one["mending"]["2"]["mended"]["hits"] >= 1
    assert one["mending"]["2"]["harmed"]["n"] >= 38
    assert "AUROC by kind" in capsys.readouterr().out
    show(written["figures"], Console(file=io.StringIO(), width=200))
    status = ask_pairs([*arguments, "--half", "odd", "--per-case", "3", "--cases", "4"])
    assert status in (0, 1)
    assert "right answers" in capsys.readouterr().out


def outcome(number, kind="", right=None, harmed=False, verdict=""):
    return Outcome(number, f"c{number}{kind}", "liver", kind, 0.0, 1.0, verdict, right, harmed)


def test_rounds_are_counted_apart_and_unknown_truth_is_not():
    found = mending(
        [
            outcome(1, "eroded", False, verdict="to_review"),
            outcome(2, "eroded", True),
            outcome(2, "merged", False),
            outcome(2, "false_positive"),
            outcome(2, harmed=True),
        ],
        "all",
    )
    assert found["1"]["mended"]["hits"] == 0
    assert found["1"]["verdicts"] == {"to_review": 1}
    assert found["2"]["mended"]["n"] == 2
    assert found["2"]["mended"]["hits"] == 1
    assert found["2"]["unknown"] == 1
    assert found["2"]["verdicts"] == {"not asked": 1}
    assert found["2"]["harmed"]["hits"] == 1


@pytest.mark.parametrize(("mended", "harmed", "done"), [(0.8, 0.0, True), (0.8, 0.1, False)])
def test_what_was_asked_for_is_told(mended, harmed, done):
    figure = {
        "group": "gross", "trained": False, "rate": 0.05,
        "detectors": {"ours": {"auroc": 0.98}},
        "mending": {"2": {"mended": {"share": mended}, "harmed": {"share": harmed}}},
    }  # fmt: skip
    assert all(reached([figure]).values()) is done
    assert reached([{**figure, "rate": 0.1}]) == {}


def test_ties_count_half():
    answers = [
        Answer("a", "liver", "eroded", "gross", 0.5, right) for right in (1.0, 0.5, 0.5, 0.0)
    ]
    found = evaluate_pairs(answers)["gross"]["all"]
    assert (found["n"], found["ties"], found["share"]) == (4, 2, 0.5)
