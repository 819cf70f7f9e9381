"""Label bias: planted biases are found, better networks are no bias, seen cases do not count."""

import numpy as np
import pytest

from labeling.statistics.figures import CaseAgreement, Rater
from labeling.statistics.label_bias import label_bias

NETS = [Rater(x, x, "model", x) for x in ("unet", "swin", "seg")]


def cohort(n=40, *, bias=0.0, quality=0.0, seed=0, classes=("liver", "spleen"), counting=True):
    """Cases of which half have people's labels; machines' labels lean towards `swin` by `bias`,
    `unet` is better than the others by `quality`."""
    rng = np.random.default_rng(seed)
    cases = []
    for i in range(n):
        dsc = {}
        for class_id in classes:
            hard = rng.normal(0, 0.05)
            own = {}
            for net in ("unet", "swin", "seg"):
                base = 0.8 + hard + quality * (net == "unet") + rng.normal(0, 0.01)
                lean = 0.05 + bias * (net == "swin") + rng.normal(0, 0.01)
                own[net, "ensemble"] = base + lean
                if i % 2:
                    own[net, "original"] = base
                elif counting:
                    own[net, "counting"] = base + lean
            dsc[class_id] = own
        cases.append(CaseAgreement(f"c{i}", dsc))
    return cases


def test_a_planted_bias_is_found_with_its_size_and_sign():
    found = {b.architecture: b for b in label_bias(cohort(bias=0.04), NETS, {})}
    swin, unet = found["swin"], found["unet"]
    assert swin.paired.low < 0.04 < swin.paired.high
    assert swin.counting.mean == pytest.approx(0.04, abs=0.01)
    assert (swin.verdict(), swin.verdict("counting")) == ("towards", "towards")
    assert unet.paired.mean == pytest.approx(-0.02, abs=0.01)
    assert unet.verdict() == "away"
    assert sum(b.paired.mean for b in found.values()) == pytest.approx(0, abs=1e-9)
    assert swin.patients == 20
    assert swin.with_machine.mean - swin.with_human.mean == pytest.approx(0.09, abs=0.01)


def test_a_better_network_is_no_bias():
    seeds = range(20)
    verdicts = [
        b.verdict() for s in seeds for b in label_bias(cohort(quality=0.1, seed=s), NETS, {})
    ]
    assert verdicts.count("none") >= 52  # 95 % of 60 are expected to be


def test_labels_that_lean_on_all_alike_are_no_bias():
    b = label_bias(cohort(), NETS, {})[0]
    assert b.with_machine.mean > b.with_human.mean + 0.03
    assert b.paired.low < 0 < b.paired.high


def test_what_a_network_was_trained_on_does_not_count():
    cases = cohort(bias=0.04)
    seen = [CaseAgreement(c.case_id, c.dsc, frozenset({"unet", "swin"})) for c in cases]
    for b in label_bias(seen, NETS, {}):
        assert (b.paired, b.counting, b.verdict()) == (None, None, "unknown")
    one = [CaseAgreement(c.case_id, c.dsc, frozenset({"unet"})) for c in cases]
    found = {b.architecture: b for b in label_bias(one, NETS, {})}
    assert found["unet"].paired is None
    assert found["swin"].paired.mean == pytest.approx(0.04, abs=0.01)


def test_networks_of_one_architecture_count_as_one():
    folds = [*NETS[:2], Rater("seg", "unet again", "model", "unet")]
    found = label_bias(cohort(bias=0.04), folds, {})
    assert [b.architecture for b in found] == ["swin", "unet"]
    assert found[0].paired.mean == pytest.approx(0.04, abs=0.01)
    assert label_bias(cohort(), [NETS[0]], {}) == []


def test_few_patients_say_nothing_however_many_scans():
    cases = cohort(bias=0.04)
    b = label_bias(cases, NETS, {c.case_id: f"p{i % 4}" for i, c in enumerate(cases)})[0]
    assert b.patients == 2
    assert b.verdict() == "unknown"


def test_a_revised_label_stands_for_people_before_an_original_one():
    (case,) = cohort(2)[1:]
    more = {c: {**own, ("swin", "revised"): 0.5, ("unet", "revised"): 0.9}
            for c, own in case.dsc.items()}  # fmt: skip
    found = {b.architecture: b for b in label_bias([CaseAgreement("c", more)], NETS, {})}
    assert found["swin"].with_human.mean == 0.5
    assert found["seg"].with_human is None


def test_without_labels_of_people_there_is_no_figure():
    cases = [
        CaseAgreement(c.case_id, {k: {p: v for p, v in own.items() if p[1] != "original"}
                                  for k, own in c.dsc.items()})
        for c in cohort()
    ]  # fmt: skip
    assert {b.paired for b in label_bias(cases, NETS, {})} == {None}
    assert {b.counting for b in label_bias(cases, NETS, {})} == {None}
