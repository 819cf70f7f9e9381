"""What sentences of many manners say: US, British and translated reports of chest and abdomen."""

import pytest

from retrieval.rules.reader import RuleReader
from tests.retrieval.rules.cases import CASES
from tests.retrieval.rules.other_writers import CASES as OTHERS

READER = RuleReader()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param(text, wanted, id=f"{name}: {text[:60]}")
        for name, cases in (*CASES.items(), *OTHERS.items())
        for text, wanted in cases
    ],
)
def test_what_a_text_says(text, wanted):
    found = {f.question: f.number or f.value for f in READER.read(text)}
    assert {question: found.get(question) for question in wanted} == wanted
