"""The index of a workspace: incremental as if built anew, resumed after a kill, never half read."""

import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from retrieval.questions import load_questions
from retrieval.search import index as index_module
from retrieval.search.index import index_path
from retrieval.search.query import CohortQuery, Condition
from retrieval.search.saved import load_cohort, save_cohort
from retrieval.search.schema import connect
from retrieval.search.session import cohort, opened
from tests.voxcurate.factories import a_scan
from voxcurate.catalog import Catalog, FindingRow, Report
from voxcurate.errors import ConfigError
from voxcurate.workspace import Workspace

pytestmark = pytest.mark.usefixtures("each_database")


def a_finding(report, question="ascites", value="yes", **more):
    base = FindingRow(report, question, "", value, None, "", "", f"{report} says", "", 0.9, "x", 1)
    return replace(base, **more)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Workspace.create(tmp_path / "w")


@pytest.fixture
def catalog(workspace):
    made = Catalog(workspace.catalog_url)
    with made.write() as writer:
        for i in range(6):
            writer.add(a_scan(case_id=f"s{i}", patient=f"p{i // 2}", duplicate_group=f"p{i // 2}"))
            writer.add(Report(f"r{i}", f"s{i}", f"p{i // 2}", "a", f"Shared words. Only {i}."))
            writer.put(a_finding(f"r{i}", value="yes" if i % 2 else "no"))
        writer.add(Report("r9", "", "", "a", "No scan here."))
        writer.put(a_finding("r9"))
    yield made
    made.close()


def cases(workspace, catalog, **query):
    found = cohort(workspace, catalog, CohortQuery(**query), load_questions(), quiet=True)
    return [match.report_id or match.case_id for match in found]


ASCITES = (Condition(question="ascites"),)


def contents(path):
    """All that the index says, its own numbers replaced by names."""
    db = connect(path)
    queries = (
        "SELECT o.kind, o.name, o.state, p.text, s.name, u.live, u.day, u.age, u.slice_mm FROM unit"
        " u JOIN origin o ON o.id = u.id LEFT JOIN patient p ON p.id = u.patient"
        " LEFT JOIN origin s ON s.id = u.scan",
        "SELECT r.name, t.text, a.value, s.name, a.number FROM answer a JOIN origin r ON"
        " r.id = a.report JOIN term t ON t.id = a.question LEFT JOIN origin s ON s.id = a.scan",
        "SELECT s.text, r.name, o.start FROM occurrence o JOIN sentence s ON s.id = o.sentence"
        " JOIN origin r ON r.id = o.report",
        "SELECT text FROM sentence",
        "SELECT s.text FROM lexical l JOIN sentence s ON s.id = l.rowid"
        " WHERE lexical MATCH 'words OR only OR scan OR here OR changed'",
    )
    found = [sorted(map(repr, db.execute(query))) for query in queries]
    db.execute("INSERT INTO lexical (lexical, rank) VALUES ('integrity-check', 1)")
    db.close()
    return found


def test_scans_and_reports_without_scans_are_found(workspace, catalog):
    assert cases(workspace, catalog, all_of=ASCITES) == ["s1", "s3", "s5"]
    assert cases(workspace, catalog, all_of=ASCITES, of="reports") == ["r1", "r3", "r5", "r9"]
    assert cases(workspace, catalog, phrases=("only 4",)) == ["s4"]
    assert cases(workspace, catalog, text="scan") == []
    assert cases(workspace, catalog, text="scan here", of="reports") == ["r9"]


@pytest.mark.parametrize("of", ["scans", "reports"])
def test_quoted_words_are_shown_in_their_sentence(workspace, catalog, of):
    query = CohortQuery(phrases=("only 4",), of=of)
    (match,) = cohort(workspace, catalog, query, load_questions(), quiet=True)
    (proof,) = match.proofs
    assert (proof.sentence, proof.report_id) == ("Only 4.", "r4")


def test_changes_are_taken_up_and_equal_a_rebuild(workspace, catalog):
    cases(workspace, catalog)
    with catalog.write() as writer:
        writer.add(a_scan(case_id="s7", patient="p7", duplicate_group="p7", facts={"age": 71}))
        writer.add(Report("r7", "s7", "p7", "a", "Shared words."))
        writer.put(a_finding("r7"))
        writer.put(Report("r0", "s0", "p0", "a", "Changed."))
        writer.put(replace(catalog.one(Report, report_id="r9"), case_id="s4", patient="p2"))
        writer.forget(FindingRow, report_id="r1")
        writer.put(a_scan(case_id="s3", patient="p1", duplicate_group="p1", status="rejected"))
    assert cases(workspace, catalog, all_of=ASCITES) == ["s4", "s5", "s7"]
    updated = contents(index_path(workspace))
    index_path(workspace).unlink()
    cases(workspace, catalog)
    assert contents(index_path(workspace)) == updated


