"""What holds of the reading of any report."""

import pickle

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.rules.reader import RuleReader
from tests.retrieval.rules.cases import CASES

READER = RuleReader()
SENTENCES = [text for cases in CASES.values() for text, _ in cases if "\n" not in text]
REPORTS = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=5)


def said(report):
    return {(f.question, f.value, f.number, f.items, f.side, f.change) for f in READER.read(report)}


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_and_spans_are_exact(report):
    for f in READER.read(report):
        for start, end in (f.span, *f.mentions):
            assert 0 <= start < end <= len(report)
        assert " ".join(report[slice(*f.span)].split()) == f.sentence


@settings(max_examples=40, deadline=None)
@given(REPORTS)
def test_spans_are_exact_and_sentences_are_not_empty(parts):
    report = " ".join(parts)
    for f in READER.read(report):
        assert f.sentence
        assert " ".join(report[slice(*f.span)].split()) == f.sentence
        assert f.rule
        assert 0 < f.confidence <= 1


@settings(max_examples=40, deadline=None)
@given(REPORTS)
def test_blank_lines_and_line_ends_change_nothing(parts):
    assert said("\n".join(parts)) == said("\n\n".join(parts)) == said("\r\n".join(parts))


@settings(max_examples=40, deadline=None)
@given(REPORTS)
def test_capitals_change_nothing(parts):
    report = "\n".join(parts)
    assert said(report) == said(report.upper())


@settings(max_examples=20, deadline=None)
@given(REPORTS)
def test_reading_is_the_same_each_time_and_after_pickling(parts):
    report = "\n".join(parts)
    assert READER.read(report) == pickle.loads(pickle.dumps(READER)).read(report)  # noqa: S301


@settings(max_examples=40, deadline=None)
@given(REPORTS)
def test_a_narrower_yes_is_a_broader_yes(parts):
    found = {f.question: f.value for f in READER.read("\n".join(parts))}
    for question in READER.questions:
        if question.kind == "presence" and found.get(question.id) == "yes" and question.asked_when:
            assert "yes" in {found.get(name) for name in question.asked_when}


@settings(max_examples=40, deadline=None)
@given(REPORTS)
def test_sizes_and_lists_only_of_what_is_there(parts):
    found = {f.question: f for f in READER.read("\n".join(parts))}
    for question in READER.questions:
        if question.of and question.id in found:
            assert found[question.of].value in ("yes", "uncertain")
        if question.id in found and found[question.id].numbers:
            numbers = found[question.id].numbers
            assert list(numbers) == sorted(numbers, reverse=True)
            assert found[question.id].number == numbers[0]


def test_spaces_alone_are_no_report():
    assert READER.read(" \n\t\r\n ") == []
