"""The openai engine and the model reader against servers that misbehave: outcomes and counts."""

import json
import socket

import pytest
from pydantic import BaseModel

from retrieval.llm.cache import AnswerCache
from retrieval.llm.reader import LLMReader
from tests.retrieval.llm.engines import CYST, FENCE, LESION, SILENT, yes
from voxcurate.chat import CallLog, EngineConfig, retry
from voxcurate.chat.openai import OpenAIEngine
from voxcurate.config import build
from voxcurate.protocols import Message, Token


class Measured(BaseModel):
    """The schema of these tests."""

    length: int
    word: str


GOOD = Measured(length=1, word="a")


@pytest.fixture
def waits(monkeypatch):
    """Waits asked for; none is waited."""
    asked = []
    monkeypatch.setattr(retry, "sleep", asked.append)
    return asked


def engine(url, *, log=None, **fields):
    base = {"engine": "openai", "model": "m", "base_url": url, "timeout_s": 20, "concurrency": 1}
    return OpenAIEngine(build(EngineConfig, {**base, **fields}), log=log)


def ask(made, n=1):
    return made.chat([[Message("user", f"number {i}")] for i in range(n)], Measured)


BROKEN = ["drop", "midway", "short", "half", "html", "abort"]


@pytest.mark.parametrize("act", ["500", "502", "503", "429", "408", *BROKEN])
def test_passing_failure_is_retried(rude, waits, act):
    rude.will(act, act, "fine")
    made = engine(rude.url, retries=2)
    (reply,) = ask(made)
    assert reply.parsed == GOOD
    assert (len(rude.requests), made.sent, len(waits)) == (3, 3, 2)


@pytest.mark.parametrize("act", ["500", "429", *BROKEN])
def test_retries_are_bounded(rude, waits, act):
    rude.will(act)
    (reply,) = ask(engine(rude.url, retries=2))
    assert reply.parsed is None
    assert reply.error.startswith("no reply from the server (3 tries): ")
    assert "secret" not in reply.error
    assert len(rude.requests) == 3


@pytest.mark.parametrize(("status", "n"), [("401", 1), ("403", 1), ("413", 1), ("400", 4)])
def test_what_will_not_pass_is_not_retried(rude, waits, status, n):
    rude.will(status)  # 400 might be how the request was put: asked in the other ways
    (reply,) = ask(engine(rude.url, retries=5))
    assert reply.error.endswith(f" {status}")
    assert (len(rude.requests), waits) == (n, [])


def test_waits_double_and_are_bounded(rude, waits):
    rude.will("500")
    ask(engine(rude.url, retries=5, wait_s=1.0, longest_wait_s=5.0))
    for got, whole in zip(waits, [1.0, 2.0, 4.0, 5.0, 5.0], strict=True):
        assert whole / 2 <= got <= whole


