"""The vision model beside the rules, and the pictures that it and people see."""

import io

import numpy as np
import pytest
from PIL import Image

from cleaning.check.config import CheckConfig
from cleaning.check.pictures import evidence_picture, planes_of
from cleaning.check.reasons import Reason
from cleaning.check.rules import Check, check
from cleaning.check.vision import Fault, ScanOpinion, ask, prompt, views_of, with_opinion
from voxcurate.chat.scripted import ScriptedEngine

FAULTY = ScanOpinion(verdict="reject", faults=[Fault(code="noise", text="all of it")])
CLEAN = Check("pass")


def reply(answer, scan):
    return ask(ScriptedEngine([answer]), [views_of(scan)])[0]


def test_six_pictures_and_the_versioned_prompt_are_shown(scan):
    engine = ScriptedEngine([FAULTY])
    ask(engine, [views_of(scan)])
    system, user = engine.asked[0]
    assert system.text == prompt("scan_check_v1")
    assert len(user.images) == 6
    assert all(Image.open(io.BytesIO(one)).size[0] <= 256 for one in user.images)


def test_a_model_adds_doubts_and_lifts_none(scan):
    found = with_opinion(CLEAN, reply(FAULTY, scan))
    assert found.verdict == "suspect"
    assert found.reasons[0].code == "model_noise"
    assert with_opinion(CLEAN, reply(FAULTY, scan), may_reject=True).verdict == "reject"
    rejected = Check("reject", (Reason("nan", "reject", 1, 0, "x"),))
    passed = with_opinion(rejected, reply(ScanOpinion(verdict="pass"), scan))
    assert passed.verdict == "reject"
    assert passed.reasons == rejected.reasons


@pytest.mark.parametrize("raw", ["no JSON", '{"verdict": "fine"}', '{"verdict": "suspect", "x'])
def test_a_malformed_reply_changes_nothing_and_is_noted(scan, raw):
    found = with_opinion(CLEAN, reply(raw, scan))
    assert found.verdict == "pass"
    assert found.evidence["model_malformed"] == 1


def test_every_code_of_the_schema_is_in_the_prompt():
    from typing import get_args

    from cleaning.check.vision import Code

    assert all(code in prompt() for code in get_args(Code))


def test_the_picture_marks_the_place_and_the_verdict(scan):
    planes = (2, 10, 12)
    marked = Check("reject", (Reason("empty_slices", "reject", 1, 0, "x", planes),))
    picture = np.asarray(Image.open(io.BytesIO(evidence_picture(scan, marked))))
    assert tuple(picture[0, 0]) == (215, 50, 40)
    is_marked = (picture[:, :, 0].astype(int) - picture[:, :, 2]) > 60
    assert is_marked[10:].any()
    plain = planes_of(scan)
    assert all((one[..., 0] == one[..., 2]).all() for one in plain)


def test_pictures_of_odd_values(scan):
    array = scan.array.astype(np.float32)
    array[:4] = np.nan
    assert evidence_picture(scan.with_array(array), CLEAN)
    assert evidence_picture(scan.with_array(np.zeros_like(array)), check(scan, "CT", CheckConfig()))


ORDER = ["pass", "suspect", "reject"]


@pytest.mark.parametrize("may_reject", [False, True])
@pytest.mark.parametrize("rules", ORDER)
@pytest.mark.parametrize("says", [*ORDER, "no JSON"])
def test_no_reply_makes_a_verdict_milder(scan, rules, says, may_reject):
    severity = "reject" if rules == "reject" else "suspect"
    reasons = () if rules == "pass" else (Reason("nan", severity, 1, 0, "x"),)
    answer = says if says == "no JSON" else ScanOpinion(verdict=says)
    found = with_opinion(Check(rules, reasons), reply(answer, scan), may_reject=may_reject)
    assert ORDER.index(found.verdict) >= ORDER.index(rules)
    assert found.reasons[: len(reasons)] == reasons
    if rules != "reject" and not may_reject:
        assert found.verdict != "reject"
