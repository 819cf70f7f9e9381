"""The paper's figures from the paper's numbers, and what changes them."""

import pytest

from labeling.config import AnnotationTimeConfig
from labeling.statistics.annotation_time import Work, estimate, in_words

CONFIG = AnnotationTimeConfig()
ORGANS = (
    "spleen", "liver", "kidney_left", "stomach", "gall_bladder", "pancreas", "aorta", "postcava",
)  # fmt: skip
PAPER = Work(8000, ORGANS, to_look_at=400, looked_at=12, computing_hours=52.0)


def test_the_papers_figures_come_out():
    found = estimate(PAPER, CONFIG)
    assert found.by_hand[0].minutes / 60 / 8 / 5 == 1600
    assert in_words(found.by_hand[0].minutes, CONFIG) == "30.8 years of work"
    assert in_words(found.with_machine[0].minutes, CONFIG) == "12.5 working days"
    assert found.factor == 32
    assert found.saved == 640  # 1600 weeks over 12.5 days; the 533 has computing time in it
    assert found.by_hand[0].formula == "60 min x 8 classes x 8,000 scans"
    assert found.computing_hours == 52.0


def test_the_other_rates_stand_beside_it():
    found = estimate(PAPER, CONFIG)
    assert found.by_hand[1].minutes * 2 == found.by_hand[0].minutes
    assert found.by_hand[2].minutes == (29 + 40 + 24 + 32 + 10 + 19 + 21 + 28) * 8000
    assert found.with_machine[1].minutes == 12 * 15


def test_a_class_without_a_measured_time_gets_the_mean_and_is_told():
    found = estimate(Work(10, ("liver", "colon")), CONFIG)
    usual = sum(CONFIG.minutes_by_class.values()) / 9
    assert found.by_hand[2].minutes == pytest.approx((40 + usual) * 10)
    assert any("1 of 2 classes are not in it" in line for line in found.assumptions)
    assert not any("not in it" in line for line in estimate(PAPER, CONFIG).assumptions)


def test_given_labels_are_left_out_of_one_line():
    work = Work(10, ("liver", "spleen"), {"liver": 10, "spleen": 4, "colon": 3})
    line = estimate(work, CONFIG).by_hand[3]
    assert (line.minutes, line.formula) == (6 * 60, "60 min x 6 structures")


def test_every_constant_is_in_the_assumptions():
    config = AnnotationTimeConfig(
        minutes_per_structure=61, minutes_per_structure_low=31, minutes_per_revised_scan=17,
        hours_per_day=7, days_per_week=4, weeks_per_year=46,
    )  # fmt: skip
    text = " ".join(estimate(PAPER, config).assumptions)
    for words in ("61 min", "31 min", "17 min", "7 h", "4 days", "46 weeks", "table 4"):
        assert words in text


def test_nothing_to_do_takes_no_time_and_saves_nothing():
    found = estimate(Work(0, ()), CONFIG)
    assert [line.minutes for line in (*found.by_hand, *found.with_machine)] == [0] * 5
    assert found.saved is None
    assert estimate(Work(5, ("liver",), to_look_at=0), CONFIG).saved is None


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "0 min"),
        (45, "45 min"),
        (90, "1.5 h"),
        (16 * 60, "2.0 working days"),
        (259 * 480, "259.0 working days"),
        (260 * 480, "1.0 years of work"),
    ],
)
def test_times_are_written_for_people(minutes, words):
    assert in_words(minutes, CONFIG) == words
