"""The stage with a language model: resumed report by report, costs on record, checked by rules."""

import json
from dataclasses import replace

import pytest

from retrieval import stage
from retrieval.alone import Alone, Given
from retrieval.config import RetrievalConfig
from retrieval.questions import load_questions
from tests.retrieval.llm.engines import DOWN, SILENT, FunctionEngine, yes
from tests.retrieval.reading_fixture import context_of, put
from voxcurate.catalog import FindingRow, Measure, Reading, Report, WorkItem
from voxcurate.chat.retry import GIVEN_UP
from voxcurate.config import build
from voxcurate.protocols import Reply

CYST, CLEAR, BOTH = "Hepatic cyst of 2 cm.", "No hepatic cyst.", "Gallstones. Hepatic cyst."
REPORTS = [
    Report("ra", "", "p", "a", CYST),
    Report("rb", "", "p", "a", CLEAR),
    Report("rc", "", "p", "a", BOTH),
    Report("rd", "", "p", "a", " "),
]
SAID = {
    CYST: {"liver_lesion": yes(CYST), "liver_cyst": yes(CYST)},
    CLEAR: {"liver_lesion": yes(CLEAR, "no")},
    BOTH: {"liver_lesion": yes("Hepatic cyst."), "liver_cyst": yes("Hepatic cyst.")},
}


class Server:
    """A model whose server is down for some reports."""

    def __init__(self):
        self.down = set()
        self.engine = FunctionEngine(self._answer)

    def _answer(self, report, names, _):
        if report in self.down:
            return DOWN
        return {name: SAID[report].get(name, SILENT) for name in names}

    def asked_of(self, report):
        return sum(report in talk[0].text for talk in self.engine.asked)


@pytest.fixture
def server(monkeypatch):
    made = Server()
    monkeypatch.setattr("retrieval.llm.reader.make_engine", lambda config, root: made.engine)
    monkeypatch.setattr("retrieval.llm_executor.make_engine", lambda config, root: made.engine)
    return made


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = context_of(tmp_path / "w")
    put(made.catalog, REPORTS)
    yield made
    made.catalog.close()


def config(**fields):
    engine = {"engine": "openai", "model": "m", "price_in": 1e6, "price_out": 1e6}
    return build(RetrievalConfig, {"reader": "llm", "batch": 2, "engine": engine, **fields})


def values(context, report_id):
    return {r.question: r.value for r in context.catalog.rows(FindingRow, report_id=report_id)}


def test_reports_are_read_in_batches_and_what_was_paid_is_on_record(context, server):
    result = stage.read_reports(context, config())
    assert (result.counts["reports"], result.counts["read"]) == (4, 3)
    assert list(result.failed) == ["rd"]
    assert values(context, "ra") == {"liver_lesion": "yes", "liver_cyst": "yes"}
    row = context.catalog.one(FindingRow, report_id="rc", question="liver_cyst")
    assert (row.sentence, row.reader[:4]) == ("Hepatic cyst", "llm ")
    assert BOTH[row.start : row.stop] == "Hepatic cyst"
    n = len(server.engine.asked)
    assert result.counts["requests"] == n > 3
    assert result.counts["tokens_in"] == 100 * n
    assert result.counts["price"] == 110.0 * n
    measures = {m.name: m.value for m in context.catalog.rows(Measure, stage="retrieve")}
    assert (measures["llm_requests"], measures["llm_tokens_out"]) == (n, 10 * n)
    assert max(server.engine.batches) <= 2
    again = stage.read_reports(context, config())
    assert (again.counts["read"], len(server.engine.asked)) == (0, n)
    assert "requests" not in again.counts


def test_failed_reports_are_on_record_and_asked_again_alone(context, server):
    server.down = {CLEAR}
    first = stage.read_reports(context, config())
    assert sorted(first.failed) == ["rb", "rd"]
    assert "no reply from the server" in first.failed["rb"]
    assert context.catalog.one(Reading, report_id="rb").status == "failed"
    assert {w.subject for w in context.catalog.rows(WorkItem, status="failed")} == {"rb", "rd"}
    others = {text: server.asked_of(text) for text in (CYST, BOTH)}

    server.down = set()
    second = stage.read_reports(replace(context, round=2), config())
    assert (second.counts["read"], list(second.failed)) == (1, ["rd"])
    assert values(context, "rb") == {"liver_lesion": "no"}
    assert {text: server.asked_of(text) for text in (CYST, BOTH)} == others
    assert {w.subject for w in context.catalog.rows(WorkItem, status="failed")} == {"rd"}
    assert {m.round for m in context.catalog.rows(Measure, name="llm_requests")} == {1, 2}


def test_with_the_server_down_all_is_on_record_and_resumes(context, server):
    server.down = {CYST, CLEAR, BOTH}
    first = stage.read_reports(context, config())
    assert (first.counts["read"], len(first.failed)) == (0, 4)
    server.down = set()
    assert stage.read_reports(context, config()).counts["read"] == 3


