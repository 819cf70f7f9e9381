"""Labels that speak about a part of the scan are judged and mended in that part alone."""

import numpy as np
import pytest
from scipy import ndimage

from labeling.assembly import assemble
from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert import detect, judge
from labeling.expert.spoken import agreement, candidates_of, merged, spoken
from labeling.fusion import fuse
from labeling.structures import Structure
from tests.conftest import oblique_affine
from tests.labeling.conftest import AFFINE, SHAPE, build
from voxcurate.catalog import Assembly, Decision, Label
from voxcurate.labels import adopt_mask, read_mask, write_mask

GRID = (9, 8, 7)
AUTO = ("pseudo", "judged", "original")


def box(*sides):
    mask = np.zeros(GRID, bool)
    mask[tuple(slice(*side) for side in sides)] = True
    return Structure.of("liver", mask, oblique_affine())


LABEL = box((0, 6), (0, 4), (0, 4))
KNOWN = box((3, 9), (0, 8), (0, 7))


def test_a_candidate_takes_the_labels_place_where_that_speaks_alone():
    other = box((1, 9), (2, 8), (2, 7))
    made = merged(other, LABEL, KNOWN).full()
    np.testing.assert_array_equal(made[3:], other.full()[3:])
    np.testing.assert_array_equal(made[:3], LABEL.full()[:3])
    assert merged(other, LABEL, None) is other
    nothing = box((0, 0), (0, 0), (0, 0))
    np.testing.assert_array_equal(merged(nothing, LABEL, KNOWN).full()[3:], False)
    np.testing.assert_array_equal(merged(other, nothing, KNOWN).full()[:3], False)


def test_candidates_that_change_nothing_there_are_left_out():
    elsewhere = box((0, 2), (5, 8), (0, 4)).joined(spoken(LABEL, KNOWN))
    entries = [("current", LABEL), ("smoothed", elsewhere), ("ensemble", elsewhere), ("x", KNOWN)]
    found = candidates_of(entries, KNOWN, ["ensemble"])
    assert [name for name, _ in found] == ["current", "ensemble", "x"]
    assert candidates_of(entries, None, []) == entries


def test_agreement_is_of_that_part():
    other = box((3, 6), (0, 4), (0, 4))
    assert agreement(LABEL, other, KNOWN) == 1.0
    assert agreement(LABEL, other, None) == pytest.approx(2 / 3)
    assert agreement(box((0, 2), (0, 2), (0, 2)), box((0, 1), (0, 1), (0, 1)), KNOWN) is None


def too_large(masks):
    """A liver label that is too large all around."""
    liver = ndimage.binary_dilation(masks["liver"], iterations=3)
    others = np.any([m for c, m in masks.items() if c != "liver"], axis=0)
    return {**masks, "liver": liver & ~others}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The third case's liver is too large, and speaks about the half on one side of its middle."""
    made = build(tmp_path_factory.mktemp("spoken") / "ws", planted={2: too_large}, n_train=8,
                 n_validation=0, n_test=0)  # fmt: skip
    ctx, case = made.ctx, "src_case02"
    old = made.label(case, "liver")
    known = np.zeros(SHAPE, bool)
    known[:, :, int(np.argwhere(made.current[case]["liver"])[:, 2].mean()) :] = True
    files = [
        write_mask(ctx.workspace.scratch, name, mask, AFFINE)
        for name, mask in (("part", made.current[case]["liver"]), ("part_known", known))
    ]
    with ctx.catalog.write() as writer:
        label = adopt_mask(
            writer, ctx.workspace, files[0], known=files[1], case_id=case, class_id="liver",
            origin="original", round_number=0, model_id="part",
        )  # fmt: skip
        said = Decision("", 0, "ingest", case, "liver", old.label_id, "retire", "", "t")
        writer.flag(old.label_id, said, retired=True)
        writer.point(Assembly(0, case, "liver", label.label_id, "original"))
    fuse.run(ctx, LabelingConfig())
    detect.run(ctx, LabelingConfig())
    return made, known, label


def test_a_version_that_takes_its_place_speaks_about_the_same_part(world):
    made, known, label = world
    ctx, case = made.ctx, "src_case02"
    config = LabelingConfig(
        judge=JudgeConfig(auto_mend=AUTO, mend_probability=0.0, usual_oddity=9.0, usual_weight=9.0)
    )
    judge.run(ctx, config)
    (told,) = ctx.catalog.rows(
        Decision, stage="judge", class_id="liver", label_id=label.label_id, verdict="replace"
    )
    new = ctx.catalog.one(Label, label_id=told.other_label)
    root = ctx.workspace.root
    np.testing.assert_array_equal(read_mask(root, new.known_path, SHAPE), known)
    mask, old = (read_mask(root, x.path, SHAPE) for x in (new, label))
    np.testing.assert_array_equal(mask[~known], old[~known])
    truth = made.truth[case]["liver"]
    assert (mask ^ truth)[known].sum() < 0.5 * (old ^ truth)[known].sum()
    assert not list(ctx.workspace.scratch.glob("*_known*"))
    assemble.run(ctx, config)
    assert made.label(case, "liver").known_path == new.known_path
