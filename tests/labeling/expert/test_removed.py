"""What reports call removed: an empty label of it stays empty."""

from dataclasses import replace

import pytest

from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert import detect, judge
from labeling.expert.removed import removed_of
from labeling.fusion import fuse
from labeling.rules import load_anatomy
from tests.labeling.conftest import build, lose_spleen
from voxcurate.catalog import Decision, FindingRow
from voxcurate.classes import load_vocabulary

VOCABULARY = load_vocabulary()
ANATOMY = load_anatomy(VOCABULARY, ("abdomen", "head_neck"))
CASE = "src_case03"
CONFIG = LabelingConfig(
    judge=JudgeConfig(auto_mend=("original", "pseudo", "judged"), mend_probability=0.5)
)


def finding(question, value="yes", *, case=CASE, report="r1", side="", supported=True):
    return FindingRow(
        report, question, case, value, None, "", "", "A sentence.", "impression", 0.9, "rules", 1,
        side=side, supported=supported,
    )  # fmt: skip


class Known:
    """A catalog of findings."""

    def __init__(self, *rows):
        self.all = rows

    def rows(self, kind, *, case_id, question, value):
        assert kind is FindingRow
        return [
            r
            for r in self.all
            if r.case_id in case_id and r.question in question and r.value in value
        ]


def gone(*rows, classes=("spleen", "kidney_left", "kidney_right", "larynx")):
    found = removed_of(Known(*rows), ANATOMY, VOCABULARY, classes, [CASE])
    return {c: g.is_whole for c, g in found.get(CASE, {}).items()}


def test_which_answers_say_that_an_organ_is_gone():
    assert gone(finding("splenectomy")) == {"spleen": True}
    assert gone(finding("splenectomy", "uncertain")) == {"spleen": False}
    assert gone(finding("splenectomy", "uncertain"), finding("splenectomy", report="r2")) == {
        "spleen": True
    }
    assert gone(finding("splenectomy", "no"), finding("ascites")) == {}
    assert gone(finding("splenectomy", supported=False)) == {}
    assert gone(finding("splenectomy", case="another")) == {}
    assert gone(finding("laryngectomy")) == {"larynx": True}
    assert gone(finding("splenectomy"), classes=("larynx",)) == {}


def test_sides_count_and_a_part_may_be_left():
    assert gone(finding("nephrectomy", side="left")) == {"kidney_left": False}
    assert gone(finding("nephrectomy", side="right")) == {"kidney_right": False}
    assert gone(finding("nephrectomy")) == {"kidney_left": False, "kidney_right": False}


def test_shipped_questions_are_there():
    from retrieval.questions import load_questions

    known = {q.id for q in load_questions()}
    files = load_anatomy(VOCABULARY, ("abdomen", "chest", "head_neck", "pelvis"))
    named = {q for r in files.classes.values() for q in (*r.removed_by, *r.resected_by)}
    assert len(named) > 8
    assert named <= known


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The fourth case's spleen label is empty, though the models draw one."""
    made = build(tmp_path_factory.mktemp("removed") / "ws", planted={3: lose_spleen}, n_train=9,
                 n_validation=0, n_test=0)  # fmt: skip
    fuse.run(made.ctx, CONFIG)
    detect.run(made.ctx, CONFIG)
    return made


def spleen_of(world, **found):
    """The newest decision on the empty spleen, after the report was read so."""
    with world.ctx.catalog.write() as writer:
        for row in writer.rows(FindingRow, case_id=CASE):
            writer.put(replace(row, supported=False))
        if found:
            writer.put(finding("splenectomy", **found))
    before = {d.decision_id for d in world.ctx.catalog.rows(Decision, stage="judge")}
    result = judge.run(replace(world.ctx, cohort=frozenset({CASE})), CONFIG)
    assert not result.failed
    rows = world.ctx.catalog.rows(Decision, stage="judge", case_id=CASE, class_id="spleen")
    return [d for d in rows if d.decision_id not in before]


def test_an_empty_label_after_surgery_is_not_filled(world):
    (kept,) = spleen_of(world, value="yes")
    assert kept.verdict == "keep"
    assert "was removed (splenectomy)" in kept.reason
    assert kept.evidence["removed"]["report_id"] == "r1"
    assert "sentence" not in kept.evidence["removed"]
    assert not kept.other_label
    (asked,) = spleen_of(world, value="uncertain")  # the report was read anew: judged anew
    assert asked.verdict == "to_review"
    (filled,) = spleen_of(world)
    assert filled.verdict == "replace"
