"""Where two readers differ."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.llm.crosscheck import disagreements, write_disagreements
from tests.retrieval.llm.engines import QUESTIONS
from voxcurate.protocols import Finding


def presence(value, question="pancreas_lesion", **fields):
    return Finding(question, value, **fields)


def size(number):
    return Finding("pancreas_lesion_size", "number", number=number, unit="mm")


def places(*items):
    return Finding("pancreas_lesion_location", "list", items=items)


def choice(name):
    return Finding("cyst_kind", "choice", choice=name)


CASES = [
    (presence("yes"), presence("no"), "opposite"),
    (presence("no"), presence("yes"), "opposite"),
    (presence("yes"), None, "one_silent"),
    (None, presence("uncertain"), "one_silent"),
    (presence("no"), presence("uncertain"), "one_silent"),
    (presence("uncertain"), presence("yes"), "degree"),
    (presence("no"), None, None),
    (None, presence("no"), None),
    (presence("yes"), presence("yes"), None),
    (size(21.0), size(22.0), None),
    (size(50.0), size(54.0), None),
    (size(21.0), size(31.0), "number"),
    (size(21.0), None, "one_silent"),
    (choice("simple"), choice("complex"), "choice"),
    (choice("simple"), choice("simple"), None),
    (places("head", "tail"), places("tail", "head"), None),
    (places("head"), places("tail", "head"), "items"),
]


@pytest.mark.parametrize(("first", "second", "kind"), CASES)
def test_kind_of_difference(first, second, kind):
    found = disagreements(QUESTIONS, [first] if first else [], [second] if second else [])
    assert [d.kind for d in found] == ([kind] if kind else [])
    turned = disagreements(QUESTIONS, [second] if second else [], [first] if first else [])
    assert [d.kind for d in turned] == [d.kind for d in found]


def test_both_proofs_are_told():
    rules = presence("yes", sentence="A mass.", span=(3, 10), rule="term")
    model = presence("no", supported=False, rule="llm: none")
    (found,) = disagreements(QUESTIONS, [rules], [model], report_id="r1")
    assert found.report_id == "r1"
    assert found.rules == {
        "answer": "yes", "sentence": "A mass.", "span": [3, 10], "supported": True, "rule": "term",
    }  # fmt: skip
    assert (found.model["answer"], found.model["supported"]) == ("no", False)


def test_narrower_questions_that_differ_for_the_same_reason_are_left_out():
    rules = [presence("yes"), presence("yes", "pancreas_tumour"), size(21.0)]
    assert [d.question for d in disagreements(QUESTIONS, rules, [])] == ["pancreas_lesion"]
    model = [presence("uncertain")]
    found = disagreements(QUESTIONS, rules, model)
    assert [d.kind for d in found] == ["one_silent", "one_silent", "degree"]


@given(st.lists(st.sampled_from([c[0] for c in CASES if c[0]]), unique_by=lambda f: f.question))
def test_a_reader_agrees_with_itself(findings):
    assert disagreements(QUESTIONS, findings, findings) == []


def test_file_has_the_gravest_first_and_is_replaced(tmp_path):
    found = disagreements(
        QUESTIONS, [size(1.0), presence("uncertain")], [presence("yes"), size(9.0)], report_id="r"
    )
    grave = disagreements(QUESTIONS, [presence("yes")], [presence("no")], report_id="s")
    folder = tmp_path / "rounds" / "1"
    write_disagreements(folder, [*found, *grave])
    path = write_disagreements(folder, [*found, *grave])
    assert path.name == "report_disagreements.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["kind"] for line in lines] == ["opposite", "number", "degree"]
    assert set(lines[0]) == {"report_id", "question", "kind", "rules", "model"}
