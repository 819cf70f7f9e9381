"""Sections and sentences: what ends one, what does not, and where it lies."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.rules.text import sections, sentences

REPORT = """EXAM: CT abdomen.
HISTORY: 64 y/o man seen by Dr. Who.
FINDINGS:
Liver: A 2.1 x 1.8 cm lesion, e.g. a cyst vs. haemangioma, in segment 7. No biliary
dilatation.
The kidneys show cysts, the largest approx. 3 cm. IVC filter in place
IMPRESSION: 1. Liver lesion. 2. Renal cysts.
3. No ascites
"""


def texts(report):
    return [" ".join(s.text.split()) for s in sentences(report)]


def test_sections_are_named_and_in_order():
    assert [s.name for s in sections(REPORT)] == ["exam", "history", "findings", "impression"]


def test_report_without_headings_is_one_section():
    assert [(s.name, s.start, s.end) for s in sections("No mass.")] == [("", 0, 8)]


def test_decimals_abbreviations_lists_and_wrapped_lines_end_no_sentence():
    assert texts(REPORT) == [
        "CT abdomen.",
        "64 y/o man seen by Dr. Who.",
        "Liver: A 2.1 x 1.8 cm lesion, e.g. a cyst vs. haemangioma, in segment 7.",
        "No biliary dilatation.",
        "The kidneys show cysts, the largest approx. 3 cm.",
        "IVC filter in place",
        "Liver lesion.",
        "2. Renal cysts.",
        "No ascites",
    ]


def test_label_of_a_line_is_the_topic_of_its_sentences():
    topics = {s.text.split()[0]: s.topic for s in sentences("Liver: Normal. Smooth.\nSpleen: Big.")}
    assert topics == {"Liver:": "Liver", "Smooth.": "Liver", "Spleen:": "Spleen"}


@pytest.mark.parametrize("text", ["", " \n\n", "FINDINGS:\n"])
def test_empty_report_has_no_sentences(text):
    assert sentences(text) == []


@given(st.text(alphabet="aB1. :\n-,;cm", max_size=80))
def test_sentences_are_slices_in_order_that_do_not_overlap(report):
    found = sentences(report)
    assert all(report[s.start : s.end] == s.text for s in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
