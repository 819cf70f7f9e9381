"""A need in words becomes a plan; what is not understood is said."""

import json

import pytest
import yaml

from agent.plan import plan_from_need, plan_yaml
from retrieval.search.query import Condition
from voxcurate.chat.scripted import ScriptedEngine
from voxcurate.classes import load_vocabulary
from voxcurate.errors import ConfigError, ModelReplyError


def plan(need, engine=None):
    return plan_from_need(need, load_vocabulary(), engine)


@pytest.mark.parametrize(
    ("need", "classes"),
    [
        ("pancreatic tumour detection in portal-venous CT", {"pancreas", "pancreatic_tumor"}),
        ("segment the liver and both kidneys", {"liver", "kidney_left", "kidney_right"}),
        ("brainstem and parotid glands", {"brainstem", "parotid_left", "parotid_right"}),
        ("renal tumours", {"kidney_left", "kidney_right", "kidney_tumor"}),
        ("inferior vena cava", {"postcava"}),
        ("liver scans without ascites", {"liver"}),
    ],
)
def test_classes(need, classes):
    found = plan(need)
    assert set(found.classes) == classes
    assert found.not_understood == ()


def test_query_and_budget():
    found = plan("pancreatic tumours under 2 cm in women over 60, 30 reviews")
    assert found.review_budget == 30
    assert found.query.sex == "F"
    assert found.query.age_at_least == 60
    assert Condition(question="pancreas_lesion_size", below=20) in found.query.all_of


def test_unknown_words_are_told_and_written():
    found = plan("liver of zebras")
    assert found.not_understood == ("zebras",)
    assert "NOT UNDERSTOOD" in plan_yaml(found)


def test_yaml_is_a_round_file():
    found = plan("pancreatic tumours under 2 cm, 7 reviews")
    data = yaml.safe_load(plan_yaml(found))
    assert data["classes"] == list(found.classes)
    assert data["labeling"]["review"]["budget"] == 7
    from agent.config import RoundConfig
    from voxcurate.config import build

    config = build(RoundConfig, data)
    assert config.retrieval.query == found.query
    assert config.labeling.review.budget == 7


def test_empty_need_is_refused():
    with pytest.raises(ConfigError):
        plan("  ")


def test_model_plans_but_only_within_the_vocabulary():
    reply = {
        "classes": ["Pancreas", "pancreatic_tumor", "left_horn"],
        "query": {"all_of": [{"question": "pancreas_tumour"}, {"question": "horn"}], "sex": "F"},
        "not_understood": ["unicorns"],
    }
    found = plan("x", ScriptedEngine([json.dumps(reply)]))
    assert found.classes == ("pancreas", "pancreatic_tumor")
    assert found.query.all_of == (Condition(question="pancreas_tumour"),)
    assert found.query.sex == "F"
    assert found.not_understood == ("unicorns", "left_horn", "horn")


def test_model_without_a_plan_is_an_error():
    with pytest.raises(ModelReplyError):
        plan("x", ScriptedEngine(["I would rather not"]))


def test_alternatives_bring_the_classes_of_both():
    plan = plan_from_need("liver tumours or kidney tumours", load_vocabulary())
    assert {"liver_tumor", "kidney_tumor"} <= set(plan.classes)
