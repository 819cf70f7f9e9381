"""Scores of report readers against counts made by hand."""

import pytest

from benchmarks.peers import Mentions, keywords
from benchmarks.report_scores import agreement, presence, wilson
from benchmarks.report_sets import Labelled, blind
from retrieval.questions import load_questions

ASKED = frozenset({"ascites", "gallstones", "liver_cyst"})


def _report(**truth: object) -> Labelled:
    return Labelled("", truth, ASKED, {})


REPORTS = [
    _report(ascites="yes", gallstones="no"),
    _report(ascites="uncertain", gallstones="yes"),
    _report(liver_cyst="yes"),
]
SAID = [{"ascites": "yes", "gallstones": "yes"}, {"ascites": "yes"}, {"liver_cyst": "uncertain"}]


def test_precision_and_recall_by_hand() -> None:
    aside = presence(REPORTS, SAID, ASKED, uncertain="aside")
    assert (aside.tp, aside.fp, aside.fn) == (1, 1, 2)
    assert aside.precision == 0.5
    assert aside.recall == pytest.approx(1 / 3)
    low, high = aside.f1_interval
    assert low <= aside.f1 <= high
    both = presence(REPORTS, SAID, ASKED, uncertain="yes")
    assert (both.tp, both.fp, both.fn) == (3, 1, 1)


def test_what_was_not_labelled_is_not_scored() -> None:
    score = presence(REPORTS, [{"cirrhosis": "yes"}] * 3, ["cirrhosis"], uncertain="aside")
    assert (score.tp, score.fp, score.fn) == (0, 0, 0)


def test_wilson_interval_of_a_textbook_case() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=2e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_sizes_agree_within_half_a_millimetre() -> None:
    truth = [Labelled("", {"liver_lesion_size": 12.0}, frozenset(), {})]
    assert agreement(truth, [{"liver_lesion_size": 12.4}], ["liver_lesion_size"]) == (1, 1)
    assert agreement(truth, [{"liver_lesion_size": 13.0}], ["liver_lesion_size"]) == (0, 1)


def test_peers_get_mentions_with_their_organ_and_without_look_alikes() -> None:
    questions = [q for q in load_questions() if q.id in ("liver_cyst", "pleural_effusion")]
    text = "The liver contains a cyst. Pericardial effusion. No pleural effusions."
    found = Mentions(questions).find(text)
    assert [text[m.start : m.end] for m in found] == ["cyst", "pleural effusions"]
    assert keywords([found]) == [{"liver_cyst": "yes", "pleural_effusion": "yes"}]


@pytest.mark.parametrize("name", ["abdomen", "chest"])
def test_a_blind_set_proves_its_answers(name: str) -> None:
    questions = {q.id: q for q in load_questions()}
    reports = blind(name)
    assert len({r.text for r in reports}) == len(reports) >= 70
    for report in reports:
        assert report.truth.keys() <= questions.keys()
        for question, answer in report.truth.items():
            if questions[question].kind == "choice":
                assert answer in questions[question].choices
