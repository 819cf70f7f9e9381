"""What becomes of a judge's answers in the catalog: what counts, what waits for people."""

import numpy as np
import pytest

from labeling.assembly import assemble
from labeling.assembly.undo import undo
from labeling.config import LabelingConfig
from labeling.expert import contest
from labeling.fusion import fuse
from tests.labeling.conftest import AFFINE, build
from voxcurate.catalog import Decision, Label
from voxcurate.labels import write_mask

CONFIG = LabelingConfig()
PLACE = ("src_case00", "liver")


@pytest.fixture
def machines(tmp_path):
    """A workspace in which a fusion drew the liver, for nobody else did."""
    world = build(tmp_path / "ws", planted={}, n_train=4, n_validation=0, n_test=0)
    case_id, class_id = PLACE
    fuse.run(world.ctx, CONFIG)
    with world.ctx.catalog.write() as writer:
        for x in writer.rows(Label, case_id=case_id, class_id=class_id, origin="original"):
            said = Decision("", 1, "review", case_id, class_id, x.label_id, "retire", "", "human:a")
            writer.flag(x.label_id, said, retired=True)
    return world


def conclude(world, verdict, choice=1):
    """The judge prefers another mask; the machine's label, and the version that was made."""
    ctx, (case_id, class_id) = world.ctx, PLACE
    (old,) = ctx.catalog.rows(Label, case_id=case_id, class_id=class_id, origin="pseudo")
    moved = np.roll(world.truth[case_id][class_id], 2, 0)
    file = write_mask(ctx.workspace.scratch, "judged", moved, AFFINE)
    row = {"choice": choice, "confidence": 0.7, "reason": "", "judge": "anatomy 3", "file": file,
           "evidence": {}, "names": ["ensemble", "model0"], "dsc_with_first": [1.0, 0.6],
           "cost": {"requests": 3}, "known": None}  # fmt: skip
    with ctx.catalog.write() as writer:
        contest._conclude(ctx, writer, row, old, (verdict, False), None)
    made = ctx.catalog.rows(Label, case_id=case_id, class_id=class_id, origin="judged")
    return old, made, file


def counts(world):
    assemble.run(world.ctx, CONFIG)
    return world.label(*PLACE)


def test_a_version_that_is_only_proposed_does_not_count(machines):
    old, (made,), _ = conclude(machines, "to_review")
    assert counts(machines) == old
    accepted = Decision("", 1, "review", *PLACE, old.label_id, "accept", "", "human:a",
                        made.label_id)  # fmt: skip
    with machines.ctx.catalog.write() as writer:
        writer.flag(made.label_id, accepted, confirmed=True, retired=False)
    assert counts(machines).label_id == made.label_id
    conclude(machines, "to_review")  # again, with other settings: people have spoken
    assert counts(machines).label_id == made.label_id


def test_what_replaces_a_machines_label_counts_until_it_is_taken_back(machines):
    old, _, _ = conclude(machines, "to_review")
    _, (made,), _ = conclude(machines, "replace")  # what was proposed may mend now
    assert counts(machines).label_id == made.label_id
    undo(machines.ctx, CONFIG.assemble, *PLACE, actor="human:a", reason="no", to=old.label_id)
    conclude(machines, "replace")
    assert counts(machines).label_id == old.label_id


def test_of_a_label_that_is_kept_nothing_is_proposed(machines):
    old, made, file = conclude(machines, "keep")
    assert (counts(machines), made) == (old, [])
    assert not list(machines.ctx.workspace.scratch.glob("judged*"))
    assert file.temporary


def test_a_decision_tells_what_it_cost(machines):
    conclude(machines, "to_review")
    (decision,) = machines.ctx.catalog.rows(Decision, stage="judge")
    assert decision.cost == {"requests": 3}


def test_lesions_are_known_by_the_vocabulary(machines):
    ctx = machines.ctx
    assert contest._is_lesion(ctx, "liver_tumor")
    assert not contest._is_lesion(ctx, "liver")
    assert not contest._is_lesion(ctx, "third_lung")
