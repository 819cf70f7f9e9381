"""Engines in processes of their own: what a crash, a hang, a poisoned request costs."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from voxcurate.chat import crew as module
from voxcurate.chat import hosted
from voxcurate.chat.crew import Crew
from voxcurate.chat.engine import EngineConfig, json_schema
from voxcurate.config import build
from voxcurate.errors import ConfigError
from voxcurate.keeper import descendants
from voxcurate.protocols import Message

KIND = "tests.voxcurate.chat_models:ScriptedModel"


class Measured(BaseModel):
    """The schema of these tests."""

    length: int
    word: str


def crew_of(path, *, environments=({},), gpus=0.0, **fields):
    options = {"trace": str(path / "trace"), **fields.pop("options", {})}
    base = {"engine": "vllm", "model": "m", "options": options, "timeout_s": 60, "wait_s": 0.0}
    settings = build(EngineConfig, {**base, **fields})
    return Crew(KIND, settings, environments=environments, gpus=gpus)


def asked(crew, texts):
    talks = [[Message("user", text)] for text in texts]
    return dict(crew.run(talks, json_schema(Measured), texts))


def trace(path, kind):
    lines = (path / "trace").read_text().splitlines()
    return [line.removeprefix(kind).strip() for line in lines if line.startswith(kind)]


def texts_of(n, **troubles):
    places = {place: word for word, place in troubles.items()}
    return [f"{places.get(i, 'fine')} number {i}" for i in range(n)]


def right(found, texts, *, but=()):
    for place, text in enumerate(texts):
        if place not in but:
            assert f'"length": {len(text)}' in found[place].text
            assert found[place].error == ""


def test_every_request_gets_its_own_reply_and_no_more_are_in_hand_than_allowed(tmp_path):
    texts = texts_of(60)
    crew = crew_of(tmp_path, in_hand=10)
    found = asked(crew, texts)
    right(found, texts)
    assert sorted(found) == list(range(60))
    assert max(map(int, trace(tmp_path, "hand"))) <= 10
    right(asked(crew, texts[:3]), texts[:3])
    assert (crew.started, len(trace(tmp_path, "start"))) == (1, 1)
    crew.close()


@pytest.mark.parametrize("trouble", ["crash", "raise", "hang", "stop"])
def test_crash_in_the_middle_costs_nothing_that_was_done(tmp_path, trouble):
    texts = texts_of(40, **{trouble: 23})
    is_silent = trouble in ("hang", "stop")
    fields = {"timeout_s": 5.0} if is_silent else {}
    crew = crew_of(tmp_path, in_hand=8, options={"once": str(tmp_path / "once")}, **fields)
    found = asked(crew, texts)
    right(found, texts)
    answers = Counter(trace(tmp_path, "answer"))
    assert len(answers) == 40
    if not is_silent:  # on a busy machine a healthy one may be silent for so long
        assert crew.started == 2
        assert sum(answers.values()) - 40 <= 8  # what was under way, at most
    crew.close()


def test_request_that_takes_engines_down_is_given_up_and_the_others_get_replies(tmp_path):
    texts = texts_of(40, crash=17)
    crew = crew_of(tmp_path, in_hand=16, crashes=3)
    found = asked(crew, texts)
    right(found, texts, but=[17])
    assert found[17].error.startswith("given up: 3 engines went down with this request")
    assert "number" not in found[17].error
    assert crew.started in (3, 4)  # the last is replaced when there is work
    again = asked(crew, [texts[17], "fine number 99"])  # known by now
    assert "given up: 3" in again[0].error
    assert again[1].text
    assert crew.started <= 4
    crew.close()


def test_run_that_was_broken_off_leaves_nothing_to_the_next_one(tmp_path):
    crew = crew_of(tmp_path, options={"step_s": 0.05})
    texts = texts_of(40)
    talks = [[Message("user", text)] for text in texts]
    first = crew.run(talks, json_schema(Measured), texts)
    next(first)
    first.close()
    others = [f"another {n}" for n in range(20)]
    found = asked(crew, others)
    right(found, others)
    assert sorted(found) == list(range(20))
    assert crew.started == 1
    crew.close()


def test_run_that_was_broken_off_leaves_no_phantoms_in_an_engines_hand(tmp_path):
    crew = crew_of(tmp_path, in_hand=4)
    texts = texts_of(40)
    first = crew.run([[Message("user", text)] for text in texts], json_schema(Measured), texts)
    next(first)  # of four that came at once
    first.close()
    asked(crew, texts_of(12))
    assert not crew._hosts[0].in_hand
    crew.close()


def test_engine_is_not_silent_because_its_driver_was_busy(tmp_path, monkeypatch):
    late = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late[0])
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(hosted, "time", clock)
    crew = crew_of(tmp_path, in_hand=8, options={"step_s": 0.2})
    texts = texts_of(12)
    run = crew.run([[Message("user", text)] for text in texts], json_schema(Measured), texts)
    found = [next(run)]
    late[0] = 1000.0  # the driver wrote to a slow disk; the engine went on
    assert crew._hosts[0].pipe.poll(60)
    assert sorted(place for place, _ in [*found, *run]) == list(range(12))
    assert crew.started == 1
    crew.close()


def test_engine_that_died_while_idle_costs_no_request_anything(tmp_path):
    crew = crew_of(tmp_path, crashes=1)
    right(asked(crew, ["fine 1"]), ["fine 1"])
    os.kill(descendants(crew._hosts[0]._process.pid)[-1], signal.SIGKILL)
    crew._hosts[0]._process.wait()
    right(asked(crew, ["fine 2"]), ["fine 2"])
    assert crew.started == 2
    crew.close()


def test_schema_is_sent_once_however_often_it_is_asked_for(tmp_path):
    crew = crew_of(tmp_path)
    for n in range(3):
        asked(crew, [f"fine {n}"])
    assert len(crew._hosts[0]._schemas) == 1
    crew.close()


def test_engine_that_does_not_read_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(hosted, "SEND_S", 1)
    big = "x" * 1_000_000
    texts = ["stop first", *(f"fine {n} {big}" for n in range(8))]
    crew = crew_of(tmp_path, options={"once": str(tmp_path / "once")}, timeout_s=30)
    found = asked(crew, texts)
    assert sorted(found) == list(range(9))
    assert not any(made.error for made in found.values())
    assert crew.started > 1
    crew.close()


def test_two_that_take_engines_down_spare_the_innocent(tmp_path):
    texts = texts_of(30, crash=3, **{"raise": 4})
    found = asked(crew_of(tmp_path, in_hand=9), texts)
    right(found, texts, but=[3, 4])
    assert all("given up: 3 engines" in found[n].error for n in (3, 4))
    assert "RuntimeError" in found[4].error
    assert "CUDA error at" not in found[4].error  # its words could quote a prompt


def test_engine_that_dies_whatever_it_is_asked_is_given_up(tmp_path):
    texts = [f"crash {n}" for n in range(50)]
    crew = crew_of(tmp_path, in_hand=10, give_up_after=3)
    found = asked(crew, texts)
    assert len(found) == 50
    assert crew.started == 3
    assert sum("server given up after 3 engines" in made.error for made in found.values()) >= 40
    assert "server given up" in asked(crew, ["fine"])[0].error
    assert crew.started == 3


def test_refused_request_fails_alone(tmp_path):
    texts = texts_of(10, refuse=4, cut=5)
    found = asked(crew_of(tmp_path), texts)
    right(found, texts, but=[4, 5])
    assert (found[4].error, found[5].is_cut) == ("refused", True)


@pytest.mark.parametrize(
    ("load", "why"),
    [("bad config", "no such model"), ("raise", "RuntimeError"), ("crash", "exit status 137")],
)
def test_model_that_cannot_be_loaded_says_why(tmp_path, load, why):
    with pytest.raises(ConfigError, match=why) as caught:
        asked(crew_of(tmp_path, options={"load": load}), ["a"])
    assert "CUDA error" not in str(caught.value)


def test_model_that_is_never_loaded(tmp_path):
    with pytest.raises(ConfigError, match="not loaded after 1 s"):
        asked(crew_of(tmp_path, options={"load": "hang"}, load_s=1.0), ["a"])


def test_engines_side_by_side_share_the_work(tmp_path):
    texts = texts_of(80, crash=40)
    environments = [{"CUDA_VISIBLE_DEVICES": "0,1"}, {"CUDA_VISIBLE_DEVICES": "2,3"}]
    options = {"once": str(tmp_path / "once"), "step_s": 0.02}
    crew = crew_of(tmp_path, environments=environments, in_hand=8, options=options, gpus=2.0)
    found = asked(crew, texts)
    right(found, texts)
    assert set(trace(tmp_path, "start")) == {"0,1", "2,3"}
    assert crew.started == 3
    assert all(made.gpu_s == pytest.approx(2 * made.seconds) for made in found.values())
    crew.close()


def test_seconds_are_those_of_the_engine_shared_among_its_requests(tmp_path):
    start = time.monotonic()
    crew = crew_of(tmp_path, options={"step_s": 0.02}, gpus=1.0)
    found = asked(crew, texts_of(32))
    took = time.monotonic() - start
    assert 8 * 0.02 <= sum(made.gpu_s for made in found.values()) <= took
    crew.close()


def test_engines_go_when_nobody_wants_them(tmp_path):
    before = set(descendants(os.getpid()))
    crew = crew_of(tmp_path)
    asked(crew, ["fine"])
    assert set(descendants(os.getpid())) - before
    del crew
    gc.collect()
    assert not set(descendants(os.getpid())) - before


PROGRAM = """
import sys
from pathlib import Path
from tests.voxcurate.test_chat_crew import asked, crew_of
crew = crew_of(Path(sys.argv[1]), options={"step_s": 0.2})
asked(crew, [f"fine {n}" for n in range(1000)])
"""


def test_engine_dies_with_its_driver_even_when_that_is_killed(tmp_path):
    run = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)])
    found: list[int] = []
    while not (tmp_path / "trace").exists() or not trace(tmp_path, "answer"):
        found = descendants(run.pid)
        assert run.poll() is None
        time.sleep(0.05)
    assert len(found) >= 2  # a keeper, and the engine
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    for pid in found:
        while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
            time.sleep(0.05)