def test_a_server_that_is_down_takes_no_findings_away(context, server):
    rules = stage.read_reports(context, RetrievalConfig())
    before = context.catalog.rows(FindingRow)
    server.down = {CYST, CLEAR, BOTH}
    result = stage.read_reports(context, config())
    assert (result.counts["read"], len(result.failed)) == (0, 4)
    assert context.catalog.rows(FindingRow) == before
    assert result.counts["findings"] == rules.counts["findings"] == len(before) > 3
    assert stage.read_reports(context, config()).counts["findings"] == len(before)
    server.down = set()
    stage.read_reports(context, config())
    assert values(context, "ra") == {"liver_lesion": "yes", "liver_cyst": "yes"}
    assert {row.reader[:4] for row in context.catalog.rows(FindingRow)} == {"llm "}


def test_answers_replace_findings_where_others_failed_and_a_changed_report_keeps_none(
    context, server
):
    stage.read_reports(context, RetrievalConfig())
    assert values(context, "rc")["gallstones"] == "yes"
    refused = {"liver_lesion": yes("No.", "maybe")}
    server.engine._answer = lambda report, names, _: {
        name: refused.get(name, SILENT) for name in names
    }
    stage.read_reports(context, config())
    assert values(context, "ra")["liver_cyst"] == "yes"  # the rules'
    assert "gallstones" not in values(context, "rc")  # the model was asked, and says nothing
    put(context.catalog, [replace(REPORTS[1], text=CYST)])
    stage.read_reports(context, config())
    assert values(context, "rb") == {}


def test_a_report_that_takes_its_worker_down_keeps_the_findings_it_had(context):
    from retrieval import store

    stage.read_reports(context, RetrievalConfig())
    for text, there in ((CYST, True), (CLEAR, False)):
        with context.catalog.write() as writer:
            store.give_up(writer, ("ra", "", text), "mark", "died", 1)
        assert bool(values(context, "ra")) is there


def test_reports_that_a_given_up_server_was_not_asked_are_counted(
    context, server, monkeypatch, caplog
):
    why = f"{GIVEN_UP} after 8 requests in a row without a reply (APIConnectionError)"
    monkeypatch.setattr(server.engine, "_reply", lambda *_: Reply(None, "", "m", error=why))
    result = stage.read_reports(context, config())
    assert result.failed["ra"] == f"{why}: all {len(load_questions())} questions"
    assert (result.counts["not_asked"], result.counts["requests"]) == (3, 0)
    assert "server given up: 3 reports not asked" in caplog.messages


def test_another_model_of_the_same_name_or_temperature_reads_anew(context, server):
    stage.read_reports(context, config())
    for fields in ({"model": "other/m"}, {"model": "third/m"}, {"temperature": 0.5}):
        engine = {"engine": "openai", "model": "m", **fields}
        assert stage.read_reports(context, config(engine=engine)).counts["read"] == 3
        assert stage.read_reports(context, config(engine=engine)).counts["read"] == 0


def test_rules_check_the_model_and_disagreements_are_told(context, server, monkeypatch):
    wrong = {**SAID, CLEAR: {"liver_lesion": yes(CLEAR), "liver_cyst": yes(CLEAR)}}
    monkeypatch.setitem(SAID, CLEAR, wrong[CLEAR])
    stage.read_reports(context, config())
    result = stage.read_reports(context, config(cross_check=True))
    path = context.workspace.round_path(1, "report_disagreements.jsonl")
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert result.counts["disagreements"] == len(told)
    found = {(item["report_id"], item["question"]): item for item in told}
    assert found["rb", "liver_lesion"]["kind"] == "opposite"
    assert found["rb", "liver_lesion"]["model"]["answer"] == "yes"
    assert ("ra", "liver_lesion") not in found
    text = path.read_text()
    later = replace(context, round=2)
    again = stage.read_reports(later, config(cross_check=True))
    assert (again.counts["read"], again.counts["disagreements"]) == (0, len(told))
    assert context.workspace.round_path(2, "report_disagreements.jsonl").read_text() == text


def test_alone_it_keeps_neither_log_nor_answers(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "retrieval.llm_executor.load", lambda registry, name: lambda _: server.engine
    )
    reader = Alone(load_questions(), config())
    given = [Given("a", CYST), Given("b", ""), Given("c", CLEAR)]
    server.down = {CLEAR}
    found = list(reader.read(given))
    assert [a.key for a in found] == ["a", "b", "c"]
    assert {f.question for f in found[0].findings} == {"liver_lesion", "liver_cyst"}
    assert "empty" in found[1].error
    assert "no reply" in found[2].error
    assert reader.reader.startswith("llm ")
    assert not list(tmp_path.iterdir())