def test_an_unchanged_catalog_is_not_read(workspace, catalog, monkeypatch):
    cases(workspace, catalog)
    monkeypatch.setattr(index_module, "changes", None)
    assert cases(workspace, catalog, all_of=ASCITES) == ["s1", "s3", "s5"]


@pytest.mark.parametrize("damage", [b"not a database at all", b""])
def test_a_damaged_index_is_built_anew(workspace, catalog, damage):
    cases(workspace, catalog)
    index_path(workspace).write_bytes(damage)
    for log in index_path(workspace).parent.glob("search.sqlite-*"):
        log.unlink()
    assert cases(workspace, catalog, all_of=ASCITES) == ["s1", "s3", "s5"]


def test_an_index_of_another_version_is_built_anew(workspace, catalog):
    cases(workspace, catalog)
    db = connect(index_path(workspace))
    db.execute("DELETE FROM answer")
    db.execute("PRAGMA user_version = 99")
    db.close()
    assert cases(workspace, catalog, all_of=ASCITES) == ["s1", "s3", "s5"]


KILLED = """
import os, signal, sys
from pathlib import Path
from retrieval.search import index, writing
index.BATCH = 2
put = writing.IndexWriter._put_report
def dying(self, item):
    put(self, item)
    if item.report["report_id"] == "r3":
        os.kill(os.getpid(), signal.SIGKILL)
writing.IndexWriter._put_report = dying
from voxcurate.catalog import Catalog
from voxcurate.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]))
with index.open_index(workspace, Catalog(workspace.catalog_url)):
    pass
"""


def test_a_killed_update_goes_on_and_shows_whole_batches_only(workspace, catalog):
    done = subprocess.run([sys.executable, "-c", KILLED, workspace.root], check=False)
    assert done.returncode == -signal.SIGKILL
    db = connect(index_path(workspace))
    names = [row[0] for row in db.execute("SELECT name FROM origin WHERE kind = 1 ORDER BY name")]
    assert names == ["r0", "r1"]
    db.close()
    assert cases(workspace, catalog, all_of=ASCITES) == ["s1", "s3", "s5"]
    resumed = contents(index_path(workspace))
    index_path(workspace).unlink()
    cases(workspace, catalog)
    assert contents(index_path(workspace)) == resumed


HOLDS = """
import fcntl, sys, time
with open(sys.argv[1], "a") as stream:
    fcntl.flock(stream, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(60)
"""


def test_while_another_process_builds_the_index_is_used_as_it_is(workspace, catalog):
    cases(workspace, catalog)
    with catalog.write() as writer:
        writer.put(a_finding("r0"))
    lock = index_path(workspace).with_suffix(".lock")
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, lock], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with opened(workspace, catalog, load_questions(), quiet=True) as session:
            found = session.ask(CohortQuery(all_of=ASCITES))
        assert found.is_behind
        assert [hit.case_id for hit in found.found.hits] == ["s1", "s3", "s5"]
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert cases(workspace, catalog, all_of=ASCITES) == ["s0", "s1", "s3", "s5"]


def test_a_question_that_there_is_not_is_refused(workspace, catalog):
    with pytest.raises(ConfigError, match="horn"):
        cases(workspace, catalog, none_of=(Condition(question="horn"),))


def test_cohorts_are_kept_and_a_change_by_hand_is_seen(workspace, catalog):
    query = CohortQuery(all_of=ASCITES)
    matches = cohort(workspace, catalog, query, load_questions(), quiet=True)
    saved = save_cohort(workspace, "fluid", query, matches, "ascites")
    assert load_cohort(workspace, "fluid") == saved
    assert saved.cases == ("s1", "s3", "s5")
    assert save_cohort(workspace, "fluid", query, matches, "ascites").provenance == saved.provenance
    path = workspace.root / "cohorts" / "fluid.yaml"
    path.write_text(path.read_text().replace("s3", "s4"))
    with pytest.raises(ConfigError, match="by hand"):
        load_cohort(workspace, "fluid")
    with pytest.raises(ConfigError, match="saved are: fluid"):
        load_cohort(workspace, "other")
    with pytest.raises(ConfigError, match="small letters"):
        save_cohort(workspace, "../x", query, matches)
