"""Cohort queries, questions in plain words, and the keyword baseline."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.search.ask import ask
from retrieval.search.query import CohortQuery, Condition, select
from voxcurate.config import build
from voxcurate.errors import ConfigError

SCANS = [
    {
        "case_id": "a",
        "source": "s",
        "modality": "CT",
        "facts": {"age": "064Y", "sex": "F", "day": 9},
    },
    {"case_id": "b", "source": "s", "modality": "MR", "facts": {"age": 40, "sex": "M", "day": 2}},
    {"case_id": "c", "source": "t", "modality": "CT", "facts": {"phase": "arterial"}},
]


def row(case, question, value, **more):
    base = {"sentence": f"{case} {question}", "report_id": f"r{case}", "number": None, "choice": ""}
    return {"case_id": case, "question": question, "value": value, **base, **more}


ROWS = [
    row("a", "liver_lesion", "yes", confidence=0.9),
    row("a", "liver_lesion_size", "number", number=18.0, unit="mm"),
    row("b", "liver_lesion", "uncertain"),
    row("b", "ascites", "no"),
    row("c", "liver_lesion", "no"),
]


def cases(**query):
    return [m.case_id for m in select(build(CohortQuery, query), SCANS, ROWS)]


def test_empty_query_takes_all():
    assert CohortQuery().is_empty
    assert cases() == ["a", "b", "c"]


def test_findings():
    assert cases(all_of=[{"question": "liver_lesion"}]) == ["a"]
    assert cases(all_of=[{"question": "liver_lesion", "or_uncertain": True}]) == ["a", "b"]
    assert cases(all_of=[{"question": "liver_lesion", "value": "no"}]) == ["c"]
    silence = {"question": "ascites", "value": "no", "or_unmentioned": True}
    assert cases(all_of=[silence]) == ["a", "b", "c"]
    assert cases(any_of=[{"question": "ascites", "value": "no"}, {"question": "liver_lesion"}]) == [
        "a",
        "b",
    ]


def test_a_yes_in_one_report_outweighs_a_no_in_another():
    rows = [row("a", "ascites", "no"), row("a", "ascites", "yes")]
    query = build(CohortQuery, {"all_of": [{"question": "ascites", "value": "no"}]})
    assert select(query, SCANS, rows) == []


@pytest.mark.parametrize(
    ("bound", "fits"),
    [
        ({"below": 18}, False),
        ({"at_most": 18}, True),
        ({"above": 18}, False),
        ({"at_least": 18}, True),
    ],
)
def test_bounds(bound, fits):
    assert cases(all_of=[{"question": "liver_lesion_size", **bound}]) == (["a"] if fits else [])


def test_metadata():
    assert cases(age_at_least=50) == ["a"]
    assert cases(age_at_most=64) == ["a", "b"]
    assert cases(sex="M") == ["b"]
    assert cases(modality=["MR"]) == ["b"]
    assert cases(source=["t"]) == ["c"]
    assert cases(all_of=[{"question": "contrast_phase", "choice": ["arterial"]}]) == ["c"]
    assert cases(order="earliest") == ["b", "a", "c"]
    assert cases(order="latest", limit=1) == ["a"]


def test_proof_is_the_sentence():
    query = build(CohortQuery, {"all_of": [{"question": "liver_lesion_size", "below": 20}]})
    (match,) = select(query, SCANS, ROWS)
    (proof,) = match.proofs
    assert (proof.answer, proof.sentence, proof.report_id) == ("18 mm", "a liver_lesion_size", "ra")


def test_impossible_query_is_refused():
    with pytest.raises(ConfigError, match="nobody"):
        build(CohortQuery, {"age_at_least": 60, "age_at_most": 50})


@given(st.permutations(SCANS), st.permutations(ROWS))
def test_order_of_the_rows_does_not_matter(scans, rows):
    query = build(CohortQuery, {"all_of": [{"question": "liver_lesion", "or_uncertain": True}]})
    assert select(query, scans, rows) == select(query, SCANS, ROWS)


def test_question_in_plain_words():
    asked = ask(
        "pancreatic tumours under 2 cm in the portal venous phase, women over 60, earliest first"
    )
    assert asked.not_understood == ()
    assert asked.query == CohortQuery(
        all_of=(
            Condition(question="pancreas_tumour"),
            Condition(question="pancreas_lesion_size", below=20.0),
            Condition(question="contrast_phase", choice=("portal_venous",)),
        ),
        age_at_least=60,
        sex="F",
        order="earliest",
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("men aged 40 to 60", {"age_at_least": 40, "age_at_most": 60, "sex": "M"}),
        ("men and women under 50 years", {"age_at_most": 50}),
        ("children", {"age_at_most": 17}),
        ("the first 50 scans", {"limit": 50}),
        ("MRI from s", {"modality": ["MR"], "source": ["s"]}),
        ("no ascites", {"all_of": [{"question": "ascites", "value": "no"}]}),
        ("after splenectomy", {"all_of": [{"question": "splenectomy"}]}),
        ("", {}),
    ],
)
def test_words_and_their_query(text, wanted):
    assert ask(text, sources=["s"]).query == build(CohortQuery, wanted)


def test_range_of_sizes():
    (_, size) = ask("lung nodules between 5 and 10 mm").query.all_of
    assert (size.question, size.at_least, size.at_most) == ("lung_nodule_size", 5, 10)


def test_what_is_not_understood_is_said():
    asked = ask("hepatic steatosis with fluffy unicorns of the ovaries")
    assert asked.not_understood == ("fluffy", "unicorns", "ovaries")
