"""The form of a reply: strict for the server, kind to what models write, wrong one by one."""

import pytest
from pydantic import ValidationError

from retrieval.llm.answers import NOT_MENTIONED, Wrong, reply_form
from retrieval.questions import load_questions
from tests.retrieval.llm.engines import CYST, KIND, LESION, PLACE, QUESTIONS, SIZE, question

FORM = reply_form(QUESTIONS)


def said(asked, answer):
    return getattr(reply_form([asked]).model_validate({asked.id: answer}), asked.id)


def test_server_is_told_all_fields_values_and_the_order():
    schema = FORM.model_json_schema()
    assert schema["required"] == [q.id for q in QUESTIONS]
    assert list(schema["properties"]) == schema["required"]
    parts = schema["$defs"]
    presence = parts["Presence"]
    assert presence["required"] == ["justification", "evidence", "value"]
    assert list(presence["properties"])[:3] == presence["required"]
    assert "uncertain" in presence["properties"]["value"]["enum"]
    assert parts["CystKind"]["properties"]["value"]["enum"] == ["simple", "complex", NOT_MENTIONED]
    places = parts["PancreasLesionLocation"]["properties"]["value"]
    assert places["items"]["enum"] == ["head", "tail"]
    for name in schema["required"]:
        whole, alone = schema["properties"][name]["anyOf"]
        assert whole["$ref"].startswith("#/$defs/")
        assert alone == {"type": "string", "const": NOT_MENTIONED}


def test_schema_has_nothing_that_constrained_decoders_refuse():
    text = str(reply_form(load_questions()).model_json_schema())
    for keyword in ("pattern", "format", "multipleOf", "uniqueItems", "contains", "propertyNames"):
        assert f"'{keyword}'" not in text


@pytest.mark.parametrize(
    ("asked", "given", "value"),
    [
        (LESION, {"value": "Yes"}, "yes"),
        (LESION, {"value": "not mentioned"}, NOT_MENTIONED),
        (LESION, {"value": None}, NOT_MENTIONED),
        (LESION, {"value": True}, "yes"),
        (LESION, "uncertain", "uncertain"),
        (LESION, None, NOT_MENTIONED),
        (LESION, {"value": "no", "evidence": None, "extra": 1}, "no"),
        (SIZE, {"value": "21"}, 21.0),
        (SIZE, {"value": None, "numbers": None}, None),
        (SIZE, NOT_MENTIONED, None),
        (KIND, {"value": "Simple"}, "simple"),
        (KIND, NOT_MENTIONED, NOT_MENTIONED),
        (PLACE, {"value": ["Head", "head", "tail"]}, ["head", "tail"]),
        (PLACE, {"value": "tail"}, ["tail"]),
        (PLACE, NOT_MENTIONED, []),
        (PLACE, {"value": []}, []),
    ],
)
def test_what_models_write_is_taken(asked, given, value):
    assert said(asked, given).value == value


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (LESION, {"value": "SECRET"}),
        (LESION, {}),
        (LESION, ["yes"]),
        (SIZE, {"value": "SECRET"}),
        (SIZE, {"value": -3}),
        (SIZE, {"value": 1e9}),
        (SIZE, {"value": float("nan")}),
        (KIND, {"value": "SECRET"}),
        (PLACE, {"value": ["head", "SECRET"]}),
    ],
)
def test_what_does_not_fit_is_wrong_without_its_words(asked, given):
    found = said(asked, given)
    assert isinstance(found, Wrong)
    assert found.reason
    assert "SECRET" not in found.reason


def test_side_and_change_are_taken_or_dropped():
    assert said(CYST, {"value": "yes", "side": "Left", "change": "new"}).side == "left"
    odd = said(CYST, {"value": "yes", "side": "upper", "change": ["new"]})
    assert (odd.value, odd.side, odd.change) == ("yes", "", "")


def test_choices_keep_their_spelling():
    stage = question("t_stage", kind="choice", choices={"T1": ["t1"], "T-2": ["t2"]})
    assert said(stage, {"value": "t1"}).value == "T1"
    assert said(stage, {"value": "T-2"}).value == "T-2"


def test_missing_questions_are_wrong_and_none_at_all_is_refused():
    form = reply_form([LESION, CYST])
    found = form.model_validate({"pancreas_lesion": "no"})
    assert found.kidney_cyst == Wrong("missing")
    for bad in ({}, {"other": "yes"}, [], "yes", None):
        with pytest.raises(ValidationError):
            form.model_validate(bad)
