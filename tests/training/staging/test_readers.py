"""Readers beside the model: by hand, against plain loops and a textbook, and wrong tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.staging.config import ReaderConfig
from training.staging.marks import Calls, Truth, read_marks, read_scores, read_truth
from training.staging.readers import compare_readers, share_of
from voxcurate.errors import ConfigError

QUICK = ReaderConfig(draws=300)
CASES = [f"c{n}" for n in range(10)]
TRUTH = Truth(dict.fromkeys(CASES[:6], True) | dict.fromkeys(CASES[6:], False))


def calls(said, group="junior", **more):
    told = {c: s == "1" for c, s in zip(CASES, said, strict=True) if s != "."}
    return Calls(told, group=group, **more)


def test_figures_by_hand():
    readers = {
        "a": calls("1111000010"),  # 4 of 6, 3 of 4
        "b": calls("111111000."),  # 6 of 6, 3 of 3
        "c": calls("1100001111", "expert"),  # 2 of 6, 0 of 4
    }
    found = compare_readers(readers, TRUTH, config=QUICK)
    a, b, _ = found.readers
    assert (a.figures["sensitivity"].mean, a.figures["specificity"].mean) == (4 / 6, 3 / 4)
    assert (b.n_cases, b.figures["accuracy"].mean) == (9, 1.0)
    assert a.figures["subtype accuracy"] is None  # nobody named one
    assert [g.name for g in found.groups] == ["expert", "junior", "all readers"]
    junior = found.groups[1]
    assert junior.figures["sensitivity"].mean == pytest.approx((4 / 6 + 1) / 2)
    assert junior.figures["specificity"].mean == pytest.approx((3 / 4 + 1) / 2)
    low, high = junior.figures["sensitivity"].low, junior.figures["sensitivity"].high
    assert low < 5 / 6 < high <= 1
    assert found.model is None
    assert found.tests == ()


def test_a_group_that_is_always_right_is_not_known_to_be():
    found = compare_readers(
        {"a": calls("1111110000"), "b": calls("1111110000")}, TRUTH, None, QUICK
    )
    sensitivity = found.groups[0].figures["sensitivity"]
    assert (sensitivity.mean, sensitivity.high) == (1.0, 1.0)
    assert sensitivity.low == pytest.approx(share_of(6, 6, 0.95).low)
    assert 0.5 < sensitivity.low < 0.7


def test_undefined_is_not_nought():
    only_tumours = Truth(dict.fromkeys(CASES, True))
    found = compare_readers({"a": calls("1111111111")}, only_tumours, config=QUICK)
    assert found.readers[0].figures["specificity"] is None
    assert found.groups[0].figures["specificity"] is None


def test_a_model_that_is_clearly_better_and_one_that_is_as_good():
    cases = [f"x{n}" for n in range(120)]
    truth = Truth({c: n % 2 == 0 for n, c in enumerate(cases)})
    rng = np.random.default_rng(3)

    def some(right):
        return {c: bool(truth.present[c]) == bool(rng.random() < right) for c in cases}

    readers = {f"r{n}": Calls(some(0.7)) for n in range(5)}
    better = Calls(some(0.98), score={}, group="model")
    found = compare_readers(readers, truth, better, QUICK)
    by_figure = {t.figure: t for t in found.tests}
    assert by_figure["accuracy"].difference == pytest.approx(0.27, abs=0.08)
    assert by_figure["accuracy"].low > 0
    assert by_figure["accuracy"].p < 0.02
    same = compare_readers(readers, truth, readers["r0"], QUICK)
    assert {t.figure: t.p for t in same.tests}["accuracy"] > 0.05
    alone = compare_readers({"r0": readers["r0"]}, truth, readers["r0"], QUICK).tests
    assert [(t.difference, t.p) for t in alone] == [(0.0, 1.0)] * 3


def test_subtypes_of_readers_and_sizes():
    truth = Truth(
        TRUTH.present, dict.fromkeys(CASES[:3], "PDAC") | {"c3": "cyst"},
        size_mm={"c0": 19.9, "c1": 20.0, "c2": 40.0, "c3": 41.0},
    )  # fmt: skip
    reader = calls("1101000000", subtype={"c0": "pdac", "c1": "cyst", "c2": "PDAC", "c3": "cyst"})
    found = compare_readers({"a": reader}, truth, reader, QUICK)
    # c2 was called absent: named right, yet not seen
    assert found.readers[0].figures["subtype accuracy"].mean == 0.5
    sizes = found.readers[0].by_size
    assert {s: (e.mean, e.n) for s, e in sizes.items()} == {
        "below 20 mm": (1.0, 1), "20 to 40 mm": (0.5, 2), "above 40 mm": (1.0, 1),
    }  # fmt: skip
    assert found.groups[0].by_size["20 to 40 mm"].mean == 0.5


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=25))
def test_the_area_is_the_share_of_pairs_in_order(pairs):
    cases = [f"x{n}" for n in range(len(pairs))]
    truth = Truth({c: p for c, (p, _) in zip(cases, pairs, strict=True)})
    score = {c: s / 4 for c, (_, s) in zip(cases, pairs, strict=True)}
    model = Calls({c: s >= 0.5 for c, s in score.items()}, score=score)
    found = compare_readers({"a": Calls(model.present)}, truth, model, ReaderConfig(draws=100))
    yes = [s for p, s in pairs if p]
    no = [s for p, s in pairs if not p]
    if not yes or not no:
        assert found.auc is found.roc is None
        return
    wins = np.mean([(a > b) + 0.5 * (a == b) for a in yes for b in no])
    assert found.auc.mean == pytest.approx(wins)
    x, y = found.roc
    assert np.trapezoid(y, x) == pytest.approx(wins)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)


def test_a_perfect_area_is_not_known_to_be():
    score = {c: float(present) for c, present in TRUTH.present.items()}
    found = compare_readers({"a": calls("1111000010")}, TRUTH, Calls(TRUTH.present, score=score),
                            QUICK)  # fmt: skip
    assert (found.auc.mean, found.auc.low, found.auc.high) == (1.0, None, None)


def test_all_cases_of_a_patient_are_drawn_together():
    """One patient with all cases says nothing of others."""
    truth = Truth(TRUTH.present, patient=dict.fromkeys(CASES, "p"))
    found = compare_readers({"a": calls("1111000010")}, truth, config=QUICK)
    assert found.groups[0].figures["sensitivity"].low is None


def write(path, text):
    path.write_text(text)
    return path


def test_tables_in_several_spellings(tmp_path):
    truth = read_truth(
        write(tmp_path / "t.csv", "\ufeffCase;Tumor;Type;Size\na;yes;PDAC;12\nb;0;;\n\n")
    )
    assert truth.present == {"a": True, "b": False}
    assert (truth.subtype, truth.size_mm) == ({"a": "PDAC"}, {"a": 12.0})
    marks = read_marks(
        write(
            tmp_path / "m.csv",
            "reader,case,group,present\nr1,a,junior,Y\nr1,b,junior,no\nr2,a,,1\n",
        ),
        truth,
    )
    assert marks["r1"].present == {"a": True, "b": False}
    assert (marks["r1"].group, marks["r2"].group) == ("junior", "readers")
    both = write(tmp_path / "b.csv", "case,score,present\na,0.6,no\nb,0.2,yes\n")
    assert read_scores(both, truth).present == {"a": False, "b": True}
    assert read_scores(both, truth, 0.1).present == {"a": True, "b": True}  # asked for
    model = read_scores(write(tmp_path / "s.csv", "case\tscore\na\t0.7\nb\t0.7\n"), truth, 0.7)
    assert model.present == {"a": True, "b": True}
    only = read_truth(write(tmp_path / "u.csv", "case,subtype\na,PDAC\nb,\n"), needs=("subtype",))
    assert only.present == {"a": True, "b": False}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column case"),
        ("case,reader,present\n", "a line per case"),
        ("case,reader\na,r\n", "no column present"),
        ("case,reader,present\na,r,perhaps\n", "row 2: want yes or no"),
        ("case,reader,present\na,r,yes\na,r,no\n", "row 3: reader r marks a twice"),
        ("case,reader,present\nz,r,yes\n", "not in the truth: z"),
        ("case,reader,present\n,r,yes\n", "row 2: no case"),
        ("case,reader,present\na,,yes\n", "row 2: no reader"),
        ("case,reader,group,present\na,r,x,yes\nb,r,y,yes\n", "in groups x and y"),
    ],
)
def test_wrong_marks(tmp_path, text, why):
    with pytest.raises(ConfigError, match=why):
        read_marks(write(tmp_path / "m.csv", text), Truth({"a": True, "b": False}))


def test_wrong_truth_and_scores(tmp_path):
    with pytest.raises(ConfigError, match="told twice"):
        read_truth(write(tmp_path / "t.csv", "case,present\na,1\na,1\n"))
    with pytest.raises(ConfigError, match=r"t\.csv: want a CSV"):
        read_truth(tmp_path / "nowhere" / "t.csv")
    truth = Truth({"a": True})
    with pytest.raises(ConfigError, match="want a number in score"):
        read_scores(write(tmp_path / "s.csv", "case,score\na,nan\n"), truth, 0.5)
    with pytest.raises(ConfigError, match="score or present"):
        read_scores(write(tmp_path / "s.csv", "case,subtype\na,x\n"), truth, 0.5)
