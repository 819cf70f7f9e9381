"""Answers already given: only what is new is asked, and no report text is kept."""

import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.llm.cache import AnswerCache
from retrieval.llm.checking import Said
from retrieval.llm.reader import LLMReader, make_reader
from tests.retrieval.llm.engines import (
    CYST,
    DOWN,
    LESION,
    QUESTIONS,
    SILENT,
    FunctionEngine,
    by_report,
    names_asked,
    yes,
)
from tests.retrieval.llm.test_reader import CLEAR, MASS, PLAIN, TABLE, answers
from voxcurate.chat import EngineConfig
from voxcurate.config import build
from voxcurate.errors import ConfigError

TEXTS = [MASS, CLEAR, PLAIN]


def reader(engine, path, questions=QUESTIONS, model="m"):
    return LLMReader(engine, questions, cache=AnswerCache(path / "answers.sqlite"), model=model)


@pytest.fixture
def warm(tmp_path):
    first = reader(by_report(TABLE), tmp_path).read_all(TEXTS)
    return tmp_path, first


def test_rerun_asks_nothing_and_says_the_same(warm):
    path, first = warm
    engine = by_report({})
    again = reader(engine, path)
    second = again.read_all(TEXTS)
    assert engine.asked == []
    assert [r.findings for r in second] == [r.findings for r in first]
    assert (again.usage.requests, again.usage.price) == (0, 0.0)
    assert again.usage.cached == 5 + 3 + 2


def test_changed_question_alone_is_asked_again(warm):
    path, first = warm
    changed = LESION.model_copy(update={"guidance": "A cyst counts."})
    engine = by_report(TABLE)
    second = reader(engine, path, (changed, *QUESTIONS[1:])).read_all(TEXTS)
    assert [names_asked(item) for item in engine.asked] == [["pancreas_lesion"]] * 3
    assert engine.batches == [3]
    assert [r.findings for r in second] == [r.findings for r in first]


def test_new_report_and_other_model_are_asked(warm):
    path, _ = warm
    engine = by_report({**TABLE, "FINDINGS: New.": {}})
    reader(engine, path).read_all([*TEXTS, "FINDINGS: New."])
    assert engine.batches == [1]
    other = by_report(TABLE)
    reader(other, path, model="other").read_all(TEXTS)
    assert other.batches == [3, 1, 1]


def test_failed_question_is_asked_by_the_next_run_alone(tmp_path):
    def half(report, names, _):
        return {name: "perhaps" if name == "kidney_cyst" else SILENT for name in names}

    (reading,) = reader(FunctionEngine(half), tmp_path).read_all([PLAIN])
    assert list(reading.failed) == ["kidney_cyst", "cyst_kind"]
    engine = by_report(TABLE)
    (reading,) = reader(engine, tmp_path).read_all([PLAIN])
    assert not reading.failed
    assert [names_asked(item) for item in engine.asked] == [["kidney_cyst"]]


def test_run_with_the_server_down_resumes(tmp_path):
    failed = reader(FunctionEngine(lambda *_: DOWN), tmp_path).read_all(TEXTS)
    assert all(r.failed for r in failed)
    engine = by_report(TABLE)
    done = reader(engine, tmp_path).read_all(TEXTS)
    assert engine.batches == [3, 1, 1]
    assert not any(r.failed for r in done)


def test_report_text_and_quotes_are_not_kept(warm):
    path, _ = warm
    found = sqlite3.connect(path / "answers.sqlite")
    tables = ("report", "asked", "answer")
    rows = [row for table in tables for row in found.execute(f"SELECT * FROM {table}")]
    stored = "\n".join(map(str, rows))
    assert "pancreas_lesion" in stored
    assert "so it says" in stored
    for words in ("hypodense", "unremarkable", "Simple cyst"):
        assert words not in stored


def test_silence_takes_little_room(tmp_path):
    texts = [f"FINDINGS: {n}." for n in range(300)]
    reader(by_report({text: {} for text in texts}), tmp_path).read_all(texts)
    cache = AnswerCache(tmp_path / "answers.sqlite")
    cache.close()
    assert (tmp_path / "answers.sqlite").stat().st_size / (2 * len(texts)) < 150


@given(
    st.builds(
        Said,
        value=st.sampled_from(["yes", "no", "number", "list"]),
        number=st.none() | st.floats(0, 100),
        numbers=st.tuples(st.floats(0, 9), st.floats(0, 9)) | st.just(()),
        items=st.just(()) | st.just(("head", "tail")),
        side=st.sampled_from(["", "left"]),
        span=st.none() | st.tuples(st.integers(0, 9), st.integers(9, 99)),
        has_quote=st.booleans(),
        justification=st.text(max_size=9),
    )
)
def test_answer_survives_being_kept(said):
    assert Said.from_plain(json.loads(json.dumps(said.plain()))) == said


def test_unsupported_answer_stays_unsupported_from_the_cache(tmp_path):
    said = {MASS: {"pancreas_lesion": {"value": "yes", "evidence": "never written"}}}
    (first,) = reader(by_report(said), tmp_path).read_all([MASS])
    (second,) = reader(by_report({}), tmp_path).read_all([MASS])
    assert first.findings == second.findings
    assert not answers(second.findings)["pancreas_lesion"].supported


def test_configured_reader_has_log_cache_and_prices(tmp_path):
    config = {"engine": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "retries": 0}
    made = make_reader(build(EngineConfig, config), QUESTIONS, root=tmp_path)
    (reading,) = made.read_all([PLAIN])
    assert "ConnectionError" in reading.error
    assert {"answers.sqlite", "chat.sqlite"} <= {p.name for p in tmp_path.iterdir()}
    with pytest.raises(ConfigError, match="engine"):
        make_reader(EngineConfig(), QUESTIONS, root=tmp_path)


def test_half_characters_in_a_report_or_an_answer_are_no_crash(tmp_path):
    report = "Kidney cyst \udfff of 2 cm."
    escaped = json.dumps({"kidney_cyst": yes("Kidney cyst", justification="\ud800")})
    engine = FunctionEngine(lambda *_: escaped)
    reader = LLMReader(engine, (CYST,), cache=AnswerCache(tmp_path / "a.sqlite"))
    (reading,) = reader.read_all([report])
    assert [f.value for f in reading.findings] == ["yes"]
    assert "\ufffd" in reading.findings[0].rule
    assert reader.read_all([report])[0].usage.cached == 1


def test_answers_of_another_template_or_temperature_are_not_taken(tmp_path):
    base = {"engine": "openai", "model": "org/m", "base_url": "http://127.0.0.1:9/v1"}
    asked = [{}, {"temperature": 0.7}, {"template": {"enable_thinking": False}}, {"retries": 9}]
    told = [build(EngineConfig, {**base, **fields}).sampling for fields in asked]
    assert told == [{}, *asked[1:3], {}]
    cache, n_asked, versions = AnswerCache(tmp_path / "a.sqlite"), [], []
    for sampling in told:
        engine = FunctionEngine(lambda *_: {"kidney_cyst": SILENT})
        reader = LLMReader(engine, (CYST,), cache=cache, model="org/m", sampling=sampling)
        reader.read_all(["Report."])
        n_asked.append(len(engine.asked))
        versions.append(reader.version)
    assert n_asked == [1, 1, 1, 0]
    assert (len(set(versions)), versions[0]) == (3, versions[3])
