"""The measurements of attention: what they compare, and the changes that they plant."""

import io

import numpy as np
import pytest
from rich.console import Console

from benchmarks.attention_quality import (
    Structure,
    evaluate,
    interval,
    is_development,
    rank_cases,
    rank_structures,
    reached,
    show,
)
from benchmarks.attention_versions import CHANGES, frayed, in_order, real
from labeling.attention.evaluation import Detection
from labeling.attention.scores import ClassScore

LABELS = np.zeros((16, 14, 18), np.uint8)
LABELS[2:8, 3:9, 4:12] = 1
LABELS[9:14, 3:9, 4:12] = 2


def score(share, ml=10.0):
    attention = 1000 * ml * share / (1 - share)
    return ClassScore(
        n_models=3, inconsistency=attention, uncertainty=0.0, overlap=0.0, attention=attention,
        voxels=round(attention), attention_mm3=attention, organ_ml=ml,
        attended_ml=attention / 1000, share=share,
        per_ml=attention / ml, per_slice=attention, reason="models disagree (100%)", region=None,
    )  # fmt: skip


def structures(n=24):
    """Errors that the share orders rightly and the sum wrongly: the larger an organ, the better."""
    seen = Detection(2, 1, 2, 1, 9, 8, 4)
    found = []
    for k in range(n):
        for name, size in (("liver", 1000.0), ("spleen", 10.0)):
            share = (k + 1) / (2 * n) / (4 if name == "liver" else 1)
            found.append(Structure(f"case{k:02d}", name, score(share, size), share, seen))
    return found


def test_scores_and_errors_belong_to_the_same_cases():
    scores, errors = rank_cases(structures(), "share")
    assert errors == pytest.approx([5 / 8 * (k + 1) / 48 for k in range(24)])
    assert np.array_equal(np.argsort(scores), np.argsort(errors))
    sizes, wrong = rank_structures(structures(), "sum")
    assert len(sizes) == len(wrong) == 48
    assert sizes[0] > sizes[1]
    assert wrong[0] < wrong[1]


def test_the_halves_are_the_same_every_time_and_not_one_empty():
    halves = [is_development(f"case{k:02d}") for k in range(24)]
    assert halves == [is_development(f"case{k:02d}") for k in range(24)]
    assert 0 < sum(halves) < 24


def test_everything_is_told_and_shown():
    found = evaluate(structures())
    assert all(found["reached"].values())
    assert found["chosen_on_development"] in ("share", "sum")
    assert found["orders"]["structures"]["share"]["all"]["spearman"] == pytest.approx(1)
    assert found["orders"]["structures"]["sum"]["all"]["spearman"] < 0.9
    assert found["table_1"]["liver"]["sensitivity"] == 0.5
    stream = io.StringIO()
    show(found, Console(file=stream, width=140))
    assert "random order" in stream.getvalue()


def test_an_interval_holds_the_figure_and_a_weak_score_does_not_reach():
    rng = np.random.default_rng(0)
    one = rng.normal(size=60)
    low, high = interval(one.tolist(), (one + rng.normal(size=60)).tolist())
    assert 0.3 < low < 0.7 < high < 1
    good = {"spearman": 0.6, "precision_at_top": 0.5, "random": 0.1, "random_sd": 0.1}

    def done(cases):
        orders = {"cases": cases, "structures": good}
        return list(
            reached({w: {"share": {"confirmation": r}} for w, r in orders.items()}).values()
        )

    assert done(good) == [True, True, True]
    assert done({**good, "spearman": 0.4}) == [False, True, True]
    assert done({**good, "precision_at_top": 0.2}) == [True, False, True]


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_planted_change_changes_one_structure_only(name):
    changed = CHANGES[name](LABELS, 1, np.random.default_rng(3))
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed == 1, LABELS == 1)
    assert np.array_equal(changed == 2, LABELS == 2)


def test_fraying_moves_borders_only():
    worn = frayed(LABELS, np.random.default_rng(0))
    differ = worn != LABELS
    assert 0 < differ.sum() < 0.1 * (LABELS > 0).sum()
    assert (worn[4:6, 5:7, 6:10] == 1).all()


def test_the_order_is_that_of_the_list():
    scores = {"a": score(0.1), "b": score(0.4), "c": score(0.4)}
    assert in_order(scores, "share") == ["b", "c", "a"]


@pytest.mark.real_data
def test_structures_that_changed_between_two_versions_lead_the_list(real_data):
    assert real(real_data / "totalsegmentator_ct", Console(file=io.StringIO()))
