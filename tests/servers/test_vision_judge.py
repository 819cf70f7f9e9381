"""The vision judge on real servers: one that sees and knows nothing, and one that misbehaves."""

import base64
import io
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from labeling.vision.config import VisionConfig
from labeling.vision.engine import make_vision_engine
from labeling.vision.judge import VisionJudge
from tests.labeling.conftest import phantom
from tests.labeling.vision.engines import ALL, better, right, view
from voxcurate.chat import CallLog, EngineConfig, retry
from voxcurate.config import build

SCAN, MASKS = phantom(0)
PAIRS = {
    "kidney_left": [MASKS["kidney_right"], MASKS["kidney_left"]],
    "spleen": [MASKS["liver"], MASKS["spleen"], MASKS["kidney_left"]],
}
PLANNED = 1 + 2 * (1 + 2)  # one look at the skeleton, each pair of a knock-out in both orders


def config(url, model="m", **fields):
    base = {"engine": "openai", "model": model, "base_url": url, "concurrency": 2, "retries": 0}
    return build(EngineConfig, {**base, "timeout_s": 120, **fields})


def judge_of(engine, *, root, how=None):
    return VisionJudge(make_vision_engine(engine, how, root=root), config=how)


@pytest.mark.slow
def test_a_model_that_knows_nothing_gives_ties_on_record(seeing_server, tmp_path):
    url, model = seeing_server
    judge = judge_of(config(url, model, max_tokens=12), root=tmp_path)
    found = judge.judge_all(SCAN, PAIRS)
    assert [v.choice for v in found.values()] == [None, None]
    compared = [row for v in found.values() for row in v.evidence["comparisons"]]
    assert [row["outcome"] for row in compared] == ["tie"] * 3
    assert all(order["error"] for row in compared for order in row["orders"])
    calls = CallLog(tmp_path / "chat.sqlite").calls()
    assert judge.engine.sent == len(calls) == PLANNED
    assert all(call["reply"] or call["tokens_out"] for call in calls)
    assert len({call["request"] for call in calls}) == PLANNED
    pictures = [len(json.loads(call["messages"])[-1]["images"]) for call in calls]
    assert sorted(pictures) == [1, *[2] * (PLANNED - 1)]
    # each pair once in either order
    orders = [tuple(json.loads(call["messages"])[-1]["images"]) for call in calls]
    assert all(pair[::-1] in orders for pair in orders if len(pair) == 2)
    again = judge_of(config(url, model, max_tokens=12), root=tmp_path)
    assert again.judge_all(SCAN, PAIRS) == found
    assert again.engine.sent == 0


def columns(part):
    """Mean column of the red in a picture of a request."""
    data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    red = (rgb[..., 0] > 60) & (rgb[..., 1] == 0) & (rgb[..., 2] == 0)
    return np.flatnonzero(red.any(0)).mean() / rgb.shape[1]


def expert(body):
    """Prefers the overlay further to the right of the picture."""
    parts = body["messages"][-1]["content"]
    name = body["response_format"]["json_schema"]["name"]
    if name == "FieldOfView":
        return view(*ALL)
    if name == "Opinion":
        return right("yes")
    return better("1" if columns(parts[-2]) > columns(parts[-1]) else "2")


def test_a_model_that_sees_is_believed_in_both_orders(rude, tmp_path):
    rude.content = expert
    judge = judge_of(config(rude.url), root=tmp_path)
    verdict = judge.judge(SCAN, "kidney_left", PAIRS["kidney_left"])
    assert verdict.choice == 1
    assert len(rude.requests) == 1 + 2 + 1
    sent = [[p for p in b["messages"][-1]["content"] if "image_url" in p] for b in rude.requests]
    one, other = sent[1:3]
    assert one == other[::-1]


def test_weights_of_the_server_decide_over_its_words(rude, tmp_path):
    # it says "1" whatever it sees, and doubts it where overlay 1 is the worse one
    def liking_the_first(body):
        said = expert(body)
        if "Comparison" in body["response_format"]["json_schema"]["name"]:
            first = "1" if said == better("1") else "2"
            rude.weights = {"1": -0.2, "2": -1.7} if first == "1" else {"1": -0.8, "2": -0.6}
            return better("1")
        return said

    rude.content = liking_the_first
    made = {"concurrency": 1}
    deaf = judge_of(config(rude.url, top_logprobs=0, **made), root=tmp_path / "a")
    assert deaf.judge(SCAN, "kidney_left", PAIRS["kidney_left"]).choice is None
    fine = VisionConfig(weighed_margin=0.04)
    judge = judge_of(config(rude.url, **made), root=tmp_path / "b", how=fine)
    verdict = judge.judge(SCAN, "kidney_left", PAIRS["kidney_left"])
    assert (verdict.choice, rude.requests[-2]["top_logprobs"]) == (1, 5)
    assert 0.6 < verdict.confidence < 0.8


def test_failures_of_the_server_are_asked_for_by_the_next_run_alone(rude, tmp_path, monkeypatch):
    monkeypatch.setattr(retry, "sleep", lambda _: None)
    rude.content = expert
    rude.will("fine", "500", "500", "fine")
    judge = judge_of(config(rude.url, retries=1, concurrency=1), root=tmp_path)
    first = judge.judge(SCAN, "kidney_left", PAIRS["kidney_left"])
    assert (first.choice, first.evidence["failed"], len(rude.requests)) == (None, 1, 4)
    again = judge_of(config(rude.url, concurrency=1), root=tmp_path)
    assert again.judge(SCAN, "kidney_left", PAIRS["kidney_left"]).choice == 1
    assert (again.engine.sent, len(rude.requests)) == (2, 6)  # what failed, and the champion


def test_dead_server_is_given_up(rude, tmp_path, monkeypatch):
    monkeypatch.setattr(retry, "sleep", lambda _: None)
    rude.will("500")
    made = judge_of(config(rude.url, give_up_after=2, concurrency=1), root=tmp_path)
    found = made.judge_all(SCAN, PAIRS)
    assert [v.choice for v in found.values()] == [None, None]
    assert len(rude.requests) == 2


PROGRAM = """
import sys
from pathlib import Path
from tests.servers.test_vision_judge import PAIRS, SCAN, config, judge_of
judge = judge_of(config(sys.argv[1], concurrency=1), root=Path(sys.argv[2]))
judge.engine._portion = 1
judge.judge_all(SCAN, PAIRS)
"""


@pytest.mark.slow
def test_killed_run_goes_on_and_asks_nothing_twice(rude, tmp_path):
    def slow(body):
        time.sleep(0.2)
        return expert(body)

    rude.content = slow
    run = subprocess.Popen([sys.executable, "-c", PROGRAM, rude.url, str(tmp_path)])
    while len(rude.requests) < 4 and run.poll() is None:
        time.sleep(0.02)
    run.kill()
    run.wait()
    time.sleep(0.5)
    before = len(rude.requests)
    rude.content = expert
    judge = judge_of(config(rude.url, concurrency=1), root=tmp_path)
    found = judge.judge_all(SCAN, PAIRS)
    assert {c: v.choice for c, v in found.items()} == {"kidney_left": 1, "spleen": 1}
    planned = PLANNED + 2  # and two champions confirmed
    assert planned <= len(rude.requests) <= planned + 1  # the one under way was sent again
    assert len(rude.requests) - before == judge.engine.sent < planned
