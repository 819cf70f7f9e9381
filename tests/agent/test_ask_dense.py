"""``ask --dense``: what the rules do not understand is searched in the sentences."""

import pytest

from agent import answers
from agent.answers import AskOptions, answer
from tests.retrieval.search.test_dense import Fake, add
from tests.retrieval.search.test_index import a_finding
from voxcurate.catalog import Catalog
from voxcurate.workspace import Workspace

TEXTS = ("Ascites. A zebroid calculus.", "A zebroid calculus.", "Ascites. Quiet spleen.")


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(answers, "MiniLM", Fake)
    workspace = Workspace.create(tmp_path / "w")
    catalog = Catalog(workspace.catalog_url)
    add(catalog, TEXTS)
    with catalog.write() as writer:
        writer.put(a_finding("r0"))
        writer.put(a_finding("r2"))
    yield workspace, catalog
    catalog.close()


def test_the_rest_of_the_question_filters_and_the_words_rank(bench):
    workspace, catalog = bench
    question = "ascites with zebroid stone"
    plain = answer(workspace, catalog, question, AskOptions())
    assert plain.answered is None
    assert "zebroid" in " ".join(plain.not_understood)
    found = answer(workspace, catalog, question, AskOptions(dense=True))
    assert found.not_understood == ()
    assert "zebroid" in found.query.text
    assert [c.question for c in found.query.all_of] == ["ascites"]
    assert found.answered is not None
    hits = [hit.case_id for hit in found.answered.found.hits]
    assert hits[0] == "s0"
    assert "s1" not in hits
    assert any("zebroid" in words for words, _ in found.used)


def test_nothing_is_embedded_for_a_question_that_is_understood(bench, monkeypatch):
    workspace, catalog = bench
    monkeypatch.setattr(answers, "MiniLM", None)
    found = answer(workspace, catalog, "ascites", AskOptions(dense=True))
    assert found.answered is not None
    assert [hit.case_id for hit in found.answered.found.hits] == ["s0", "s2"]