@pytest.mark.parametrize(
    ("after", "waited"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("999", 30.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("-3", 0.0),
        ("nan", 0.0),
    ],
)
def test_retry_after_is_honoured_within_the_bound(rude, waits, after, waited):
    rude.will(f"429:{after}", "fine")
    (reply,) = ask(engine(rude.url, retries=1, longest_wait_s=30.0))
    assert reply.parsed == GOOD
    assert waits == [waited]


def test_unreadable_retry_after_waits_as_usual(rude, waits):
    rude.will("429:soon", "fine")
    ask(engine(rude.url, retries=1, wait_s=1.0))
    assert 0.5 <= waits[0] <= 1.0


def test_server_that_hangs_times_out(rude, waits):
    rude.will("hang", "hang", "fine")
    (reply,) = ask(engine(rude.url, retries=1, timeout_s=0.2))
    assert "Timeout" in reply.error
    assert len(rude.requests) == 2


def test_server_that_is_down(waits):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    made = engine(url, retries=2)
    (reply,) = ask(made)
    assert "ConnectionError" in reply.error
    assert (made.sent, len(waits)) == (3, 2)


def test_dead_server_is_given_up(rude, waits, tmp_path):
    rude.will("500")
    log = CallLog(tmp_path / "chat.sqlite")
    made = engine(rude.url, retries=1, give_up_after=3, log=log)
    replies = ask(made, 50)
    assert all(reply.error for reply in replies)
    why = replies[-1].error
    assert why.startswith("server given up after 3 requests in a row without a reply (")
    assert why.endswith(" 500)")
    assert len(rude.requests) == 3 * 2
    assert len(log.calls()) == 3
    rude.will("fine")
    assert ask(made)[0].error  # this engine has given up
    assert ask(engine(rude.url))[0].parsed == GOOD  # the next run asks again


def test_failures_that_are_not_in_a_row_give_up_nothing(rude, waits):
    rude.will(*["500", "500", "fine"] * 10)
    replies = ask(engine(rude.url, retries=0, give_up_after=3), 30)
    assert [bool(r.parsed) for r in replies] == [False, False, True] * 10


@pytest.mark.parametrize("status", ["400", "413", "422"])
def test_prompts_that_are_refused_one_by_one_give_up_nothing(rude, waits, status):
    rude.will("fine", status)
    replies = ask(engine(rude.url, structured=False, give_up_after=3), 10)
    assert [bool(reply.parsed) for reply in replies] == [True] + [False] * 9
    assert len(rude.requests) == 10


@pytest.mark.parametrize(("status", "n"), [("400", 4), ("413", 1), ("422", 4)])
def test_server_that_refuses_all_prompts_is_given_up(rude, waits, status, n):
    rude.will(status)
    replies = ask(engine(rude.url, give_up_after=3), 20)
    assert len(rude.requests) == 3 * n
    assert status in replies[-1].error
    assert replies[-1].error.startswith("server given up")


@pytest.mark.parametrize("act", ["429:2", "503", "drop"])
def test_failure_that_passes_is_retried_though_another_way_was_refused(rude, waits, act):
    rude.will("400", act, "400", "fine")
    (reply,) = ask(engine(rude.url, retries=1))
    assert reply.parsed == GOOD
    assert (len(rude.requests), len(waits)) == (4, 1)


def test_giving_up_can_be_turned_off(rude, waits):
    rude.will("500")
    ask(engine(rude.url, retries=0, give_up_after=0), 20)
    assert len(rude.requests) == 20


def ways(rude):
    names = ("response_format", "max_tokens", "max_completion_tokens")
    return [tuple(name for name in names if name in body) for body in rude.requests]


def test_server_that_knows_no_response_format_is_asked_without_from_then_on(rude, waits):
    rude.will("no_response_format")
    made = engine(rude.url)
    assert [r.parsed for r in ask(made, 3)] == [GOOD] * 3
    assert ways(rude) == [("response_format", "max_tokens"), *[("max_tokens",)] * 3]


def test_server_that_wants_the_bound_under_its_newer_name_gets_it(rude, waits):
    rude.will("no_max_tokens")
    made = engine(rude.url, max_tokens=77)
    assert [r.parsed for r in ask(made, 2)] == [GOOD] * 2
    assert ways(rude)[2:] == [("response_format", "max_completion_tokens")] * 2
    assert rude.requests[-1]["max_completion_tokens"] == 77


def test_a_bad_prompt_changes_nothing_for_the_others(rude, waits):
    rude.will("fine", "400", "400", "fine")
    first, bad, third = ask(engine(rude.url), 3)
    assert (first.parsed, bad.parsed, third.parsed) == (GOOD, None, GOOD)
    assert ways(rude)[0] == ways(rude)[-1] == ("response_format", "max_tokens")
    assert len(rude.requests) == 4  # a way that has worked is not doubted but for the schema


def test_refused_and_cut_off_replies_keep_what_was_said(rude, waits):
    rude.will("refusal", "long")
    rude.content = '{"length": 1, "wo'
    refused, cut = ask(engine(rude.url), 2)
    assert refused.raw == "I will not."
    assert "JSON" in refused.error
    assert cut.raw == rude.content
    assert cut.error.startswith("cut off at")
    assert len(rude.requests) == 2  # the reader, not the engine, asks again


def test_log_probabilities_are_asked_for_and_read(rude):
    rude.weights = {"a": -0.1, "b": -2.4}
    (reply,) = ask(engine(rude.url, top_logprobs=2))
    assert rude.requests[0]["logprobs"] is True
    assert rude.requests[0]["top_logprobs"] == 2
    assert reply.tokens[1] == Token("a", {"a": -0.1, "b": -2.4})
    assert "".join(token.text for token in reply.tokens) == reply.raw
    (plain,) = ask(engine(rude.url))
    assert "logprobs" not in rude.requests[-1]
    assert plain.tokens == ()


def test_server_that_knows_no_log_probabilities_is_asked_without_from_then_on(rude, waits):
    rude.will("no_logprobs")
    replies = ask(engine(rude.url, top_logprobs=2), 3)
    assert [r.parsed for r in replies] == [GOOD] * 3
    assert ["logprobs" in body for body in rude.requests] == [True, False, False, False]
    assert all("response_format" in body for body in rude.requests)


def test_template_arguments_are_sent(rude):
    ask(engine(rude.url, template={"enable_thinking": False}))
    assert rude.requests[0]["chat_template_kwargs"] == {"enable_thinking": False}


# --- the reader over such a server ---
REPORTS = [f"FINDINGS: Cyst number {n} in the pancreas. The kidneys are normal." for n in range(6)]


def honest(body):
    report = FENCE.search(body["messages"][0]["content"]).group(1)
    quote = report.removeprefix("FINDINGS: ").split(".")[0]
    return json.dumps({"pancreas_lesion": yes(quote), "kidney_cyst": SILENT})


def reader(rude, path, **fields):
    made = engine(rude.url, log=CallLog(path / "chat.sqlite"), **fields)
    cache = AnswerCache(path / "answers.sqlite")
    return LLMReader(made, (LESION, CYST), cache=cache, model="m", price_in=1.0)


def test_reader_loses_only_the_reports_whose_requests_failed_and_resumes(rude, waits, tmp_path):
    rude.content = honest
    rude.will(
        "fine", "midway", "midway", "fine", "500", "fine", "half", "half", "fine", "429:1", "fine"
    )
    found = reader(rude, tmp_path, retries=1).read_all(REPORTS)
    assert [bool(r.failed) for r in found] == [False, True, False, False, True, False]
    assert len(rude.requests) == 9
    before = len(rude.requests)
    rude.will("fine")
    again = reader(rude, tmp_path, retries=1)
    done = again.read_all(REPORTS)
    assert not any(r.failed for r in done)
    assert all(f.supported for r in done for f in r.findings)
    assert len(rude.requests) == before + 2
    assert (again.usage.requests, again.usage.tokens_in) == (2, 200)
    assert again.usage.price == pytest.approx(200e-6)


def test_reader_on_a_dead_server_fails_fast_and_says_so_for_each_report(rude, waits, tmp_path):
    rude.will("503")
    many = [f"FINDINGS: Report {n}." for n in range(40)]
    made = reader(rude, tmp_path, retries=1, give_up_after=4)
    found = made.read_all(many)
    asked = [r for r in found if r.error.startswith("no reply from the server (")]
    spared = [r for r in found if r.error.startswith("server given up after 4 requests")]
    assert (len(asked), len(spared)) == (4, 36)
    assert all("[step 1, request " in r.error for r in asked)
    assert not any("request " in r.error.replace("requests ", "") for r in spared)
    assert (len(rude.requests), made.usage.requests) == (4 * 2, 4)
    made.read_all(many)
    assert (len(rude.requests), made.usage.requests) == (4 * 2, 4)


def test_every_call_is_on_record_with_the_raw_reply(rude, waits, tmp_path):
    rude.content = "I cannot do that."
    (reading,) = reader(rude, tmp_path).read_all(REPORTS[:1])
    calls = CallLog(tmp_path / "chat.sqlite").calls()
    assert [call["reply"] for call in calls] == ["I cannot do that."] * 3
    assert all(call["error"] for call in calls)
    named = reading.error.split("request ")[1][:12]
    assert any(call["request"].startswith(named) for call in calls)
